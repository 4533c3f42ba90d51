from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.task import get_task
from sandbox.task.order import falling_order, is_falling

Scores = st.lists(
    st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 0.1, 0.1 + 1e-12, 1e300, -1e300])
)


@given(Scores)
def test_the_order_is_that_of_a_stable_sort(scores: list[float]) -> None:
    score = np.array(scores, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        expected = np.argsort(-score, kind="stable")
    assert falling_order(score).tolist() == expected.tolist()
    assert is_falling(score[expected])


@given(Scores)
def test_what_falls_is_seen_to_fall(scores: list[float]) -> None:
    score = np.array(scores, dtype=np.float64)
    assert is_falling(score) == (scores == sorted(scores, reverse=True))


def test_what_is_not_a_number_comes_last() -> None:
    score = np.array([np.nan, 0.5, np.nan, 0.9])
    assert not is_falling(score)
    assert falling_order(score).tolist() == [3, 1, 0, 2]


@given(st.integers(0, 2**20))
def test_metrics_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    rng, task = np.random.default_rng(seed), get_task("binary")
    n = 200
    score, day = rng.permutation(n) / n, rng.integers(0, 4, n)
    label = (rng.random(n) < 0.2 + 0.6 * score).astype(float)
    order = np.argsort(-score)
    one = task.measure(task.metrics, label, score, day=day, capacity=9)
    ranked = (label[order], score[order])
    assert task.measure(task.metrics, *ranked, day=day[order], capacity=9) == pytest.approx(one)
    alone = {m: task.measure([m], label, score, day=day, capacity=9)[m] for m in task.metrics}
    assert alone == pytest.approx(one)
    guessed = task.estimate(task.metrics, score, day=day, capacity=9)
    assert guessed == pytest.approx(
        task.estimate(task.metrics, score[order], day=day[order], capacity=9), nan_ok=True
    )
