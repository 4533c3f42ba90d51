"""The debrief: the grade in words, with the learner's own timeline; as Markdown and as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from sandbox.drills.grade import POINTS, Criterion, Grade, Sign
from sandbox.drills.session import Session
from sandbox.report.chart import Chart, Key, axis, line, render
from sandbox.report.markdown import markdown_table
from sandbox.report.markup import el, join_html, table
from sandbox.report.numbers import money, number, share, words
from sandbox.report.page import Section, page
from sandbox.run.setup import DAY
from sandbox.spec.units import format_duration

__all__ = ["debrief_html", "debrief_markdown", "headline", "result_of", "shown"]

REACHED = ("measure", "reached", "wanted", "")
LOST = ("", "lost", "of it for acting")
SEEN = ("panel", "what it showed", "from", "you looked")
TIMELINE = ("time", "command", "what came of it")
TIMES = ("diagnosed_within", "detected_within", "mitigated_within")
SHARES = ("saved", "extra_loss", "good_blocked", "answered")


def headline(grade: Grade) -> str:
    """Return the verdict in a line."""
    verdict = "passed" if grade.passed else "not passed"
    return f"{grade.title}: {verdict}, {grade.score:.0f} of 100 points"


def shown(name: str, value: float) -> str:
    """Return a measure with its unit."""
    if math.isnan(value):
        return "never" if name in TIMES else "does not apply"
    if name in TIMES:
        return format_duration(round(value / 3600) * 3600.0) if value else "at once"
    if name in SHARES:
        return f"{value:.0%}" if abs(value) >= 0.1 else share(value)
    return money(value) if name == "spent" else number(value)


def result_of(grade: Grade) -> dict[str, Any]:
    """Return what is kept of a grade, and what ``--json`` prints."""
    kept = asdict(grade)
    kept["signs"] = [
        {"panel": s.evidence.panel, "say": s.evidence.say, "visible": s.visible, "looked": s.looked}
        for s in grade.signs
    ]
    return kept


def debrief_markdown(grade: Grade, session: Session) -> str:
    """Return the debrief as a Markdown page."""
    drill, loaded = session.loaded.drill, session.loaded
    lines = [
        f"# {headline(grade)}", "",
        f"Drill `{grade.drill}`, {grade.level}, seed {grade.seed}. "
        f"Skills: {', '.join(grade.skills)}.", "",
        *markdown_table(("", "points", "of"), _points(grade)), "",
        "## What had to be reached", "",
        *markdown_table(REACHED, map(_criterion, grade.criteria)), "",
        "## In numbers", "",
        *markdown_table(("", "you", *grade.beside), _measures(grade)), "",
        "## In money, on the same events", "",
        *markdown_table(LOST, _losses(grade)), "",
        "## What it was", "",
        f"**{words(grade.diagnosis)}**: {loaded.defaults.causes[grade.diagnosis]}. {_named(grade)}",
        "", *(f"- {i.story.strip()}" for i in loaded.incidents.values()), "",
        drill.debrief.strip(), "",
        "## What could be seen", "",
        *markdown_table(SEEN, map(_sign, grade.signs)), "",
        "## Your timeline", "",
        *markdown_table(TIMELINE, _timeline(session)), "",
        "## The reference solution", "", "```", *drill.solution, "```", "",
        "## Remedies that fail", "",
        *(f"- **{wrong.name}**: {wrong.because}" for wrong in drill.wrong), "",
        *([f"Read on: {', '.join(f'docs/{name}' for name in drill.read)}.", ""] if drill.read
          else []),
    ]  # fmt: skip
    return "\n".join(lines)


def debrief_html(grade: Grade, session: Session) -> str:
    """Return the debrief as a page that opens offline."""
    drill, loaded = session.loaded.drill, session.loaded
    verdict = "passed" if grade.passed else "failed"
    head = el(
        "header",
        el("h1", headline(grade)),
        el("p", f"{grade.drill} · {grade.level} · seed {grade.seed} · skills: "
                f"{', '.join(grade.skills)}", class_="meta"),
        el("p", f"It was: {words(grade.diagnosis)}. {_named(grade)}", class_=verdict),
    )  # fmt: skip
    chart = _loss_chart(grade)
    solution = "\n".join(drill.solution)
    stories = [el("p", incident.story) for incident in loaded.incidents.values()]
    sections = [
        Section("points", "Points", table(("", "points", "of"), _points(grade))),
        Section("reached", "What had to be reached",
                table(REACHED, map(_criterion, grade.criteria))),
        Section("numbers", "In numbers", table(("", "you", *grade.beside), _measures(grade))),
        Section("money", "In money, on the same events", join_html(
            [render(chart), table(LOST, _losses(grade))])),
        Section("cause", "What it was", join_html(
            [el("p", loaded.defaults.causes[grade.diagnosis]), *stories, el("p", drill.debrief)])),
        Section("evidence", "What could be seen", table(SEEN, map(_sign, grade.signs))),
        Section("timeline", "Your timeline", table(TIMELINE, _timeline(session))),
        Section("solution", "The reference solution", el("pre", solution)),
        Section("wrong", "Remedies that fail", table(
            ("remedy", "why"), [(w.name, w.because) for w in drill.wrong])),
    ]  # fmt: skip
    return page(headline(grade), head, sections, [chart])


def _loss_chart(grade: Grade) -> Chart:
    """Return the losses summed up, day by day."""
    ways = (("nobody acts", grade.nothing, "muted", "dot"), ("you", grade.you, "observed", "solid"),
            ("reference solution", grade.reference, "oracle", "dash"))  # fmt: skip
    traces, keys = [], []
    for name, outcome, colour, dash in ways:
        total = np.concatenate([[0.0], np.cumsum(outcome.daily)])
        traces.append(line(np.arange(len(total)), total, name, colour, dash=dash))
        keys.append(Key(name, colour, dash=dash, group=name))
    layout = {"xaxis": axis("days since the arrival"), "yaxis": axis("USD", rangemode="tozero"),
              "hovermode": "x unified"}  # fmt: skip
    caption = "What decisions cost in all, without what acting cost. The events are the same."
    return Chart("loss", "Losses summed up", caption, traces, layout, tuple(keys), height=320)


def _points(grade: Grade) -> list[tuple[str, ...]]:
    return [(name, f"{grade.points[name]:.0f}", f"{most:.0f}") for name, most in POINTS.items()]


def _measures(grade: Grade) -> list[tuple[str, ...]]:
    """Return the measures that mean something to anybody, a row each."""
    rows = []
    for name, value in grade.measures.items():
        values = (value, *(other[name] for other in grade.beside.values()))
        if not all(math.isnan(v) for v in values):
            rows.append((words(name), *(shown(name, v) for v in values)))
    return rows


def _losses(grade: Grade) -> list[tuple[str, ...]]:
    return [
        (who, money(one.loss), money(one.price))
        for who, one in (
            ("you", grade.you), ("nobody acts", grade.nothing),
            ("reference solution", grade.reference),
        )
    ]  # fmt: skip


def _criterion(one: Criterion) -> tuple[str, ...]:
    sign = "at least" if one.at_least else "at most"
    mark = "✓" if one.passed else "✗"
    return (words(one.name), shown(one.name, one.value), f"{sign} {_bound(one)}", mark)


def _bound(one: Criterion) -> str:
    return format_duration(one.bound) if one.name in TIMES else shown(one.name, one.bound)


def _named(grade: Grade) -> str:
    if not grade.named:
        return "You named no cause."
    if grade.named == grade.diagnosis:
        return "You named it."
    return f"You named {words(grade.named)}."


def _sign(sign: Sign) -> tuple[str, ...]:
    when = "not under this seed" if math.isnan(sign.visible) else _day(sign.visible)
    looked = "never, since" if math.isnan(sign.looked) else _day(sign.looked)
    return (sign.evidence.panel, sign.evidence.say.strip(), when, looked)


def _timeline(session: Session) -> Iterator[tuple[str, ...]]:
    for step in session.steps:
        yield (_day(step.at), step.command, " / ".join(step.said.splitlines()))


def _day(seconds: float) -> str:
    return f"day {seconds / DAY:g}"
