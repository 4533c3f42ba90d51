from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.monitor.quality import QualityMonitor, QualityPoint, known_labels

Floats = NDArray[Any]

DAY = 86400.0


def monitor(task: Any, **settings: Any) -> QualityMonitor:
    defaults = {"window": 7 * DAY, "maturity": 7 * DAY, "capacity_per_day": 20.0, "absence": 0.0}
    return QualityMonitor(task, ["pr_auc"], **{**defaults, **settings})


def by_view(points: list[QualityPoint]) -> dict[str, QualityPoint]:
    assert len({p.view for p in points}) == len(points)
    return {p.view: p for p in points}


def plain_pr_auc(log: Batch, label: Floats, keep: Floats) -> float:
    pairs = sorted(zip(-log["score"][keep], label[keep], strict=True))
    hits, total = 0, 0.0
    for rank, (_, positive) in enumerate(pairs, 1):
        hits += positive
        total += positive * hits / rank
    return total / hits


def test_each_view_has_its_window_and_its_labels(task: Any, make_log: Any) -> None:
    log = make_log(0, 40, hide=0.9)
    points = by_view(monitor(task).observe(30 * DAY, log))
    time, label = log["event_time"], log["label"]
    newest = (time > 23 * DAY) & (time <= 30 * DAY)
    mature = (time > 16 * DAY) & (time <= 23 * DAY) & ~log["hidden"]
    known = np.where(log["label_time"] <= 30 * DAY, label, 0.0)
    assert points["oracle"].value == pytest.approx(plain_pr_auc(log, label, newest))
    assert points["observed"].value == pytest.approx(plain_pr_auc(log, known, mature))
    assert (points["oracle"].from_day, points["oracle"].to_day) == (23, 30)
    assert (points["observed"].from_day, points["observed"].to_day) == (16, 23)
    assert points["observed"].rows == mature.sum()
    assert points["observed"].positives == known[mature].sum() < label[mature].sum()
    assert points["estimated"].positives == pytest.approx(log["score"][newest].sum())


def test_labels_after_now_are_never_used(task: Any, make_log: Any) -> None:
    log = make_log(1, 40)
    hidden_future = log.with_columns(
        label=np.where(log["label_time"] <= 25 * DAY, log["label"], np.nan)
    )
    wanted: dict[str, Any] = {"views": ("observed", "estimated")}
    plain = monitor(task).observe(25 * DAY, log, **wanted)
    assert monitor(task).observe(25 * DAY, hidden_future, **wanted) == plain
    past = log.take(log["processing_time"] <= 25 * DAY)
    assert monitor(task).observe(25 * DAY, past, **wanted) == plain


def test_late_events_are_found_and_future_arrivals_are_not(task: Any, make_log: Any) -> None:
    log = make_log(2, 30)
    rng = np.random.default_rng(3)
    arrival = (
        log["event_time"] + np.where(rng.random(len(log)) < 0.1, rng.random(len(log)), 0) * DAY
    )
    late = log.with_columns(processing_time=arrival).sort("processing_time")
    point = by_view(monitor(task).observe(20 * DAY, late))["oracle"]
    expected = (log["event_time"] > 13 * DAY) & (log["event_time"] <= 20 * DAY)
    assert point.rows == (expected & (arrival <= 20 * DAY)).sum() < expected.sum()


def test_estimate_is_blind_to_a_changed_concept(task: Any, make_log: Any) -> None:
    calm = make_log(4, 30)
    before = by_view(monitor(task).observe(30 * DAY, calm))
    flipped = calm.with_columns(label=np.roll(calm["label"], 1000))
    after = by_view(monitor(task).observe(30 * DAY, flipped))
    assert after["oracle"].value < 0.3 * before["oracle"].value
    assert after["estimated"].value == before["estimated"].value


def test_without_meaning_of_absence_unlabelled_rows_are_left_out(task: Any, make_log: Any) -> None:
    log = make_log(5, 40)
    point = by_view(monitor(task, absence=None).observe(30 * DAY, log))["observed"]
    inside = (log["event_time"] > 16 * DAY) & (log["event_time"] <= 23 * DAY)
    assert point.rows == (inside & (log["label_time"] <= 30 * DAY)).sum() < inside.sum()


