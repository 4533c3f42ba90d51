"""Bins taken from reference data, and counts of any data in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["COARSE_WIDTH", "FINE_WIDTH", "Binner"]

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

_FINE, _COARSE = 50, 10
_STEP = _FINE // _COARSE
FINE_WIDTH = _FINE + 1
"""Columns of a table of fine counts; the last one counts missing values."""
COARSE_WIDTH = _COARSE + 3
"""Columns of a table of coarse counts: 10 values, below, above; the last one is missing."""


class Binner:
    """Quantile bins of each column of a reference matrix.

    A column with more than 10 distinct values is cut at its k/50 quantiles (values of the
    reference itself; equal ones merge), and every fifth cut is also a cut of the 10 coarse bins.
    A column with at most 10 distinct values gets one bin a value, one below the smallest and one
    above the largest, so that a value never seen before shows even where the column was constant.
    A bin is open to the left and closed to the right. Missing values (NaN) have a bin of their own.

    Parameters
    ----------
    reference
        Shape (n, f), n >= 1; used as float32.

    Raises
    ------
    ValueError
        If the reference has no rows or is not a matrix.

    Examples
    --------
    >>> binner = Binner([[1.0], [2.0], [2.0]])
    >>> binner.coarse(binner.counts([[0.5], [2.0], [7.0], [float("nan")]]))[0].tolist()
    [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    """

    def __init__(self, reference: ArrayLike) -> None:
        columns = _sorted_columns(reference)
        if columns.ndim != 2 or columns.shape[1] == 0:
            raise ValueError("a reference needs at least one row")
        features = len(columns)
        self._edges = np.full((features, _FINE - 1), np.inf, dtype=np.float32)
        group = np.zeros((features, FINE_WIDTH), dtype=np.int64)
        self._bins = np.ones(features, dtype=np.int64)
        for i, column in enumerate(columns):
            fine, coarse = _cuts(column[~np.isnan(column)])
            self._edges[i, : len(fine)] = fine
            # A fine bin ends at its right cut, so the coarse cuts below that end are behind it.
            ends = np.append(fine, np.float32(np.inf))
            group[i, : len(ends)] = np.searchsorted(coarse, ends, side="left")
            self._bins[i] = len(coarse) + 1
        group[:, -1] = COARSE_WIDTH - 1
        self._slot = (group + np.arange(features)[:, None] * COARSE_WIDTH).ravel()

    @property
    def bins(self) -> NDArray[np.int64]:
        """Coarse bins in use for each column, shape (f,), the one for missing not counted."""
        return self._bins

    def counts(self, matrix: ArrayLike) -> Counts:
        """Return fine counts, shape (f, 51), of a matrix of shape (n, f).

        Sorting each column and looking up the 49 cuts in it is several times faster than looking
        up every value among the cuts.
        """
        columns = _sorted_columns(matrix)
        features, rows = columns.shape
        upto = np.zeros((features, FINE_WIDTH + 1), dtype=np.int64)
        for i in range(features):
            upto[i, 1:_FINE] = columns[i].searchsorted(self._edges[i], side="right")
        upto[:, _FINE] = rows - np.isnan(columns).sum(axis=1)
        upto[:, FINE_WIDTH] = rows
        return np.diff(upto, axis=1)

    def coarse(self, counts: Counts) -> Counts:
        """Add fine counts up to coarse ones, shape (f, 13); unused bins hold 0."""
        sums = np.bincount(self._slot, counts.ravel(), minlength=len(counts) * COARSE_WIDTH)
        return sums.astype(np.int64).reshape(-1, COARSE_WIDTH)


def _sorted_columns(matrix: ArrayLike) -> NDArray[Any]:
    """Return the columns as sorted rows of a new float32 array; NaN comes last."""
    columns = np.array(np.asarray(matrix).T, dtype=np.float32, order="C")
    columns.sort(axis=-1)
    return columns


def _cuts(values: Floats) -> tuple[Floats, Floats]:
    """Return fine and coarse cuts of sorted present values; coarse ones are among the fine."""
    if len(values) == 0:
        return values, values
    distinct = values[np.append(True, values[1:] != values[:-1])]
    if len(distinct) <= _COARSE:
        below = np.nextafter(distinct[:1], np.float32(-np.inf))
        cuts = np.concatenate([below, distinct])
        return cuts, cuts
    steps = np.arange(1, _FINE)
    at = (steps * len(values) + _FINE - 1) // _FINE - 1
    quantiles = values[at]
    inner = quantiles < values[-1]
    return np.unique(quantiles[inner]), np.unique(quantiles[inner & (steps % _STEP == 0)])
