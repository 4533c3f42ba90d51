"""Metrics against scikit-learn, naive versions, and their own corner cases."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sandbox.task import metrics as m

Floats = NDArray[np.float64]


@st.composite
def scored(draw: st.DrawFn, least: int = 2) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Labels with both classes, scores with many ties, days."""
    n = draw(st.integers(least, 60))
    label = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    label[0], label[-1] = 0.0, 1.0
    grid = st.integers(0, 12).map(lambda i: i / 12)
    score = np.array(draw(st.lists(grid, min_size=n, max_size=n)))
    day = np.array(draw(st.lists(st.integers(-2, 3), min_size=n, max_size=n)), dtype=np.int64)
    return label, score, day


def naive_at_capacity(
    label: Floats, score: Floats, day: NDArray[np.int64], capacity: int
) -> tuple[float, float]:
    found = looked_at = 0.0
    for one in set(day.tolist()):
        rows = [i for i in range(len(day)) if day[i] == one]
        best = sorted(rows, key=lambda i: (-score[i], i))[:capacity]
        found += sum(label[i] for i in best)
        looked_at += len(best)
    return found / label.sum(), found / looked_at if looked_at else float("nan")


@given(scored())
def test_ranking_and_probability_metrics_equal_scikit_learn(
    rows: tuple[Floats, Floats, NDArray[np.int64]],
) -> None:
    label, score, day = rows
    weight = 1.0 + (day % 3)
    for w in (None, weight):
        expected = reference.average_precision_score(label, score, sample_weight=w)
        assert m.pr_auc(label, score, w) == pytest.approx(expected)
        expected = reference.roc_auc_score(label, score, sample_weight=w)
        assert m.roc_auc(label, score, w) == pytest.approx(expected)
        expected = reference.brier_score_loss(label, score, sample_weight=w)
        assert m.brier(label, score, w) == pytest.approx(expected)
        expected = reference.log_loss(label, np.clip(score, 1e-15, 1 - 1e-15), sample_weight=w)
        assert m.log_loss(label, score, w) == pytest.approx(expected)


@given(scored(), st.integers(1, 6))
def test_capacity_metrics_equal_a_naive_version(
    rows: tuple[Floats, Floats, NDArray[np.int64]], capacity: int
) -> None:
    label, score, day = rows
    recall, precision = naive_at_capacity(label, score, day, capacity)
    assert m.recall_at_capacity(label, score, day, capacity) == pytest.approx(recall)
    assert m.precision_at_capacity(label, score, day, capacity) == pytest.approx(precision)


@given(scored(), st.integers(1, 6), st.data())
def test_weights_repeat_rows(
    rows: tuple[Floats, Floats, NDArray[np.int64]], capacity: int, data: st.DataObject
) -> None:
    label, score, day = rows
    n = len(label)
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    times[0] = times[-1] = 1
    again = np.repeat(np.arange(n), times)
    for function in (m.recall_at_capacity, m.precision_at_capacity):
        repeated = function(label[again], score[again], day[again], capacity)
        assert function(label, score, day, capacity, times) == pytest.approx(repeated)
    assert m.pr_auc(label, score, times) == pytest.approx(m.pr_auc(label[again], score[again]))


def test_a_rate_a_day_counts_whole_cases_in_spite_of_rounding() -> None:
    label, score = np.array([0.0, 1.0]), np.array([0.9, 0.8])
    capacity = (2 / 86400.0) * 86400.0 - 1e-13
    assert m.recall_at_capacity(label, score, np.zeros(2, int), capacity) == 1.0
    assert m.recall_at_capacity(label, score, np.zeros(2, int), 1.5) == 0.5


@pytest.mark.parametrize("function", [m.pr_auc, m.roc_auc])
def test_undefined_is_nan(function: object) -> None:
    assert callable(function)
    assert np.isnan(function(np.zeros(3), np.arange(3.0)))
    assert np.isnan(function(np.empty(0), np.empty(0)))


def test_capacity_metrics_are_nan_without_positives() -> None:
    day = np.zeros(3, int)
    assert np.isnan(m.recall_at_capacity(np.zeros(3), np.arange(3.0), day, 2))
    assert np.isnan(m.precision_at_capacity(np.zeros(3), np.arange(3.0), day, 2))
    assert np.isnan(m.recall_at_capacity(np.empty(0), np.empty(0), np.empty(0, int), 2))
    assert m.recall_at_capacity(np.ones(3), np.arange(3.0), day, 0) == 0.0


def test_calibration_error_sees_a_wrong_level_and_not_a_right_one() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(0.3, 20, 200_000)
    label = (rng.random(len(p)) < p).astype(float)
    assert m.calibration_error(label, p) < 0.001
    assert m.calibration_error(label, np.minimum(3 * p, 1)) > 0.02
    mean_score, share, count = m.reliability_curve(label, p, bins=8)
    assert count.sum() == len(p) and len(count) == 8
    assert np.all(np.diff(mean_score) > 0)
    np.testing.assert_allclose(share, mean_score, atol=0.003)


@given(scored())
def test_bins_do_not_depend_on_the_order_of_rows(
    rows: tuple[Floats, Floats, NDArray[np.int64]],
) -> None:
    label, score, _ = rows
    one, other = m.calibration_error(label, score), m.calibration_error(label[::-1], score[::-1])
    assert one == pytest.approx(other, abs=1e-12)


def test_different_lengths_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="one length"):
        m.pr_auc(np.zeros(2), np.zeros(3))
