"""A study of capacity: as an HTML page with plots, and in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.capacity.bill import Item
from sandbox.capacity.simulation import Played
from sandbox.capacity.study import SHARES, CapacityRecord, Latency
from sandbox.report.chart import Chart, Figure, Key, axis, line, render
from sandbox.report.charts_quality import VERSION_COLOURS, VERSION_DASHES
from sandbox.report.markup import Html, bullets, el, table
from sandbox.report.numbers import DASH, money, seconds, share
from sandbox.report.page import Section, page
from sandbox.simulate.histogram import quantiles

__all__ = ["capacity_html", "print_capacity"]

STAGES = ("stage", "workers", "load of the busiest", "busy", "most waiting", "enough if even")
BILL = ("item", "amount", "unit", "USD a unit", "USD a month")
LATENCY = ("", *(f"p{100 * s:g}" for s in SHARES), "answered in time")


def stage_rows(record: CapacityRecord) -> list[tuple[str, ...]]:
    """Return the cells of the table of stages."""
    return [
        (
            row.name, str(row.workers), share(row.utilisation),
            DASH if row.busy is None else share(row.busy),
            DASH if row.max_lag is None else f"{row.max_lag:,}", str(row.enough),
        )
        for row in record.stages
    ]  # fmt: skip


def latency_rows(record: CapacityRecord) -> list[tuple[str, ...]]:
    """Return the cells of the table of latencies."""
    named: list[tuple[str, Latency | None]] = [
        ("the peak", record.steady), ("with the faults", record.under_fault),
    ]  # fmt: skip
    return [
        (name, *(seconds(q) for q in found.quantiles), f"{found.answered:.3%}")
        for name, found in named
        if found is not None
    ]


def bill_rows(bill: Sequence[Item]) -> list[tuple[str, ...]]:
    """Return the cells of a bill, its sum last."""
    rows = [
        (item.name, f"{item.amount:,.0f}", item.unit, f"{item.price:g}", f"{item.cost:,.0f}")
        for item in bill
    ]
    return [*rows, ("total", "", "", "", f"{sum(item.cost for item in bill):,.0f}")]


def fault_words(record: CapacityRecord) -> list[str]:
    """Say what the faults did."""
    drain = record.drain
    if drain is None:
        return []
    said = [f"Faults: {', '.join(map(str, record.asked.faults))}. Most waiting: {drain.max_lag:,}."]
    if drain.seconds is None:
        said.append(
            f"The backlog was never gone within the {drain.played:,.0f} s that were played."
        )
    else:
        said.append(f"The backlog was gone {drain.seconds:,.0f} s after the last fault ended.")
    if drain.repeated:
        said.append(f"Callers repeated {drain.repeated:,} requests.")
    if drain.shed:
        said.append(f"{drain.shed:,} events were left to the fallback on purpose.")
    if record.played is not None and record.played.overflow:
        said.append(f"The trial ended early: {record.played.overflow}")
    return said


def facts(record: CapacityRecord) -> list[str]:
    """Say what the study stands on."""
    asked = record.asked
    return [
        f"{asked.rate:,.0f} events/s at the peak, {asked.mean_rate:,.0f} on average.",
        f"Objective: p99 within {seconds(asked.objective)}. The fallback answers after "
        f"{seconds(asked.budget)}.",
        f"Profile {asked.profile_name}: {record.profile.machine}, {record.profile.measured}.",
        *record.profile.notes,
        f"Prices of {record.prices.as_of}: {record.prices.source}",
    ]


def print_capacity(record: CapacityRecord, console: Console) -> None:
    """Print verdict, tables and limits."""
    asked = record.asked
    console.print(Text(f"{asked.scenario} · {asked.design_name} · capacity", style="bold"))
    for text in record.verdict:
        console.print(Text(text))
    console.print(Text(f"First bottleneck: {record.bottleneck}"))
    _grid(console, STAGES, stage_rows(record))
    if latency_rows(record):
        _grid(console, LATENCY, latency_rows(record))
    for text in fault_words(record):
        console.print(Text(text))
    _grid(console, BILL, bill_rows(record.bill))
    if record.enough:
        total = sum(item.cost for item in record.bill_enough)
        console.print(Text(f"With what is enough: {money(total)} a month."))
    for text in (*facts(record), *record.limits):
        console.print(Text(text, style="dim"))


def _grid(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for place, name in enumerate(head):
        grid.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    console.print(grid)


def capacity_html(record: CapacityRecord) -> str:
    """Return a self-contained page."""
    charts = capacity_charts(record)
    asked = record.asked
    said = [*record.verdict, f"First bottleneck: {record.bottleneck}", *fault_words(record)]
    stages = table(STAGES, stage_rows(record), numeric=range(1, 6))
    latency = table(LATENCY, latency_rows(record), numeric=range(1, 6))
    bill = table(BILL, bill_rows(record.bill), numeric=(1, 3, 4))
    sections = [
        Section("verdict", "Verdict", bullets(said)),
        Section("stages", "Stages at the peak", stages),
        Section("latency", "Event to decision", latency),
        Section("plots", "Plots", Html("".join(map(render, charts)))),
        Section("bill", "A month's bill", bill),
        Section("limits", "How far to trust it", bullets((*facts(record), *record.limits))),
    ]
    header = el(
        "header",
        el("p", "capacity", class_="eyebrow"),
        el("h1", f"{asked.scenario}: {asked.design_name} at {asked.rate:,.0f} events/s"),
    )
    return page(f"{asked.scenario} capacity", header, sections, charts)


def capacity_charts(record: CapacityRecord) -> list[Chart]:
    """Return load by stage, and how backlog and latency went."""
    charts = [_loads(record)]
    if record.played is not None:
        charts += [_waiting(record, record.played), _times(record, record.played)]
    return charts


def _loads(record: CapacityRecord) -> Chart:
    names = [row.name for row in record.stages]
    bars: Figure = {
        "type": "bar", "orientation": "h", "y": names,
        "x": [row.utilisation for row in record.stages], "marker": {"color": "$oracle"},
        "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
    }  # fmt: skip
    full = {"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"color": "$muted", "width": 1, "dash": "dot"}}  # fmt: skip
    layout = {
        "xaxis": axis("load over capacity of the busiest worker", tickformat=".0%",
                      rangemode="tozero"),
        "yaxis": axis(autorange="reversed"), "hovermode": "closest", "shapes": [full],
    }  # fmt: skip
    caption = "At 100 % (dotted) a queue grows for ever. The longest bar is the first bottleneck."
    return Chart(
        "loads", "Load of every stage", caption, [bars], layout, height=110 + 34 * len(names)
    )


def _marks(record: CapacityRecord) -> list[Figure]:
    return [
        {"type": "rect", "xref": "x", "yref": "paper", "x0": fault.start, "x1": fault.end, "y0": 0,
         "y1": 1, "fillcolor": "$grid", "line": {"width": 0}, "layer": "below"}
        for fault in record.asked.faults
    ]  # fmt: skip


def _waiting(record: CapacityRecord, played: Played) -> Chart:
    step = max(1, len(played.lag_time) // 400)
    traces, keys = [], []
    for place, row in enumerate(record.stages):
        colour = VERSION_COLOURS[place % len(VERSION_COLOURS)]
        dash = VERSION_DASHES[place % len(VERSION_DASHES)]
        traces.append(
            line(played.lag_time[::step], played.lag[place, ::step], row.name, colour, dash=dash)
        )
        keys.append(Key(row.name, colour, dash=dash, group=row.name))
    layout = {"xaxis": axis("s"), "yaxis": axis("events", rangemode="tozero"),
              "hovermode": "x unified", "shapes": _marks(record)}  # fmt: skip
    return Chart("waiting", "Events that wait", "At the end of every step. Shaded: faults.", traces,
                 layout, tuple(keys))  # fmt: skip


def _times(record: CapacityRecord, played: Played) -> Chart:
    found = np.array([quantiles(row, (0.5, 0.99)) for row in played.histogram])
    traces = [
        line(played.time, found[:, 0], "p50", "oracle"),
        line(played.time, found[:, 1], "p99", "observed"),
    ]
    wanted = record.asked.objective
    goal = {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": wanted, "y1": wanted,
        "line": {"color": "$muted", "width": 1, "dash": "dot"},
    }  # fmt: skip
    layout = {
        "xaxis": axis("s"), "yaxis": axis("s", type="log"), "hovermode": "x unified",
        "shapes": [*_marks(record), goal],
    }  # fmt: skip
    keys = (Key("p50", "oracle", group="p50"), Key("p99", "observed", group="p99"))
    caption = "By time of birth, on a log scale. Dotted: the objective."
    return Chart("times", "Event to decision", caption, traces, layout, keys)
