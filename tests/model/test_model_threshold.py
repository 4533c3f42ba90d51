from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model import block_threshold, decision_cost, review_threshold


@given(
    st.lists(st.integers(0, 8).map(lambda i: i / 8), min_size=1, max_size=30),
    st.integers(0, 2**30),
)
def test_block_threshold_is_the_cheapest_of_all_cut_offs(values: list[float], bits: int) -> None:
    score = np.array(values)
    rng = np.random.default_rng(bits)
    label = rng.integers(0, 2, len(score)).astype(float)
    declined, missed = rng.integers(1, 9, len(score)) * 1.0, rng.integers(1, 9, len(score)) * 1.0
    choice = block_threshold(score, label, declined, missed)
    tries = [-1.0, *np.unique(score), np.inf]
    cheapest = min(decision_cost(label, score, cut, declined, missed) for cut in tries)
    assert choice.cost == pytest.approx(cheapest)
    assert decision_cost(label, score, choice.above, declined, missed) in (
        pytest.approx(cheapest),
        # Blocking everything, a score of exactly 0 included, cannot be said with "above".
        pytest.approx(decision_cost(label, score, 0.0, declined, missed)),
    )


def test_calibrated_scores_give_what_theory_says() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 3, 400_000)
    label = (rng.random(len(p)) < p).astype(float)
    declined, missed = np.full(len(p), 10.0), np.full(len(p), 30.0)
    choice = block_threshold(p, label, declined, missed)
    assert choice.theory == pytest.approx(0.25)
    assert choice.above == pytest.approx(0.25, abs=0.03)
    assert "c_FP / (c_FP + c_FN) = 0.250" in choice.text
    # The broken twin: scores that are not calibrated part from theory.
    assert block_threshold(np.sqrt(p), label, declined, missed).above > 0.4


def test_blocking_nothing_can_be_cheapest() -> None:
    score, label = np.array([0.9, 0.1]), np.array([0.0, 1.0])
    choice = block_threshold(score, label, np.full(2, 100.0), np.full(2, 1.0))
    assert choice.above == np.inf and choice.cost == 1.0 and "blocking nothing" in choice.text
    nothing = block_threshold(np.empty(0), np.empty(0), np.empty(0), np.empty(0))
    assert nothing.above == np.inf and np.isnan(nothing.theory)


@pytest.mark.parametrize("block_above", [np.inf, 0.97])
def test_review_threshold_fills_the_day(block_above: float) -> None:
    score = np.random.default_rng(0).random(70_000)
    above = review_threshold(score, 7.0, 100.0, block_above)
    assert np.count_nonzero((score > above) & (score <= block_above)) == 700


def test_review_threshold_at_its_ends() -> None:
    score = np.array([0.2, 0.4])
    assert review_threshold(score, 1.0, 2.0) == 0.0
    assert review_threshold(score, 1.0, 0.0) == np.inf
    assert review_threshold(score, 1.0, 1.0) == pytest.approx(0.3)
    assert review_threshold(np.empty(0), 1.0, 1.0) == 0.0
