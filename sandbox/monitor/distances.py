"""How far two distributions are apart, from binned counts; vectorised over columns.

Every function takes counts of shape (..., bins) whose last bin counts missing values, reference
first, and returns shape (...). Where one side has no rows the distance is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EPSILON", "expected_psi", "js", "ks", "psi"]

Floats = NDArray[np.float64]
Counts = NDArray[Any]

EPSILON = 1e-4
"""Smallest share that a bin is taken to have in `psi`."""


def psi(reference: Counts, current: Counts) -> Floats:
    """Return the population stability index, ``sum((q - p) * ln(q / p))`` over bins.

    Shares below 1e-4 are raised to 1e-4 (without normalising again), so an empty bin costs much
    but not infinity, and a bin that is empty on both sides costs nothing. Missing is a bin.

    Rules of thumb: 0.1 is worth a look, 0.25 worth acting on. Without any drift and with
    independent rows the expected value is about ``(bins - 1) * (1 / n_reference + 1 / n_current)``
    (`expected_psi`), so a small current sample looks like drift.

    Source: N. Siddiqi, Credit Risk Scorecards (2006); B. Yurdakul and J. Naranjo, Statistical
    properties of the population stability index, J. Risk Model Validation 14 (2020).

    Examples
    --------
    >>> psi(np.array([50, 50, 0]), np.array([50, 50, 0])).item()
    0.0
    >>> round(psi(np.array([50, 50, 0]), np.array([20, 80, 0])).item(), 3)
    0.416
    """
    p = np.maximum(_shares(reference), EPSILON)
    q = np.maximum(_shares(current), EPSILON)
    result: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return result


def expected_psi(bins: int | NDArray[np.int64], reference_rows: int, current_rows: int) -> Floats:
    """Return the PSI to expect from sampling noise alone (chi-squared approximation).

    Examples
    --------
    >>> round(expected_psi(10, 80_000, 100).item(), 3)
    0.09
    """
    noise = (np.asarray(bins) - 1) * (1.0 / reference_rows + 1.0 / current_rows)
    return np.asarray(noise, dtype=np.float64)


def ks(reference: Counts, current: Counts) -> Floats:
    """Return the Kolmogorov-Smirnov distance, the largest gap of the cumulative shares (0 to 1).

    Seen at bin edges only, hence a lower bound of the distance of the raw values: short of it by
    at most the largest reference share of a bin, 0.02 with 50 quantile bins and no ties.
    Missing values are left out: they have no place in the order, and a monitor of their own.

    Examples
    --------
    >>> round(ks(np.array([50, 50, 0]), np.array([20, 80, 9])).item(), 3)
    0.3
    """
    p = _shares(np.asarray(reference)[..., :-1]).cumsum(axis=-1)
    q = _shares(np.asarray(current)[..., :-1]).cumsum(axis=-1)
    result: Floats = np.abs(p - q).max(axis=-1)
    return result


def js(reference: Counts, current: Counts) -> Floats:
    """Return the Jensen-Shannon distance, base 2: 0 is equal, 1 is disjoint. Missing is a bin.

    The square root of the divergence, which makes it a metric; symmetric, and needs no smoothing.
    Without drift it is about ``sqrt((bins - 1) / (8 ln 2) * (1 / n_reference + 1 / n_current))``.

    Source: D. Endres and J. Schindelin, A new metric for probability distributions,
    IEEE Trans. Information Theory 49 (2003).

    Examples
    --------
    >>> js(np.array([10, 0, 0]), np.array([0, 10, 0])).item()
    1.0
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2
    divergence = (_entropy(p, middle) + _entropy(q, middle)) / 2
    result: Floats = np.sqrt(np.maximum(divergence, 0.0))
    return result


def _shares(counts: Counts) -> Floats:
    table = np.asarray(counts, dtype=np.float64)
    total = table.sum(axis=-1, keepdims=True)
    return table / np.where(total > 0, total, np.nan)


def _entropy(p: Floats, middle: Floats) -> Floats:
    """Relative entropy of p to the middle [bits]; empty bins count 0."""
    ratio = np.divide(p, middle, out=np.ones_like(p), where=p > 0)
    result: Floats = np.where(np.isnan(p), np.nan, p * np.log2(ratio)).sum(axis=-1)
    return result
