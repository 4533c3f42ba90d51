"""Regression of a positive quantity such as a price: scores and labels in its unit, any size.

What counts is how far off an estimate is *in proportion*: 20,000 USD are much for a flat and little
for a villa. A model therefore says with each score its `spread`, the half-width of its prediction
interval in log units: the interval runs from ``score * exp(-spread)`` to ``score * exp(spread)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.task.base import Task

__all__ = [
    "COVERAGE",
    "QUANTILE",
    "TOLERANCE",
    "RegressionTask",
    "interval_coverage",
    "mae",
    "mape",
    "r2",
    "within",
]

Array = NDArray[Any]
Floats = NDArray[np.float64]
TOLERANCE = 0.10
"""Share of the label by which an estimate may be off and still counts as right."""
COVERAGE = 0.90
"""Share of labels that intervals are meant to hold."""
QUANTILE = 1.6448536269514722
"""Of the standard normal distribution: 90 % lie within it on both sides."""
_ABSOLUTE = float(np.sqrt(2.0 / np.pi))
"""Mean distance from the middle of a normal distribution, in standard deviations."""


def mae(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean absolute error, in the label's unit; NaN without rows."""
    return _mean(np.abs(_floats(score) - _floats(label)), weight)


def mape(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the mean absolute error as a share of the label; NaN without rows.

    Examples
    --------
    >>> round(mape(np.array([100.0, 200.0]), np.array([110.0, 160.0])), 3)
    0.15
    """
    y = _floats(label)
    return _mean(np.abs(_floats(score) - y) / y, weight)


def r2(label: Array, score: Array, weight: Array | None = None) -> float:
    """Return the share of the variance of labels that scores explain; NaN if they have none.

    ``1 - sum (y - s)^2 / sum (y - mean y)^2``, as ``sklearn.metrics.r2_score`` has it: 0 is what
    the mean label would reach, and it can be negative.
    """
    y = _floats(label)
    mean = _mean(y, weight)
    spread = _mean((y - mean) ** 2, weight)
    return 1.0 - _mean((_floats(score) - y) ** 2, weight) / spread if spread > 0 else float("nan")


def within(
    label: Array, score: Array, weight: Array | None = None, tolerance: float = TOLERANCE
) -> float:
    """Return the share of scores that are off by at most `tolerance` of the label."""
    y = _floats(label)
    return _mean(np.abs(_floats(score) - y) <= tolerance * y, weight)


def interval_coverage(
    label: Array, score: Array, spread: Array, weight: Array | None = None
) -> float:
    """Return the share of labels that lie in their interval; NaN without rows."""
    return _mean(_log_error(label, score) <= _floats(spread), weight)


_PLAIN: Mapping[str, Callable[[Array, Array, Array | None], float]] = MappingProxyType(
    {"within_10_percent": within, "mae": mae, "mape": mape, "r2": r2}
)
_INTERVAL = ("interval_coverage", "interval_width")
_LOWER = ("mae", "mape", "interval_width")


class RegressionTask(Task):
    """Estimates of a positive quantity, judged by how far off they are and by their intervals."""

    name = "regression"
    label_values = ()
    primary = "within_10_percent"
    gate_metric = "mape"
    metrics = (*_PLAIN, *_INTERVAL)
    calibration_metrics = ()
    watched = ("within_10_percent", "mape", "r2", "interval_coverage")
    families = ("xgboost", "ridge")
    baseline = "ridge"
    calibrations = ("none", "conformal")
    strategies = ("none",)
    cases = "known labels"
    good = "right estimates"
    bad_rate = "wrong_estimates"
    without_model = "no estimates at all"
    losses = MappingProxyType(
        {"missed": "wrong estimates given", "false_declines": "right estimates withheld"}
    )
    promise = ("interval_coverage", COVERAGE)
    in_label_unit = ("mae",)
    has_spread = True

    def measure(
        self,
        metrics: Sequence[str],
        label: Array,
        score: Array,
        *,
        day: NDArray[np.int64],
        capacity: float,
        weight: Array | None = None,
        spread: Array | None = None,
        group: Array | None = None,
    ) -> dict[str, float]:
        """Return metrics against known labels; see `Task.measure`.

        `interval_width` is the mean of upper over lower end of the intervals, less one: 0.35 means
        that upper ends are 35 % above lower ones. Without `spread` there is no interval to measure.
        """
        self.check_metrics(metrics)
        values = {}
        for metric in metrics:
            if metric in _PLAIN:
                values[metric] = _PLAIN[metric](label, score, weight)
            elif spread is None:
                values[metric] = float("nan")
            elif metric == "interval_coverage":
                values[metric] = interval_coverage(label, score, spread, weight)
            else:
                values[metric] = _mean(_width(spread), weight)
        return values

    def estimate(
        self,
        metrics: Sequence[str],
        score: Array,
        *,
        day: NDArray[np.int64],
        capacity: float,
        spread: Array | None = None,
        group: Array | None = None,
    ) -> dict[str, float]:
        """Return expected metrics when log labels are normal around log scores.

        Notes
        -----
        Direct loss estimation (DLE; NannyML, 2022): a second model has learnt how large errors
        are, and its spreads stand in for labels. With the standard deviation s that belongs to a
        spread (spread / 1.645, as 90 % of a normal distribution lie within 1.645 of them) the
        expected absolute error is ``score * s * sqrt(2 / pi)`` to first order.

        It follows a shift to harder cases. It is *blind to concept drift*: when prices fall, the
        spreads go on saying what used to be true. Whether intervals still cover what they promise,
        spreads cannot tell about themselves: `interval_coverage` is NaN.
        """
        self.check_metrics(metrics)
        values = dict.fromkeys(metrics, float("nan"))
        if spread is None or not len(score):
            return values
        s, deviation = _floats(score), _floats(spread) / QUANTILE
        error = (s * deviation) ** 2
        total = float(np.var(s) + error.mean())
        known = {
            "within_10_percent": lambda: float(1.0 - self.bad_chance(s, spread).mean()),
            "mae": lambda: float((s * deviation).mean() * _ABSOLUTE),
            # No estimate, score 0, is off by all of the label.
            "mape": lambda: float(np.where(s > 0, deviation * _ABSOLUTE, 1.0).mean()),
            "r2": lambda: 1.0 - float(error.mean()) / total if total > 0 else float("nan"),
            "interval_width": lambda: float(_width(spread).mean()),
        }
        return {name: known[name]() if name in known else values[name] for name in metrics}

    def higher_is_better(self, metric: str) -> bool:
        """Return False for errors and widths, True for the rest."""
        self.check_metrics([metric])
        return metric not in _LOWER

    def is_bad(self, label: Array, score: Array) -> NDArray[np.bool_]:
        """Return which estimates are off by more than a tenth of the label.

        Where there is no estimate (score 0 or NaN) nobody was told the right price either.
        """
        y = _floats(label)
        with np.errstate(invalid="ignore"):
            right = np.abs(_floats(score) - y) <= TOLERANCE * y
        return np.asarray(~right & ~np.isnan(y))

    def bad_chance(self, score: Array, spread: Array | None = None) -> NDArray[np.float64]:
        """Return how probable it is that each estimate is off by more than a tenth.

        ``P(Z > -log(0.9) / s) + P(Z > log(1.1) / s)`` for a standard normal Z and the standard
        deviation s of the row's log error: a label may be a ninth above its estimate and an
        eleventh below it. 1 without a spread, as nothing is promised then, and where there is no
        estimate (score 0 or NaN), as in `is_bad`.
        """
        from scipy.special import erfc

        if spread is None:
            return np.ones(len(score))
        deviation = np.maximum(_floats(spread) / QUANTILE, 1e-9) * np.sqrt(2.0)
        sides = (-np.log1p(-TOLERANCE), np.log1p(TOLERANCE))
        chance = sum(erfc(side / deviation) / 2.0 for side in sides)
        return np.where(_floats(score) > 0, chance, 1.0)

    def cases_in(self, label: Array) -> float:
        """Return the number of known labels."""
        return float(np.count_nonzero(~np.isnan(_floats(label))))

    def why_too_little(self, label: Array, *, least: int) -> str:
        """Ask for five times `least` positive labels; see `Task.why_too_little`."""
        known = _floats(label)
        if len(known) and not (known > 0).all():
            return "positive labels only: errors are measured in proportion"
        return "" if len(known) >= 5 * least else f"at least {5 * least} known labels"

    def describe_labels(self, label: Array) -> str:
        """Return the middle nine tenths of the labels in words."""
        low, middle, high = np.percentile(_floats(label), [5, 50, 95])
        return f"median {middle:,.0f}, nine in ten from {low:,.0f} to {high:,.0f}"

    def show(self, score: float) -> str:
        """Return an estimate in the label's unit."""
        return f"{score:,.0f}"

    def show_label(self, label: float) -> str:
        """Return the label in its unit."""
        return f"{label:,.0f}"

    def reliability(self, label: Array, score: Array) -> tuple[Array, Array, Array]:
        """Return mean estimates, mean labels and rows of tenths by estimate."""
        order = np.argsort(score, kind="stable")
        parts = [part for part in np.array_split(order, 10) if len(part)]
        means = [[float(np.mean(v[part])) for part in parts] for v in (score, label)]
        rows = np.array([len(part) for part in parts], dtype=np.int64)
        return np.array(means[0]), np.array(means[1]), rows

    def score_edges(self) -> NDArray[np.float64]:
        """Return 41 edges from 1 to 100 million, even in logarithms, with 0 before them.

        Which unit the label has is not known here, so that the bins have to hold any.
        """
        return np.concatenate(([0.0], np.logspace(0.0, 8.0, 41)))


def _log_error(label: Array, score: Array) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.abs(np.log(_floats(label)) - np.log(_floats(score))))


def _width(spread: Array) -> Floats:
    return np.asarray(np.expm1(2.0 * _floats(spread)))


def _mean(values: Array, weight: Array | None) -> float:
    if len(values) == 0:
        return float("nan")
    if weight is None:
        return float(values.mean())
    return float(np.average(values, weights=weight)) if np.sum(weight) > 0 else float("nan")


def _floats(values: Array) -> Floats:
    return np.asarray(values, dtype=np.float64)
