"""Pages, tables and documentation of the laboratories, from records made up or kept in docs/."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import plotly.graph_objects as go
import pytest
from rich.console import Console

from sandbox.record import LabRecord
from sandbox.report.laboratory import (
    cells,
    laboratory_html,
    laboratory_markdown,
    print_laboratory,
)
from sandbox.report.numbers import DASH
from sandbox.report.theme import LIGHT, paint

EVIL = "</script><b>\"'&"
KINDS = ("imbalance", "detectors")


def kept(project: Path, kind: str) -> list[LabRecord]:
    """Read the measurements that the documentation shows."""
    return msgspec.json.decode(
        (project / "docs" / f"{kind}.json").read_bytes(), type=list[LabRecord]
    )


def strategy(name: str, scores: str, difference: float | None) -> dict[str, Any]:
    return {
        "strategy": name, "model": "xgboost", "scores": scores, "difference": difference,
        "noise": None if difference is None else 0.03, "pr_auc": 0.4, "roc_auc": 0.9,
        "brier": 0.003, "calibration_error": 0.001, "promised": 24.0,
        "recall_at_capacity": float("nan"), "cost": 1200.0, "cost_at_theory": 13000.0,
    }  # fmt: skip


def detector(name: str, settings: str, after: float, delay: float | None) -> dict[str, Any]:
    return {
        "detector": name, "settings": settings, "before": 0.1, "after": after, "seeds": 5.0,
        "false_alarms": 1.25, "delay": delay, "missed": 1.0 if delay is None else 0.2,
    }  # fmt: skip


@pytest.fixture
def imbalance() -> LabRecord:
    bins = {"mean_score": [0.001, 0.1], "share_positive": [0.0, 0.08], "count": [90.0, 10.0]}
    return LabRecord(
        "imbalance", EVIL, "sandbox train x", ("A fact.",), (EVIL,),
        (strategy("none", "raw", None), strategy("weight", "raw", -0.01),
         strategy("weight", "closed_form", None)),
        curves={
            "precision none": {"recall": [0.5, 1.0], "precision": [1.0, 0.1]},
            "precision weight": {"recall": [0.5, 1.0], "precision": [1.0, 0.1]},
            "raw none": bins, "raw weight": bins, "closed_form weight": bins,
        },
    )  # fmt: skip


@pytest.fixture
def detectors() -> LabRecord:
    rows = [
        detector(name, settings, after, delay)
        for name, delay in (("adwin", 303.0), ("kswin", None))
        for settings in ("river", "sandbox")
        for after in (0.2, 0.3)
    ]
    return LabRecord("detectors", "Detectors", EVIL, (), ("A lesson.",), tuple(rows), ("A note.",))


def figures(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page)
    assert found
    result: dict[str, Any] = json.loads(found[1])
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_figures_keep_plotlys_schema_and_text_is_escaped(
    kind: str, imbalance: LabRecord, detectors: LabRecord
) -> None:
    page = laboratory_html(imbalance if kind == "imbalance" else detectors)
    drawn = figures(page)
    for name, figure in drawn.items():
        assert f'id="chart-{name}"' in page
        go.Figure(paint(figure, LIGHT))  # raises on an unknown property or a bad value
    assert EVIL not in page and "&lt;/script&gt;&lt;b&gt;" in page


def test_colours_of_a_strategy_are_the_same_on_all_charts(imbalance: LabRecord) -> None:
    drawn = figures(laboratory_html(imbalance))
    assert set(drawn) == {"precision", "differences", "reliability-raw", "reliability-closed_form"}
    colours = {
        trace["line"]["color"]
        for figure in drawn.values()
        for trace in figure["data"]
        if trace.get("name") == "weight"
    }
    assert len(colours) == 1


def test_missed_shifts_have_no_mark(detectors: LabRecord) -> None:
    drawn = figures(laboratory_html(detectors))
    first, *_ = drawn["delays"]["data"]
    assert first["y"] == ["adwin", "kswin"] and first["x"] == [303.0, None]
    assert drawn["alarms"]["data"][0]["x"] == [1.25, 1.25]


def test_cells_are_what_people_read(imbalance: LabRecord, detectors: LabRecord) -> None:
    shown = cells(imbalance)
    assert shown.rows[1] == (
        "weight", "xgboost", "raw", "0.400", "-0.010", "0.030", "0.900", "0.00300", "0.00100",
        "24.0", DASH, "1,200", "13,000",
    )  # fmt: skip
    assert shown.rows[2][4:6] == ("", "")
    table = cells(detectors)
    assert table.head[3:] == ("false alarms at 0.1", "delay 0.1 to 0.2", "delay 0.1 to 0.3")
    assert [row[4] for row in table.rows] == ["303 (20% missed)"] * 2 + ["missed"] * 2
    with pytest.raises(ValueError, match="unknown laboratory"):
        cells(LabRecord("x", "", "", (), (), ()))


def test_the_terminal_shows_table_and_lesson(detectors: LabRecord) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    print_laboratory(detectors, console)
    text = console.export_text()
    assert "A lesson." in text and "A note." in text and "303 (20% missed)" in text


@pytest.mark.parametrize("kind", KINDS)
def test_documentation_shows_the_numbers_beside_it(kind: str, project: Path) -> None:
    """``python benchmarks/laboratories.py --write`` measures anew and writes both."""
    page = (project / "docs" / f"{kind}.md").read_text()
    records = kept(project, kind)
    assert laboratory_markdown(records[0]) in page
    for record in records[1:]:
        assert f"`{record.command}`" in page and record.lesson[0] in page


def test_kept_detector_numbers_are_those_of_the_code(project: Path) -> None:
    from sandbox.run.detector_lab import Shift, run_detector_lab

    record = kept(project, "detectors")[0]
    seeds = int(next(r["seeds"] for r in record.rows if r["detector"] == "adwin") or 0)
    fresh = run_detector_lab((Shift(0.1, 0.2),), seeds, "", detectors=("adwin", "page_hinkley"))
    assert all(row in record.rows for row in fresh.rows) and len(fresh.rows) == 4
