"""Metrics of slates: groups of candidates of which the first k by score are shown.

A group is a request; its rows need not be adjacent. Labels are 1 for a click and 0 for none; where
nothing else is said they may be grades or fractions >= 0 too. Among equal scores the earlier row
comes first, and a score of NaN comes last. Weights count a whole group several times, so they must
be the same in all its rows: half a slate cannot be drawn (a bootstrap draws requests, not rows).

All functions give NaN where the metric is undefined, such as without rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.task.ranking import falling_order

__all__ = [
    "coverage",
    "hit_rate_at",
    "mean_reciprocal_rank",
    "ndcg_at",
    "precision_at",
    "ranks_in_groups",
    "top_of_groups",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Array = NDArray[Any]


class _Slates(NamedTuple):
    """Rows by group, each group by falling score."""

    label: Floats
    code: Ints
    """Number of each row's group: 0, 1, ..."""
    rank: Ints
    """Place of each row in its group: 0 is the first."""
    weight: Floats
    """Shape (groups,)."""

    def summed(self, values: NDArray[Any]) -> Floats:
        """Return the sum of a value per row for each group."""
        return np.bincount(self.code, values, len(self.weight)).astype(np.float64)


def ndcg_at(label: Array, score: Array, group: Array, k: int, weight: Array | None = None) -> float:
    """Return the mean over groups of the normalised discounted cumulative gain of the first k.

    Parameters
    ----------
    label
        Shape (n,), gains >= 0.
    score, group
        Shape (n,), higher scores first; integers that name the group.
    k
        Places that are shown, >= 1.
    weight
        Shape (n,), how often each row's group counts.

    Notes
    -----
    The gain at place i = 1, 2, ... is divided by ``log2(i + 1)``, and the sum by that of the best
    possible order (Järvelin and Kekäläinen, 2002, with the discount that became usual). Groups
    without a positive have no best order and are *left out*; NaN if all are.

    Examples
    --------
    >>> ndcg_at(np.array([1, 0, 0, 1]), np.array([0.9, 0.2, 0.8, 0.1]), np.array([7, 7, 8, 8]), 2)
    0.8154648767857288
    """
    slates = _slates(label, score, group, k, weight)
    best = _slates(label, label, group, k, weight)
    gained, possible = (
        one.summed(np.where(one.rank < k, one.label / np.log2(one.rank + 2.0), 0.0))
        for one in (slates, best)
    )
    known = possible > 0
    share = np.divide(gained, possible, out=np.zeros_like(gained), where=known)
    return _mean(share, slates.weight * known)


def hit_rate_at(
    label: Array, score: Array, group: Array, k: int, weight: Array | None = None
) -> float:
    """Return the share of groups with a positive among the first k; arguments as in `ndcg_at`.

    All groups count, those without any positive too: nobody clicked there.
    """
    slates = _slates(label, score, group, k, weight)
    hits = slates.summed(((slates.rank < k) & (slates.label > 0)) * 1.0)
    return _mean((hits > 0) * 1.0, slates.weight)


def precision_at(
    label: Array, score: Array, group: Array, k: int, weight: Array | None = None
) -> float:
    """Return the share of positives among all that is shown: the click-through of the slates.

    Arguments as in `ndcg_at`. A group of fewer than `k` rows shows those it has, and each shown
    row counts the same. With chances of a click as labels it is the expected click-through.
    """
    slates = _slates(label, score, group, k, weight)
    return _mean(slates.label, slates.weight[slates.code] * (slates.rank < k))


def mean_reciprocal_rank(
    label: Array, score: Array, group: Array, weight: Array | None = None
) -> float:
    """Return the mean over groups of 1 / place of the first positive; 0 in a group without one.

    Arguments as in `ndcg_at` (Voorhees, 1999).
    """
    slates = _slates(label, score, group, 1, weight)
    first = np.full(len(slates.weight), np.inf)
    positive = slates.label > 0
    np.minimum.at(first, slates.code[positive], slates.rank[positive] + 1.0)
    return _mean(1.0 / first, slates.weight)


def coverage(item: Array, score: Array, group: Array, k: int) -> float:
    """Return how many of the items that were candidates were shown at least once, as a share.

    Parameters
    ----------
    item
        Shape (n,), what each candidate is.
    score, group, k
        As in `ndcg_at`.

    Notes
    -----
    Catalogue coverage (Herlocker et al., 2004) of one period: a longer one shows more, so compare
    periods of one length.
    """
    _same_length(item, score, group)
    if len(item) == 0:
        return float("nan")
    shown = np.unique(item[top_of_groups(score, group, k)])
    return len(shown) / len(np.unique(item))


def top_of_groups(score: Array, group: Array, k: int) -> NDArray[np.bool_]:
    """Return which rows are among the first k of their group by score, shape (n,).

    Examples
    --------
    >>> top_of_groups(np.array([0.1, 0.9, 0.5, 0.2]), np.array([1, 1, 1, 2]), 2).tolist()
    [False, True, True, True]
    """
    if k < 1:
        raise ValueError(f"expected k >= 1, got {k}")
    return np.asarray(ranks_in_groups(score, group) < k)


def ranks_in_groups(score: Array, group: Array) -> Ints:
    """Return each row's place in its group by falling score, 0 for the first, shape (n,)."""
    _same_length(score, group)
    order, rank = _by_group(score, _codes(group))
    places = np.empty(len(order), dtype=np.int64)
    places[order] = rank
    return places


def _slates(label: Array, score: Array, group: Array, k: int, weight: Array | None) -> _Slates:
    _same_length(label, score, group, weight)
    if k < 1:
        raise ValueError(f"expected k >= 1, got {k}")
    code = _codes(group)
    order, rank = _by_group(score, code)
    code = code[order]
    label = np.asarray(label, dtype=np.float64)[order]
    first = np.flatnonzero(rank == 0)
    if weight is None:
        return _Slates(label, code, rank, np.ones(len(first)))
    mass = np.asarray(weight, dtype=np.float64)[order]
    if (mass != mass[first][code]).any():
        raise ValueError("expected one weight for all rows of a group")
    return _Slates(label, code, rank, mass[first])


def _codes(group: Array) -> Ints:
    """Return groups as 0, 1, ...; those that are together and ascending need no sort."""
    group = np.asarray(group)
    if len(group) and (group[1:] >= group[:-1]).all():
        return np.cumsum(np.concatenate(([0], group[1:] != group[:-1])))
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _by_group(score: Array, code: Ints) -> tuple[Ints, Ints]:
    """Return rows by group and falling score, and the place of each in its group."""
    order = falling_order(np.asarray(score, dtype=np.float64))
    order = order[np.argsort(code[order], kind="stable")]
    size = np.bincount(code) if len(code) else np.zeros(0, dtype=np.int64)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    return order, rank


def _mean(values: NDArray[Any], weight: NDArray[Any]) -> float:
    total = float(weight.sum())
    return float(np.sum(values * weight)) / total if total > 0 else float("nan")


def _same_length(*arrays: Array | None) -> None:
    lengths = {len(array) for array in arrays if array is not None}
    if len(lengths) > 1:
        raise ValueError(f"expected arrays of one length, got {sorted(lengths)}")
