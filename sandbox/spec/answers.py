"""What an answers file says: an interview written down beforehand, for ``--answers``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sandbox.spec.base import Spec

__all__ = ["Answers"]


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Said = Annotated[str, BeforeValidator(_text)]


class Answers(Spec):
    """Answers by the name of what is asked; what is not named is skipped."""

    questions: tuple[Said, ...] = ()
    """What to ask in the first stage, in order."""
    answers: dict[str, Said] = Field(default={})
    """Numbers, options and words by the name of the number, decision, probe or curveball."""
    self_: dict[str, Said] = Field(default={}, alias="self")
    """One's own grades from 1 to 5, by stage."""
    seconds: float = Field(default=45.0, ge=0)
    """How long an answer takes on the clock."""
