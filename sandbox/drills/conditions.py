"""The small language of hints, ``elapsed > 2d and not looked(samples)``: parsed, not evaluated."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from sandbox.errors import UsageError
from sandbox.spec.units import parse_quantity

__all__ = ["Condition", "State"]

_CALL = re.compile(r"^(not\s+)?(looked|did|diagnosed)\(\s*([\w-]+)\s*\)$")
_PLAIN = re.compile(r"^(not\s+)?diagnosed$")
_SINCE = re.compile(r"^elapsed\s*(<=|>=|<|>)\s*(\S+)$")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)
_EXPECTED = (
    "terms joined by `and`: elapsed > 2d, looked(PANEL), did(ACTION), diagnosed, "
    "diagnosed(CAUSE), each with `not` before it"
)


class State(Protocol):
    """What conditions ask about."""

    @property
    def elapsed(self) -> float:
        """Time since the learner's arrival [s]."""
        ...

    def looked(self, panel: str) -> bool:
        """Whether a panel was looked at."""
        ...

    def did(self, action: str) -> bool:
        """Whether an action was taken."""
        ...

    def diagnosed(self, cause: str | None) -> bool:
        """Whether a cause, or any, was named."""
        ...


@dataclass(frozen=True)
class _Term:
    name: str
    argument: str = ""
    negated: bool = False
    compare: str = ""
    seconds: float = 0.0

    def holds(self, state: State) -> bool:
        if self.name == "elapsed":
            return _COMPARE[self.compare](state.elapsed, self.seconds)
        answers: Mapping[str, Callable[[str], bool]] = {
            "looked": state.looked,
            "did": state.did,
            "diagnosed": lambda cause: state.diagnosed(cause or None),
        }
        return answers[self.name](self.argument) != self.negated


@dataclass(frozen=True)
class Condition:
    """Terms that must all hold."""

    terms: tuple[_Term, ...] = ()

    @classmethod
    def parse(cls, text: str, where: str) -> Condition:
        """Read a condition; an empty one always holds.

        Raises
        ------
        UsageError
            If it is none.
        """
        parts = re.split(r"\s+and\s+", text.strip()) if text.strip() else []
        return cls(tuple(_term(part.strip(), where) for part in parts))

    def holds(self, state: State) -> bool:
        """Return whether it holds now."""
        return all(term.holds(state) for term in self.terms)


def _term(text: str, where: str) -> _Term:
    if match := _CALL.match(text):
        return _Term(match[2], match[3], bool(match[1]))
    if match := _PLAIN.match(text):
        return _Term("diagnosed", negated=bool(match[1]))
    if match := _SINCE.match(text):
        try:
            quantity = parse_quantity(match[2])
        except ValueError:
            quantity = None
        if quantity is not None and quantity.unit == "s":
            return _Term("elapsed", compare=match[1], seconds=float(quantity))
    raise UsageError("unreadable condition", where=where, got=text, expected=_EXPECTED)
