"""Points: everything is computed but communication, which the candidate grades."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.interview.notes import Notes, counts_at
from sandbox.interview.showing import showing_for
from sandbox.spec.interview_terms import SIGNALS, STAGES
from sandbox.spec.stated import show_number

__all__ = ["GRADES", "Item", "Score", "score"]

GRADES = ("very weak", "weak", "fair", "strong", "very strong")
NEAR = 3.0
"""A number that is off by less than this factor gets half the points: the size is right."""
COMMUNICATION = 0.1
"""Share of the whole that the candidate's own grades have."""
VERDICT, TRAINED, SURVIVED = 0.75, 2.0, 1.5
"""Weights of an objective met, of what training showed, and of a curveball survived."""


@dataclass(frozen=True)
class Item:
    """One thing that was looked for."""

    name: str
    kind: str
    """``question``, ``number``, ``decision``, ``probe``, ``training``, ``verdict``,
    ``curveball`` (what was said to it) or ``survived`` (what it did)."""
    stage: str
    signal: str
    weight: float
    got: float
    """From 0 to 1."""
    evidence: str


@dataclass(frozen=True)
class Score:
    """All points of 100."""

    items: tuple[Item, ...]
    stages: dict[str, float]
    signals: dict[str, float]
    """Communication is the candidate's own grade, 0 where there is none."""
    total: float
    bar: float
    """What is expected at this level."""

    @property
    def grade(self) -> str:
        """The whole in words."""
        return GRADES[min(int(self.total // 20), 4)]

    @property
    def passed(self) -> bool:
        """Whether the whole reaches what is expected."""
        return self.total >= self.bar


def score(notes: Notes) -> Score:
    """Return the points for what was noted."""
    items = tuple(_items(notes))
    stages = {stage: _share([i for i in items if i.stage == stage]) for stage in STAGES}
    signals = {signal: _share([i for i in items if i.signal == signal]) for signal in SIGNALS}
    grades = [grade for grade in notes.graded.values() if grade is not None]
    signals["communication"] = 25.0 * (sum(grades) / len(grades) - 1) if grades else 0.0
    computed = sum(stages.values()) / len(stages)
    total = (1 - COMMUNICATION) * computed + COMMUNICATION * signals["communication"]
    bar = notes.loaded.walkthrough.rubric.bars[notes.setup.level]  # type: ignore[index]
    return Score(items, stages, signals, total, bar)


def _share(items: Sequence[Item]) -> float:
    weight = sum(item.weight for item in items)
    return 100 * sum(item.weight * item.got for item in items) / weight if weight else 0.0


def _items(notes: Notes) -> Iterator[Item]:
    yield from _questions(notes)
    for stage, plan in notes.loaded.walkthrough.stages.items():
        for step in plan.steps:
            yield from _step(notes, stage, step)
    yield from _measured(notes)


def _questions(notes: Notes) -> Iterator[Item]:
    for name, question in notes.loaded.walkthrough.questions.items():
        if counts_at(question.level, notes.setup.level):
            asked = name in notes.asked
            yield Item(
                name, "question", "clarify", question.signal, question.weight, float(asked),
                "asked" if asked else f"not asked: {notes.loaded.fill(question.if_missed)}",
            )  # fmt: skip


def _step(notes: Notes, stage: str, step: str) -> Iterator[Item]:
    plan = notes.loaded.walkthrough
    if step in notes.numbers:
        check, one = plan.numbers[step], notes.numbers[step]
        near = one.value is not None and 1 / NEAR <= one.off <= NEAR
        got = 1.0 if one.right else 0.5 if near else 0.0
        said = "nothing" if one.value is None else show_number(one.value, check.as_)
        evidence = f"said {said}, expected {show_number(one.expected, check.as_)}"
        yield Item(step, "number", stage, check.signal, check.weight, got, evidence)
    elif step in notes.chosen:
        decision, option = plan.decisions[step], notes.chosen[step]
        if counts_at(decision.level, notes.setup.level):
            got = decision.options[option].worth if option is not None else 0.0
            said = decision.options[option].say if option is not None else "left open"
            yield Item(
                step, "decision", stage, decision.signal, decision.weight, got,
                notes.loaded.fill(said),
            )  # fmt: skip
    elif step in notes.said:
        probe = plan.probes[step]
        yield _text_item(notes, step, "probe", stage, probe.signal, probe.weight, probe.points)


def _text_item(
    notes: Notes, name: str, kind: str, stage: str, signal: str, weight: float, points: Any
) -> Item:
    found = notes.points(points, notes.said[name])
    named = sum(there for _, there in found)
    missing = [point.say for point, there in found if not there]
    evidence = f"{named} of {len(found)} points" + (
        f"; not: {'; '.join(missing)}" if missing else ""
    )
    return Item(name, kind, stage, signal, weight, named / len(found) if found else 1.0, evidence)


def _measured(notes: Notes) -> Iterator[Item]:
    """Yield what the machine found out."""
    if "train" in notes.work:
        yield from _training(notes.loaded.scenario.task, notes.work["train"]["rows"])
    if "calm" in notes.work:
        for one in notes.work["calm"]["objectives"]:
            if one["passed"] is not None:
                yield Item(
                    one["name"], "verdict", "production", "deployment_and_operations", VERDICT,
                    float(one["passed"]), f"{one['shown']}, wanted {one['target']}",
                )  # fmt: skip
    balls = notes.loaded.walkthrough.curveballs
    for name in notes.met:
        yield _text_item(notes, name, "curveball", "production", "deployment_and_operations",
                         1.0, balls[name].points)  # fmt: skip
    if "hit" in notes.work:
        for one in notes.work["hit"]["curveballs"]:
            yield Item(
                one["name"], "survived", "production", "deployment_and_operations", SURVIVED,
                one["kept"], one["said"],
            )  # fmt: skip


def _training(task: str, rows: Sequence[Any]) -> Iterator[Item]:
    for name, part, got, evidence in showing_for(task).findings(rows):
        yield Item(name, "training", "model", "modelling", part * TRAINED, got, evidence)
