"""One contract for every calibration method."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.model import METHODS, calibrator_from_dict, correct_odds, fit_calibrator
from sandbox.model.calibration import Isotonic, Method, Sigmoid
from sandbox.task.metrics import calibration_error, pr_auc

FACTOR = 1 / 40
scores = st.lists(st.floats(1e-5, 0.9999), min_size=2, max_size=40)


def rows(seed: int = 0, n: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose odds are 40 times too high, as after weighting, and labels."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-(1.8 * rng.normal(size=n) - 4)))
    return correct_odds(p, 1 / FACTOR), (rng.random(n) < p).astype(float)


@pytest.mark.parametrize("method", METHODS)
def test_contract(method: Method) -> None:
    raw, label = rows()
    calibrator = fit_calibrator(method, raw, label, FACTOR)
    new, new_label = rows(seed=1)
    score = calibrator.apply(new)
    assert score.dtype == np.float64 and score.min() >= 0 and score.max() <= 1
    assert pr_auc(new_label, score) == pytest.approx(pr_auc(new_label, new), abs=1e-6)
    before, after = calibration_error(new_label, new), calibration_error(new_label, score)
    assert after == before if method == "none" else after < 0.1 * before
    back = calibrator_from_dict(json.loads(json.dumps(calibrator.to_dict())))
    np.testing.assert_array_equal(back.apply(new), score)
    np.testing.assert_array_equal(calibrator.apply(new[:3]), score[:3])
    assert len(calibrator.apply(np.empty(0))) == 0


@pytest.mark.parametrize("method", METHODS)
@given(values=scores, seed=st.integers(0, 5))
def test_order_is_never_reversed_nor_lost(method: Method, values: list[float], seed: int) -> None:
    raw, label = rows(seed, 400)
    label[:2] = 0, 1
    calibrator = fit_calibrator(method, np.float32(raw).astype(float), label, FACTOR)
    ordered = np.unique(np.array(values, dtype=np.float32)).astype(np.float64)
    assert np.all(np.diff(calibrator.apply(ordered)) > 0)


def test_without_the_tilt_isotonic_would_tie() -> None:
    raw, label = rows()
    fitted = fit_calibrator("isotonic", raw, label)
    assert isinstance(fitted, Isotonic)
    plain = np.interp(raw, fitted.x, fitted.y)
    assert len(np.unique(plain)) < 0.9 * len(np.unique(fitted.apply(raw)))
    assert np.abs(plain - fitted.apply(raw)).max() <= 1e-6


def test_isotonic_never_claims_certainty() -> None:
    score = np.linspace(0.01, 0.99, 500)
    label = (score > 0.98).astype(float)
    calibrated = fit_calibrator("isotonic", score, label).apply(score)
    assert calibrated.min() > 0 and calibrated.max() < 0.9


def test_sigmoid_of_backward_scores_keeps_their_order() -> None:
    raw, label = rows()
    fitted = fit_calibrator("sigmoid", 1 - raw, label)
    assert isinstance(fitted, Sigmoid) and fitted.slope > 0


def test_smote_has_no_closed_form() -> None:
    with pytest.raises(UsageError, match="expected sigmoid or isotonic"):
        fit_calibrator("closed_form", *rows(), odds_factor=None)


@pytest.mark.parametrize("plain", [{"method": "magic"}, {}, {"method": "sigmoid", "slope": 1}])
def test_broken_dicts(plain: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        calibrator_from_dict(plain)
