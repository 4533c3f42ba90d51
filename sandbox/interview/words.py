"""What the interviewer says about answers; how much depends on the kind of interview."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.interview.notes import Notes, Stated
from sandbox.interview.showing import showing_for
from sandbox.report.numbers import money, words
from sandbox.spec.stated import show_number
from sandbox.spec.walkthrough import Decision, NumberCheck, Point

__all__ = [
    "after_calm",
    "after_decision",
    "after_hit",
    "after_number",
    "after_text",
    "after_training",
    "hint_decision",
    "hint_question",
    "missed_question",
]

NOTED = "Noted."


def missed_question(notes: Notes, name: str) -> str:
    """Say what comes of a question that was not asked."""
    question = notes.loaded.walkthrough.questions[name]
    return f"Not asked: {question.ask} {notes.loaded.fill(question.if_missed)}"


def hint_question(notes: Notes) -> str:
    """Give away the first words of a question that was not asked yet."""
    left = [q for n, q in notes.loaded.walkthrough.questions.items() if n not in notes.asked]
    begins = " ".join(left[0].ask.split()[:4]) if left else "done"
    return f"{len(left)} things are worth asking. One begins: {begins} ..."


def hint_decision(notes: Notes, decision: Decision) -> str:
    """Say where the choice will show."""
    shows = ", ".join(words(name) for name in decision.shows)
    return f"It will show in: {shows}." if shows else "Think of what happens a year from now."


def after_number(notes: Notes, check: NumberCheck, stated: Stated) -> str:
    """Say whether a number is right, and how it is reckoned."""
    if notes.setup.exam:
        return NOTED
    because = notes.loaded.fill(check.because)
    expected = show_number(stated.expected, check.as_)
    if stated.value is None:
        return f"It would have been {expected}: {because}"
    if not stated.right:
        said = show_number(stated.value, check.as_)
        return f"You said {said}; I get {expected}: {because}"
    return f"Right: {expected}. {because}" if notes.setup.study else "That is the right size."


def after_decision(notes: Notes, name: str, decision: Decision) -> Iterator[str]:
    """Say what a choice brings and costs."""
    if notes.setup.exam:
        yield NOTED
        return
    chosen = notes.chosen[name]
    if chosen is None:
        yield "Left open; the default stays."
    else:
        yield notes.loaded.fill(decision.options[chosen].then)
    if notes.setup.study:
        for key, option in decision.options.items():
            if key != chosen:
                mark = " (the best here)" if key == decision.best else ""
                yield f"{key}{mark}: {notes.loaded.fill(option.then)}"


def after_text(notes: Notes, points: Sequence[Point], answer: str, said: str) -> Iterator[str]:
    """Say how much of a good answer was recognised."""
    if notes.setup.exam:
        yield NOTED
        return
    found = notes.points(points, said)
    named = [point.say for point, there in found if there]
    yield f"Recognised {len(named)} of {len(found)}" + (f": {'; '.join(named)}." if named else ".")
    if notes.setup.study:
        yield f"A model answer: {notes.loaded.fill(answer)}"


def after_training(notes: Notes, found: Mapping[str, Any]) -> Iterator[str]:
    """Say what training showed."""
    yield found["facts"]
    showing = showing_for(notes.loaded.scenario.task)
    for row in found["rows"]:
        yield showing.line(row)


def after_calm(calm: Mapping[str, Any]) -> Iterator[str]:
    """Say how the design did while nothing happened."""
    for one in calm["objectives"]:
        mark = {True: "✓", False: "✗", None: "·"}[one["passed"]]
        yield f"{mark} {words(one['name'])}: {one['shown']} ({one['target']})"
    load = calm["load"]
    yield (
        f"At the peak of {load['rate']:,.0f} events/s: p99 {_p99(load)}; "
        f"{load['cost']:,.0f} USD a month. {load['bottleneck']}"
    )


def after_hit(notes: Notes, hit: Mapping[str, Any]) -> Iterator[str]:
    """Say what the curveballs did, beside the reference."""
    for one in hit["curveballs"]:
        yield f"{one['title']}: {one['said']}"
    yours, reference = hit["yours"], hit["reference"]
    yield (
        f"In {hit['days']:g} days you lost {money(yours['money']['total'])}, the reference "
        f"{money(reference['money']['total'])}, on the same events."
    )


def _p99(load: Mapping[str, Any]) -> str:
    p99 = load["p99"]
    return "out of reach, it does not keep up" if p99 is None else f"{1000 * p99:.3g} ms"
