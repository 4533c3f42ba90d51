"""Drift of inputs and scores: reference data against the data of now."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sandbox.monitor import distances
from sandbox.monitor.binning import COARSE_WIDTH, FINE_WIDTH, Binner

__all__ = ["DISTANCES", "SCORE", "DriftMonitor"]

DISTANCES = ("psi", "ks", "js")
SCORE = "score"
"""Subject under which the model's score is watched beside the features."""
_LEAST_ROWS = 100


class DriftMonitor:
    """Distances of each feature and of the score between reference and current data.

    Data are counted once, when their period ends; the current window is the sum of the counts of
    the last `periods` periods. What it sees: a change of the distribution of one column, whatever
    its cause, harmful or not. What it misses: a change of the relation between columns and truth
    (concept drift), and of columns with each other. A window that is not a whole number of weeks
    also sees the weekly cycle.

    Parameters
    ----------
    names
        Feature names, in the order of the matrix columns.
    matrix, scores
        Reference data, shapes (n, f) and (n,); NaN is missing.
    periods
        Periods that make up the current window.

    Raises
    ------
    ValueError
        If shapes do not fit, the reference is empty or `periods` < 1.
    """

    def __init__(
        self, names: Sequence[str], matrix: ArrayLike, scores: ArrayLike, *, periods: int = 1
    ) -> None:
        if periods < 1:
            raise ValueError(f"the current window needs a period, got {periods}")
        self._names = tuple(names)
        self._recent: deque[NDArray[np.int64]] = deque(maxlen=periods)
        self.reset(matrix, scores)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The features, then the score."""
        return (*self._names, SCORE)

    @property
    def current_rows(self) -> int:
        """Rows in the current window."""
        return int(self._current()[0].sum())

    def reset(self, matrix: ArrayLike, scores: ArrayLike) -> None:
        """Take new reference data, as after a promotion; the current window starts empty."""
        table = self._table(matrix, scores)
        self._binner = Binner(table)
        self._reference = self._binner.counts(table)
        self._reference_coarse = self._binner.coarse(self._reference)
        self._recent.clear()

    def add(self, matrix: ArrayLike, scores: ArrayLike) -> None:
        """Count the data of one finished period."""
        self._recent.append(self._binner.counts(self._table(matrix, scores)))

    def distances(self) -> dict[str, dict[str, float]]:
        """Return ``{psi | ks | js: {subject: value}}``.

        PSI and JS are taken over the 10 coarse bins and the missing one, KS over the 50 fine bins.
        With fewer than 100 current rows noise alone exceeds usual thresholds: all values are NaN.
        """
        fine = self._current()
        if fine[0].sum() < _LEAST_ROWS:
            fine = np.zeros_like(fine)
        coarse = self._binner.coarse(fine)
        values = {
            "psi": distances.psi(self._reference_coarse, coarse),
            "ks": distances.ks(self._reference, fine),
            "js": distances.js(self._reference_coarse, coarse),
        }
        return {kind: self._by_subject(value) for kind, value in values.items()}

    def expected_psi(self) -> dict[str, float]:
        """Return the PSI that sampling noise alone would give each subject now."""
        rows = self.current_rows
        reference_rows = int(self._reference[0].sum())
        if rows == 0:
            return dict.fromkeys(self.subjects, float("nan"))
        # The bin of missing values counts only where there are any.
        missing = (self._reference_coarse[:, COARSE_WIDTH - 1] > 0).astype(np.int64)
        bins = self._binner.bins + missing
        return self._by_subject(distances.expected_psi(bins, reference_rows, rows))

    def missing(self) -> dict[str, float]:
        """Return the share of missing values in the current window, by subject."""
        return self._by_subject(_missing_share(self._current()))

    def missing_excess(self) -> dict[str, float]:
        """Return how much larger the missing share is than in the reference, by subject.

        Some features are missing by nature (nothing is known of a new key), so the share alone
        says little.
        """
        now, before = _missing_share(self._current()), _missing_share(self._reference)
        return self._by_subject(now - before)

    def _current(self) -> NDArray[np.int64]:
        if not self._recent:
            return np.zeros((len(self.subjects), FINE_WIDTH), dtype=np.int64)
        total: NDArray[np.int64] = np.sum(np.stack(self._recent), axis=0)
        return total

    def _table(self, matrix: ArrayLike, scores: ArrayLike) -> NDArray[np.float32]:
        features = np.asarray(matrix)
        if features.ndim != 2 or features.shape[1] != len(self._names):
            raise ValueError(f"expected {len(self._names)} feature columns, got {features.shape}")
        table = np.empty((features.shape[1] + 1, len(features)), dtype=np.float32)
        table[:-1] = features.T
        table[-1] = np.asarray(scores)
        return table.T

    def _by_subject(self, values: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self.subjects, values.tolist(), strict=True))


def _missing_share(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum(axis=-1)
    share: NDArray[np.float64] = counts[:, -1] / np.where(total > 0, total, np.nan)
    return share