def test_unscored_rows_are_left_out(task: Any, make_log: Any) -> None:
    log = make_log(6, 20)
    score = log["score"].copy()
    score[::2] = np.nan
    points = by_view(monitor(task).observe(20 * DAY, log.with_columns(score=score)))
    assert all(math.isfinite(p.value) for p in points.values())
    everything = by_view(monitor(task).observe(20 * DAY, log))["oracle"].rows
    assert points["oracle"].rows == pytest.approx(everything / 2, abs=1)


def test_early_windows_are_shorter_or_absent(task: Any, make_log: Any) -> None:
    log = make_log(7, 20)
    assert set(by_view(monitor(task).observe(5 * DAY, log))) == {"oracle", "estimated"}
    points = by_view(monitor(task).observe(10 * DAY, log))
    assert points["oracle"].full
    assert (points["observed"].from_day, points["observed"].to_day) == (0, 3)
    assert not points["observed"].full
    clipped = by_view(monitor(task).observe(10 * DAY, log, since=8 * DAY))
    assert (clipped["oracle"].from_day, clipped["oracle"].full) == (8, False)
    assert "observed" not in clipped


def test_days_count_from_start_time(task: Any, make_log: Any) -> None:
    log = make_log(8, 20)
    shift = 1e9
    moved = log.with_columns(
        **{name: log[name] + shift for name in ("event_time", "processing_time", "label_time")}
    )
    plain = monitor(task).observe(15 * DAY, log)
    assert monitor(task, start_time=shift).observe(15 * DAY + shift, moved) == plain


def test_capacity_is_whole_in_every_period(task: Any, make_log: Any) -> None:
    log = make_log(9, 20)
    monitor(task).observe(10.5 * DAY, log, views=("oracle",))
    day, capacity = task.seen[-1]
    assert (day.min(), day.max(), capacity) == (0, 6, 20.0)
    monitor(task, window=DAY / 2).observe(10 * DAY, log, views=("oracle",))
    day, capacity = task.seen[-1]
    assert (day.min(), day.max(), capacity) == (0, 0, 10.0)


def test_an_empty_window_is_nan(task: Any, make_log: Any) -> None:
    points = monitor(task).observe(10 * DAY, make_log(0, 1).slice(0, 0))
    assert [p.rows for p in points] == [0, 0, 0]
    assert all(math.isnan(p.value) for p in points)


def test_known_labels_by_hand() -> None:
    rows = Batch(
        {
            "label": [1.0, 1.0, 0.0, 1.0],
            "label_time": [5.0, 15.0, math.inf, 5.0],
            "hidden": [False, False, False, True],
        }
    )
    assert known_labels(rows, 10.0, 0.0)[:3].tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(known_labels(rows, 10.0, 0.0)[3])
    assert np.isnan(known_labels(rows, 10.0, None)).tolist() == [False, True, True, True]


def point(value: float, positives: float) -> QualityPoint:
    return QualityPoint("observed", "pr_auc", value, 0, 7, 7, 7, 100, positives)


def test_standard_error() -> None:
    assert point(0.5, 100).standard_error == pytest.approx(0.05)
    assert point(0.0, 10).standard_error > 0.05
    assert point(0.5, 0).standard_error == math.inf
    assert point(3.0, 10).standard_error == 0
    assert point(math.nan, 10).standard_error == 0


def test_standard_error_is_about_what_repetition_shows(task: Any, make_log: Any) -> None:
    points = [
        by_view(monitor(task).observe(7 * DAY, make_log(seed, 7)))["oracle"] for seed in range(30)
    ]
    spread = np.std([p.value for p in points])
    claimed = np.mean([p.standard_error for p in points])
    assert 0.6 * spread < claimed < 2 * spread


def test_impossible_windows(task: Any) -> None:
    with pytest.raises(ValueError, match="window > 0"):
        monitor(task, window=0.0)
    assert monitor(task).reach == 14 * DAY
