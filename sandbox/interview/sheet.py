"""The study sheet: questions, numbers, decisions and answers of an interview, to print."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.interview.assembly import Assembly
from sandbox.interview.content import Loaded
from sandbox.interview.notes import Notes, Setup, counts_at
from sandbox.interview.prompts import SKIP
from sandbox.report.markdown import markdown_table
from sandbox.spec.expression import Expression
from sandbox.spec.interview_terms import SIGNALS, STAGES
from sandbox.spec.stated import show_number
from sandbox.spec.walkthrough import Decision

__all__ = ["expected_numbers", "study_sheet"]


def study_sheet(loaded: Loaded, level: str) -> str:
    """Return the sheet as Markdown: what a level is asked, with the best answers."""
    plan = loaded.walkthrough
    lines = [f"# {loaded.scenario.title}: study sheet, {level}", "", f"> {loaded.prompt}", ""]
    expected = expected_numbers(loaded)
    for number, (stage, title) in enumerate(STAGES.items(), start=1):
        one = plan.stages[stage]  # type: ignore[index]
        lines += [f"## {number}. {title} ({one.minutes:g} min)", "", loaded.fill(one.opens), ""]
        if stage == "clarify":
            lines += markdown_table(("ask", "answer", "if you do not"), _questions(loaded, level))
            lines.append("")
        for step in one.steps:
            lines += _step(loaded, level, step, expected)
        if stage == "production":
            lines += ["### Curveballs", "", *_balls(loaded, level), ""]
        lines += [f"**A {level} answer.** {loaded.fill(one.answers.at(level))}", ""]
    lines += ["## What is looked for", "", *markdown_table(
        ("", f"what {level} shows"),
        [(t, plan.rubric.expects[s].at(level)) for s, t in SIGNALS.items()])]  # fmt: skip
    lines += ["", "## Sources", "", *markdown_table(("figure", "value", "from"), _sources(loaded))]
    return "\n".join(lines)


def expected_numbers(loaded: Loaded) -> dict[str, float]:
    """Return what is expected of every number on the way of the best choices."""
    plan = loaded.walkthrough
    notes = Notes(loaded, Setup("staff"), Assembly(plan.start, loaded.scenario, plan.diagram))
    found: dict[str, float] = {}
    for stage in plan.stages.values():
        for step in stage.steps:
            if step in plan.decisions and notes.holds(plan.decisions[step].when):
                decision = plan.decisions[step]
                notes.chosen[step] = decision.best
                notes.assembly.apply(decision.options[decision.best].sets)
            elif step in plan.numbers:
                check = plan.numbers[step]
                if notes.holds(check.when):
                    found[step] = notes.state(step, check, SKIP).expected
                else:  # on the way of another choice
                    found[step] = Expression.parse(check.expect).value(notes.names())
    return found


def _questions(loaded: Loaded, level: str) -> Iterator[tuple[str, str, str]]:
    for question in loaded.walkthrough.questions.values():
        if counts_at(question.level, level):
            fill = loaded.fill
            yield fill(question.ask), fill(question.answer), fill(question.if_missed)


def _step(loaded: Loaded, level: str, step: str, expected: dict[str, float]) -> list[str]:
    plan, fill = loaded.walkthrough, loaded.fill
    if step in plan.numbers and counts_at(plan.numbers[step].level, level):
        check = plan.numbers[step]
        shown = show_number(expected[step], check.as_)
        return [f"- **{fill(check.ask)}** {shown}. {fill(check.because)}", ""]
    if step in plan.decisions and counts_at(plan.decisions[step].level, level):
        decision = plan.decisions[step]
        return [f"### {fill(decision.ask)}", "", *markdown_table(
            ("option", "what comes of it", ""), _options(loaded, decision)), ""]  # fmt: skip
    if step in plan.probes and counts_at(plan.probes[step].level, level):
        probe = plan.probes[step]
        return [f"- **{fill(probe.ask)}** {fill(probe.answer)}", ""]
    return []


def _options(loaded: Loaded, decision: Decision) -> Iterator[tuple[str, str, str]]:
    for name, option in decision.options.items():
        mark = "best" if name == decision.best else ""
        yield loaded.fill(option.say), loaded.fill(option.then), mark


def _balls(loaded: Loaded, level: str) -> Iterator[str]:
    for ball in loaded.walkthrough.curveballs.values():
        if counts_at(ball.level, level):
            yield f"- **{ball.title}.** {loaded.fill(ball.tell)} {loaded.fill(ball.answer)}"


def _sources(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    for name, figure in loaded.walkthrough.figures.items():
        source = figure.source or f"reckoned: {figure.is_}"
        yield name.replace("_", " "), loaded.shown[name], source
