"""The contract that every drill keeps: idling fails, the reference passes, wrong remedies fail."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.drills.catalogue import LoadedDrill
from sandbox.drills.grade import Grade, grade
from sandbox.drills.players import Played, nobody, play, script

__all__ = ["Promise", "check_drill"]

IDLE = ("nothing was trained", "there is no")
"""How outcomes begin of what was done before the learner came, and did nothing."""


@dataclass(frozen=True)
class Promise:
    """One promise: whether it is kept, and what was seen."""

    name: str
    kept: bool
    detail: str


def check_drill(loaded: LoadedDrill, seed: int, roots: Sequence[Path]) -> Iterator[Promise]:
    """Play a drill in every way its file names, and yield what came of each.

    Raises
    ------
    SandboxError
        If it cannot be played at all.
    """
    nothing = play(loaded, seed, roots, nobody)
    reference = play(loaded, seed, roots, script(loaded.drill.solution))

    def graded(played: Played) -> Grade:
        return grade(played.session, nothing=nothing, reference=reference)

    yield _before(reference)
    idle, best = graded(nothing), graded(reference)
    yield Promise("doing nothing fails", not idle.passed, _seen(idle))
    yield Promise("the solution passes", best.passed, _seen(best))
    for wrong in loaded.drill.wrong:
        other = graded(play(loaded, seed, roots, script(wrong.steps)))
        less = not other.passed and other.score < best.score
        yield Promise(f"it fails to {wrong.name}", less, _seen(other))
    visible = [not math.isnan(sign.visible) for sign in best.signs]
    yield Promise("evidence can be seen", any(visible), f"{sum(visible)} of {len(visible)} signs")


def _before(played: Played) -> Promise:
    """Hold what was done before the arrival to have had an effect."""
    duty = played.session.duty
    done = [one for one in duty.interventions if one.day < duty.arrival]
    idle = [one.outcome for one in done if one.outcome.startswith(IDLE)]
    detail = "; ".join(idle) or f"{len(done)} notes"
    return Promise("what was done before took effect", not idle, detail)


def _seen(one: Grade) -> str:
    missed = [criterion.name for criterion in one.criteria if not criterion.passed]
    because = f", misses {', '.join(missed)}" if missed else ""
    return f"{one.score:.0f} points, lost {one.you.loss:,.0f} USD{because}"
