"""Charts of quality: the timeline, the views of each metric, calibration, scores by week."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.record import RunRecord
from sandbox.report.chart import Chart, Figure, Key, axis, bands, line, span
from sandbox.report.facts import VIEWS, alerts_outside, known, quality_metrics
from sandbox.report.markup import safe_label
from sandbox.report.numbers import clip, day, days_between, join, number, quality, words
from sandbox.report.theme import incident_colour
from sandbox.task import Task, get_task

__all__ = ["calibration", "quality_charts", "reliability", "scores_by_week", "timeline",
           "truth_charts"]  # fmt: skip

STYLES: dict[str, dict[str, Any]] = {
    "oracle": {"colour": "oracle", "width": 2.4},
    "observed": {"colour": "observed", "dash": "dash"},
    "estimated": {"colour": "estimated", "dash": "dot", "width": 2.2},
    "baseline": {"colour": "baseline", "width": 1.3},
}
ABOUT = {
    "oracle": "oracle: what the simulator knows",
    "observed": "observed: matured labels only",
    "estimated": "estimated: no labels",
    "baseline": "baseline model, oracle",
}
VERSION_COLOURS = ("oracle", "observed", "estimated", "purple", "gold", "sky")
VERSION_DASHES = ("solid", "dash", "dot", "dashdot")


def _views(record: RunRecord, metric: str, **more: Any) -> tuple[list[Figure], tuple[Key, ...]]:
    """Return the traces of every view of one metric, and their legend."""
    traces, keys = [], []
    for view in VIEWS:
        days, values = record.metrics.series(metric, view)
        if not len(days):
            continue
        traces.append(line(days, values, view, **STYLES[view], **more))
        style = STYLES[view]
        keys.append(Key(ABOUT[view], style["colour"], dash=style.get("dash", "solid"), group=view))
    return traces, tuple(keys)


@dataclass(frozen=True)
class _Move:
    """How far one view of a metric moved after an onset, and when it was half-way there."""

    before: float
    extreme: float
    half_day: float

    @property
    def size(self) -> float:
        return abs(self.extreme - self.before)


def _move(record: RunRecord, metric: str, view: str, start: float) -> _Move | None:
    """Compare the 14 days before `start` with the 45 after it, or those to the next incident.

    None without both.
    """
    days, values = known(record, metric, view)
    before = values[(days < start) & (days >= start - 14)]
    later = [one.start_day for one in record.incidents if one.start_day > start]
    after = (days >= start) & (days <= min([start + 45, *later]))
    if not len(before) or not after.any():
        return None
    mean = float(before.mean())
    moved = (values - mean)[after]
    extreme = float(moved[np.argmax(np.abs(moved))])
    half = np.argmax(moved * np.sign(extreme) >= abs(extreme) / 2)
    return _Move(mean, mean + extreme, float(days[after][half]))


def _gap_caption(record: RunRecord, metric: str) -> str:
    moves = [(i, _move(record, metric, "oracle", i.start_day)) for i in record.incidents]
    found = [(i, m) for i, m in moves if m is not None]
    if not found:
        return "The gaps between the lines show what an operator cannot see yet."
    incident, truth = max(found, key=lambda pair: pair[1].size)
    text = (
        f"After {incident.name} (day {incident.start_day:.0f}) the truth moved from "
        f"{quality(truth.before)} to {quality(truth.extreme)}"
    )
    seen = _move(record, metric, "observed", incident.start_day)
    guess = _move(record, metric, "estimated", incident.start_day)
    rest = []
    if seen is not None and seen.size >= truth.size / 2 and seen.half_day > truth.half_day:
        late = days_between(truth.half_day, seen.half_day)
        rest.append(f"matured labels followed {late} later")
    if guess is not None and guess.size < truth.size / 2:
        rest.append(f"the label-free estimate hardly noticed ({quality(guess.extreme)})")
    elif guess is not None and truth.size:
        rest.append(f"the label-free estimate moved to {quality(guess.extreme)}")
    days, _ = record.metrics.series(metric, "observed")
    if len(days) and span(record) - days[-1] >= 2:
        rest.append(f"at the end matured labels reach to {day(days[-1])} only")
    return f"{text}; {join(rest)}." if rest else f"{text}."


def quality_charts(record: RunRecord) -> list[Chart]:
    """Return one chart for each quality metric; the one that the gate judges comes first."""
    judged = next(iter(record.versions[0].offline), "") if record.versions else ""
    ordered = sorted(quality_metrics(record), key=lambda metric: metric != judged)
    charts = []
    for number_, metric in enumerate(ordered):
        traces, keys = _views(record, metric)
        if not traces:
            continue
        layout = {"xaxis": axis("day", range=[0, span(record)]), "yaxis": axis(words(metric)),
                  "hovermode": "x unified", "shapes": bands(record)}  # fmt: skip
        charts.append(
            Chart(f"quality-{number_}", _title(metric), _gap_caption(record, metric),
                  traces, layout, keys)
        )  # fmt: skip
    return charts


def _title(metric: str) -> str:
    text = words(metric)
    return text[:1].upper() + text[1:]


def truth_charts(record: RunRecord) -> list[Chart]:
    """Return a small chart for each metric that has an oracle and no other view."""
    drawn = set(quality_metrics(record))
    charts = []
    for metric in record.metrics.metrics():
        days, values = known(record, metric, "oracle")
        if metric in drawn or not len(days):
            continue
        layout = {"xaxis": axis("day", range=[0, span(record)]), "hovermode": "x unified",
                  "yaxis": axis(words(metric), rangemode="tozero"),
                  "shapes": bands(record)}  # fmt: skip
        caption = (
            f"Oracle. Mean {number(float(values.mean()))}, from "
            f"{number(float(values.min()))} to {number(float(values.max()))}."
        )
        trace = line(days, values, "oracle", "oracle")
        charts.append(
            Chart(f"truth-{metric}", _title(metric), caption, [trace], layout, height=190)
        )
    return charts


def timeline(record: RunRecord) -> Chart | None:
    """Return the run at a glance: incidents, alerts and versions in lanes above the quality."""
    metric = record.primary
    traces, keys = _views(record, metric)
    lanes = _lanes(record)
    if not traces and not lanes:
        return None
    end, rows = span(record), len(lanes)
    height = 250 + 26 * rows
    split = 250 / height
    names = [name for name, _ in lanes]
    layout = {
        "xaxis": axis("day", range=[0, end], anchor="y"),
        "yaxis": axis(words(metric), domain=[0, split - 0.03]),
        "hovermode": "closest",
        "shapes": bands(record),
    }
    if rows:
        layout["yaxis2"] = axis(
            domain=[split, 1], range=[rows - 0.5, -0.5], tickvals=list(range(rows)),
            ticktext=[safe_label(clip(n, 18)) for n in names], showgrid=False, anchor="x",
        )  # fmt: skip
    for row, (_, found) in enumerate(lanes):
        traces += [{**trace, "y": [row] * len(trace["x"])} for trace in found]
    marks: tuple[Key, ...] = ()
    if record.alerts:
        marks = (Key("alert during an incident", "ink", "mark"),
                 Key("alert outside any incident", "ink", "hollow"))  # fmt: skip
    return Chart("timeline", "The run at a glance", _timeline_caption(record), traces, layout,
                 keys + marks, height + 60)  # fmt: skip


def _timeline_caption(record: RunRecord) -> str:
    hit = [i for i in record.incidents if None not in (i.primary_before, i.primary_worst)]
    promoted = [f"v{v.version}" for v in record.versions if v.promoted_day]
    tail = f" Dotted lines: promotions ({', '.join(promoted)})." if promoted else ""
    if not record.incidents:
        return "No incident was scheduled." + tail
    if not hit:
        return "Shaded: incidents." + tail
    worst = max(hit, key=lambda i: abs((i.primary_before or 0) - (i.primary_worst or 0)))
    return (
        f"{worst.name} did the most harm: {words(record.primary)} went from "
        f"{quality(worst.primary_before)} to {quality(worst.primary_worst)} and ended at "
        f"{quality(worst.primary_end)}." + tail
    )


def _lanes(record: RunRecord) -> list[tuple[str, list[Figure]]]:
    """Return (lane, traces without y) for incidents, alerts and model versions."""
    end = span(record)
    lanes: list[tuple[str, list[Figure]]] = []
    for incident in record.incidents:
        _, colour = incident_colour(incident.kind)
        stop = end if incident.end_day is None else min(incident.end_day, end)
        text = f"<b>{safe_label(incident.name)}</b> {safe_label(incident.kind)}"
        bar = _bar(incident.start_day, max(stop, incident.start_day + end / 200), colour, text)
        lanes.append((incident.name, [bar]))
    if record.alerts:
        outside = set(map(id, alerts_outside(record)))
        hover = [f"{day(a.day)}<br>{safe_label(clip(a.text, 80))}" for a in record.alerts]
        symbols = ["triangle-down-open" if id(a) in outside else "triangle-down"
                   for a in record.alerts]  # fmt: skip
        lanes.append(
            ("alerts",
             [{"type": "scatter", "mode": "markers", "yaxis": "y2", "cliponaxis": False,
               "x": [a.day for a in record.alerts], "hovertext": hover, "hoverinfo": "text",
               "marker": {"symbol": symbols, "size": 11, "color": "$ink"}}])
        )  # fmt: skip
    live = [v for v in record.versions if v.promoted_day is not None]
    if live:
        lanes.append(("model", [t for n, v in enumerate(live) for t in _version_bar(v, n, end)]))
    return lanes


def _version_bar(version: Any, order: int, end: float) -> list[Figure]:
    start = max(version.promoted_day, 0.0)
    stop = end if version.retired_day is None else min(version.retired_day, end)
    text = f"<b>v{version.version}</b> {day(start)} to {day(stop)}, {safe_label(version.trigger)}"
    bar = _bar(start, stop, "heat2" if order % 2 else "heat1", text)
    label = {"type": "scatter", "mode": "text", "yaxis": "y2", "x": [(start + stop) / 2],
             "text": [f"v{version.version}"], "hoverinfo": "skip",
             "textfont": {"color": "$ink", "size": 11}}  # fmt: skip
    return [bar, label] if stop - start > end / 25 else [bar]


def _bar(start: float, stop: float, colour: str, text: str) -> Figure:
    """Return a thick line from start to stop, with enough points to hover anywhere on it."""
    x = np.linspace(start, stop, 25)
    return {"type": "scatter", "mode": "lines", "yaxis": "y2", "x": x, "hoverinfo": "text",
            "hovertext": text, "line": {"color": f"${colour}", "width": 12}}  # fmt: skip


def calibration(record: RunRecord) -> Chart | None:
    """Return reliability curves, one for each version, on log axes: positives are rare."""
    found = {k.removeprefix("calibration").strip(): v for k, v in record.histograms.items()
             if k.startswith("calibration")}  # fmt: skip
    return reliability(found, get_task(record.task))


def reliability(found: Mapping[str, Mapping[str, Sequence[float]]], task: Task) -> Chart | None:
    """Return reliability curves by name: `mean_score`, `share_positive` and `count` of bins.

    Of a regression `share_positive` is the mean label, and the axes have no end at 1.
    """
    real_word = "mean label" if task.has_spread else "share of positives"
    traces, keys, ratios, low, high = [], [], [], np.inf, 0.0
    for order, (name, curve) in enumerate(found.items()):
        mean, real = np.array(curve["mean_score"]), np.array(curve["share_positive"])
        count = np.array(curve.get("count", np.ones(len(mean))))
        keep = (mean > 0) & (real > 0)
        if not keep.any():
            continue
        low = min(low, float(mean[keep].min()), float(real[keep].min()))
        high = max(high, float(mean[keep].max()), float(real[keep].max()))
        colour = VERSION_COLOURS[order % len(VERSION_COLOURS)]
        dash = VERSION_DASHES[order % len(VERSION_DASHES)]
        size = 5 + 7 * np.sqrt(count[keep] / count.max())
        traces.append(
            line(mean[keep], real[keep], name, colour, dash=dash, mode="lines+markers",
                 marker={"color": f"${colour}", "size": size}, customdata=count[keep],
                 hovertemplate=f"{safe_label(name)}: score %{{x:.3~g}}, {real_word} %{{y:.3~g}} "
                 "(%{customdata:.3~s} events)<extra></extra>")
        )  # fmt: skip
        keys.append(Key(name, colour, dash=dash, group=name))
        total = float((real * count).sum())
        ratios.append((name, float((mean * count).sum()) / total if total else float("nan")))
    if not traces:
        return None
    edge = [0.7 * low, 1.3 * high if task.has_spread else 1.0]
    traces.insert(0, line(edge, edge, "perfect", "muted", dash="dot", width=1.2, hoverinfo="skip"))
    limits = [np.log10(0.7 * low), np.log10(edge[1]) if task.has_spread else 0.05]
    layout = {"xaxis": axis("mean score", type="log", range=limits, dtick=1),
              "yaxis": axis(real_word, type="log", range=limits, dtick=1),
              "hovermode": "closest"}  # fmt: skip
    said = join([f"{n}: {number(r)} times" for n, r in ratios if np.isfinite(r)])
    begin = (
        "On the dotted diagonal estimates are right on average; below it they are too high. Mean "
        "estimate over mean label" if task.has_spread else
        "On the dotted diagonal a score of 1 % is right 1 % of the time; below it, scores promise "
        "too much. Mean score over share of positives"
    )  # fmt: skip
    caption = f"{begin}: {said}. Larger dots hold more events."
    keys.append(Key("perfect", "muted", dash="dot", group="perfect"))
    return Chart("calibration", "Calibration", caption, traces, layout, tuple(keys), 340)


def scores_by_week(record: RunRecord) -> Chart | None:
    """Return the score distribution of each week as a heat map over log-spaced score bins."""
    source = record.histograms.get("score_by_week", {})
    edges = np.array(source.get("edges", []))
    found = [(k, np.array(v, dtype=float)) for k, v in source.items() if k != "edges"]
    found = [(k, v) for k, v in found if len(v) == len(edges) - 1 and v.sum() > 0]
    if not found:
        return None
    density = np.array([v / v.sum() for _, v in found]).T
    used = np.flatnonzero(density.any(axis=1))
    rows = slice(int(used[0]), int(used[-1]) + 1)
    density, edges = density[rows], edges[rows.start : rows.stop + 1]
    weeks = [re.sub(r"^week\s*", "", name) for name, _ in found]
    place, ticks = _places(edges)
    layout = {"xaxis": axis("week", type="category", showgrid=False, nticks=14),
              "yaxis": axis("score", showgrid=False, tickvals=list(ticks),
                            ticktext=[number(t) for t in ticks.values()]),
              "hovermode": "closest"}  # fmt: skip
    heat = _score_heat(weeks, place, density)
    spaced = "by their odds" if edges[-1] <= 1 else "on a logarithmic scale"
    caption = f"One column a week, scores spaced {spaced}. {_shift_caption(weeks, density)}"
    return Chart("scores", "Scores by week", caption, [heat], layout, height=340)


def _places(edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], dict[float, float]]:
    """Return where edges stand on the axis, and the marks on it by their place."""
    if edges[-1] <= 1:
        marks = np.array([1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99])
        marks = marks[(marks >= edges[0]) & (marks <= edges[-1])]
        return _odds(edges), dict(zip(np.log10(marks / (1 - marks)).tolist(), marks, strict=True))
    known = np.log10(edges[edges > 0])
    place = np.concatenate((known[:1] - 0.2, known)) if edges[0] <= 0 else known
    marks = np.array([step * 10.0**power for power in range(9) for step in (1, 2, 5)])
    marks = marks[(marks >= edges[edges > 0][0]) & (marks <= edges[-1])]
    return place, dict(zip(np.log10(marks).tolist(), marks, strict=True))


def _odds(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log10 odds; an edge at 0 or 1 goes one step beyond its neighbour."""
    inside = (edges > 0) & (edges < 1)
    place = np.full(len(edges), np.nan)
    place[inside] = np.log10(edges[inside] / (1 - edges[inside]))
    known = place[inside]
    step = float(np.diff(known).mean()) if len(known) > 1 else 1.0
    low, high = (known[0], known[-1]) if len(known) else (0.0, 0.0)
    return np.where(edges <= 0, low - step, np.where(edges >= 1, high + step, place))


