"""The debrief: points, measured evidence, decisions that paid and cost; as Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sandbox.interview.notes import Notes
from sandbox.interview.score import Item, Score
from sandbox.interview.session import Session
from sandbox.interview.showing import showing_for
from sandbox.interview.weigh import Weighed, weigh_decisions
from sandbox.report.chart import Chart, Key, axis, line, render
from sandbox.report.diagram_svg import diagram_html
from sandbox.report.markdown import markdown_table
from sandbox.report.markup import Html, bullets, el, join_html, table
from sandbox.report.numbers import money, words
from sandbox.report.page import Section, page
from sandbox.spec.interview_terms import SIGNALS, STAGES

__all__ = ["debrief_html", "debrief_markdown", "headline", "result_of"]

RUBRIC = ("", "points", "what this level shows")
VERDICT = ("objective", "target", "yours", "reference", "yours, calm", "")
LOOKED_FOR = ("", "points", "evidence")


def headline(notes: Notes, points: Score) -> str:
    """Return the whole in a line."""
    return (
        f"{notes.loaded.scenario.title}, {notes.setup.level}: {points.total:.0f} of 100 points, "
        f"{points.grade}; {points.bar:.0f} are expected"
    )


def result_of(notes: Notes, points: Score) -> dict[str, Any]:
    """Return what is kept of a score, and what ``--json`` prints."""
    best, worst = weigh_decisions(notes)
    return {
        "scenario": notes.loaded.name,
        "level": notes.setup.level,
        "mode": notes.setup.mode,
        "score": points.total,
        "grade": points.grade,
        "bar": points.bar,
        "passed": points.passed,
        "stages": points.stages,
        "signals": points.signals,
        "best": [one.name for one in best],
        "costliest": [one.name for one in worst],
        "curveballs": list(notes.met),
        "failed": [o["name"] for o in _verdict(notes) if o["passed"] is False],
    }


def debrief_markdown(session: Session, points: Score) -> str:
    """Return the debrief as a Markdown page."""
    notes = session.notes
    best, worst = weigh_decisions(notes)
    lines = [
        f"# {headline(notes, points)}", "",
        f"Interview on `{notes.loaded.name}`, level {notes.setup.level}, "
        f"{session.spent / 60:.0f} of {notes.setup.minutes:g} minutes, seed "
        f"{notes.loaded.walkthrough.runs.seed}.", "",
        *markdown_table(("stage", "points", "minutes"), _stages(session, points)), "",
        "## By the rubric", "",
        *markdown_table(RUBRIC, _rubric(notes, points)), "",
        "## What paid", "", *_decisions_markdown(best), "",
        "## What cost most", "", *_decisions_markdown(worst), "",
        "## Your design beside the reference, on the same events", "",
        *markdown_table(VERDICT, _verdict_rows(notes)), "",
        *(f"- {text}" for text in _money(notes)), "",
        "## The curveballs", "", *_balls_markdown(notes), "",
        "## What training showed", "", *markdown_table(*_training(notes)), "",
        "## What you did not ask", "", *(f"- {text}" for text in _unasked(notes)), "",
        "## Everything that was looked for", "",
        *_items_markdown(points), "",
        "## Your design", "", "```mermaid", notes.assembly.mermaid(), "```", "",
        "```yaml", notes.assembly.text().rstrip(), "```", "",
        "## Read on", "", *(f"- docs/{name}" for name in _reading(notes, worst)), "",
    ]  # fmt: skip
    return "\n".join(lines)


def debrief_html(session: Session, points: Score) -> str:
    """Return the debrief as a page that opens offline."""
    notes = session.notes
    best, worst = weigh_decisions(notes)
    verdict = "pass" if points.passed else "fail"
    setup = notes.setup
    head = el(
        "header",
        el("p", " · ".join(("Interview", notes.loaded.name, setup.level, setup.mode)),
           class_="eyebrow"),
        el("h1", f"{points.total:.0f} of 100 points: {points.grade}"),
        el("p", f"{points.bar:.0f} are expected at this level. "
                f"{session.spent / 60:.0f} of {setup.minutes:g} minutes on the clock.",
           class_=f"verdict {verdict}"),
        _tiles(points),
    )  # fmt: skip
    chart = _loss_chart(notes)
    sections = [
        Section("stages", "Points", join_html([
            table(("stage", "points", "minutes"), _stages(session, points), numeric=(1, 2)),
            el("h3", "By the rubric", class_="above"),
            table(RUBRIC, _rubric(notes, points), numeric=(1,))])),
        Section("paid", "What paid", _decisions_html(best)),
        Section("cost", "What cost most", _decisions_html(worst)),
        Section("verdict", "Beside the reference", join_html([
            table(VERDICT, _verdict_rows(notes)), bullets(_money(notes)),
            *([render(chart)] if chart else [])])),
        Section("curveballs", "The curveballs", _balls_html(notes)),
        Section("training", "What training showed",
                _training_html(notes)),
        Section("unasked", "What you did not ask", bullets(_unasked(notes))),
        Section("items", "Everything that was looked for", _items_html(points)),
        Section("design", "Your design", join_html([
            diagram_html(notes.assembly.mermaid()),
            el("div", el("pre", notes.assembly.text().rstrip()), class_="scroll")])),
        Section("reading", "Read on", bullets(f"docs/{n}" for n in _reading(notes, worst))),
    ]  # fmt: skip
    return page(headline(notes, points), head, sections, [chart] if chart else [])


def _tiles(points: Score) -> Html:
    tiles = [
        el("div", el("dt", STAGES[stage]), el("dd", f"{value:.0f}"), class_="tile")
        for stage, value in points.stages.items()
    ]
    return el("dl", *tiles, class_="tiles")


def _stages(session: Session, points: Score) -> Iterator[tuple[str, ...]]:
    spent = minutes_by_stage(session)
    for stage, value in points.stages.items():
        yield STAGES[stage], f"{value:.0f}", f"{spent[stage]:.0f}"


def minutes_by_stage(session: Session) -> dict[str, float]:
    """Return the minutes on the clock of every stage."""
    plan = session.loaded.walkthrough
    spent, before = dict.fromkeys(STAGES, 0.0), 0.0
    places = {step: stage for stage, one in plan.stages.items() for step in one.steps}
    for answer in session.answers:
        stage: str = places.get(answer.prompt, "clarify")
        if answer.prompt.startswith("self_"):
            stage = answer.prompt.removeprefix("self_")
        elif answer.prompt in plan.curveballs:
            stage = "production"
        spent[stage] += (answer.seconds - before) / 60
        before = answer.seconds
    return spent


def _rubric(notes: Notes, points: Score) -> Iterator[tuple[str, ...]]:
    for signal, title in SIGNALS.items():
        expects = notes.loaded.walkthrough.rubric.expects[signal].at(notes.setup.level)
        own = " (your own grade)" if signal == "communication" else ""
        yield title + own, f"{points.signals[signal]:.0f}", notes.loaded.fill(expects)


def _decisions_markdown(found: Sequence[Weighed]) -> Iterator[str]:
    if not found:
        yield "Nothing."
    for number, one in enumerate(found, start=1):
        yield f"{number}. **{one.ask}** {one.said}. {one.then}"
        yield from (f"   - {text}" for text in one.evidence)
        if one.better:
            yield f"   - Better: {one.better}"


def _decisions_html(found: Sequence[Weighed]) -> Html:
    cards = []
    for one in found:
        better = [el("p", f"Better: {one.better}", class_="lesson")] if one.better else []
        cards.append(el(
            "div", el("h3", one.ask), el("p", el("strong", f"{one.said}. "), one.then),
            bullets(one.evidence), *better, class_="card",
        ))  # fmt: skip
    return el("div", *cards, class_="cards") if cards else el("p", "Nothing.", class_="muted")


def _verdict(notes: Notes) -> Sequence[Any]:
    """Return the objectives after the curveballs, or what there is of them."""
    found: Sequence[Any] = ()
    if "hit" in notes.work:
        found = notes.work["hit"]["yours"]["objectives"]
    elif "calm" in notes.work:
        found = notes.work["calm"]["objectives"]
    return found


def _verdict_rows(notes: Notes) -> Iterator[tuple[str, ...]]:
    if "hit" not in notes.work:
        return
    reference = {o["name"]: o for o in notes.work["hit"]["reference"]["objectives"]}
    calm = {o["name"]: o for o in notes.work["calm"]["objectives"]}
    for one in _verdict(notes):
        mark = {True: "✓", False: "✗", None: "·"}[one["passed"]]
        yield (
            words(one["name"]), one["target"], one["shown"], reference[one["name"]]["shown"],
            calm[one["name"]]["shown"], mark,
        )  # fmt: skip


def _money(notes: Notes) -> Iterator[str]:
    if "hit" not in notes.work:
        return
    hit, calm = notes.work["hit"], notes.work["calm"]
    yours, reference = hit["yours"]["money"]["total"], hit["reference"]["money"]["total"]
    yield f"Lost in {hit['days']:g} days: yours {money(yours)}, the reference {money(reference)}."
    yield (
        f"Without the curveballs your design lost {money(calm['money']['total'])}: they cost it "
        f"{money(yours - calm['money']['total'])}."
    )
    if notes.risks():
        named = ", ".join(words(name) for name in notes.risks())
        yield f"Your choices put at risk: {named}."


def _balls_markdown(notes: Notes) -> Iterator[str]:
    told = {one["name"]: one for one in notes.work.get("hit", {}).get("curveballs", ())}
    for name in notes.met:
        ball = notes.loaded.walkthrough.curveballs[name]
        yield f"### {ball.title}"
        yield ""
        yield f"> {notes.loaded.fill(ball.tell)}"
        yield ""
        if name in told:
            yield f"What it did: {told[name]['said']}"
            yield ""
        yield f"You said: {notes.said[name] or 'nothing'}"
        yield ""
        yield f"A good answer: {notes.loaded.fill(ball.answer)}"
        yield ""


def _balls_html(notes: Notes) -> Html:
    told = {one["name"]: one for one in notes.work.get("hit", {}).get("curveballs", ())}
    cards = []
    for name in notes.met:
        ball = notes.loaded.walkthrough.curveballs[name]
        did = told.get(name, {}).get("said", "")
        cards.append(el(
            "div", el("h3", ball.title), el("p", notes.loaded.fill(ball.tell), class_="story"),
            el("p", did), el("p", f"You said: {notes.said[name] or 'nothing'}"),
            el("p", f"A good answer: {notes.loaded.fill(ball.answer)}", class_="lesson"),
            class_="card",
        ))  # fmt: skip
    return el("div", *cards, class_="cards") if cards else el("p", "None came.", class_="muted")


def _training(notes: Notes) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Return header and rows of what training showed."""
    showing = showing_for(notes.loaded.scenario.task)
    found = notes.work.get("train", {}).get("rows", ())
    return showing.header, [
        (f"{row['who']} ({row['model']})", *showing.cells(row)) for row in found
    ]


