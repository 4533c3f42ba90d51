"""Which decisions paid and which cost, by what was measured beside the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.interview.curveballs import margin
from sandbox.interview.notes import Notes
from sandbox.interview.showing import showing_for
from sandbox.report.numbers import money, words
from sandbox.spec.walkthrough import Decision

__all__ = ["Weighed", "weigh_decisions"]

LEAST = 0.2
"""What a decision weighs where nothing measured speaks for or against it."""
MOST = 3
UNSHOWN = "Nothing measured is behind the reference's: in these days it did not show."


@dataclass(frozen=True)
class Weighed:
    """One decision, and what speaks for or against it."""

    name: str
    ask: str
    said: str
    """What was chosen."""
    then: str
    """What it brings and costs."""
    better: str
    """What the reference does, where that is another option."""
    evidence: tuple[str, ...]
    """Measured: yours, the reference, the bound."""
    worth: float
    read: tuple[str, ...]


def weigh_decisions(notes: Notes) -> tuple[list[Weighed], list[Weighed]]:
    """Return the three best and the three costliest decisions, the most telling first.

    A decision costs by what it is worth less than the best option, weighed by how far the
    objectives that it shows in lie behind the reference's in the same world; it pays by how far
    they lie on the right side of their bounds.
    """
    yours, reference = _objectives(notes, "yours"), _objectives(notes, "reference")
    paid, cost = [], []
    for name, option in notes.chosen.items():
        decision = notes.loaded.walkthrough.decisions[name]
        worth = decision.options[option].worth if option is not None else 0.0
        shown = [one for one in decision.shows if one in yours]
        if worth >= 1:
            room = {o: max(margin(yours[o]) or 0.0, 0.0) for o in shown if _met(yours[o])}
            one = _weighed(notes, name, tuple(_evidence(yours, reference, list(room))))
            paid.append((decision.weight * (LEAST + sum(room.values())), one))
        elif worth < 0.75:
            gaps = {o: (margin(reference[o]) or 0.0) - (margin(yours[o]) or 0.0) for o in shown}
            behind = {o: gap for o, gap in gaps.items() if gap > 0}
            said = (*_evidence(yours, reference, list(behind)), *_met_by(notes, decision))
            one = _weighed(notes, name, said or (UNSHOWN,))
            cost.append((decision.weight * (1 - worth) * (LEAST + sum(behind.values())), one))
    best = [one for _, one in sorted(paid, key=lambda item: -item[0])]
    worst = [one for _, one in sorted(cost, key=lambda item: -item[0])]
    return best[:MOST], worst[:MOST]


def _objectives(notes: Notes, who: str) -> dict[str, Mapping[str, Any]]:
    found = notes.work["hit"][who]["objectives"] if "hit" in notes.work else ()
    return {one["name"]: one for one in found}


def _met(objective: Mapping[str, Any]) -> bool:
    return objective["passed"] is True


def _evidence(
    yours: Mapping[str, Mapping[str, Any]],
    reference: Mapping[str, Mapping[str, Any]],
    shown: list[str],
) -> Iterator[str]:
    for name in shown:
        yield (
            f"{words(name)}: yours {yours[name]['shown']}, the reference "
            f"{reference[name]['shown']}, wanted {yours[name]['target']}"
        )


def _met_by(notes: Notes, decision: Decision) -> Iterator[str]:
    """Yield where training or a curveball came out worse than for the reference."""
    if decision.signal == "modelling" and "train" in notes.work:
        yours, reference = notes.work["train"]["rows"][0], notes.work["train"]["rows"][-1]
        behind = showing_for(notes.loaded.scenario.task).behind(yours, reference)
        if behind:
            yield behind
    for ball in notes.work["hit"]["curveballs"] if "hit" in notes.work else ():
        weak = notes.loaded.walkthrough.curveballs[ball["name"]].weak
        told = ball["kind"] == "incident" and set(weak) & set(decision.shows)
        if told and ball["yours"] > ball["reference"]:
            yield (
                f"{ball['title']}: from then on you lost {money(ball['yours'])}, the reference "
                f"{money(ball['reference'])}"
            )


def _weighed(notes: Notes, name: str, evidence: tuple[str, ...]) -> Weighed:
    decision, option = notes.loaded.walkthrough.decisions[name], notes.chosen[name]
    fill = notes.loaded.fill
    best = decision.options[decision.best]
    chosen = decision.options[option] if option is not None else None
    return Weighed(
        name=name,
        ask=fill(decision.ask),
        said=fill(chosen.say) if chosen else "left open",
        then=fill(chosen.then) if chosen else "Nobody decided it; the default did.",
        better="" if chosen and chosen.worth >= 1 else fill(f"{best.say}: {best.then}"),
        evidence=evidence,
        worth=chosen.worth if chosen else 0.0,
        read=decision.read,
    )
