"""``report.html``: one run on one page, drawn from its record alone."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.record import RunRecord
from sandbox.report import sections as parts
from sandbox.report.chart import Chart, render
from sandbox.report.charts_quality import (
    calibration,
    quality_charts,
    scores_by_week,
    timeline,
    truth_charts,
)
from sandbox.report.charts_system import data_quality, decisions, drift_heat, losses, stack
from sandbox.report.diagram_svg import diagram_html
from sandbox.report.markup import Html, el
from sandbox.report.page import Section, page

__all__ = ["report_html"]

Show = Callable[..., Html]


def report_html(record: RunRecord) -> str:
    """Return the report of one run as a self-contained HTML document.

    The same record gives the same bytes. What the record does not hold is left out, or said to be
    missing, so that the record of an interrupted run works too.
    """
    drawn: list[Chart] = []

    def show(*charts: Chart | None) -> Html:
        found = [c for c in charts if c is not None]
        drawn.extend(found)
        return Html("".join(render(c) for c in found))

    def pair(*charts: Chart | None) -> Html:
        inner = show(*charts)
        return el("div", inner, class_="pair") if inner else inner

    by_hand = [Section("hands", "Done by hand", parts.interventions_table(record))]
    sections = [
        Section("verdict", "Verdict", parts.verdict_table(record)),
        Section("timeline", "Timeline", show(timeline(record))),
        Section("incidents", "Incidents", parts.incident_cards(record)),
        Section("quality", "Quality", _quality(show, pair, record)),
        Section("money", "Money", show(losses(record), decisions(record))),
        Section("versions", "Model versions",
                Html(parts.versions_table(record) + parts.version_cards(record))),
        Section("model", "Scores", pair(scores_by_week(record), calibration(record))),
        Section("drift", "Input drift", _drift(show, record)),
        Section("data", "Data quality",
                Html(pair(data_quality(record, "missing"), data_quality(record, "invalid"))
                     + parts.dead_letters(record))),
        Section("alerts", "Alerts", parts.alerts_table(record)),
        *(by_hand if record.interventions else ()),
        Section("stack", "Stack", show(stack(record))),
        Section("design", "Design", _design(record)),
        Section("notes", "Limits", parts.notes(record)),
    ]  # fmt: skip
    missing = el("p", "The run recorded nothing for this part.", class_="muted")
    filled = [s if s.body else Section(s.name, s.title, missing) for s in sections]
    title = f"{record.title or record.scenario}: {record.design}, seed {record.seed}"
    return page(title, parts.headline(record), filled, drawn)


def _quality(show: Show, pair: Show, record: RunRecord) -> Html:
    first, *others = [*quality_charts(record), None]
    return Html(show(first) + pair(*others))


def _drift(show: Show, record: RunRecord) -> Html:
    main = show(drift_heat(record, "psi"))
    others = show(drift_heat(record, "ks"), drift_heat(record, "js"))
    truth = show(*truth_charts(record))
    if not others:
        return Html(main + truth)
    summary = el("summary", "The same by Kolmogorov-Smirnov and Jensen-Shannon distance")
    return Html(main + el("details", summary, others) + truth)


def _design(record: RunRecord) -> Html:
    flow = diagram_html(record.diagram) if record.diagram.strip() else Html("")
    code = el("div", el("pre", el("code", record.design_text.rstrip())), class_="scroll")
    if not record.design_text.strip():
        return flow
    return Html(flow + el("h3", "design.yaml") + code)
