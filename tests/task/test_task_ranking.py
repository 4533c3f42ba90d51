"""The ranking task: metrics by request, estimates without labels and their stated blind spot."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.task import RankingTask, Task, get_task
from sandbox.task.slates import coverage, hit_rate_at, ndcg_at, precision_at

REQUESTS, POOL = 3000, 16


@pytest.fixture
def task() -> Task:
    return get_task("ranking")


def pages(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return chances of a click, clicks, and the request of each candidate."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-(rng.normal(size=REQUESTS * POOL) * 1.2 - 2.5)))
    return p, (rng.random(len(p)) < p).astype(float), np.repeat(np.arange(REQUESTS), POOL)


def measured(
    task: Task, label: np.ndarray, score: np.ndarray, group: np.ndarray
) -> dict[str, float]:
    day = np.zeros(len(label), np.int64)
    return task.measure(task.metrics, label, score, day=day, capacity=0, group=group)


def test_names(task: Task) -> None:
    assert isinstance(task, RankingTask) and task.has_groups and not task.has_spread
    assert {task.primary, task.gate_metric, *task.watched} <= set(task.metrics)
    assert all(task.higher_is_better(name) for name in task.metrics)


def test_measures_are_those_of_slates(task: Task) -> None:
    p, label, group = pages()
    values = measured(task, label, p, group)
    assert tuple(values) == task.metrics
    assert values["ndcg_at_10"] == ndcg_at(label, p, group, 10)
    assert values["hit_rate_at_10"] == hit_rate_at(label, p, group, 10)
    assert values["click_through"] == precision_at(label, p, group, 10)


def test_only_the_order_within_a_request_counts(task: Task) -> None:
    p, label, group = pages()
    shift = np.random.default_rng(1).normal(size=REQUESTS)[group]
    mixed = np.random.default_rng(2).permutation(len(p))
    one = measured(task, label, p, group)
    other = measured(task, label[mixed], (p + shift)[mixed], group[mixed])
    for name in task.watched:
        assert other[name] == pytest.approx(one[name]), name
    assert other["pr_auc"] < one["pr_auc"]  # ranks all candidates together: not by request


def test_without_requests_nothing_is_measured(task: Task) -> None:
    p, label, _ = pages()
    day = np.zeros(len(p), np.int64)
    for call in (
        lambda: task.measure(["ndcg_at_10"], label, p, day=day, capacity=0),
        lambda: task.estimate(["ndcg_at_10"], p, day=day, capacity=0),
    ):
        with pytest.raises(ValueError, match="by request"):
            call()


def test_estimate_meets_truth_when_scores_are_chances(task: Task) -> None:
    p, _, group = pages()
    names = ("hit_rate_at_10", "click_through", "pr_auc")
    truths = [measured(task, pages(seed)[1], pages(seed)[0], group) for seed in range(4)]
    day = np.zeros(len(p), np.int64)
    estimated = task.estimate(task.metrics, p, day=day, capacity=0, group=group)
    for name in names:
        assert estimated[name] == pytest.approx(np.mean([t[name] for t in truths]), rel=0.05), name
    assert np.isnan(estimated["ndcg_at_10"])


def test_estimate_is_blind_to_a_change_of_tastes(task: Task) -> None:
    """The twin of the test above: same scores, other clicks, and the estimate does not move."""
    p, _, group = pages()
    turned = np.random.default_rng(3).permutation(p)
    label = (np.random.default_rng(4).random(len(p)) < turned).astype(float)
    day = np.zeros(len(p), np.int64)
    estimate = task.estimate(["click_through"], p, day=day, capacity=0, group=group)
    assert measured(task, label, p, group)["click_through"] < 0.8 * estimate["click_through"]


def test_estimate_of_nothing_is_nan(task: Task) -> None:
    none = np.empty(0, np.int64)
    nothing = task.estimate(task.metrics, np.empty(0), day=none, capacity=0, group=none)
    assert all(np.isnan(list(nothing.values())))


def test_what_is_not_clicked_is_bad_and_a_click_is_good(task: Task) -> None:
    label, score = np.array([1.0, 0.0, np.nan]), np.array([0.1, 0.9, 0.5])
    assert task.is_bad(label, score).tolist() == [False, True, False]
    assert task.bad_chance(score).tolist() == pytest.approx([0.9, 0.1, 0.5])
    assert task.cases_in(label[:2]) == 1
    assert "at least 5 clicks" in task.why_too_little(label[:2], least=5)
    assert not task.why_too_little(label[:2], least=1)
    assert task.why_too_little(np.ones(9), least=1)  # clicks only: nothing to tell them from
    assert task.show_label(1.0) == "click" and task.describe_labels(label[:2]).startswith("50.0%")


def test_coverage_of_a_page_that_never_changes() -> None:
    item = np.tile(np.arange(4), 5)
    group = np.repeat(np.arange(5), 4)
    assert coverage(item, -item.astype(float), group, 1) == 0.25
    assert coverage(item, -((item + group) % 4).astype(float), group, 1) == 1.0
