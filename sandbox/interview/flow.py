"""The interview as a script: what is asked, in order, depending on what was answered.

A generator says and asks; answers are sent back to it. The same answers always give the same
interview, so that the list of answers is the session.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from sandbox.interview import words
from sandbox.interview.curveballs import choose_curveballs, weak_points
from sandbox.interview.matching import best_matches
from sandbox.interview.notes import Notes, counts_at
from sandbox.interview.prompts import DONE, SKIP, Prompt, Tell, Work
from sandbox.spec.interview_terms import STAGES
from sandbox.spec.walkthrough import Decision, NumberCheck, Probe

__all__ = ["Flow", "interview"]

Flow = Generator[Tell | Prompt | Work, Any, None]
AT_ONCE = 2
"""Questions that one line may ask."""


def interview(notes: Notes) -> Flow:
    """Hold the interview and write `notes`."""
    loaded = notes.loaded
    yield Tell(f"{loaded.scenario.title}: the interview", "title")
    yield Tell(loaded.prompt)
    for number, (stage, title) in enumerate(STAGES.items(), start=1):
        plan = loaded.walkthrough.stages[stage]  # type: ignore[index]
        yield Tell(f"{number} of {len(STAGES)} · {title}", "title")
        yield Tell(loaded.fill(plan.opens))
        if stage == "clarify":
            yield from _clarify(notes)
        for step in plan.steps:
            yield from _step(notes, stage, step)
        if not notes.setup.exam:
            yield from _self_grade(notes, stage)
    if notes.setup.exam:
        for stage in STAGES:
            yield from _self_grade(notes, stage)


def _clarify(notes: Notes) -> Flow:
    """Answer questions until there are none, or everything was asked."""
    questions = notes.loaded.walkthrough.questions
    forms = {name: question.accepts for name, question in questions.items()}
    turn = 0
    while len(notes.asked) < len(questions):
        turn += 1
        prompt = Prompt(
            f"question_{turn}", "question", "clarify", "Your question, or `done`?",
            hint=words.hint_question(notes),
        )  # fmt: skip
        said = yield prompt
        if said in (DONE, SKIP):
            break
        found = best_matches(said, forms, AT_ONCE)
        fresh = [name for name in found if name not in notes.asked]
        if not found:
            notes.unrecognised.append(said)
            yield Tell("I have nothing particular to say to that. Ask me something else.")
        elif not fresh:
            yield Tell("We had that. " + notes.loaded.fill(questions[found[0]].answer))
        for name in fresh:
            notes.asked.append(name)
            yield Tell(notes.loaded.fill(questions[name].answer))
    if notes.setup.study:
        for name in questions:
            if name not in notes.asked:
                yield Tell(words.missed_question(notes, name), "note")


def _step(notes: Notes, stage: str, step: str) -> Flow:
    plan = notes.loaded.walkthrough
    if step == "train":
        yield from _train(notes)
    elif step == "run":
        yield from _run(notes)
    elif step in plan.numbers and notes.holds(plan.numbers[step].when):
        if counts_at(plan.numbers[step].level, notes.setup.level):
            yield from _number(notes, stage, step, plan.numbers[step])
    elif step in plan.decisions and notes.holds(plan.decisions[step].when):
        yield from _decision(notes, stage, step, plan.decisions[step])
    elif step in plan.probes:
        probe = plan.probes[step]
        asked = not probe.missed or any(notes.missed(name) for name in probe.missed)
        if asked and notes.holds(probe.when) and counts_at(probe.level, notes.setup.level):
            yield from _probe(notes, stage, step, probe)


def _number(notes: Notes, stage: str, name: str, check: NumberCheck) -> Flow:
    ask = notes.loaded.fill(check.ask)
    said = yield Prompt(name, "number", stage, ask, number=check.as_,
                        hint=notes.loaded.fill(check.because))  # fmt: skip
    stated = notes.state(name, check, said)
    yield Tell(words.after_number(notes, check, stated), "note")


def _decision(notes: Notes, stage: str, name: str, decision: Decision) -> Flow:
    options = {key: notes.loaded.fill(option.say) for key, option in decision.options.items()}
    said = yield Prompt(name, "choice", stage, notes.loaded.fill(decision.ask), options,
                        hint=words.hint_decision(notes, decision))  # fmt: skip
    notes.chosen[name] = None if said == SKIP else said
    if said != SKIP:
        option = decision.options[said]
        notes.assembly.apply(option.sets, option.draws)
    for told in words.after_decision(notes, name, decision):
        yield Tell(told, "note")
    if said != SKIP and decision.options[said].draws:
        yield Tell(notes.assembly.mermaid(), "diagram")


def _probe(notes: Notes, stage: str, name: str, probe: Probe) -> Flow:
    hint = f"{len(notes.points(probe.points, ''))} things are listened for."
    said = yield Prompt(name, "text", stage, notes.loaded.fill(probe.ask), hint=hint)
    notes.said[name] = "" if said == SKIP else said
    for told in words.after_text(notes, probe.points, probe.answer, notes.said[name]):
        yield Tell(told, "note")


def _train(notes: Notes) -> Flow:
    design = notes.assembly.text()
    found: Mapping[str, Any] = yield Work(
        "train", "training your model, its baseline and the reference", {"design": design}
    )
    notes.work["train"] = found
    if not notes.setup.exam:
        for line in words.after_training(notes, found):
            yield Tell(line, "note")


def _run(notes: Notes) -> Flow:
    design = notes.assembly.text()
    about = f"running your design for {notes.loaded.walkthrough.runs.days} days"
    calm: Mapping[str, Any] = yield Work("calm", about, {"design": design})
    notes.work["calm"] = calm
    yield Tell("Your design ran, and nothing happened to it.")
    for line in words.after_calm(calm):
        yield Tell(line, "note")
    weak = weak_points(calm, notes.risks())
    notes.met = choose_curveballs(notes, weak)
    for name in notes.met:
        ball = notes.loaded.walkthrough.curveballs[name]
        yield Tell(notes.loaded.fill(ball.tell))
        said = yield Prompt(name, "text", "production", notes.loaded.fill(ball.ask),
                            hint="Think of what the design itself can see.")  # fmt: skip
        notes.said[name] = "" if said == SKIP else said
        for told in words.after_text(notes, ball.points, ball.answer, notes.said[name]):
            yield Tell(told, "note")
    hit: Mapping[str, Any] = yield Work(
        "hit", "both curveballs hit your design, and the reference",
        {"design": design, "curveballs": list(notes.met)},
    )  # fmt: skip
    notes.work["hit"] = hit
    if not notes.setup.exam:
        for line in words.after_hit(notes, hit):
            yield Tell(line, "note")


def _self_grade(notes: Notes, stage: str) -> Flow:
    answers = notes.loaded.walkthrough.stages[stage].answers  # type: ignore[index]
    shown = notes.loaded.fill(answers.at(notes.setup.level))
    yield Tell(f"A {notes.setup.level} answer: {shown}", "note")
    said = yield Prompt(
        f"self_{stage}", "grade", stage,
        f"{STAGES[stage]}: how near was what you said aloud, from 1 (far) to 5 (all of it)?",
    )  # fmt: skip
    notes.graded[stage] = None if said == SKIP else int(said)
