"""Predictions beside measurements: as an HTML page with a plot, and in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.capacity.twin import LATENCY_WITHIN, SPEED_WITHIN, Point, TwinRecord
from sandbox.report.chart import Chart, Figure, Key, axis, render
from sandbox.report.markup import Html, bullets, el, table
from sandbox.report.numbers import seconds
from sandbox.report.page import Section, page

__all__ = ["print_twin", "twin_html", "twin_rows", "twin_words"]

HEAD = ("load", "events/s", "figure", "predicted", "measured", "off by")


def twin_rows(record: TwinRecord) -> list[tuple[str, ...]]:
    """Return the cells of the table: top speed, then four figures a load."""
    top = ("top", "", "events/s", f"{record.predicted_speed:,.0f}", f"{record.measured_speed:,.0f}",
           f"{record.speed_off:+.0%}")  # fmt: skip
    return [top, *(row for point in record.points for row in _rows(point))]


def _rows(point: Point) -> list[tuple[str, ...]]:
    predicted, measured = point.predicted, point.measured
    shown = [
        ("p50", seconds(predicted.p50), seconds(measured.p50)),
        ("p99", seconds(predicted.p99), seconds(measured.p99)),
        ("throughput", f"{predicted.throughput:,.0f}/s", f"{measured.throughput:,.0f}/s"),
        ("lag", f"{predicted.lag:,.0f}", f"{measured.lag:,.0f}"),
    ]
    return [
        (
            f"{point.load:.0%}" if place == 0 else "", f"{point.rate:,.0f}" if place == 0 else "",
            *cells, f"{point.off(cells[0]):+.0%}",
        )
        for place, cells in enumerate(shown)
    ]  # fmt: skip


def twin_words(record: TwinRecord) -> list[str]:
    """Say whether the predictions hold, and how steady the machine was."""
    misses = record.misses()
    low, high = record.speeds
    ranges = ", ".join(
        f"{seconds(p.p99_rounds[0])} to {seconds(p.p99_rounds[1])} at {p.load:.0%}"
        for p in record.points
    )
    bounds = f"p50 and p99 within {LATENCY_WITHIN:.0%}, top speed within {SPEED_WITHIN:.0%}"
    return [
        f"Misses: {'; '.join(misses)}." if misses else f"Every prediction holds: {bounds}.",
        f"The machine's own top speed moved between {low:,.0f} and {high:,.0f} events/s from round "
        f"to round, and its p99 was {ranges}; a prediction cannot be steadier than that.",
        "One worker, its log in memory: brokers and hops between machines take no part.",
    ]


def print_twin(record: TwinRecord, console: Console) -> None:
    """Print the table and what it comes to."""
    console.print(Text(f"{record.scenario} · {record.design_name} · twin", style="bold"))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for place, name in enumerate(HEAD):
        grid.add_column(name, justify="left" if place == 2 else "right", overflow="fold")
    for row in twin_rows(record):
        grid.add_row(*map(Text, row))
    console.print(grid)
    for text in twin_words(record):
        console.print(Text(text))
    console.print(Text(record.profile.machine, style="dim"))


def twin_html(record: TwinRecord) -> str:
    """Return a self-contained page."""
    chart = _chart(record)
    sections = [
        Section("verdict", "Verdict", bullets(twin_words(record))),
        Section("plot", "Latency", Html(render(chart))),
        Section("table", "Figures", table(HEAD, twin_rows(record), numeric=(0, 1, 3, 4, 5))),
        Section("machine", "Machine", bullets((record.profile.machine, *record.profile.notes))),
    ]
    header = el(
        "header",
        el("p", "twin", class_="eyebrow"),
        el("h1", f"{record.scenario}: {record.design_name}, predicted and measured"),
    )
    return page(f"{record.scenario} twin", header, sections, [chart])


def _chart(record: TwinRecord) -> Chart:
    traces: list[Figure] = []
    keys = []
    for side, colour, symbol in (("predicted", "oracle", "circle"), ("measured", "observed", "x")):
        for name, dash in (("p50", "dot"), ("p99", "solid")):
            label = f"{name} {side}"
            traces.append({
                "type": "scatter", "mode": "lines+markers", "name": label,
                "x": [point.load for point in record.points],
                "y": [getattr(getattr(point, side), name) * 1e3 for point in record.points],
                "line": {"color": f"${colour}", "dash": dash, "width": 2},
                "marker": {"symbol": symbol, "size": 8, "color": f"${colour}"},
                "hovertemplate": f"{label} at %{{x:.0%}}: %{{y:.3g}} ms<extra></extra>",
            })  # fmt: skip
            keys.append(Key(label, colour, dash=dash))
    layout = {
        "xaxis": axis("share of the top speed", tickformat=".0%"),
        "yaxis": axis("ms", rangemode="tozero"), "hovermode": "closest",
    }  # fmt: skip
    caption = "From arrival to decision, in milliseconds; the median of several rounds."
    return Chart("latency", "Arrival to decision", caption, traces, layout, tuple(keys))
