"""Metrics of slates: groups of candidates of which the first k by score are shown.

A group is a request; its rows need not be adjacent. Labels are 1 for a click and 0 for none; where
nothing else is said they may be grades or fractions >= 0 too. Among equal scores the earlier row
comes first, and a score of NaN comes last. Weights count a whole group several times, so they must
be the same in all its rows: half a slate cannot be drawn (a bootstrap draws requests, not rows).

All functions give NaN where the metric is undefined, such as without rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.task.order import falling_order

__all__ = [
    "SlateColumns",
    "Slates",
    "Worth",
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


@dataclass(frozen=True)
class SlateColumns:
    """Columns of the matrix that say which request, user and item an event is about.

    Ids below 2**24 are exact as float32; larger ones are taken modulo that.
    """

    request: int
    user: int
    item: int
    kind: int | None = None
    """Codes that say what kind of item it is, where a model is to know (`Retrieval.kind`)."""

    @property
    def all(self) -> tuple[int, int, int]:
        """The three that are names, in ascending order."""
        return self.request, self.user, self.item


class Worth(NamedTuple):
    """A metric by group: the mean over all is the sum of the first over that of the second."""

    gained: Floats
    """Shape (groups,), in ascending order of the group's number."""
    counted: Floats

    def mean(self, weight: Array | None = None) -> float:
        """Return the metric where each group counts once, or `weight` times, shape (groups,)."""
        gained, counted = (
            float(one.sum() if weight is None else one @ weight) for one in self
        )  # fmt: skip
        return gained / counted if counted > 0 else float("nan")


class Slates:
    """Candidates by group, each group by falling score, so that several metrics share one sort.

    Parameters
    ----------
    label, score, group
        Shape (n,); see `ndcg_at`.
    k
        Places that are shown.
    """

    def __init__(self, label: Array, score: Array, group: Array, k: int) -> None:
        _same_length(label, score, group)
        if k < 1:
            raise ValueError(f"expected k >= 1, got {k}")
        self.k = k
        self._code, self._groups = _codes(group)
        order, self._rank = _by_group(score, self._code)
        self.code = self._code[order]
        """Number of each row's group: 0, 1, ..."""
        self.label: Floats = np.asarray(label, dtype=np.float64)[order]
        self._given = np.asarray(label, dtype=np.float64)
        self.order = order

    def ndcg(self) -> Worth:
        """Return the normalised discounted cumulative gain; see `ndcg_at`."""
        best, rank = _by_group(self._given, self._code)
        possible = self._discounted(self._given[best], rank)
        known = possible > 0
        gained = self._discounted(self.label, self._rank)
        share = np.divide(gained, possible, out=np.zeros_like(gained), where=known)
        return Worth(share, np.asarray(known, dtype=np.float64))

    def hit_rate(self) -> Worth:
        """Return whether there is a positive among the first k; see `hit_rate_at`."""
        hits = self._summed((self._rank < self.k) & (self.label > 0))
        return Worth((hits > 0).astype(np.float64), np.ones(self._groups))

    def precision(self) -> Worth:
        """Return positives among what is shown; see `precision_at`."""
        shown = self._rank < self.k
        return Worth(self._summed(np.where(shown, self.label, 0.0)), self._summed(shown))

    def reciprocal_rank(self) -> Worth:
        """Return 1 / place of the first positive; see `mean_reciprocal_rank`."""
        first = np.full(self._groups, np.inf)
        positive = self.label > 0
        np.minimum.at(first, self.code[positive], self._rank[positive] + 1.0)
        return Worth(1.0 / first, np.ones(self._groups))

    def weights(self, weight: Array | None) -> Floats | None:
        """Return the weight of each group, for one of each row."""
        if weight is None:
            return None
        _same_length(weight, self.label)
        mass = np.asarray(weight, dtype=np.float64)[self.order]
        by_group: Floats = mass[self._rank == 0]
        if (mass != by_group[self.code]).any():
            raise ValueError("expected one weight for all rows of a group")
        return by_group

    def _discounted(self, label: Floats, rank: Ints) -> Floats:
        # The codes of any order by group are the same.
        return self._summed(np.where(rank < self.k, label / np.log2(rank + 2.0), 0.0))

    def _summed(self, values: NDArray[Any]) -> Floats:
        return np.bincount(self.code, values, self._groups).astype(np.float64)


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
    slates = Slates(label, score, group, k)
    return slates.ndcg().mean(slates.weights(weight))


def hit_rate_at(
    label: Array, score: Array, group: Array, k: int, weight: Array | None = None
) -> float:
    """Return the share of groups with a positive among the first k; arguments as in `ndcg_at`.

    All groups count, those without any positive too: nobody clicked there.
    """
    slates = Slates(label, score, group, k)
    return slates.hit_rate().mean(slates.weights(weight))


def precision_at(
    label: Array, score: Array, group: Array, k: int, weight: Array | None = None
) -> float:
    """Return the share of positives among all that is shown: the click-through of the slates.

    Arguments as in `ndcg_at`. A group of fewer than `k` rows shows those it has, and each shown
    row counts the same. With chances of a click as labels it is the expected click-through.
    """
    slates = Slates(label, score, group, k)
    return slates.precision().mean(slates.weights(weight))


def mean_reciprocal_rank(
    label: Array, score: Array, group: Array, weight: Array | None = None
) -> float:
    """Return the mean over groups of 1 / place of the first positive; 0 in a group without one.

    Arguments as in `ndcg_at` (Voorhees, 1999).
    """
    slates = Slates(label, score, group, 1)
    return slates.reciprocal_rank().mean(slates.weights(weight))


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
    order, rank = _by_group(score, _codes(group)[0])
    places = np.empty(len(order), dtype=np.int64)
    places[order] = rank
    return places


def _codes(group: Array) -> tuple[Ints, int]:
    """Return groups as 0, 1, ... and their number; ascending ones need no sort."""
    group = np.asarray(group)
    if not len(group):
        return np.zeros(0, dtype=np.int64), 0
    if (group[1:] >= group[:-1]).all():
        code = np.cumsum(np.concatenate(([0], group[1:] != group[:-1])))
    else:
        code = np.unique(group, return_inverse=True)[1].astype(np.int64)
    return code, int(code.max()) + 1


def _by_group(score: Array, code: Ints) -> tuple[Ints, Ints]:
    """Return rows by group and falling score, and the place of each in its group."""
    score = np.asarray(score, dtype=np.float64)
    size = np.bincount(code) if len(code) else np.zeros(0, dtype=np.int64)
    many, wide = len(size), int(size.max(initial=0))
    if many and (size == wide).all() and (code[1:] >= code[:-1]).all():
        # Requests of one length that came one after the other are the rows of a table.
        inside = np.argsort(-score.reshape(many, wide), axis=1, kind="stable")
        order = (inside + wide * np.arange(many)[:, None]).ravel()
        return order, np.tile(np.arange(wide), many)
    order = falling_order(score)
    order = order[np.argsort(code[order], kind="stable")]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    return order, rank


def _same_length(*arrays: Array | None) -> None:
    lengths = {len(array) for array in arrays if array is not None}
    if len(lengths) > 1:
        raise ValueError(f"expected arrays of one length, got {sorted(lengths)}")
