"""Charts of money, decisions, inputs and the stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.record import RunRecord
from sandbox.report.chart import Chart, Figure, Key, axis, bands, line, span
from sandbox.report.facts import known
from sandbox.report.markup import safe_label
from sandbox.report.numbers import day, join, money, number, seconds, share
from sandbox.task import get_task

__all__ = ["data_quality", "decisions", "drift_heat", "losses", "stack"]

LOSS_COLOURS = {"missed": "observed", "false_declines": "gold", "reviews": "sky"}
SERIES_COLOURS = ("oracle", "observed", "estimated", "gold", "purple", "sky", "baseline")
SERIES_DASHES = ("solid", "dash", "dot", "dashdot")
DISTANCES = {"psi": "PSI", "ks": "Kolmogorov-Smirnov distance", "js": "Jensen-Shannon distance"}
ACT = {"psi": 0.25, "ks": 0.15, "js": 0.1}
Floats = NDArray[np.float64]


def losses(record: RunRecord) -> Chart | None:
    """Return cumulative money lost by kind, beside what no model at all would have lost."""
    kinds = [k for k in record.metrics.names("loss") if k not in ("no_model", "total")]
    traces, keys, task = [], [], get_task(record.task)
    for order, kind in enumerate(kinds):
        days, values = known(record, "loss", kind)
        if not len(days):
            continue
        colour = LOSS_COLOURS.get(kind, SERIES_COLOURS[order % len(SERIES_COLOURS)])
        hover = f"{safe_label(task.name_loss(kind))} %{{y:.3~s}} USD<extra></extra>"
        traces.append(
            line(days, values, kind, colour, stackgroup="loss", width=0.8,
                 fillcolor=f"${colour}", hovertemplate=hover)
        )  # fmt: skip
        keys.append(Key(task.name_loss(kind), colour, "area", group=kind))
    days, values = known(record, "loss", "no_model")
    if len(days):
        traces.append(
            line(days, values, "no_model", "ink", dash="dash", width=1.6,
                 hovertemplate="no model %{y:.3~s} USD<extra></extra>")
        )  # fmt: skip
        idle = f"no model: {task.without_model}"
        keys.append(Key(idle, "ink", dash="dash", group="no_model"))
    if not traces:
        return None
    layout = {"xaxis": axis("day", range=[0, span(record)]),
              "yaxis": axis("USD, cumulative", rangemode="tozero", tickformat="~s"),
              "hovermode": "x unified", "shapes": bands(record)}  # fmt: skip
    return Chart("losses", "Money lost, by kind", _loss_caption(record, kinds), traces, layout,
                 tuple(keys), 320)  # fmt: skip


def _loss_caption(record: RunRecord, kinds: list[str]) -> str:
    lines = {k: known(record, "loss", k)[1] for k in kinds}
    ends = {k: float(values[-1]) for k, values in lines.items() if len(values)}
    total = sum(ends.values())
    if not total:
        return "Nothing was lost."
    most = max(ends, key=lambda k: ends[k])
    named = get_task(record.task).name_loss(most)
    text = f"{money(total)} lost, {share(ends[most] / total)} of it {named}."
    _, values = known(record, "loss", "no_model")
    if len(values) and values[-1] > 0:
        text += (
            f" With no model it would have been {money(float(values[-1]))}: "
            f"the design saved {money(float(values[-1]) - total)}."
        )
    return text + " A steeper slope is a costlier week."


def decisions(record: RunRecord) -> Chart | None:
    """Return reviews and blocks a day, and the cases beyond the review capacity."""
    names = record.metrics.names("decisions")
    if not names:
        return None
    traces, keys, means = [], [], []
    ranked = get_task(record.task).has_groups
    said = {"review": "reviewed", "block": "hidden" if ranked else "blocked"}
    for kind, colour in (("review", "heat3"), ("block", "observed")):
        if ranked and kind == "review":
            continue
        days, values = known(record, "decisions", kind)
        if len(days):
            traces.append(
                {"type": "bar", "x": days, "y": values, "name": kind, "legendgroup": kind,
                 "marker": {"color": f"${colour}"}, "hovertemplate": "%{y:,.0f}"}
            )  # fmt: skip
            keys.append(Key("hidden" if ranked else kind, colour, "area", group=kind))
            means.append(f"{number(float(np.mean(values)))} {said[kind]}")
    days, spilt = known(record, "reviews", "overflow")
    if len(days) and not ranked:
        traces.append(line(days, spilt, "overflow", "ink", hovertemplate="%{y:,.0f}"))
        keys.append(Key("review cases beyond capacity", "ink", group="overflow"))
    _, allowed = known(record, "decisions", "allow")
    rest = (
        f"; {number(float(np.mean(allowed)))} are {'shown' if ranked else 'allowed'} (not drawn)"
        if len(allowed)
        else ""
    )
    caption = f"An average day: {join(means)}{rest}."
    if len(spilt) and spilt.max() > 0:
        worst = int(np.argmax(spilt))
        caption += f" Most cases beyond capacity: {number(spilt[worst])} on {day(days[worst])}."
    layout = {"xaxis": axis("day", range=[-0.5, span(record)]),
              "yaxis": axis("events a day", rangemode="nonnegative"),
              "barmode": "stack", "bargap": 0.15, "hovermode": "x unified",
              "shapes": bands(record)}  # fmt: skip
    return Chart("decisions", "Decisions a day", caption, traces, layout, tuple(keys))


def drift_heat(record: RunRecord, metric: str) -> Chart | None:
    """Return distance to the reference by feature and day; hot colours begin at the threshold."""
    names = record.metrics.names(metric)
    lines = {name: known(record, metric, name) for name in names}
    days = np.unique(np.concatenate([d for d, _ in lines.values()])) if lines else np.zeros(0)
    if not len(days):
        return None
    grid = np.full((len(names), len(days)), np.nan)
    for row, name in enumerate(names):
        at, values = lines[name]
        grid[row, np.searchsorted(days, at)] = values
    peaks = np.nan_to_num(np.where(np.isfinite(grid), grid, 0)).max(axis=1)
    order = np.lexsort((-np.arange(len(names)), peaks))
    threshold = _threshold(record, metric)
    data = [_heat(days, [names[i] for i in order], grid[order], threshold)]
    layout = {"xaxis": axis("day", showgrid=False), "hovermode": "closest",
              "yaxis": axis(showgrid=False, tickfont={"size": 11}, dtick=1)}  # fmt: skip
    title = f"{DISTANCES.get(metric, metric)} by feature and day"
    caption = _heat_caption(names, grid, days, threshold)
    return Chart(f"drift-{metric}", title, caption, data, layout,
                 height=90 + 21 * len(names), min_width=620)  # fmt: skip


def _threshold(record: RunRecord, metric: str) -> float:
    used = [a.threshold for a in record.alerts if a.kind == metric and a.threshold > 0]
    return used[0] if used else ACT.get(metric, 0.25)


def _heat(days: Floats, names: list[str], grid: Floats, threshold: float) -> Figure:
    low, high = threshold / 50, max(threshold * 8, float(np.nanmax(grid)))
    z = np.log10(np.clip(grid, low, high))
    a, b, t = np.log10(low), np.log10(high), (np.log10(threshold / low)) / np.log10(high / low)
    scale = [[t * i / 3, f"$heat{i}"] for i in range(3)] + [[t, "$heat3"], [t, "$hot0"]]
    scale += [[t + (1 - t) / 2, "$hot1"], [1.0, "$hot2"]]
    ticks = [low, threshold / 5, threshold, min(4 * threshold, high)]
    return {
        "type": "heatmap", "x": days, "y": [safe_label(n) for n in names], "z": z, "zmin": a,
        "zmax": b, "colorscale": scale, "ygap": 2, "xgap": 0, "hoverongaps": False,
        "customdata": grid,
        "hovertemplate": "%{y}, day %{x}: %{customdata:.3f}<extra></extra>",
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickvals": np.log10(ticks),
                     "ticktext": [number(v) + (" act" if v == threshold else "") for v in ticks]},
    }  # fmt: skip


def _heat_caption(names: tuple[str, ...], grid: Floats, days: Floats, threshold: float) -> str:
    filled = np.where(np.isfinite(grid), grid, -1.0)
    over = [i for i in range(len(names)) if filled[i].max() >= threshold]
    over.sort(key=lambda i: -filled[i].max())
    if not over:
        top = int(np.argmax(filled.max(axis=1)))
        peak = number(filled[top].max())
        return f"Nothing reached {number(threshold)}; the highest is {names[top]}, at {peak}."
    first = {i: day(days[filled[i] >= threshold][0]) for i in over[:3]}
    said = [
        f"{names[i]} (to {number(filled[i].max())}, from {since})" for i, since in first.items()
    ]
    more = f" and {len(over) - 3} more" if len(over) > 3 else ""
    return (
        f"Orange begins at the threshold {number(threshold)}: {', '.join(said)}{more}. "
        "A row that lights up while quality holds needs no retraining."
    )


def data_quality(record: RunRecord, metric: str) -> Chart | None:
    """Return shares of missing values by column, or of invalid events by reason."""
    found = [(name, *known(record, metric, name)) for name in record.metrics.names(metric)]
    found = [(n, d, v) for n, d, v in found if v.max(initial=0.0) > 0]
    found.sort(key=lambda item: -float(item[2].max()))
    traces, keys, peaks = [], [], []
    for order, (name, days, values) in enumerate(found[: len(SERIES_COLOURS)]):
        worst = int(np.argmax(values))
        peaks.append(f"{name} ({share(values[worst])}, {day(days[worst])})")
        if metric == "invalid":  # written only on days that have some
            days, values = _with_zeros(days, values, span(record))
        colour, dash = SERIES_COLOURS[order], SERIES_DASHES[order % len(SERIES_DASHES)]
        traces.append(line(days, values, name, colour, dash=dash, hovertemplate="%{y:.2%}"))
        keys.append(Key(name, colour, dash=dash, group=name))
    if not traces:
        return None
    layout = {"xaxis": axis("day", range=[0, span(record)]), "hovermode": "x unified",
              "yaxis": axis("share of events", tickformat="~%", rangemode="tozero"),
              "shapes": bands(record)}  # fmt: skip
    title = {"missing": "Missing values by column", "invalid": "Invalid events by reason"}
    caption = "Highest: " + join(peaks[:3]) + "."
    return Chart(f"data-{metric}", title.get(metric, metric), caption, traces, layout, tuple(keys),
                 220)  # fmt: skip


def _with_zeros(days: Floats, values: Floats, end: float) -> tuple[Floats, Floats]:
    grid = np.union1d(np.arange(1.0, end + 0.5), days)
    filled = np.zeros(len(grid))
    filled[np.searchsorted(grid, days)] = values
    return grid, filled


@dataclass(frozen=True)
class _Line:
    """One line of the stack chart."""

    metric: str
    series: str
    name: str
    colour: str
    show: str = ".3~s"


_Panel = tuple[str, list[_Line], Figure]


def _panels(record: RunRecord) -> list[_Panel]:
    thousands = {"tickformat": "~s"}
    latency = [_Line("latency_p50", "", "p50", "oracle"),
               _Line("latency_p99", "", "p99", "observed")]  # fmt: skip
    return [
        ("load [1/s]", [_Line("load", "", "load", "baseline")], thousands),
        ("lag [events]", [_Line("lag", "", "lag", "purple")], thousands),
        ("latency", latency, {"type": "log", **_log_ticks(record)}),
    ]


def _busy(record: RunRecord) -> _Panel:
    colours = ("estimated", "gold", "sky", "oracle")
    names = record.metrics.names("utilisation")
    lines = [
        _Line("utilisation", name, f"busy: {name}" if name else "busy", colours[i % 4],
              show=".0%")
        for i, name in enumerate(names)
    ]  # fmt: skip
    return "busy", lines, {"tickformat": "~%"}


def stack(record: RunRecord) -> Chart | None:
    """Return load, lag, latency and utilisation below one another on one time axis."""
    traces: list[Figure] = []
    keys: list[Key] = []
    axes: list[tuple[str, Figure]] = []
    for title, lines, more in (*_panels(record), _busy(record)):
        found = [(*record.metrics.series(p.metric, p.series), p) for p in lines]
        found = [f for f in found if len(f[0])]
        if not found:
            continue
        place = f"y{len(axes) + 1 if axes else ''}"
        for days, values, p in found:
            hover = f"{safe_label(p.name)} %{{y:{p.show}}}<extra></extra>"
            traces.append(
                line(days, values, p.name, p.colour, width=1.2, yaxis=place, hovertemplate=hover)
            )
            keys.append(Key(p.name, p.colour, group=p.name))
        axes.append((title, more))
    if not axes:
        return None
    bottom = f"y{len(axes) if len(axes) > 1 else ''}"
    layout: Figure = {"hovermode": "x", "shapes": bands(record),
                      "xaxis": axis("day", range=[0, span(record)], anchor=bottom)}  # fmt: skip
    gap = 0.05
    tall = (1 - gap * (len(axes) - 1)) / len(axes)
    for number_, (title, more) in enumerate(axes):
        top = 1 - number_ * (tall + gap)
        key = f"yaxis{number_ + 1 if number_ else ''}"
        if more.get("type") != "log":
            more = {"rangemode": "tozero", **more}
        layout[key] = axis(title, domain=[max(top - tall, 0.0), top], nticks=4, **more)
    return Chart("stack", "Load, lag and latency", _stack_caption(record), traces, layout,
                 tuple(keys), 60 + 125 * len(axes))  # fmt: skip


def _log_ticks(record: RunRecord) -> Figure:
    values = [known(record, f"latency_{q}")[1] for q in ("p50", "p99")]
    found = np.concatenate(values)
    found = found[found > 0]
    if not len(found):
        return {}
    low, high = np.floor(np.log10(found.min())), np.ceil(np.log10(found.max()))
    ticks = [f * 10.0**e for e in np.arange(low, high + 1) for f in (1, 3)]
    ticks = [t for t in ticks if found.min() / 1.5 <= t <= found.max() * 1.5]
    return {"tickvals": ticks, "ticktext": [seconds(t) for t in ticks]}


def _stack_caption(record: RunRecord) -> str:
    said = []
    for metric, name, show in (("latency_p99", "p99", seconds), ("lag", "lag", number)):
        days, values = known(record, metric)
        if len(values):
            worst = int(np.argmax(values))
            said.append(
                f"{name}: {show(float(np.median(values)))} typically, "
                f"{show(float(values[worst]))} at worst ({day(days[worst])})"
            )
    text = "; ".join(said)
    _, answered = known(record, "answered")
    if len(answered):
        low = float(np.min(answered))
        text += f". Answered within the budget: {share(low)} of events at the worst moment"
    return f"{text[:1].upper()}{text[1:]}." if text else "How hard the stack worked."
