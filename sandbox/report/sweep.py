"""A sweep: as an HTML page with a plot of what is worth having, and in the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.record import SweepRecord, Trial
from sandbox.report.chart import Chart, Figure, Key, axis, render
from sandbox.report.markup import Html, bullets, el, table
from sandbox.report.numbers import DASH, words
from sandbox.report.page import Section, page

__all__ = ["print_sweep", "sweep_html", "sweep_words"]

MOST_ROWS = 40
MARKS = {True: "✓", False: "✗", None: ""}


def _measured(record: SweepRecord) -> list[str]:
    """Return the objectives that some trial has a figure for."""
    return [n for n in record.targets if any(t.measured.get(n) is not None for t in record.trials)]


def _head(record: SweepRecord) -> tuple[str, ...]:
    short = [key.rpartition(".")[2] for key in record.over]
    keys = short if len(set(short)) == len(short) else list(record.over)
    return ("", *keys, *map(words, _measured(record)), "passed")


def _rows(record: SweepRecord) -> list[tuple[str, ...]]:
    """Return a row a trial, those worth having first, then by the first axis."""
    first = record.axes[0]
    sign = -1.0 if record.at_least[first] else 1.0

    def order(place: int) -> tuple[bool, float]:
        value = record.trials[place].measured.get(first)
        return place not in record.best, float("inf") if value is None else sign * value

    places = sorted(range(len(record.trials)), key=order)
    return [_row(record, record.trials[place], place in record.best) for place in places]


def _row(record: SweepRecord, trial: Trial, best: bool) -> tuple[str, ...]:
    values = [value for _, value in trial.assignment]
    if trial.refused:
        return ("", *values, *[DASH] * len(_measured(record)), "refused")
    cells = [
        f"{trial.shown.get(name, DASH)} {MARKS[trial.passed.get(name)]}".rstrip()
        for name in _measured(record)
    ]
    known = [passed for passed in trial.passed.values() if passed is not None]
    return ("★" if best else "", *values, *cells, f"{sum(known)} of {len(known)}")


def sweep_words(record: SweepRecord) -> list[str]:
    """Say how many were tried and which are worth having."""
    axes = " and ".join(map(words, record.axes))
    said = [
        f"{len(record.trials)} trials, {len(record.best)} of them worth having (★): no other one "
        f"is as good by {axes} and better by one of them."
    ]
    refused = [trial.refused for trial in record.trials if trial.refused]
    if refused:
        said.append(f"{len(refused)} could not run; the first: {refused[0]}")
    if not record.complete:
        said.append("Stopped early; the same command goes on from here.")
    return said


def print_sweep(record: SweepRecord, console: Console) -> None:
    """Print the table, what is worth having first."""
    console.print(Text(f"{record.scenario} · {record.design} · sweep", style="bold"))
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in _head(record):
        grid.add_column(name, overflow="fold")
    rows = _rows(record)
    for row in rows[:MOST_ROWS]:
        grid.add_row(*map(Text, row))
    console.print(grid)
    if len(rows) > MOST_ROWS:
        console.print(Text(f"{len(rows) - MOST_ROWS} more are in the files.", style="dim"))
    for text in sweep_words(record):
        console.print(Text(text))


def sweep_html(record: SweepRecord) -> str:
    """Return a self-contained page."""
    charts = [_chart(record)] if len(record.axes) == 2 else []
    targets = [f"{words(name)}: {target}" for name, target in record.targets.items()]
    sections = [
        Section("verdict", "Verdict", bullets(sweep_words(record))),
        Section("plot", "What is worth having", Html("".join(map(render, charts)))),
        Section("trials", "Trials", table(_head(record), _rows(record))),
        Section("targets", "Objectives", bullets(targets)),
    ]
    header = el(
        "header",
        el("p", "sweep", class_="eyebrow"),
        el("h1", f"{record.scenario}: {record.design} over {', '.join(record.over)}"),
    )
    shown = sections if charts else [sections[0], *sections[2:]]
    return page(f"{record.scenario} sweep", header, shown, charts)


def _chart(record: SweepRecord) -> Chart:
    """Return one axis over the other; a step line through what is worth having."""
    across, up = record.axes
    groups = {
        "worth having": [t for p, t in enumerate(record.trials) if p in record.best],
        "beaten": [t for p, t in enumerate(record.trials) if p not in record.best],
    }
    looks = {
        "worth having": ("observed", "triangle-down", 12, "mark"),
        "beaten": ("muted", "triangle-down-open", 8, "hollow"),
    }
    traces: list[Figure] = []
    for name, trials in groups.items():
        colour, symbol, size, _ = looks[name]
        known = [t for t in trials if None not in (t.measured.get(across), t.measured.get(up))]
        known.sort(key=lambda trial: trial.measured[across] or 0.0)
        traces.append({
            "type": "scatter", "mode": "lines+markers" if name == "worth having" else "markers",
            "name": name, "x": [t.measured[across] for t in known],
            "y": [t.measured[up] for t in known], "line": {"color": f"${colour}", "width": 1},
            "marker": {"color": f"${colour}", "symbol": symbol, "size": size},
            "text": ["<br>".join(f"{k}={v}" for k, v in t.assignment) for t in known],
            "hovertemplate": "%{text}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>",
        })  # fmt: skip
    keys = tuple(Key(name, looks[name][0], kind=looks[name][3]) for name in groups)
    layout = {"xaxis": axis(words(across)), "yaxis": axis(words(up)), "hovermode": "closest"}
    better = {True: "more is better", False: "less is better"}
    caption = (
        f"Across: {words(across)}, {better[record.at_least[across]]}. "
        f"Up: {words(up)}, {better[record.at_least[up]]}."
    )
    return Chart("pareto", "Trade-off", caption, traces, layout, keys, height=360)