def _training_html(notes: Notes) -> Html:
    header, rows = _training(notes)
    return table(header, rows, numeric=tuple(range(1, len(header))))


def _unasked(notes: Notes) -> list[str]:
    found = [
        f"{notes.loaded.fill(question.ask)} {notes.loaded.fill(question.if_missed)}"
        for name, question in notes.loaded.walkthrough.questions.items()
        if name not in notes.asked
    ]
    return found or ["You asked everything."]


def _items_markdown(points: Score) -> Iterator[str]:
    for stage, title in STAGES.items():
        rows = [_item(item) for item in points.items if item.stage == stage]
        yield from (f"### {title}", "", *markdown_table(LOOKED_FOR, rows), "")


def _items_html(points: Score) -> Html:
    parts = []
    for stage, title in STAGES.items():
        rows = [_item(item) for item in points.items if item.stage == stage]
        parts += [el("h3", title, class_="above"), table(LOOKED_FOR, rows, numeric=(1,))]
    return join_html(parts)


def _item(item: Item) -> tuple[str, ...]:
    worth = f"{item.got * item.weight:.2g} of {item.weight:g}"
    return f"{item.kind}: {words(item.name)}", worth, item.evidence


def _loss_chart(notes: Notes) -> Chart | None:
    """Return the losses summed up day by day, yours and the reference's."""
    if "hit" not in notes.work:
        return None
    traces, keys = [], []
    ways = (
        ("yours, nothing happens", notes.work["calm"], "muted", "dot"),
        ("yours", notes.work["hit"]["yours"], "observed", "solid"),
        ("the reference", notes.work["hit"]["reference"], "oracle", "dash"),
    )
    for name, run, colour, dash in ways:
        total = np.concatenate([[0.0], np.cumsum(run["daily_loss"])])
        traces.append(line(np.arange(len(total)), total, name, colour, dash=dash))
        keys.append(Key(name, colour, dash=dash, group=name))
    layout = {"xaxis": axis("day"), "yaxis": axis("USD", rangemode="tozero"),
              "hovermode": "x unified"}  # fmt: skip
    caption = "What decisions cost in all, on the same events."
    return Chart("loss", "Losses summed up", caption, traces, layout, tuple(keys), height=320)


def _reading(notes: Notes, worst: Sequence[Weighed]) -> list[str]:
    """Return the pages to read, those about what cost most first."""
    plan = notes.loaded.walkthrough
    pages = [name for one in worst for name in one.read]
    pages += [name for ball in notes.met for name in plan.curveballs[ball].read]
    pages += [name for stage in plan.stages.values() for name in stage.read]
    return list(dict.fromkeys(pages))
