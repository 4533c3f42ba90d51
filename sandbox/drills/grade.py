"""The grade of a drill: outcome against doing nothing and the reference, in points and in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.drills.measures import Outcome, measure, observe
from sandbox.drills.players import Played, nobody, play, script
from sandbox.drills.session import Session
from sandbox.run.setup import DAY
from sandbox.spec.drill import Evidence

__all__ = ["FAILED", "Criterion", "Grade", "Sign", "grade"]

POINTS = {"outcome": 50.0, "diagnosis": 25.0, "speed": 15.0, "conduct": 10.0}
"""Points for what; 100 in all."""
FAILED = 59.0
"""Points that who does not pass gets at most."""
FALSE_PAGE, HINT, WRONG_CAUSE = 4.0, 2.0, 5.0
"""Points that each costs."""
HARM = 0.10
"""Where nothing can be saved, this much extra loss costs all points for the outcome."""


@dataclass(frozen=True)
class Criterion:
    """One condition for passing."""

    name: str
    value: float
    bound: float
    at_least: bool
    passed: bool


@dataclass(frozen=True)
class Sign:
    """A piece of evidence, and when it was there to be seen; times since the arrival [s]."""

    evidence: Evidence
    visible: float
    """NaN: it did not show under this seed."""
    looked: float
    """When the learner first looked at its panel after that; NaN: never."""


@dataclass(frozen=True)
class Grade:
    """How it went."""

    drill: str
    title: str
    level: str
    skills: tuple[str, ...]
    seed: int
    passed: bool
    score: float
    """Points out of 100."""
    points: dict[str, float]
    criteria: tuple[Criterion, ...]
    measures: dict[str, float]
    """Yours."""
    beside: dict[str, dict[str, float]]
    """The same for nobody and for the reference solution."""
    diagnosis: str
    """The right one."""
    named: str
    """The learner's last; empty without one."""
    you: Outcome
    nothing: Outcome
    reference: Outcome
    signs: tuple[Sign, ...]


def grade(
    session: Session,
    on_progress: Callable[[str], None] | None = None,
    *,
    nothing: Played | None = None,
    reference: Played | None = None,
) -> Grade:
    """Grade a session that was played to its end.

    Parameters
    ----------
    on_progress
        Told what is being played.
    nothing, reference
        Doing nothing and the reference solution on the same seed; played here when absent.
    """
    say = on_progress or (lambda _: None)
    loaded, drill = session.loaded, session.loaded.drill
    if nothing is None:
        say("the same days with nobody acting")
        nothing = play(loaded, session.seed, session.roots, nobody)
    if reference is None:
        say("the same days under the reference solution")
        reference = play(loaded, session.seed, session.roots, script(drill.solution))
    you = observe(session)
    found = measure(session, you, nothing.outcome, reference.outcome)
    criteria = _criteria(session, found)
    points = _points(session, you, found, reference.outcome)
    passed = all(one.passed for one in criteria)
    score = sum(points.values())
    return Grade(
        drill=loaded.id,
        title=drill.title,
        level=drill.level,
        skills=drill.skills,
        seed=session.seed,
        passed=passed,
        score=score if passed else min(score, FAILED),
        points=points,
        criteria=criteria,
        measures=found,
        beside={
            "nobody acts": measure(session, nothing.outcome, nothing.outcome, reference.outcome),
            "reference": measure(session, reference.outcome, nothing.outcome, reference.outcome),
        },
        diagnosis=drill.diagnosis,
        named=you.diagnoses[-1][1] if you.diagnoses else "",
        you=you,
        nothing=nothing.outcome,
        reference=reference.outcome,
        signs=tuple(_sign(session, one, nothing.session) for one in drill.evidence),
    )


def _criteria(session: Session, found: dict[str, float]) -> tuple[Criterion, ...]:
    """Hold the measures against the drill's bounds; the right diagnosis is always asked for."""
    budget = session.loaded.drill.budget.time
    bounds = session.loaded.drill.passes
    criteria = [
        Criterion(
            name, found[name],
            float(bound.bound), bound.at_least is not None, bound.holds(found[name]),
        )
        for name, bound in bounds.items()
    ]  # fmt: skip
    if "diagnosed_within" not in bounds:
        value = found["diagnosed_within"]
        criteria.append(Criterion("diagnosed_within", value, budget, False, value <= budget))
    return tuple(criteria)


def _points(
    session: Session, you: Outcome, found: dict[str, float], reference: Outcome
) -> dict[str, float]:
    budget = session.loaded.drill.budget.time
    harmless = "saved" not in session.loaded.drill.passes
    if harmless:
        good = 1.0 - max(found["extra_loss"], 0.0) / HARM
        done = found["diagnosed_within"]
    else:
        good = found["saved"]
        done = found["mitigated_within"]
    outcome = float(np.clip(np.nan_to_num(good), 0.0, 1.0))
    right = np.isfinite(found["diagnosed_within"])
    speed = 0.0 if np.isnan(done) else float(np.clip(1.0 - done / budget, 0.0, 1.0))
    conduct = POINTS["conduct"] - FALSE_PAGE * found["false_pages"] - HINT * you.hints
    refused = found["good_blocked"] - reference.good_blocked
    conduct -= 5.0 * max(refused, 0.0) / 0.002
    diagnosis = POINTS["diagnosis"] - WRONG_CAUSE * found["wrong_diagnoses"]
    acted = right or bool(you.actions) or bool(you.diagnoses)
    return {
        "outcome": POINTS["outcome"] * outcome * (acted or not harmless),
        "diagnosis": max(diagnosis, POINTS["diagnosis"] / 3) if right else 0.0,
        "speed": POINTS["speed"] * speed * acted,
        "conduct": max(conduct, 0.0) if acted else 0.0,
    }


def _sign(session: Session, evidence: Evidence, idle: Session) -> Sign:
    """Say when a piece of evidence became visible, and when the learner saw it."""
    arrival = session.loaded.drill.start
    visible = _visible(evidence, idle, arrival)
    looks = [s.at for s in session.steps if s.command in ("look", f"look {evidence.panel}")]
    after = [at for at in looks if at >= visible]
    return Sign(evidence, visible, min(after, default=np.nan))


def _visible(evidence: Evidence, idle: Session, arrival: float) -> float:
    onset = arrival + (0.0 if math.isnan(idle.loaded.onset) else idle.loaded.onset)
    if evidence.metric is None:
        return max(onset + evidence.after - arrival, 0.0)
    metric, _, series = evidence.metric.partition("(")
    days, values = idle.duty.metrics.series(metric, series.removesuffix(")"))
    if evidence.above is not None:
        crossed = values > evidence.above
    else:
        assert evidence.below is not None
        crossed = values < evidence.below
    late = days * DAY >= onset
    hits = days[crossed & late]
    return max(float(hits[0]) * DAY - arrival, 0.0) if len(hits) else np.nan
