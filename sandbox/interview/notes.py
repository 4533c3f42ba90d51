"""What the interviewer writes down while the candidate answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.interview.assembly import Assembly
from sandbox.interview.content import Loaded
from sandbox.interview.matching import mentions, words_of
from sandbox.interview.naming import names_for
from sandbox.interview.prompts import SKIP
from sandbox.spec.expression import Expression
from sandbox.spec.interview_terms import LEVELS, Conditions
from sandbox.spec.stated import stated_number, within
from sandbox.spec.walkthrough import NumberCheck, Point

__all__ = ["Notes", "Setup", "Stated", "counts_at"]

MODES = ("normal", "exam", "study")


@dataclass(frozen=True)
class Setup:
    """What kind of interview it is."""

    level: str = "senior"
    minutes: float = 45.0
    mode: str = "normal"

    @property
    def exam(self) -> bool:
        """Whether nothing is explained before the end."""
        return self.mode == "exam"

    @property
    def study(self) -> bool:
        """Whether everything is explained at once."""
        return self.mode == "study"


@dataclass(frozen=True)
class Stated:
    """A number that the candidate stated, beside the one that was expected then."""

    value: float | None
    expected: float
    right: bool
    off: float
    """Stated over expected; 1 where nothing was stated."""


@dataclass
class Notes:
    """Everything that was said, and the design that came of it."""

    loaded: Loaded
    setup: Setup
    assembly: Assembly
    asked: list[str] = field(default_factory=list)
    """Clarifying questions that were recognised, in order."""
    unrecognised: list[str] = field(default_factory=list)
    numbers: dict[str, Stated] = field(default_factory=dict)
    chosen: dict[str, str | None] = field(default_factory=dict)
    """Options by decision; None where it was left open."""
    said: dict[str, str] = field(default_factory=dict)
    """Answers to probes and curveballs, in the candidate's words; empty where there was none."""
    graded: dict[str, int | None] = field(default_factory=dict)
    """The candidate's own grades by stage."""
    met: tuple[str, ...] = ()
    """The curveballs that came."""
    work: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the machine found out."""

    def holds(self, when: Conditions) -> bool:
        """Return whether all these choices were made."""
        return all(self.chosen.get(name) in options for name, options in when.items())

    def missed(self, name: str) -> bool:
        """Return whether a question was not asked, or a number was wrong."""
        if name in self.loaded.walkthrough.questions:
            return name not in self.asked
        return name in self.numbers and not self.numbers[name].right

    def own(self) -> dict[str, float]:
        """Return the candidate's numbers; where none was stated, the one expected."""
        return {
            name: one.expected if one.value is None else one.value
            for name, one in self.numbers.items()
        }

    def names(self) -> Mapping[str, object]:
        """Return what formulas may name now; see `names_for`."""
        loaded = self.loaded
        design = self.assembly.design()
        return names_for(loaded.scenario, design, self.own(), loaded.figures, loaded.costs)

    def state(self, name: str, check: NumberCheck, text: str) -> Stated:
        """Note a number and hold it against the candidate's own design and numbers."""
        expected = Expression.parse(check.expect).value(self.names())
        value = None if text == SKIP else stated_number(text, check.as_)
        right = value is not None and within(value, expected, check.tolerance)
        off = 1.0 if value is None or expected == 0 else value / expected
        self.numbers[name] = Stated(value, expected, right, off)
        return self.numbers[name]

    def points(self, points: Iterable[Point], said: str) -> list[tuple[Point, bool]]:
        """Return the points that count at this level, and whether an answer mentions them."""
        words = words_of(said)
        return [
            (point, any(mentions(form, words) for form in point.accepts))
            for point in points
            if counts_at(point.level, self.setup.level)
        ]

    def risks(self) -> dict[str, list[str]]:
        """Return the objectives that choices endanger, and the decisions that do."""
        found: dict[str, list[str]] = {}
        for name, option in self.chosen.items():
            if option is not None:
                for objective in self.loaded.walkthrough.decisions[name].options[option].risks:
                    found.setdefault(objective, []).append(name)
        return found


def counts_at(level: str, asked: str) -> bool:
    """Return whether what is expected from `level` on is expected of a candidate at `asked`."""
    return LEVELS.index(level) <= LEVELS.index(asked)
