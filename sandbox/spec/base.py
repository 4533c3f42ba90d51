"""What every part of a specification shares: frozen, strict about keys, described."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

__all__ = ["Spec", "SpecError"]


class SpecError(ValueError):
    """A rule broken at a known place below the part that checks it.

    Parameters
    ----------
    message
        ``expected ...`` or ``<what> 'got', expected ...``; the grammar of messages.
    at
        Keys and list indices from the checking part down to the culprit.
    """

    def __init__(self, message: str, *at: str | int) -> None:
        self.at = at
        super().__init__(message)


class Spec(BaseModel):
    """A frozen definition, validated once at birth; unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse ``workers: true``, which Python would read as 1."""
        if isinstance(value, bool) and info.field_name in cls.model_fields:
            field = cls.model_fields[info.field_name]
            parsed = any(isinstance(m, BeforeValidator) for m in field.metadata)
            if field.annotation in (int, int | None):
                raise ValueError("expected a whole number")
            if field.annotation in (float, float | None) and not parsed:
                raise ValueError("expected a number")
        return value
