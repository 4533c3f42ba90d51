from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sandbox.record import AlertRecord, RunRecord, VersionRecord
from sandbox.report.prometheus import DAY, run_lines
from sandbox.task import TASKS, get_task

OF_THE_STACK = ("workers", "hottest_partition")


def a_record() -> RunRecord:
    record = RunRecord(
        scenario="s", title="S", task="binary", design="d", seed=1, days=3.0,
        start_date="2026-01-05", population=1.0, complete=True, events=1, primary="pr_auc",
    )  # fmt: skip
    for day in (1.0, 2.0, 3.0):
        record.metrics.add(day, "pr_auc", np.nan if day == 2 else day / 10, "oracle")
        record.metrics.add(day, "decisions", 5.0, "block")
        record.metrics.add(day, "latency_p99", 0.1)
    record.alerts.append(AlertRecord(1.5, "psi", "amount", 1.0, 0.5, ""))
    made = VersionRecord(2, "", 1.0, 0.0, 1.0, 1, 1, {}, {}, {}, True, (), promoted_day=2.5)
    record.versions = [VersionRecord(1, "", 0.0, 0.0, 0.0, 1, 1, {}, {}, {}, True, (), 0.0), made]
    return record


def test_series_end_at_the_time_one_says_and_carry_the_fields_names() -> None:
    lines = {(line.name, *sorted(line.labels.items())): line for line in run_lines(a_record(), 1e9)}
    by_name = {line.name: line for line in lines.values()}
    quality = by_name["sandbox_model_quality_ratio"]
    assert quality.samples == [(1e9 - 2 * DAY, 0.1), (1e9, 0.3)], "NaN is no sample"
    assert quality.labels["metric"] == "pr_auc" and quality.labels["view"] == "oracle"
    assert [v for _, v in by_name["sandbox_decisions_total"].samples] == [5.0, 10.0, 15.0]
    assert [v for _, v in by_name["sandbox_alerts_total"].samples] == [0.0, 1.0, 1.0]
    assert [v for _, v in by_name["sandbox_champion_version"].samples] == [1.0, 1.0, 2.0]
    assert by_name["sandbox_event_to_decision_seconds"].labels["quantile"] == "0.99"
    assert all(max(t for t, _ in line.samples) <= 1e9 for line in lines.values())


def test_names_follow_the_conventions() -> None:
    unit = r"(seconds|events|ratio|value|total|version|info|events_per_second|usd_total)"
    for line in run_lines(a_record(), 1e9):
        assert re.fullmatch(rf"sandbox_[a-z_]*{unit}", line.name)
        words = get_task("binary").words() if line.name == "sandbox_task_info" else {}
        assert set(line.labels) <= {
            "scenario", "design", "seed", "metric", "view", "quantile", "kind", "decision", *words,
        }  # fmt: skip


def test_what_is_told_as_quality_is_quality_and_has_its_unit() -> None:
    record = replace(a_record(), task="regression", primary="within_10_percent")
    for metric in ("mape", "r2", "mae", "wrong_estimates", "workers", "hottest_partition", "mood"):
        record.metrics.add(1.0, metric, 2.0, "" if metric in OF_THE_STACK else "oracle")
    record.metrics.add(1.0, "invalid", 0.5, "range")
    lines = list(run_lines(record, 1e9))
    told = {(line.name, line.labels["metric"]) for line in lines if "metric" in line.labels}
    assert told == {
        ("sandbox_model_quality_ratio", "mape"),
        ("sandbox_model_quality_ratio", "r2"),
        ("sandbox_model_quality_value", "mae"),
    }
    by_name = {line.name: line for line in lines}
    assert by_name["sandbox_bad_ratio"].labels["view"] == "oracle"
    assert by_name["sandbox_invalid_ratio"].labels["reason"] == "range"
    assert {"sandbox_workers", "sandbox_hottest_partition_ratio"} <= set(by_name)
    assert not any("mood" in name for name in by_name), "what nobody knows is not sent"


@pytest.mark.parametrize("name", TASKS)
def test_a_run_says_what_its_task_calls_things(name: str) -> None:
    record, task = replace(a_record(), task=name), get_task(name)
    (info,) = (line for line in run_lines(record, 1e9) if line.name == "sandbox_task_info")
    assert info.labels["primary"] == task.primary and info.labels["bad"] == task.bad_rate
    assert [value for _, value in info.samples] == [1.0, 1.0, 1.0]
    record.metrics.add(1.0, task.bad_rate, 0.5, "oracle")
    assert "sandbox_bad_ratio" in {line.name for line in run_lines(record, 1e9)}
