"""What a drill was worth: measures of an outcome, beside doing nothing and the reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.drills.duty import CHANGES
from sandbox.drills.session import Session
from sandbox.pipeline.decide import BLOCK as BLOCKED
from sandbox.run.setup import DAY

__all__ = ["Outcome", "measure", "mitigated_at", "observe"]

Floats = NDArray[np.float64]

NEAR = 0.25
"""Losses to come are near the reference's when they exceed it by less than this share of what the
reference saves over the same days."""
TAIL = 2
"""Days that must be left for this to mean anything."""


@dataclass(frozen=True)
class Outcome:
    """What happened from the learner's arrival to the end, truly."""

    daily: tuple[float, ...]
    """Loss of each day, decisions only [USD]."""
    price: float
    """What acting cost [USD]."""
    good_blocked: float
    reviews_wasted: int
    answered: float
    actions: tuple[tuple[float, str, str], ...]
    """(time since arrival [s], kind, who was paged)."""
    diagnoses: tuple[tuple[float, str], ...]
    """(time since arrival [s], cause)."""
    hints: int
    onset: float
    """See `LoadedDrill.onset` [s]."""

    @property
    def loss(self) -> float:
        """Everything: decisions and acting [USD]."""
        return sum(self.daily) + self.price


def observe(session: Session) -> Outcome:
    """Read the outcome of a session that was played to its end."""
    duty, log = session.duty, session.duty.service.log
    start = duty.prepared.scenario.start_time + duty.drill.start
    rows = log.rows_between(start, np.inf)
    negative = ~log.bad(rows)
    refused = log.column("decision")[rows] == BLOCKED
    first = round(duty.arrival)
    return Outcome(
        daily=tuple(m.total for day, m in duty.service.ledger.rows() if day >= first),
        price=duty.price,
        good_blocked=float((negative & refused).sum() / max(int(negative.sum()), 1)),
        reviews_wasted=int((negative & log.column("worked")[rows]).sum()),
        answered=_answered(session),
        actions=tuple((one.at - duty.drill.start, one.kind, one.who) for one in duty.done),
        diagnoses=tuple(
            (s.at, s.command.removeprefix("diagnose ")) for s in session.diagnoses()
        ),
        hints=session.hints_given,
        onset=duty.loaded.onset,
    )  # fmt: skip


def measure(
    session: Session, you: Outcome, nothing: Outcome, reference: Outcome
) -> dict[str, float]:
    """Return every measure of an outcome; NaN where it was not reached or means nothing.

    Parameters
    ----------
    session
        Any session of the drill; it knows the right answers.
    you, nothing, reference
        Outcomes on the same seed.
    """
    drill = session.loaded.drill
    right = {drill.diagnosis, *drill.accept}
    begin = float(np.nan_to_num(np.fmax(you.onset, 0.0)))
    final = you.diagnoses[-1] if you.diagnoses and you.diagnoses[-1][1] in right else None
    reacted = [at for at, *_ in you.actions if at >= begin] + [
        at for at, _ in you.diagnoses if at >= begin
    ]
    kinds = [kind for _, kind, _ in you.actions]
    avoidable = nothing.loss - reference.loss
    mitigated = mitigated_at(you, nothing, reference)
    return {
        "saved": (nothing.loss - you.loss) / avoidable if avoidable > 0 else np.nan,
        "extra_loss": (you.loss - nothing.loss) / max(nothing.loss, 1.0),
        "diagnosed_within": max(final[0] - begin, 0.0) if final else np.nan,
        "detected_within": min(reacted) - begin if reacted else np.nan,
        "mitigated_within": max(mitigated - begin, 0.0),
        "wrong_diagnoses": float(sum(cause not in right for _, cause in you.diagnoses)),
        "false_pages": float(_false_pages(session, you)),
        "good_blocked": you.good_blocked,
        "reviews_wasted": float(you.reviews_wasted),
        "answered": you.answered,
        "changes": float(sum(kind in CHANGES for kind in kinds)),
        "retrainings": float(kinds.count("retrain")),
        "promotions": float(kinds.count("promote")),
        "spent": you.price,
    }


def mitigated_at(you: Outcome, nothing: Outcome, reference: Outcome) -> float:
    """Return when the losses to come were near the reference's [s since arrival]; NaN: never."""
    yours, idle, best = (_to_come(one.daily) for one in (you, nothing, reference))
    near = yours <= best + NEAR * np.maximum(idle - best, 0.0) + 0.02 * best
    count = len(near) - TAIL
    for day in range(max(count, 0)):
        if near[day:count].all():
            return day * DAY
    return np.nan


def _to_come(daily: tuple[float, ...]) -> Floats:
    """Return the losses from each day to the end."""
    return np.cumsum(np.array(daily)[::-1])[::-1]


def _false_pages(session: Session, you: Outcome) -> int:
    """Count pages of people who neither mend anything nor know anything."""
    loaded = session.loaded
    useful = {*loaded.drill.people}
    for incident in loaded.incidents.values():
        useful |= {r.who for r in incident.mended_by if r.do == "page" and r.who}
    return sum(kind == "page" and who not in useful for _, kind, who in you.actions)


def _answered(session: Session) -> float:
    """Return the share answered in time since the arrival, by hours weighted with their load."""
    first = session.duty.arrival
    days, answered = session.duty.metrics.series("answered")
    _, load = session.duty.metrics.series("load")
    mine = days >= first - 1e-9
    return float(np.average(answered[mine], weights=load[mine])) if mine.any() else np.nan
