from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from sandbox.record import (
    AlertRecord,
    MetricTable,
    ObjectiveResult,
    RunRecord,
    VersionRecord,
)


def record(**changes: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "scenario": "shop", "title": "Shop", "task": "binary", "design": "mine", "seed": 7,
        "days": 90.0, "start_date": "2026-01-05", "population": 1.0, "complete": True,
        "events": 10, "primary": "recall",
    }  # fmt: skip
    return RunRecord(**{**facts, **changes})


def objective(passed: bool | None, measured: float | None = 0.5) -> ObjectiveResult:
    return ObjectiveResult("recall", "at least 0.6", measured, "50 %", passed, "recall, days 0-90")


def test_many_points_at_once_are_the_same_as_one_by_one() -> None:
    one, many = MetricTable(), MetricTable()
    days, values = np.array([1.0, 1.5]), np.array([3.0, np.nan])
    one.add(0.5, "lag", 9.0)
    many.add(0.5, "lag", 9.0)
    for day, value in zip(days, values, strict=True):
        one.add(float(day), "lag", float(value))
    many.extend(days, "lag", values)
    for a, b in zip(one.series("lag"), many.series("lag"), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(type(day) is float for day, *_ in many.rows())


def test_table_keeps_lines_apart() -> None:
    table = MetricTable()
    table.add(1, "recall", 0.5, "oracle")
    table.add(2, "recall", 0.6, "oracle")
    table.add(2, "recall", 0.4, "observed")
    table.add(1, "lag", 3)
    days, values = table.series("recall", "oracle")
    assert (days.tolist(), values.tolist()) == ([1.0, 2.0], [0.5, 0.6])
    assert table.names("recall") == ("oracle", "observed")
    assert table.metrics() == ("recall", "lag")
    assert list(table.rows()) == [
        (1, "recall", "oracle", 0.5), (2, "recall", "oracle", 0.6), (2, "recall", "observed", 0.4),
        (1, "lag", "", 3.0),
    ]  # fmt: skip


def test_a_line_never_written_is_empty() -> None:
    days, values = MetricTable().series("recall", "oracle")
    assert days.shape == values.shape == (0,)
    assert days.dtype == values.dtype == np.float64


@pytest.mark.parametrize(
    ("results", "passed"),
    [([], True), ([True, True], True), ([True, None], True), ([True, False], False)],
)
def test_passed_when_no_objective_failed(results: list[bool | None], passed: bool) -> None:
    assert record(objectives=[objective(result) for result in results]).passed is passed


def test_summary_is_valid_json_in_stable_order() -> None:
    version = VersionRecord(
        version=1, trigger="first", trained_day=np.float64(0), train_from_day=-49.0,
        train_to_day=-21.0, rows=10, positives=2, offline={"pr_auc": np.float64(0.5)},
        offline_champion={"pr_auc": float("nan")}, offline_baseline={}, gate_passed=True,
        reasons=("first",),
    )  # fmt: skip
    run = record(
        objectives=[objective(False, float("inf"))],
        alerts=[AlertRecord(3.0, "psi", "amount", 0.3, 0.25, "moved")],
        versions=[version],
        money={"missed": np.float32(1.5)},
    )
    text = json.dumps(run.summary(), allow_nan=False)
    summary = json.loads(text)
    assert summary["objectives"][0]["measured"] is None
    assert summary["versions"][0]["offline_champion"] == {"pr_auc": None}
    assert summary["versions"][0]["gate_passed"] is True
    assert summary["versions"][0]["reasons"] == ["first"]
    assert summary["money"] == {"missed": 1.5}
    assert summary["passed"] is False
    assert list(summary)[:3] == ["scenario", "title", "task"]
    assert json.dumps(run.summary()) == text


def test_summary_leaves_the_bulk_out() -> None:
    assert not {"metrics", "histograms", "log", "design_text"} & set(record().summary())


def test_records_are_frozen() -> None:
    alert = AlertRecord(3.0, "psi", "amount", 0.3, 0.25, "moved")
    with pytest.raises(FrozenInstanceError):
        alert.day = 4.0  # type: ignore[misc]
