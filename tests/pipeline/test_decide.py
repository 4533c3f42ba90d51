"""Decisions and the review queue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.pipeline.decide import (
    ALLOW,
    BLOCK,
    REVIEW,
    ReviewQueue,
    Thresholds,
    decide,
    uniforms,
)

DAY = 86400.0


def test_thresholds_are_exclusive_and_optional() -> None:
    score = np.array([0.5, 0.50001, 0.9, 0.90001])
    assert decide(score, Thresholds(0.5, 0.9)).decision.tolist() == [ALLOW, REVIEW, REVIEW, BLOCK]
    assert decide(score, Thresholds(None, 0.9)).decision.tolist() == [ALLOW, ALLOW, ALLOW, BLOCK]
    assert decide(score, Thresholds()).decision.tolist() == [ALLOW] * 4


def test_the_fallback_answers_where_the_model_does_not() -> None:
    score = np.array([0.99, 0.99, np.nan, 0.1])
    answered = np.array([True, False, True, False])
    got = decide(
        score, Thresholds(0.5, 0.9), explore=1.0, uniform=np.zeros(4), answered=answered,
        fallback=REVIEW,
    )  # fmt: skip
    assert got.decision.tolist() == [ALLOW, REVIEW, REVIEW, REVIEW]
    assert got.explored.tolist() == [True, False, False, False]
    assert got.fallback.tolist() == [False, True, True, True]


def test_exploration_lets_its_share_of_blocked_events_through() -> None:
    ids = np.arange(200_000)
    score = np.where(ids % 2 == 0, 0.95, 0.2)
    got = decide(score, Thresholds(0.5, 0.9), explore=0.05, uniform=uniforms(ids, seed=1))
    assert not got.explored[1::2].any()
    assert (got.decision[got.explored] == ALLOW).all()
    assert got.explored[::2].mean() == pytest.approx(0.05, abs=0.003)
    with pytest.raises(ValueError, match="uniform"):
        decide(score, Thresholds(None, 0.9), explore=0.05)


def test_uniforms_depend_on_id_and_seed_only() -> None:
    ids = np.array([5, 17, 5])
    first = uniforms(ids, seed=3)
    assert first[0] == first[2] != first[1]
    assert (uniforms(ids[::-1], seed=3) == first[::-1]).all()
    assert (uniforms(ids, seed=4) != first).all()
    assert uniforms(ids + 1, seed=3)[0] != uniforms(ids, seed=4)[0]
    spread = uniforms(np.arange(100_000), seed=0)
    assert np.histogram(spread, bins=10, range=(0, 1))[0] == pytest.approx(10_000, rel=0.05)


def add(queue: ReviewQueue, ids: list[int], time: float, score: list[float]) -> None:
    times = np.full(len(ids), time)
    queue.add(np.array(ids), times, times, np.array(score))


def test_the_highest_scores_of_a_day_are_reviewed() -> None:
    queue = ReviewQueue(capacity=2 / DAY, turnaround=DAY)
    add(queue, [1, 2, 3], 100.0, [0.6, 0.8, 0.8])
    add(queue, [4], DAY + 5.0, [0.5])
    assert len(queue.close(until=DAY - 1)) == 0
    done = queue.close(until=DAY)
    assert done["id"].tolist() == [2, 3]
    assert done["verdict_time"].tolist() == [DAY + 100.0] * 2
    assert queue.close(until=3 * DAY)["id"].tolist() == [4]
    assert (queue.reviewed, queue.overflow) == (3, 1)


def test_no_verdict_before_its_day_is_over() -> None:
    queue = ReviewQueue(capacity=1.0, turnaround=60.0)
    add(queue, [1], 100.0, [0.6])
    add(queue, [2], DAY - 10, [0.6])
    assert queue.close(until=DAY)["verdict_time"].tolist() == [DAY, DAY + 50]


def test_a_case_flagged_after_its_day_was_closed_waits_for_the_next() -> None:
    queue = ReviewQueue(capacity=1.0, turnaround=60.0)
    add(queue, [1], 100.0, [0.6])
    queue.close(until=DAY)
    add(queue, [2], DAY - 10, [0.9])
    assert queue.close(until=2 * DAY)["id"].tolist() == [2]


@given(st.floats(0, 20), st.lists(st.integers(0, 12), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_capacity_holds_over_any_number_of_days(capacity: float, days: list[int]) -> None:
    queue, done = ReviewQueue(capacity / DAY, DAY), 0
    for day, cases in enumerate(days):
        add(queue, list(range(cases)), day * DAY + 1, [0.7] * cases)
        done += len(queue.close(until=(day + 1) * DAY))
        assert done <= capacity * (day + 1) + 1e-6
    assert done + queue.overflow == sum(days)
    if min(days) >= capacity:
        assert done >= capacity * len(days) - 1 - 1e-6
