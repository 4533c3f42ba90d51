"""What tasks have in common whose scores are chances: labels 0 or 1, scores in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.task import metrics as m
from sandbox.task.base import Task

__all__ = ["ChanceTask"]

Array = NDArray[Any]


class ChanceTask(Task):
    """A task whose calibrated score is the chance that the label is 1, a case of it."""

    def cases_in(self, label: Array) -> float:
        """Return the number of labels that are 1, or the expected number."""
        return float(np.sum(label))

    def show(self, score: float) -> str:
        """Return a score with three decimals."""
        return f"{score:.3f}"

    def reliability(self, label: Array, score: Array) -> tuple[Array, Array, Array]:
        """Return mean scores, shares of 1 and rows; see `metrics.reliability_curve`."""
        return m.reliability_curve(label, score, 10)

    def score_edges(self) -> NDArray[np.float64]:
        """Return 42 edges from 0 to 1, even in log-odds from 1:100,000 to 100,000:1.

        Even steps in the score itself would put all but a handful of rows into the first bin.
        """
        log_odds = np.linspace(-5.0, 5.0, 41)[:-1] * np.log(10.0)
        inner: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-log_odds))
        return np.concatenate(([0.0], inner, [1.0]))