def _score_heat(
    weeks: list[str], place: NDArray[np.float64], density: NDArray[np.float64]
) -> Figure:
    shown = np.where(density > 0, np.log10(np.maximum(density, 1e-12)), np.nan)
    marks = [t for t in range(-6, 1) if float(np.nanmin(shown)) <= t <= float(np.nanmax(shown))]
    return {
        "type": "heatmap", "x": weeks, "y": place, "z": shown, "customdata": density,
        "colorscale": [[i / 4, f"$heat{i}"] for i in range(5)], "xgap": 1, "hoverongaps": False,
        "hovertemplate": "week %{x}: %{customdata:.2%} of events<extra></extra>",
        "colorbar": {"title": {"text": "share", "side": "top"}, "thickness": 10, "outlinewidth": 0,
                     "tickvals": marks, "ticktext": [f"{100 * 10.0**t:g} %" for t in marks]},
    }  # fmt: skip


def _shift_caption(weeks: list[str], density: NDArray[np.float64]) -> str:
    if len(weeks) < 2:
        return "With one week there is nothing to compare yet."
    moved = np.abs(np.diff(density, axis=1)).sum(axis=0) / 2
    most = int(np.argmax(moved))
    return (
        f"Between neighbours the largest shift is from week {weeks[most]} to "
        f"{weeks[most + 1]}: {number(100 * float(moved[most]))} % of events changed bins, "
        f"{number(100 * float(np.median(moved)))} % in a typical week."
    )
