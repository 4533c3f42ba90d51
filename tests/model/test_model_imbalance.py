"""Strategies, and closed forms that recover the base rate; each with a twin that must fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model import STRATEGIES, TrainingData, correct_odds, fit, resample
from sandbox.model.imbalance import medians
from sandbox.spec.design import Champion, Imbalance

LOGISTIC = Champion.model_validate("logistic_regression")


@given(st.floats(0, 1), st.floats(1, 1000))
def test_both_published_formulas_are_one_scale_of_odds(p: float, weight: float) -> None:
    score = np.array([p])
    published = p / (p + weight * (1 - p))
    assert correct_odds(score, 1 / weight)[0] == pytest.approx(published)
    beta = 1 / weight
    assert correct_odds(score, beta)[0] == pytest.approx(beta * p / (beta * p - p + 1))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("ratio", [0.1, 1.0])
def test_every_strategy_keeps_its_promise(
    strategy: Imbalance, ratio: float, data: TrainingData
) -> None:
    before = data.features.copy()
    got = resample(strategy, data.features, data.label, ratio, np.random.default_rng(0))
    again = resample(strategy, data.features, data.label, ratio, np.random.default_rng(0))
    np.testing.assert_array_equal(got.features, again.features)
    np.testing.assert_array_equal(data.features, before)
    assert got.features.dtype == np.float32 and len(got.features) == len(got.label)
    positives, negatives = (got.label == 1).sum(), (got.label == 0).sum()
    if strategy in ("none", "weight"):
        assert len(got.label) == len(data.label)
    else:
        assert positives / negatives == pytest.approx(ratio, rel=0.01)
    if strategy == "weight":
        assert got.positive_weight * positives == pytest.approx(negatives)
    if strategy in ("under_sample", "balanced_bagging"):
        assert positives == (data.label == 1).sum()
        assert got.odds_factor == pytest.approx(negatives / (data.label == 0).sum())
    assert (got.odds_factor is None) == (strategy == "smote")


def test_smote_adds_complete_rows_and_leaves_real_ones_alone(data: TrainingData) -> None:
    got = resample("smote", data.features, data.label, 0.2, np.random.default_rng(0))
    n = len(data.label)
    np.testing.assert_array_equal(got.features[:n], data.features)
    assert not np.isnan(got.features[n:]).any() and np.all(got.label[n:] == 1)
    low, high = (
        data.features[data.label == 1].min(axis=0),
        data.features[data.label == 1].max(axis=0),
    )
    inside = (got.features[n:] >= low - 1e-3) & (got.features[n:] <= high + 1e-3)
    assert inside[:, [0, 1, 2, 4]].all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_data_that_has_enough_positives_is_left_as_it_is(strategy: Imbalance) -> None:
    x, y = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([1.0, 1.0, 1.0, 0.0])
    got = resample(strategy, x, y, 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(got.features, x)


@pytest.mark.parametrize("positives", [1, 2, 3])
def test_smote_with_hardly_any_positives(positives: int) -> None:
    x = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    y = (np.arange(100) < positives).astype(float)
    got = resample("smote", x, y, 0.2, np.random.default_rng(0))
    assert (got.label == 1).sum() == (1 if positives == 1 else int(0.2 * (100 - positives)))


@pytest.mark.parametrize("strategy", ["weight", "under_sample", "balanced_bagging"])
def test_closed_form_recovers_the_base_rate(strategy: Imbalance, data: TrainingData) -> None:
    rng = np.random.default_rng(3)
    fitted = fit(LOGISTIC, strategy, 0.5, data.features, data.label, rng)
    raw = fitted.estimator.predict(data.features)
    assert fitted.odds_factor is not None
    corrected = correct_odds(raw, fitted.odds_factor)
    rate = data.label.mean()
    assert raw.mean() > 3 * rate
    assert corrected.mean() == pytest.approx(rate, rel=0.12)
    # The broken twin: the factor applied to the score instead of to its odds.
    assert (raw * fitted.odds_factor).mean() != pytest.approx(rate, rel=0.12)


def test_medians_ignore_missing_values() -> None:
    x = np.array([[1, np.nan], [3, np.nan], [np.nan, np.nan], [8, np.nan]], dtype=np.float32)
    np.testing.assert_array_equal(medians(x), [3.0, 0.0])
    y = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    y[y > 1] = np.nan
    np.testing.assert_allclose(medians(y), np.nanmedian(y.astype(float), axis=0))
