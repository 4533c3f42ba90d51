"""Evidence: scores of candidate, champion and baseline on the same later, label-mature rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.model.calibration import Method, fit_calibrator, fit_conformal
from sandbox.task import Task
from sandbox.task.ranking import PLACES
from sandbox.task.slates import top_of_groups

__all__ = ["Evidence", "ScoredRows", "cross_fitted", "cross_fitted_spread"]

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
    spread: Floats | None = None
    """How far off each score may be, in log units, by a factor that has not seen the row."""

    @property
    def risk(self) -> Floats:
        """What decisions go by: the spread where there is one, else the score."""
        return self.score if self.spread is None else self.spread


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
    group: Array | None = None
    """Request of each row, of a ranking."""

    def offline(self, task: Task, model: ScoredRows, capacity: float) -> dict[str, float]:
        """Return every metric of the task for one model, and ``cost`` [USD] at its cut-off."""
        level = task.calibration_metrics
        order = [name for name in task.metrics if name not in level]
        values = task.measure(
            order, self.label, model.score, day=self.day, capacity=capacity,
            spread=model.spread, group=self.group,
        )  # fmt: skip
        if level:
            values |= task.measure(level, self.label, model.fresh, day=self.day, capacity=capacity)
        return values | {"cost": self.cost(task, model)}

    def cost(self, task: Task, model: ScoredRows) -> float:
        """Return what blocking alone would have lost [USD]."""
        bad, blocked = task.is_bad(self.label, model.score), self.blocked(model)
        declined = self.cost_false_decline[blocked & ~bad].sum()
        return float(declined + self.cost_missed[~blocked & bad].sum())

    def good_blocked(self, task: Task, model: ScoredRows) -> float:
        """Return the share of what is not bad that a model would block; 0 where nothing is good."""
        good = ~task.is_bad(self.label, model.score)
        return float(np.mean(self.blocked(model)[good])) if good.any() else 0.0

    def blocked(self, model: ScoredRows) -> NDArray[np.bool_]:
        """Return which rows a model would block: beyond its cut-off, or after the first ten."""
        if self.group is not None:
            return ~top_of_groups(model.score, self.group, PLACES)
        return model.risk > model.block_above


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


def cross_fitted_spread(
    log_error: Floats, raw: Floats, day: NDArray[np.int64], coverage: float
) -> Floats:
    """Return spreads where no row's conformal factor has seen that row; see `cross_fitted`.

    Parameters
    ----------
    log_error, raw, day
        Shape (n,): distances of log label from log score, spreads as the model has them, day.
    coverage
        Share of labels that intervals are to hold.
    """
    odd = day % 2 == 1
    fresh = np.empty(len(raw))
    for half in (odd, ~odd):
        others = ~half if (~half).any() else half
        fresh[half] = fit_conformal(log_error[others], raw[others], coverage).factor * raw[half]
    return fresh
