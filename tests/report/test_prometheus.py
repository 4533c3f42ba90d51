from __future__ import annotations

import re

import numpy as np

from sandbox.record import AlertRecord, RunRecord, VersionRecord
from sandbox.report.prometheus import DAY, run_lines


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
    unit = r"(seconds|events|ratio|total|version|events_per_second|usd_total)"
    for line in run_lines(a_record(), 1e9):
        assert re.fullmatch(rf"sandbox_[a-z_]*{unit}", line.name)
        assert set(line.labels) <= {
            "scenario", "design", "seed", "metric", "view", "quantile", "kind", "decision",
        }  # fmt: skip
