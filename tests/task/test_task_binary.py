"""The binary task: names, estimates without labels and their stated blind spot."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.task import TASKS, BinaryTask, Task, get_task

DAYS, ROWS = 7, 60_000


@pytest.fixture
def task() -> Task:
    return get_task("binary")


def population(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-(rng.normal(size=ROWS) * 1.8 - 6)))
    label = (rng.random(ROWS) < p).astype(float)
    return p, label, np.arange(ROWS) * DAYS // ROWS


def test_names(task: Task) -> None:
    assert TASKS == ("binary", "regression", "ranking") and isinstance(task, BinaryTask)
    assert {task.primary, task.gate_metric, *task.calibration_metrics} <= set(task.metrics)
    assert not task.higher_is_better("brier") and task.higher_is_better("pr_auc")
    with pytest.raises(
        UsageError, match=r"got 'binry', expected one of binary, regression, ranking. Did you mean"
    ):
        get_task("binry")
    with pytest.raises(UsageError, match=r"x.yaml:3: .*'pr_auk'.*Did you mean pr_auc"):
        task.check_metrics(["pr_auk"], where="x.yaml:3")


def test_measure_gives_what_was_asked_in_order(task: Task) -> None:
    p, label, day = population()
    every = task.measure(task.metrics, label, p, day=day, capacity=50)
    assert tuple(every) == task.metrics and all(np.isfinite(list(every.values())))
    assert tuple(task.measure(["brier"], label, p, day=day, capacity=50)) == ("brier",)


def test_estimate_meets_truth_when_scores_are_calibrated(task: Task) -> None:
    names = [name for name in task.metrics if name != "calibration_error"]
    measured: dict[str, list[float]] = {name: [] for name in names}
    for seed in range(5):
        p, label, day = population(seed)
        for name, value in task.measure(names, label, p, day=day, capacity=50).items():
            measured[name].append(value)
    estimated = task.estimate(task.metrics, p, day=day, capacity=50)
    for name in names:
        assert estimated[name] == pytest.approx(np.mean(measured[name]), rel=0.15), name
    assert np.isnan(estimated["calibration_error"])


def test_estimate_is_blind_to_concept_drift(task: Task) -> None:
    """The twin of the test above: same scores, other truth, and the estimate does not move."""
    p, _, day = population()
    drifted = np.random.default_rng(2).permutation(p)
    label = (np.random.default_rng(3).random(ROWS) < drifted).astype(float)
    truth = task.measure(["pr_auc"], label, p, day=day, capacity=50)["pr_auc"]
    estimate = task.estimate(["pr_auc"], p, day=day, capacity=50)["pr_auc"]
    assert truth < 0.3 * estimate


def test_estimate_of_nothing_is_nan(task: Task) -> None:
    nothing = task.estimate(task.metrics, np.empty(0), day=np.empty(0, np.int64), capacity=5)
    assert tuple(nothing) == task.metrics and all(np.isnan(list(nothing.values())))


def test_score_edges_spread_rare_positives(task: Task) -> None:
    edges = task.score_edges()
    assert edges[0] == 0 and edges[-1] == 1 and np.all(np.diff(edges) > 0)
    counts, _ = np.histogram(population()[0], edges)
    assert np.count_nonzero(counts) > 15
