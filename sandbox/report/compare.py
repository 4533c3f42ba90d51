"""``compare.html``: several designs in the same world, side by side."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.record import IncidentRecord, RunRecord
from sandbox.report import sections as parts
from sandbox.report.chart import Chart, Figure, Key, axis, bands, line, render, span
from sandbox.report.facts import known, quality_metrics, result_word, tail_mean
from sandbox.report.markup import Html, el, safe_label, table
from sandbox.report.numbers import DASH, day, join, money, number, quality, words
from sandbox.report.page import Section, page
from sandbox.task import get_task

__all__ = ["compare_html", "compare_sentence"]

Floats = NDArray[np.float64]
COLOURS = ("oracle", "observed", "estimated", "purple", "gold", "sky")
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class _Run:
    name: str
    record: RunRecord
    colour: str
    dash: str


def _runs(records: Sequence[RunRecord]) -> list[_Run]:
    names = [r.design for r in records]
    unique = [f"{n} ({i + 1})" if names.count(n) > 1 else n for i, n in enumerate(names)]
    return [
        _Run(name, record, COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)])
        for i, (name, record) in enumerate(zip(unique, records, strict=True))
    ]


def compare_html(records: Sequence[RunRecord]) -> str:
    """Return a self-contained page that holds two or more runs against each other.

    The first record is what the others are compared with. The same records give the same bytes.

    Raises
    ------
    ValueError
        If there are fewer than two records.
    """
    if len(records) < 2:
        raise ValueError(f"a comparison needs two records or more; got {len(records)}")
    runs = _runs(records)
    lines = [_quality(runs, metric) for metric in quality_metrics(records[0])]
    costs = [c for c in (_money(runs), _difference(runs)) if c is not None]
    sections = [
        Section("verdict", "Verdict", _verdicts(runs)),
        Section("quality", "Quality", Html("".join(map(render, lines)))),
        Section("money", "Money", Html("".join(map(render, costs)) + _money_table(runs))),
        Section("incidents", "Incidents", _incidents(runs)),
        Section("versions", "Model versions", _versions(runs)),
        Section("designs", "What differs in the designs", _designs(runs)),
        Section("notes", "Limits", parts.notes(records[0])),
    ]
    title = f"{records[0].title}: {' or '.join(run.name for run in runs)}"
    return page(title, _header(runs), sections, [*lines, *costs])


def compare_sentence(records: Sequence[RunRecord]) -> str:
    """Return what the comparison comes to: money, objectives passed, final quality."""
    runs = _runs(records)
    first, said = runs[0], []
    base = first.record.money.get("total")
    for run in runs[1:]:
        facts = []
        total = run.record.money.get("total")
        if base is not None and total is not None:
            more = "more" if total >= base else "less"
            facts.append(f"loses {money(abs(total - base))} {more}")
        won, of = _score(run.record)
        facts.append(f"passes {won} of {of} objectives instead of {_score(first.record)[0]}")
        ends = [tail_mean(*known(r.record, r.record.primary, "oracle"))
                for r in (run, first)]  # fmt: skip
        if None not in ends:
            now, before = map(quality, ends)
            facts.append(f"ends at {words(run.record.primary)} {now} instead of {before}")
        said.append(f"{run.name} {join(facts)}")
    return f"Against {first.name}: {'; '.join(said)}."


def _score(record: RunRecord) -> tuple[int, int]:
    known = [r.passed for r in record.objectives if r.passed is not None]
    return sum(known), len(known)


def _header(runs: list[_Run]) -> Html:
    first = runs[0].record
    worlds = {(r.record.scenario, r.record.seed, r.record.days) for r in runs}
    warning = el(
        "p",
        "These runs differ in scenario, seed or length: part of what follows is luck, not design.",
        class_="banner",
    )
    if not all(r.record.complete for r in runs):
        warning = el("p", "At least one of these runs was stopped before its end.", class_="banner")
    calm = len(worlds) == 1 and all(r.record.complete for r in runs)
    facts = [f"seed {first.seed}", f"{first.days:g} days", "same world, same incidents"]
    return el(
        "header",
        el("p", f"{first.scenario}: comparison", class_="eyebrow"),
        el("h1", " or ".join(run.name for run in runs)),
        el("p", *(el("span", f) for f in facts[: 3 if len(worlds) == 1 else 0]), class_="facts"),
        Html("") if calm else warning,
        el("p", compare_sentence([r.record for r in runs]), class_="verdict"),
    )


def _verdicts(runs: list[_Run]) -> Html:
    found = {o.name: o.target for run in runs for o in run.record.objectives}
    rows = []
    for name, target in found.items():
        cells: list[str] = [words(name), target]
        for run in runs:
            result = next((o for o in run.record.objectives if o.name == name), None)
            if result is None:
                cells.append(DASH)
                continue
            symbol, word, colour = result_word(result)
            kind = {"good": "pass", "bad": "fail"}.get(colour, "unknown")
            badge = el("span", f"{symbol} {word}", class_=f"badge {kind}")
            cells.append(el("span", el("strong", result.shown), " ", badge))
        rows.append(cells)
    return table(("Objective", "Target", *(run.name for run in runs)), rows)


def _overlay(runs: list[_Run], metric: str, series: str) -> tuple[list[Figure], list[Key]]:
    traces, keys = [], []
    for run in runs:
        days, values = run.record.metrics.series(metric, series)
        if len(days):
            hover = f"{safe_label(run.name)} %{{y:.3~g}}<extra></extra>"
            traces.append(
                line(
                    days,
                    values,
                    run.name,
                    run.colour,
                    dash=run.dash,
                    width=2.2,
                    hovertemplate=hover,
                )
            )
            keys.append(Key(run.name, run.colour, dash=run.dash, group=run.name))
    return traces, keys


def _layout(runs: list[_Run], title: str, **more: object) -> Figure:
    end = max(span(run.record) for run in runs)
    incidents = [s for s in bands(runs[0].record) if s["line"].get("dash") != "dot"]
    return {"xaxis": axis("day", range=[0, end]), "yaxis": axis(title, **more),
            "hovermode": "x unified", "shapes": incidents}  # fmt: skip


def _quality(runs: list[_Run], metric: str) -> Chart:
    traces, keys = _overlay(runs, metric, "oracle")
    ends = [(run.name, tail_mean(*known(run.record, metric, "oracle"))) for run in runs]
    said = join([f"{name} {quality(value)}" for name, value in ends])
    caption = (
        f"Oracle. Over the last 7 days: {said}. Where the lines part is where the design matters."
    )
    name = words(metric)
    return Chart(f"quality-{metric}", name[:1].upper() + name[1:], caption, traces,
                 _layout(runs, name), tuple(keys), 300)  # fmt: skip


def _total(record: RunRecord) -> tuple[Floats, Floats]:
    kinds = [k for k in record.metrics.names("loss") if k not in ("no_model", "total")]
    lines = [known(record, "loss", kind) for kind in kinds]
    lines = [found for found in lines if len(found[0])]
    if not lines:
        return np.zeros(0), np.zeros(0)
    days = np.unique(np.concatenate([d for d, _ in lines]))
    return days, np.sum([np.interp(days, d, v, left=0.0) for d, v in lines], axis=0)


def _money(runs: list[_Run]) -> Chart | None:
    traces, keys = [], []
    for run in runs:
        days, values = _total(run.record)
        if len(days):
            hover = f"{safe_label(run.name)} %{{y:.4~s}} USD<extra></extra>"
            traces.append(
                line(
                    days,
                    values,
                    run.name,
                    run.colour,
                    dash=run.dash,
                    width=2.2,
                    hovertemplate=hover,
                )
            )
            keys.append(Key(run.name, run.colour, dash=run.dash, group=run.name))
    if not traces:
        return None
    layout = _layout(runs, "USD, cumulative", rangemode="tozero", tickformat="~s")
    said = join([f"{r.name} {money(float(_total(r.record)[1][-1]))}" for r in runs
                 if len(_total(r.record)[0])])  # fmt: skip
    return Chart("money", "Money lost", f"At the end: {said}.", traces, layout, tuple(keys), 300)


def _difference(runs: list[_Run]) -> Chart | None:
    base_days, base = _total(runs[0].record)
    traces, keys, said = [], [], []
    for run in runs[1:]:
        days, values = _total(run.record)
        both = np.intersect1d(days, base_days)
        if not len(both):
            continue
        gap = values[np.searchsorted(days, both)] - base[np.searchsorted(base_days, both)]
        name = f"{run.name} minus {runs[0].name}"
        hover = "%{y:+.4~s} USD<extra></extra>"
        traces.append(line(both, gap, name, run.colour, dash=run.dash, width=2.2,
                           fill="tozeroy", fillcolor="$stack", hovertemplate=hover))  # fmt: skip
        keys.append(Key(name, run.colour, dash=run.dash, group=name))
        apart = np.abs(gap) > 0.02 * np.abs(gap).max()
        since = f", apart since {day(both[np.argmax(apart)])}" if apart.any() else ""
        # To the cent: what is left of equal sums is no difference.
        said.append(f"{run.name} {number(round(float(gap[-1]), 2))} USD{since}")
    if not traces:
        return None
    caption = f"Above zero: lost more than {runs[0].name}. At the end: {join(said)}."
    layout = _layout(runs, "USD", tickformat="~s")
    return Chart("difference", "Difference in money", caption, traces, layout, tuple(keys), 240)


def _money_table(runs: list[_Run]) -> Html:
    kinds = dict.fromkeys(kind for run in runs for kind in run.record.money)
    task = get_task(runs[0].record.task)
    rows = [
        [task.name_loss(kind), *(money(run.record.money.get(kind)) for run in runs),
         *(money(_minus(run, runs[0], kind)) for run in runs[1:])]
        for kind in kinds
    ]  # fmt: skip
    if not rows:
        return el("p", "No money was counted.", class_="muted")
    extra = [f"{run.name} minus {runs[0].name}" for run in runs[1:]]
    head = ("Kind", *(run.name for run in runs), *extra)
    return table(head, rows, numeric=range(1, len(head)))


def _minus(run: _Run, base: _Run, kind: str) -> float | None:
    if kind not in run.record.money or kind not in base.record.money:
        return None
    return run.record.money[kind] - base.record.money[kind]


def _incidents(runs: list[_Run]) -> Html:
    names = dict.fromkeys(i.name for run in runs for i in run.record.incidents)
    if not names:
        return el("p", "No incident was scheduled.", class_="muted")
    rows = []
    for name in names:
        for run in runs:
            found = [i for i in run.record.incidents if i.name == name]
            rows.append([words(name), run.name, *_incident_row(found[0])] if found
                        else [words(name), run.name, *[DASH] * 4])  # fmt: skip
    metric = words(runs[0].record.primary)
    head = ("Incident", "Design", f"{metric}: before → worst → end", "Detected", "By", "Recovered")
    return table(head, rows)


def _incident_row(incident: IncidentRecord) -> list[str]:
    levels = (incident.primary_before, incident.primary_worst, incident.primary_end)
    after = "not needed" if not incident.hurt else "not by the end"
    return [
        " → ".join(quality(v) for v in levels),
        day(incident.detected_day) if incident.detected_day is not None else "never",
        incident.detected_by or DASH,
        day(incident.recovered_day) if incident.recovered_day is not None else after,
    ]


def _versions(runs: list[_Run]) -> Html:
    return Html("".join(
        el("h3", run.name, class_="above") + parts.versions_table(run.record) for run in runs
    ))  # fmt: skip


def _designs(runs: list[_Run]) -> Html:
    found = []
    for run in runs[1:]:
        before, after = (r.record.design_text.splitlines() for r in (runs[0], run))
        changes = list(
            difflib.unified_diff(before, after, runs[0].name, run.name, lineterm="", n=1)
        )
        shown = [el("span", text + "\n", class_=_change(text)) for text in changes]
        text = el("pre", *shown, class_="diff") if shown else el("p", "The designs are the same.")
        found.append(el("h3", f"{runs[0].name} → {run.name}") + text)
    return Html("".join(found))


def _change(text: str) -> str | None:
    return "add" if text.startswith("+") else "del" if text.startswith("-") else None
