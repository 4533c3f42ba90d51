"""Fitting for a task: strategy and family together, in one bag or several; the baseline beside."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sandbox.model.estimators import Bag, Estimator, fit_estimator
from sandbox.model.imbalance import BAGS, resample
from sandbox.model.ranker import fit_by_popularity, fit_ranker
from sandbox.model.regression import fit_regression
from sandbox.spec.model import Champion, Imbalance, Logistic, ModelSpec, Ridge, XGBoost
from sandbox.task import Task
from sandbox.task.slates import SlateColumns

__all__ = ["Fitted", "fit", "fit_both", "fit_for"]

_BASELINES: Mapping[str, Champion] = MappingProxyType(
    {"logistic_regression": Champion(logistic_regression=Logistic()),
     "ridge": Champion(ridge=Ridge())}
)  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """An estimator, and the factor that turns its odds into true odds (None: no closed form)."""

    estimator: Estimator
    odds_factor: float | None


def fit(
    champion: Champion,
    strategy: Imbalance,
    ratio: float,
    features: NDArray[np.float32],
    label: NDArray[np.float64],
    rng: np.random.Generator,
) -> Fitted:
    """Resample by `strategy` and fit the family of `champion`.

    Parameters
    ----------
    ratio
        Positives over negatives after resampling; see `sandbox.model.imbalance.resample`.
    features, label
        Shapes (n, f) and (n,): training rows only, both classes present.
    rng
        Drives the sampling and, where the family samples, the fit.
    """
    bags = BAGS if strategy == "balanced_bagging" else 1
    members, factors = [], []
    for _ in range(bags):
        rows = resample(strategy, features, label, ratio, rng)
        members.append(fit_estimator(champion, rows, int(rng.integers(2**31))))
        factors.append(rows.odds_factor)
    # Bags keep equally many negatives, so the factors are all the same.
    estimator = members[0] if bags == 1 else Bag(tuple(members))
    return Fitted(estimator, factors[0])


def fit_both(
    model: ModelSpec,
    task: Task,
    features: NDArray[np.float32],
    label: NDArray[np.float64],
    rng: np.random.Generator,
    slate: SlateColumns | None,
) -> tuple[Fitted, Estimator]:
    """Fit the champion's family, see `fit_for`, and the task's baseline to the same rows."""
    own, other = rng.spawn(2)
    with ThreadPoolExecutor(1) as aside:  # the two fits know nothing of each other
        baseline = aside.submit(_baseline, model, task, features, label, other, slate)
        fitted = fit_for(model.champion, model, task, features, label, own, slate)
        return fitted, baseline.result().estimator


def fit_for(
    champion: Champion,
    model: ModelSpec,
    task: Task,
    features: NDArray[np.float32],
    label: NDArray[np.float64],
    rng: np.random.Generator,
    slate: SlateColumns | None,
) -> Fitted:
    """Fit a family as the task wants it.

    Parameters
    ----------
    champion
        The family.
    model
        What is done about rare positives, and the first stage of a ranking.
    features, label
        Shapes (n, f) and (n,): training rows only, enough of them for the task.
    rng
        Drives sampling, folds and fits.
    slate
        Columns of the features that name request, user and item; of a ranking only.
    """
    if slate is not None:
        spec = champion.xgboost or XGBoost()
        return Fitted(fit_ranker(spec, model.retrieval, features, label, slate, rng), None)
    if task.has_spread:
        return Fitted(fit_regression(champion, features, label, rng), None)
    return fit(champion, model.imbalance, model.ratio, features, label, rng)


def _baseline(
    model: ModelSpec,
    task: Task,
    features: NDArray[np.float32],
    label: NDArray[np.float64],
    rng: np.random.Generator,
    slate: SlateColumns | None,
) -> Fitted:
    if slate is not None:
        return Fitted(fit_by_popularity(features, label, slate), None)
    plain = model.model_copy(update={"imbalance": "none"})
    return fit_for(_BASELINES[task.baseline], plain, task, features, label, rng, None)
