"""A strategy and a family together: fit once, or several bags and average them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.model.estimators import Bag, Estimator, fit_estimator
from sandbox.model.imbalance import BAGS, resample
from sandbox.spec.design import Champion, Imbalance

__all__ = ["Fitted", "fit"]


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
