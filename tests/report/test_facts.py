from __future__ import annotations

from dataclasses import replace

from sandbox.record import RunRecord
from sandbox.report.facts import (
    alerts_outside,
    key_numbers,
    known,
    quality_metrics,
    tail_mean,
    verdict_sentence,
)


def test_verdict_sentences(record: RunRecord) -> None:
    results = record.objectives

    def said(*passed: bool | None) -> str:
        chosen = [replace(r, passed=p) for r, p in zip(results, passed, strict=False)]
        return verdict_sentence(replace(record, objectives=chosen))

    assert said(True, True) == "Passes all 2 measured objectives."
    assert said(True, None) == "Passes the one measured objective; 1 could not be measured."
    assert said(None) == "None of the 1 objectives could be measured."
    assert said(False).startswith("Misses 1 of 1 measured objective: recall at capacity (")
    assert said() == "No objective was measured."


def test_quality_metrics_start_with_the_primary(record: RunRecord) -> None:
    found = quality_metrics(record)
    assert found[0] == "recall_at_capacity" and "pr_auc" in found and "positive_rate" not in found


def test_alerts_outside(record: RunRecord) -> None:
    assert [a.day for a in alerts_outside(record)] == [21]
    assert len(alerts_outside(replace(record, incidents=[]))) == len(record.alerts)


def test_tail_mean_skips_what_is_not_there(partial: RunRecord) -> None:
    for day, value in enumerate([*[0.0] * 8, 4.0, float("nan")]):
        partial.metrics.add(day, "x", value)
    assert tail_mean(*known(partial, "x"), 2.0) == 2.0
    assert tail_mean(*known(partial, "y")) is None


def test_key_numbers(record: RunRecord, partial: RunRecord) -> None:
    tiles = {t.label: t for t in key_numbers(record)}
    assert tiles["incidents detected"].value == "3 of 4"
    assert tiles["incidents detected"].note == "2 hurt quality, 2 recovered"
    assert "alerts" in {t.label for t in key_numbers(partial)}
