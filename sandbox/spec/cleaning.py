"""Cleaning as a design declares it: what is put right in an event before its features."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from sandbox.spec.base import Spec, SpecError

__all__ = ["STEPS", "CleanStep"]

STEPS: tuple[str, ...] = ("scale", "blank", "merge", "fill")
_EXAMPLES = {
    "scale": "scale: {of: COLUMN, below: 250, by: 10.764}",
    "blank": "blank: {of: COLUMN, below: 1700, above: 2100}",
    "merge": "merge: {of: COLUMN, as: {old_name: new_name}}",
    "fill": "fill: {of: COLUMN, with: 4}",
}


class CleanStep(Spec):
    """One step; steps are done in order, each on what the ones before it left.

    ===== ================================================================================
    scale multiplies numbers `below` or `above` a bound: those are in another unit
    blank makes numbers `below` or `above` a bound missing: they are nonsense
    merge takes one category for another: two spellings of a name
    fill  puts a number or a category where none is
    ===== ================================================================================

    A step sees one event and nothing else, so that cleaning is the same whenever it is done. It
    changes what features see; the decision log keeps what came.
    """

    step: Literal["scale", "blank", "merge", "fill"]
    """What is done."""
    of: str
    """The column."""
    below: float | None = None
    """Of scale and blank: numbers smaller than this."""
    above: float | None = None
    """Of scale and blank: numbers larger than this."""
    by: float | None = Field(default=None, gt=0)
    """Of scale: the factor."""
    as_: dict[str, str] = Field(default_factory=dict, alias="as")
    """Of merge: categories, and what each is taken for."""
    with_: float | str | None = Field(default=None, alias="with")
    """Of fill: the number or the category."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, CleanStep) or (isinstance(value, dict) and "step" in value):
            return value
        step = next(iter(value), None) if isinstance(value, dict) and len(value) == 1 else None
        if step is None:
            raise ValueError(f"expected one step of {', '.join(STEPS)}")
        if step not in STEPS:
            raise SpecError(f"unknown step {step!r}, expected one of {', '.join(STEPS)}", step)
        if not isinstance(value[step], dict):
            raise SpecError(f"expected {_EXAMPLES[step]}", step)
        return {"step": step, **value[step]}

    @field_validator("with_", mode="before")
    @classmethod
    def _true_is_neither(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("expected a number or a category")
        return value

    @model_validator(mode="after")
    def _complete(self) -> CleanStep:
        bounded = self.below is not None or self.above is not None
        given = {
            "below": bounded, "by": self.by is not None, "as": bool(self.as_),
            "with": self.with_ is not None,
        }  # fmt: skip
        needs = {
            "scale": ("below", "by"), "blank": ("below",), "merge": ("as",), "fill": ("with",),
        }[self.step]  # fmt: skip
        if any(is_given != (name in needs) for name, is_given in given.items()):
            raise SpecError(f"expected {_EXAMPLES[self.step]}", self.step)
        if self.below is not None and self.above is not None and self.below > self.above:
            raise SpecError("nothing is left between them, expected below <= above", "below")
        return self
