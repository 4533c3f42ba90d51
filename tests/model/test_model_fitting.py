"""One contract for every strategy with every family, and what families promise by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.model import STRATEGIES, TrainingData, fit, load_estimator
from sandbox.spec.design import Champion, Imbalance
from sandbox.task.metrics import roc_auc

FAMILIES = {
    "xgboost": {"xgboost": {"trees": 20, "depth": 3, "subsample": 0.8}},
    "logistic_regression": "logistic_regression",
}


def champion(family: str) -> Champion:
    return Champion.model_validate(FAMILIES[family])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_contract(family: str, strategy: Imbalance, data: TrainingData) -> None:
    def once(seed: int) -> object:
        rng = np.random.default_rng(seed)
        return fit(champion(family), strategy, 0.2, data.features, data.label, rng)

    fitted, again = once(1), once(1)
    estimator = fitted.estimator  # type: ignore[attr-defined]
    score = estimator.predict(data.features)
    assert score.dtype == np.float64 and score.shape == (len(data.label),)
    assert score.min() >= 0 and score.max() <= 1
    assert roc_auc(data.label, score) > 0.85
    assert estimator.files() == again.estimator.files()  # type: ignore[attr-defined]
    back = load_estimator(estimator.family, estimator.files())
    np.testing.assert_array_equal(back.predict(data.features), score)
    assert len(estimator.predict(data.features[:0])) == 0
    for start, stop in ((0, 1), (7, 8), (100, 613), (0, 5000)):
        part = estimator.predict(data.features[start:stop])
        np.testing.assert_array_equal(part, score[start:stop])
    if family == "xgboost" or strategy not in ("none", "weight"):
        assert once(2).estimator.files() != estimator.files()  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["hist", "exact", "approx"])
def test_tree_methods_learn(method: str, data: TrainingData) -> None:
    spec = {"xgboost": {"trees": 10, "tree_method": method, "base_score": None}}
    rng = np.random.default_rng(0)
    fitted = fit(Champion.model_validate(spec), "none", 0.1, data.features, data.label, rng)
    assert roc_auc(data.label, fitted.estimator.predict(data.features)) > 0.85


def test_logistic_equals_scikit_learn_on_standardised_columns(data: TrainingData) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.where(np.isnan(data.features), np.nanmedian(data.features, axis=0), data.features)
    reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    expected = reference.fit(x.astype(float), data.label).predict_proba(x.astype(float))[:, 1]
    rng = np.random.default_rng(0)
    fitted = fit(champion("logistic_regression"), "none", 0.1, data.features, data.label, rng)
    np.testing.assert_allclose(fitted.estimator.predict(data.features), expected, rtol=1e-3)


def test_a_constant_and_an_unknown_column_do_no_harm(data: TrainingData) -> None:
    x = data.features.copy()
    x[:, 3], x[:, 4] = 7.3, np.nan
    rng = np.random.default_rng(0)
    fitted = fit(champion("logistic_regression"), "none", 0.1, x, data.label, rng)
    assert np.isfinite(fitted.estimator.predict(x)).all()


@pytest.mark.parametrize(
    ("family", "files"),
    [
        ("xgboost", {"trees.ubj": b"nonsense"}),
        ("forest", {}),
        ("logistic_regression", {"linear.json": b"{"}),
    ],
)
def test_broken_files_are_value_errors(family: str, files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError):
        load_estimator(family, files)
