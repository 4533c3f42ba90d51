"""Evidence: scores of candidate, champion and baseline on the same later, label-mature rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.model.calibration import Method, fit_calibrator
from sandbox.model.threshold import decision_cost
from sandbox.task import Task

__all__ = ["Evidence", "ScoredRows", "cross_fitted"]

Floats = NDArray[np.float64]
Array = NDArray[Any]


@dataclass(frozen=True)
class ScoredRows:
    """One model's scores, shape (n,), and its cut-off."""

    score: Floats
    """The scores it decides with: for ranking and cut-offs."""
    fresh: Floats
    """Scores whose calibration has not seen these rows: for Brier score and its like."""
    block_above: float = np.inf


@dataclass(frozen=True)
class Evidence:
    """What the gate judges by. All arrays have shape (n,), costs are in USD."""

    label: Floats
    day: NDArray[np.int64]
    cost_missed: Floats
    cost_false_decline: Floats
    challenger: ScoredRows
    baseline: ScoredRows
    champion: ScoredRows | None = None
    slices: Mapping[str, Array] = field(default_factory=dict)
    """Category codes by column; -1 is missing."""

    @property
    def positives(self) -> int:
        """Number of positives."""
        return int(np.count_nonzero(self.label == 1))

    def offline(self, task: Task, model: ScoredRows, capacity: float) -> dict[str, float]:
        """Return every metric of the task for one model, and ``cost`` [USD] at its cut-off."""
        level = task.calibration_metrics
        order = [name for name in task.metrics if name not in level]
        values = task.measure(order, self.label, model.score, day=self.day, capacity=capacity)
        values |= task.measure(level, self.label, model.fresh, day=self.day, capacity=capacity)
        costs = (self.cost_false_decline, self.cost_missed)
        return values | {"cost": decision_cost(self.label, model.score, model.block_above, *costs)}


def cross_fitted(
    method: Method,
    raw: Floats,
    label: Floats,
    day: NDArray[np.int64],
    odds_factor: float | None,
    fallback: Floats,
) -> Floats:
    """Return calibrated scores where no row's calibrator has seen that row.

    Odd days are calibrated by a fit on even days and the other way round, so that a flexible
    calibrator does not look good on rows that it has learned by heart. Whole days, because rows of
    one day resemble each other.

    Parameters
    ----------
    raw, label, day, fallback
        Shape (n,). `fallback` is returned where a half has only one class.
    """
    if method in ("none", "closed_form"):
        return fallback
    odd = day % 2 == 1
    fresh = np.empty(len(raw))
    for half in (odd, ~odd):
        if len(np.unique(label[~half])) < 2:
            return fallback
        fresh[half] = fit_calibrator(method, raw[~half], label[~half], odds_factor).apply(raw[half])
    return fresh
