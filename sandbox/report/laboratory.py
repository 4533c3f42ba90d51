"""What a laboratory measured: as an HTML page with plots, a terminal table, and Markdown for docs.

All three show the same cells, written once in `cells`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.record import LabRecord
from sandbox.report.chart import Chart, render
from sandbox.report.charts_lab import detector_charts, imbalance_charts
from sandbox.report.markup import Html, bullets, el, table
from sandbox.report.numbers import DASH, number, quality
from sandbox.report.page import Section, page

__all__ = ["Cells", "cells", "laboratory_html", "laboratory_markdown", "print_laboratory"]

Row = Mapping[str, str | float | None]


@dataclass(frozen=True)
class Cells:
    """A table ready to show; the first `names` columns are words, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int

    @property
    def numeric(self) -> tuple[int, ...]:
        """Columns of numbers."""
        return tuple(range(self.names, len(self.head)))


def cells(record: LabRecord) -> Cells:
    """Return the rows of a record as text.

    Raises
    ------
    ValueError
        For a kind of laboratory that is not known.
    """
    if record.kind == "imbalance":
        return _imbalance(record.rows)
    if record.kind == "detectors":
        return _detectors(record.rows)
    raise ValueError(f"unknown laboratory {record.kind!r}")


def _imbalance(rows: Sequence[Row]) -> Cells:
    head = (
        "strategy", "model", "scores", "PR AUC", "against none", "noise", "ROC AUC", "Brier",
        "calibration error", "promised / real", "recall at capacity", "cost a day",
        "cost a day at theory",
    )  # fmt: skip
    shown = []
    for row in rows:
        gain = _value(row, "difference")
        shown.append((
            str(row["strategy"]),
            str(row["model"]).replace("_regression", ""),
            str(row["scores"]).replace("_", " "),
            quality(_value(row, "pr_auc")),
            "" if gain is None else f"{gain:+.3f}",
            "" if gain is None else f"{_value(row, 'noise'):.3f}",
            quality(_value(row, "roc_auc")),
            f"{_value(row, 'brier'):.5f}",
            f"{_value(row, 'calibration_error'):.5f}",
            f"{_value(row, 'promised'):.1f}",
            quality(_value(row, "recall_at_capacity")),
            f"{_value(row, 'cost'):,.0f}",
            f"{_value(row, 'cost_at_theory'):,.0f}",
        ))  # fmt: skip
    return Cells(head, tuple(shown), 3)


def _detectors(rows: Sequence[Row]) -> Cells:
    """One line a detector and settings: false alarms by rate, delays by shift."""
    rates = list(dict.fromkeys(_value(r, "before") for r in rows))
    shifts = list(dict.fromkeys((_value(r, "before"), _value(r, "after")) for r in rows))
    head = (
        "detector", "settings", "streams",
        *(f"false alarms at {rate:g}" for rate in rates),
        *(f"delay {before:g} to {after:g}" for before, after in shifts),
    )  # fmt: skip
    shown = []
    for name, settings in dict.fromkeys((str(r["detector"]), str(r["settings"])) for r in rows):
        mine = [r for r in rows if (r["detector"], r["settings"]) == (name, settings)]
        of_rate = [next(r for r in mine if r["before"] == rate) for rate in rates]
        alarms = [_count(_value(r, "false_alarms")) for r in of_rate]
        shown.append(
            (name, settings, number(_value(mine[0], "seeds")), *alarms, *map(_delay, mine))
        )
    return Cells(head, tuple(shown), 2)


def _count(value: float | None) -> str:
    if value is None or value == 0:
        return DASH if value is None else "0"
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2f}"


def _delay(row: Row) -> str:
    delay, missed = _value(row, "delay"), _value(row, "missed") or 0.0
    if delay is None:
        return "missed" if missed == 1 else f"{missed:.0%} missed"
    return f"{delay:,.0f}" + (f" ({missed:.0%} missed)" if missed else "")


def _value(row: Row, key: str) -> float | None:
    value = row[key]
    if isinstance(value, str):
        raise ValueError(f"{key} is a word: {value!r}")
    return None if value is None else float(value)


def laboratory_html(record: LabRecord) -> str:
    """Return a self-contained page: what was measured, what it says, table and plots."""
    draw = imbalance_charts if record.kind == "imbalance" else detector_charts
    charts: list[Chart] = draw(record)
    shown = cells(record)
    numbers = table(shown.head, shown.rows, numeric=shown.numeric)
    sections = [
        Section("lesson", "What it says", bullets(record.lesson)),
        Section("plots", "Plots", Html("".join(map(render, charts)))),
        Section("numbers", "Numbers", numbers),
        Section("how", "How it was measured", bullets((*record.facts, *record.notes))),
    ]
    header = el(
        "header",
        el("p", "laboratory", class_="eyebrow"),
        el("h1", record.title),
        el("p", el("span", record.command), class_="facts"),
    )
    return page(record.title, header, sections, charts)


def print_laboratory(record: LabRecord, console: Console) -> None:
    """Print facts, table, notes, and last what it all says."""
    console.print(Text(record.title, style="bold"))
    for text in record.facts:
        console.print(Text(text))
    shown = cells(record)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for place, name in enumerate(shown.head):
        words = place < shown.names
        widest = max(map(len, name.split()))
        grid.add_column(name, justify="left" if words else "right", no_wrap=words, min_width=widest)
    for row in shown.rows:
        grid.add_row(*map(Text, row))
    console.print(grid)
    for text in record.notes:
        console.print(Text(text, style="dim"))
    for text in record.lesson:
        console.print(Text(f"- {text}"))


def laboratory_markdown(record: LabRecord) -> str:
    """Return command, facts, table, notes and lesson for a page of the documentation."""
    shown = cells(record)
    align = ["---" if i < shown.names else "---:" for i in range(len(shown.head))]
    grid = [_line(shown.head), _line(align), *map(_line, shown.rows)]
    parts = [
        f"Measured with `{record.command}`:",
        "\n".join(f"- {text}" for text in record.facts),
        "\n".join(grid),
        "\n".join(f"- {text}" for text in record.notes),
        "What these numbers say (the command writes these sentences from them):",
        "\n".join(f"- {text}" for text in record.lesson),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _line(words: Sequence[str]) -> str:
    return "| " + " | ".join(re.sub(r"[|_]", r"\\\g<0>", word) for word in words) + " |"
