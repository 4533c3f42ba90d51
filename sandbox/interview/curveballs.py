"""Which curveballs come: those that meet the design where it is weakest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.interview.notes import Notes, counts_at

__all__ = ["choose_curveballs", "margin", "weak_points"]

RISK = 0.5
"""What a choice that endangers an objective takes off its margin."""
UNKNOWN = 0.5
"""The margin of what could not be measured."""


def margin(objective: Mapping[str, Any]) -> float | None:
    """Return how far on the right side of its bound an objective is, as a share of it.

    Negative where it is missed; between -1 and 1. None where nothing was measured.

    Examples
    --------
    >>> round(margin({"measured": 0.9, "bound": 0.6, "at_least": True, "passed": True}), 3)
    0.5
    >>> margin({"measured": None, "bound": 28.0, "at_least": False, "passed": False})
    -1.0
    """
    measured, bound = objective["measured"], float(objective["bound"])
    if measured is None:
        return -1.0 if objective["passed"] is False else None
    gap = measured - bound if objective["at_least"] else bound - measured
    # Shares near 1, such as availability, have their room above the bound.
    room = 1.0 - bound if objective["at_least"] and 0.9 < bound < 1 else abs(bound)
    return max(-1.0, min(1.0, gap / room)) if room else 0.0


def weak_points(calm: Mapping[str, Any], risks: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return how strong a design is on every objective, the weakest first.

    What was measured while nothing happened, less what its choices endanger: a design without
    monitors is fine until something happens.
    """
    found = {}
    for objective in calm["objectives"]:
        measured = margin(objective)
        strong = UNKNOWN if measured is None else measured
        found[objective["name"]] = strong - RISK * len(risks.get(objective["name"], ()))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def choose_curveballs(notes: Notes, weak: Mapping[str, float], most: int = 2) -> tuple[str, ...]:
    """Return the curveballs that meet the weakest objectives, of different ones and causes."""
    balls = {
        name: ball
        for name, ball in notes.loaded.walkthrough.curveballs.items()
        if counts_at(ball.level, notes.setup.level) and notes.holds(ball.when)
    }

    def strength(name: str) -> float:
        found = [weak[objective] for objective in balls[name].weak if objective in weak]
        return sum(found) / len(found) if found else 1.0

    chosen: list[str] = []
    causes: list[str | None] = []
    for name in sorted(balls, key=strength):
        first = balls[name].weak[0]
        if any(balls[other].weak[0] == first for other in chosen):
            continue
        if balls[name].incident in causes and balls[name].incident is not None:
            continue
        chosen.append(name)
        causes.append(balls[name].incident)
        if len(chosen) == most:
            break
    rest = [name for name in sorted(balls, key=strength) if name not in chosen]
    return tuple((chosen + rest)[:most])
