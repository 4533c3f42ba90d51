"""Metrics of binary scores as plain functions of arrays.

Labels are 0 or 1, but every ranking metric also takes *fractional* labels in [0, 1]: a row with
label 0.3 counts as 0.3 of a positive and 0.7 of a negative. That is what estimates without labels
are made of (see `sandbox.task.binary`). Weights repeat rows, which is what a bootstrap needs.

All functions give NaN where the metric is undefined (no rows, no positives).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.task.order import falling_order, is_falling

__all__ = [
    "at_capacity",
    "brier",
    "calibration_error",
    "log_loss",
    "pr_auc",
    "precision_at_capacity",
    "recall_at_capacity",
    "reliability_curve",
    "roc_auc",
]

Floats = NDArray[np.float64]
Array = NDArray[Any]
_TINY = 1e-15


def pr_auc(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the average precision, ``sum_n (R_n - R_{n-1}) P_n`` over distinct scores.

    Parameters
    ----------
    label, score, weight
        Shape (n,). `label` in [0, 1], higher `score` first, `weight` >= 0.

    Notes
    -----
    Equal to ``sklearn.metrics.average_precision_score``; unlike the trapezoid rule it does not
    interpolate between points, which would flatter a model (Davis and Goadrich, 2006).

    Examples
    --------
    >>> pr_auc(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1]))
    0.8333333333333333
    """
    if weight is None:
        return _average_precision(_floats(label), _floats(score))
    found, passed = _curve(label, score, weight)
    if len(found) == 0 or found[-1] <= 0:
        return float("nan")
    seen = found + passed
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    return float(np.sum(np.diff(found, prepend=0.0) * precision) / found[-1])


