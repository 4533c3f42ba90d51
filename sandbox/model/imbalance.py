"""Imbalance strategies by name: what each does to training rows, and how to undo it in scores.

============== ===================================================== ==========================
strategy       what it does                                          undone by
============== ===================================================== ==========================
none           nothing                                               nothing to undo
weight         weighs positives by w = negatives / positives         p / (p + w (1 - p))
under_sample   keeps a share beta of the negatives, at random        beta p / (beta p - p + 1)
smote          adds synthetic positives between neighbouring ones    recalibration only
balanced_      averages models of several under-sampled bags         as under_sample
bagging
============== ===================================================== ==========================

Both formulas multiply the odds p / (1 - p) by a constant, 1/w or beta, which is why one number
(`Resampled.odds_factor`) stands for either. They leave the ranking alone, so a correction mends
calibration and never PR-AUC.

Sources: Elkan, "The foundations of cost-sensitive learning" (2001) for weights; Dal Pozzolo et
al., "Calibrating probability with undersampling" (2015); Chawla et al., "SMOTE" (2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from sandbox.spec.design import Imbalance

__all__ = ["BAGS", "STRATEGIES", "Resampled", "correct_odds", "resample"]

STRATEGIES: tuple[Imbalance, ...] = get_args(Imbalance)
BAGS = 5
"""Members of a balanced bag: scoring costs as many times a single model."""
_NEIGHBOURS = 5

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resampled:
    """Training rows after a strategy.

    `features` (n, f) and `label` (n,); `positive_weight` is what a positive counts against a
    negative while fitting. `odds_factor` turns the odds a model learns from these rows into true
    odds; None where no closed form exists.
    """

    features: Matrix
    label: Floats
    positive_weight: float = 1.0
    odds_factor: float | None = 1.0


def resample(
    strategy: Imbalance, features: Matrix, label: Floats, ratio: float, rng: np.random.Generator
) -> Resampled:
    """Apply a strategy to training rows, and to training rows only.

    Parameters
    ----------
    strategy
        One of `STRATEGIES`. ``balanced_bagging`` gives one bag; call it `BAGS` times.
    features, label
        Shapes (n, f) and (n,), labels 0 or 1, both classes present.
    ratio
        Positives over negatives that under_sample, smote and bags aim at. Data that has that
        many positives already is left as it is.

    Notes
    -----
    SMOTE cannot take missing values. Neighbours are searched on a copy with medians filled in:
    synthetic rows have no missing values, real rows keep theirs. Category codes are interpolated
    like numbers. The search needs at least two positives; one alone is left as it is.
    """
    positives = int(np.count_nonzero(label == 1))
    negatives = len(label) - positives
    if strategy == "weight":
        weight = negatives / positives
        return Resampled(features, label, weight, 1.0 / weight)
    if strategy == "smote":
        return _smote(features, label, ratio, positives, rng)
    if strategy == "none" or positives >= ratio * negatives:
        return Resampled(features, label)
    return _under_sample(features, label, ratio, negatives, rng)


def correct_odds(score: NDArray[Any], factor: float) -> Floats:
    """Multiply the odds of scores by `factor`, in closed form.

    With factor 1/w it is ``p / (p + w (1 - p))``, with beta ``beta p / (beta p - p + 1)``.

    Examples
    --------
    >>> correct_odds(np.array([0.5, 0.99]), 1 / 99).round(4)
    array([0.01, 0.5 ])
    """
    p = np.asarray(score, dtype=np.float64)
    scaled = p * factor
    return np.asarray(scaled / (scaled + (1.0 - p)))


def _under_sample(
    features: Matrix, label: Floats, ratio: float, negatives: int, rng: np.random.Generator
) -> Resampled:
    # Imported here: it takes a second, and most designs never ask for it.
    from imblearn.under_sampling import RandomUnderSampler

    sampler = RandomUnderSampler(sampling_strategy=ratio, random_state=_seed(rng))
    rows = np.arange(len(label)).reshape(-1, 1)
    kept, _ = sampler.fit_resample(rows, label)
    kept = np.sort(kept[:, 0])
    beta = float(np.count_nonzero(label[kept] == 0)) / negatives
    return Resampled(features[kept], label[kept], 1.0, beta)


def _smote(
    features: Matrix, label: Floats, ratio: float, positives: int, rng: np.random.Generator
) -> Resampled:
    if positives < 2 or positives >= ratio * (len(label) - positives):
        return Resampled(features, label, 1.0, None)
    from imblearn.over_sampling import SMOTE

    sampler = SMOTE(
        sampling_strategy=ratio,
        k_neighbors=min(_NEIGHBOURS, positives - 1),
        random_state=_seed(rng),
    )
    filled = fill_missing(features, medians(features))
    grown, grown_label = sampler.fit_resample(filled, label)
    synthetic = np.asarray(grown[len(label) :], dtype=np.float32)
    everything = np.concatenate([features, synthetic])
    return Resampled(everything, np.asarray(grown_label, dtype=np.float64), 1.0, None)


def medians(features: Matrix) -> Floats:
    """Return the median of the known values of each column, shape (f,); 0 where none is known."""
    known = ~np.isnan(features)
    # Missing values sort last, so the middle of the known ones can be read off one sort.
    ordered, count = np.sort(features, axis=0), known.sum(axis=0)
    columns = np.arange(features.shape[1])
    low = ordered[np.maximum(count - 1, 0) // 2, columns].astype(np.float64)
    high = ordered[np.minimum(count // 2, np.maximum(count - 1, 0)), columns].astype(np.float64)
    return np.where(count > 0, (low + high) / 2.0, 0.0)


def fill_missing(features: Matrix, values: Floats) -> Matrix:
    """Return the matrix with missing values replaced by `values`, shape (f,)."""
    return np.where(np.isnan(features), values.astype(features.dtype), features)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31 - 1))
