from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.pipeline.schema import REASONS
from sandbox.record import MetricTable, RunRecord
from sandbox.run.execution import VirtualRun
from sandbox.run.setup import DAY, Prepared
from sandbox.run.watch import Watch, quality_window
from sandbox.task.metrics import recall_at_capacity

Ready = Callable[..., Prepared]
Played = tuple[VirtualRun, RunRecord]
NONE: NDArray[np.int8] = np.zeros(0, dtype=np.int8)


def watch(played: Played, prepared: Prepared) -> tuple[Watch, MetricTable]:
    metrics = MetricTable()
    return Watch(prepared, played[0].service.log, metrics), metrics


def test_the_window_is_that_of_the_objective_and_of_the_alert(ready: Ready) -> None:
    assert quality_window(ready()) == (7 * DAY, 4 * DAY)
    assert quality_window(ready("monitoring.alerts=[]", "retraining=never")) == (7 * DAY, 4 * DAY)
    shorter = ready(
        "objectives={recall_at_capacity: {at_least: 0.1, window: 3d}}",
        "monitoring.alerts=[{performance: {of: pr_auc, drop: 10%, maturity: 5d}}]",
    )
    assert quality_window(shorter) == (3 * DAY, 5 * DAY)
    without = ready("objectives={answered_in_time: {at_least: 0.9}}", "monitoring.alerts=[]")
    assert quality_window(without)[0] == 7 * DAY


def test_a_look_writes_quality_drift_and_dead_letters(played: Played) -> None:
    run, _ = played
    watching, metrics = watch(played, run.prepared)
    watching.new_champion(0.0)
    refused = np.array([REASONS.index("null")] * 3 + [REASONS.index("late")], dtype=np.int8)
    for day in range(1, 10):
        watching.look(day * DAY, 96, refused if day == 8 else NONE)
    days, values = metrics.series("recall_at_capacity", "oracle")
    assert days.tolist() == [7.0, 8.0, 9.0]  # whole weeks only
    log, start = run.service.log, run.prepared.scenario.start_time
    time = log.column("event_time")
    week = (time > start + DAY) & (time <= start + 8 * DAY)
    expected = recall_at_capacity(
        log.column("label")[week], log.column("score")[week],
        np.floor((time[week] - start) / DAY), watching.capacity,
    )  # fmt: skip
    assert values[1] == pytest.approx(expected)
    assert set(metrics.names("psi")) == {*run.prepared.plan.names, "score"}
    assert metrics.series("invalid", "null")[1].tolist() == [0.03]
    assert metrics.series("invalid", "late")[0].tolist() == [8.0]


def test_a_calm_week_raises_no_input_alert_and_a_broken_field_does(
    played: Played, ready: Ready
) -> None:
    settings = "monitoring.alerts=[{missing: {of: all, act: 2%}}, {invalid: {act: 1%}}]"
    watching, _ = watch(played, ready(settings))
    watching.new_champion(0.0)
    assert not [a for day in range(1, 4) for a in watching.look(day * DAY, 1000, NONE)]
    refused = np.full(50, REASONS.index("null"), dtype=np.int8)
    (alert,) = watching.look(4 * DAY, 1000, refused)
    assert alert.kind == "invalid" and alert.day == 4.0
    assert alert.value == pytest.approx(50 / 1050, rel=0.01)


def test_drift_is_measured_against_the_days_before_the_champion(
    played: Played, ready: Ready
) -> None:
    watching, metrics = watch(played, ready())
    watching.look(DAY, 10, NONE)
    assert not metrics.names("psi"), "nothing to hold it against yet"
    watching.new_champion(DAY)
    watching.look(2 * DAY, 10, NONE)
    assert len(metrics.series("psi", "score")[0]) == 1


@pytest.mark.parametrize("stream", ["review_precision", "score", "positive_rate"])
def test_streams_for_sequential_detectors(played: Played, ready: Ready, stream: str) -> None:
    settings = (f"monitoring.alerts=[{{adwin: {{of: {stream}}}}}]", "retraining=never")
    run, _ = played
    watching, _ = watch(played, ready(*settings))
    rows = run.service.log.rows_between(watching._start, watching._start + DAY)
    (values,) = watching._streams(watching._start + DAY, rows).values()
    log = run.service.log
    expected = {
        "review_precision": log.column("label")[rows][log.column("worked")[rows]],
        "score": log.column("score")[rows],
        "positive_rate": (log.column("decision")[rows] != 0).astype(float),
    }[stream]
    assert len(expected) > 10
    np.testing.assert_array_equal(values, expected)


def test_the_reference_of_scores_is_the_champions_own(ready: Ready) -> None:
    """Before the first model the log has no scores: held against them, every day would drift."""
    run = VirtualRun(ready("retraining=never", incidents=()), None, lambda: False)
    run.begin()
    run.go_on(6 * DAY)
    _, score = run.metrics.series("psi", "score")
    assert len(score) == 6 and score.max() < 0.5