def roc_auc(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the area under the ROC curve; ties count half. Arguments as in `pr_auc`."""
    found, passed = _curve(label, score, weight)
    if len(found) == 0 or found[-1] <= 0 or passed[-1] <= 0:
        return float("nan")
    left = np.concatenate(([0.0], found[:-1]))
    area = np.sum(np.diff(passed, prepend=0.0) * (found + left) / 2.0)
    return float(area / (found[-1] * passed[-1]))


def brier(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean squared difference between score and label (Brier, 1950)."""
    return _mean((_floats(score) - _floats(label)) ** 2, weight)


def log_loss(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean negative log-likelihood [nats]; scores are kept off 0 and 1."""
    p, y = np.clip(_floats(score), _TINY, 1.0 - _TINY), _floats(label)
    return _mean(-(y * np.log(p) + (1.0 - y) * np.log1p(-p)), weight)


def calibration_error(
    label: Array, score: Array, weight: Array | None = None, bins: int = 10
) -> float:
    """Return the expected calibration error over equal-mass bins.

    The mean over rows of |mean score - share of positives| of the row's bin (Naeini et al., 2015;
    with equal-mass bins, because with rare positives equal-width bins are empty but for one).
    """
    mean_score, share, mass = _bins(label, score, weight, bins)
    return float(np.sum(mass * np.abs(mean_score - share)) / mass.sum()) if len(mass) else np.nan


def reliability_curve(
    label: Array, score: Array, bins: int = 10
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return (mean score, share of positives, rows) of equal-mass bins, in order of score.

    Equal scores always share a bin, so there may be fewer than `bins` of them.
    """
    mean_score, share, mass = _bins(label, score, None, bins)
    return mean_score, share, mass.astype(np.int64)


def recall_at_capacity(
    label: Array, score: Array, period: Array, capacity: float, weight: Array | None = None
) -> float:
    """Return the share of all positives among the `capacity` highest scores of each period.

    Parameters
    ----------
    label, score, weight
        Shape (n,), as in `pr_auc`.
    period
        Shape (n,), integers such as day numbers.
    capacity
        Cases a period. Of a fractional capacity the last case counts in part. Among equal scores
        the earlier row comes first, as in a queue.

    Examples
    --------
    >>> recall_at_capacity(np.array([1, 0, 1, 1]), np.array([0.2, 0.9, 0.8, 0.7]),
    ...                    np.array([1, 1, 2, 2]), capacity=1)
    0.3333333333333333
    """
    return at_capacity(label, score, period, capacity, weight)[0]


def precision_at_capacity(
    label: Array, score: Array, period: Array, capacity: float, weight: Array | None = None
) -> float:
    """Return the share of positives among the cases that `recall_at_capacity` looks at.

    A period with fewer rows than `capacity` counts the rows it has. NaN without positives, as
    then nothing could have been found.
    """
    return at_capacity(label, score, period, capacity, weight)[1]


def at_capacity(
    label: Array, score: Array, period: Array, capacity: float, weight: Array | None = None
) -> tuple[float, float]:
    """Return `recall_at_capacity` and `precision_at_capacity`, which share a sort."""
    found, cases, positives = _at_capacity(label, score, period, capacity, weight)
    if positives <= 0:
        return float("nan"), float("nan")
    return found / positives, found / cases if cases > 0 else float("nan")


def _average_precision(label: Floats, score: Floats) -> float:
    """`pr_auc` of rows that count once: the precision at each row with positive mass, weighed."""
    _same_length(label, score)
    score, label = _ranked(score, score, label)
    at = np.flatnonzero(label)
    if not len(at):
        return float("nan")
    # Equal scores are passed together, so precision is that at the last row of their group.
    if 8 * len(at) < len(score):  # rare positives: look for their groups only
        mass = label[at]
        found = np.cumsum(mass)
        seen = len(score) - np.searchsorted(score[::-1], score[at], side="left")
        precision = found[np.searchsorted(at, seen) - 1] / seen
        return float(np.sum(mass * precision) / found[-1])
    seen = np.append(np.flatnonzero(score[1:] != score[:-1]) + 1, len(score))
    found = np.cumsum(label)[seen - 1]
    return float(np.sum(np.diff(found, prepend=0.0) * found / seen) / found[-1])


def _ranked(score: Floats, *columns: Floats) -> tuple[Floats, ...]:
    """Return columns by falling score; as they are where they are in that order already."""
    if is_falling(score):
        return columns
    order = falling_order(score)
    return tuple(column[order] for column in columns)


def _curve(label: Array, score: Array, weight: Array | None) -> tuple[Floats, Floats]:
    """Cumulative positive and negative mass at each distinct score, highest first."""
    score, label = _floats(score), _floats(label)
    _same_length(label, score, weight)
    if len(score) == 0:
        return np.empty(0), np.empty(0)
    mass = np.ones(len(score)) if weight is None else _floats(weight)
    score, label, mass = _ranked(score, score, label, mass)
    positive = label * mass
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    found = np.cumsum(positive)[ends]
    return found, np.cumsum(mass - positive)[ends]


def _at_capacity(
    label: Array, score: Array, period: Array, capacity: float, weight: Array | None
) -> tuple[float, float, float]:
    """Positive mass found, mass of cases looked at, all positive mass."""
    label, score = _floats(label), _floats(score)
    _same_length(label, score, weight, period)
    if len(score) == 0:
        return 0.0, 0.0, 0.0
    small = _small(period)
    if weight is None:
        score, label, small = _ranked(score, score, label, small)
        return _best_of_periods(label, small, round(capacity, 6))
    order = falling_order(score)
    order = order[np.argsort(small[order], kind="stable")]
    mass = _floats(weight)[order]
    before = np.cumsum(mass) - mass
    sorted_period = small[order]
    first = np.flatnonzero(np.concatenate(([True], sorted_period[1:] != sorted_period[:-1])))
    rows = np.diff(np.append(first, len(score)))
    before -= np.repeat(before[first], rows)
    # A rate of 100/day times 86,400 s is 99.99999999999999: round before counting cases.
    worked = np.clip(round(capacity, 6) - before, 0.0, mass)
    positive = label[order]
    # Not `@`: the threads of a BLAS dot product wait for each other on a busy machine.
    found, every = np.sum(worked * positive), np.sum(mass * positive)
    return float(found), float(worked.sum()), float(every)


def _best_of_periods(label: Floats, period: Array, capacity: float) -> tuple[float, float, float]:
    """`_at_capacity` of rows by falling score that count once.

    The best of each period are among the first rows: enough of them are looked at, not all.
    """
    sizes = np.bincount(period)
    needed = np.minimum(sizes, np.ceil(capacity))
    rows = max(4 * int(needed.sum()), 1)
    while rows < len(period) and (np.bincount(period[:rows], minlength=len(sizes)) < needed).any():
        rows *= 4
    order = np.argsort(period[:rows], kind="stable")
    found = np.bincount(period[:rows], minlength=len(sizes))
    before = np.arange(len(order)) - np.repeat(np.cumsum(found) - found, found)
    worked = np.clip(capacity - before, 0.0, 1.0)
    cases = np.minimum(sizes, capacity).sum()
    return float(np.sum(worked * label[order])), float(cases), float(np.sum(label))


def _small(period: Array) -> Array:
    """Periods as 16-bit integers from 0 on: NumPy sorts those in linear time."""
    since_first = np.asarray(period) - np.min(period)
    if since_first.max() >= 2**16:
        since_first = np.unique(since_first, return_inverse=True)[1]
    small: Array = since_first.astype(np.uint16) if since_first.max() < 2**16 else since_first
    return small


def _bins(
    label: Array, score: Array, weight: Array | None, bins: int
) -> tuple[Floats, Floats, Floats]:
    score, label = _floats(score), _floats(label)
    _same_length(label, score, weight)
    if len(score) == 0:
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(ranked) != 0)))
    first = np.repeat(starts, np.diff(np.append(starts, len(score))))
    where = first * bins // len(score)
    w = np.ones(len(score)) if weight is None else _floats(weight)[order]
    mass: Floats = np.bincount(where, w, bins).astype(np.float64)
    kept = mass > 0
    mean_score = np.bincount(where, w * ranked, bins)[kept] / mass[kept]
    share = np.bincount(where, w * label[order], bins)[kept] / mass[kept]
    return mean_score, share, mass[kept]


def _mean(values: Floats, weight: Array | None) -> float:
    if len(values) == 0:
        return float("nan")
    return float(values.mean() if weight is None else np.average(values, weights=weight))


def _floats(values: Array) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _same_length(*arrays: Array | None) -> None:
    lengths = {len(array) for array in arrays if array is not None}
    if len(lengths) > 1:
        raise ValueError(f"expected arrays of one length, got {sorted(lengths)}")
