"""What passes between the interview and whoever shows it: words, prompts, and work to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import UsageError
from sandbox.interview.matching import pick
from sandbox.spec.stated import stated_number

__all__ = ["DONE", "SKIP", "Prompt", "Tell", "Work"]

SKIP = "skip"
DONE = "done"
MOST_TEXT = 4000
"""Characters of an answer."""


@dataclass(frozen=True)
class Tell:
    """Something that is said or shown."""

    text: str
    kind: str = "say"
    """``title``, ``say`` (the interviewer), ``note`` (what came of an answer), ``diagram``."""


@dataclass(frozen=True)
class Work:
    """Something that the machine does before the interview goes on; its result is sent back."""

    name: str
    about: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prompt:
    """Something that the candidate answers."""

    name: str
    kind: str
    """``question``, ``number``, ``choice``, ``text`` or ``grade``."""
    stage: str
    ask: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Of a choice: names and what they say."""
    number: str = "count"
    """Of a number: what kind it is."""
    hint: str = ""
    """Something to think about, where hints are given."""

    def read(self, text: str) -> str:
        """Return an answer as it is kept.

        Raises
        ------
        UsageError
            If it is none, saying what would be.
        """
        said = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        if len(said) > MOST_TEXT:
            raise self._refused("too long", f"{len(said)} characters", f"at most {MOST_TEXT}")
        if said.lower() == SKIP:
            return SKIP
        if not said:
            raise self._refused("no answer", None, f"an answer, or `{SKIP}`")
        return self._read(said)

    def _read(self, said: str) -> str:
        if self.kind == "number":
            try:
                stated_number(said, self.number)
            except ValueError as error:
                expected = str(error).removeprefix("expected ")
                raise self._refused("not understood", said, expected) from None
        if self.kind == "choice":
            chosen = pick(said, tuple(self.options))
            if chosen is None:
                raise self._refused("no such option", said, _one_of(tuple(self.options)))
            return chosen
        if self.kind == "grade" and said not in ("1", "2", "3", "4", "5"):
            raise self._refused("no grade", said, "1 to 5")
        return DONE if self.kind == "question" and said.lower() in (DONE, "d") else said

    def _refused(self, what: str, got: str | None, expected: str) -> UsageError:
        return UsageError(what, where=self.name, got=got, expected=expected)


def _one_of(names: Sequence[str]) -> str:
    return f"1 to {len(names)}, or one of {', '.join(names)}"
