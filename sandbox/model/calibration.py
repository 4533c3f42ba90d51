"""Calibration: from scores that rank to scores that are probabilities.

A calibrator never reverses the order of two scores, so ranking metrics are those of the raw model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError
from sandbox.model.imbalance import correct_odds

__all__ = [
    "METHODS",
    "Calibrator",
    "Conformal",
    "Identity",
    "Isotonic",
    "OddsScale",
    "Sigmoid",
    "calibrator_from_dict",
    "fit_calibrator",
    "fit_conformal",
]

Method = Literal["none", "closed_form", "sigmoid", "isotonic", "conformal"]
METHODS: tuple[Method, ...] = ("none", "closed_form", "sigmoid", "isotonic")
Floats = NDArray[np.float64]
_TILT = 1e-6
_EDGE = 1e-12


class Calibrator(Protocol):
    """A non-decreasing map of scores in [0, 1] to probabilities in [0, 1]."""

    def apply(self, score: Floats) -> Floats:
        """Return calibrated scores, shape (n,)."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for `calibrator_from_dict`."""
        ...


@dataclass(frozen=True)
class Identity:
    """Leaves scores as they are."""

    def apply(self, score: Floats) -> Floats:
        """Return the scores."""
        return np.asarray(score, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"method": "none"}


@dataclass(frozen=True)
class OddsScale:
    """The closed form of weights and under-sampling; see `sandbox.model.imbalance`."""

    factor: float

    def apply(self, score: Floats) -> Floats:
        """Return scores with their odds multiplied."""
        return correct_odds(score, self.factor)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"method": "closed_form", **asdict(self)}


@dataclass(frozen=True)
class Sigmoid:
    """``sigmoid(slope * log-odds(score) + intercept)``: Platt scaling (1999) on the log-odds."""

    slope: float
    intercept: float

    def apply(self, score: Floats) -> Floats:
        """Return calibrated scores."""
        return np.asarray(1.0 / (1.0 + np.exp(-(self.slope * _log_odds(score) + self.intercept))))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"method": "sigmoid", **asdict(self)}


@dataclass(frozen=True)
class Isotonic:
    """A step-wise increasing fit (Zadrozny and Elkan, 2002), linear between the thresholds `x`.

    Where the fit is flat, scores would tie and the ranking would be lost. One millionth of the raw
    score is therefore mixed in: it changes no probability by more than 0.000001.
    """

    x: Floats
    y: Floats

    def apply(self, score: Floats) -> Floats:
        """Return calibrated scores."""
        raw = np.asarray(score, dtype=np.float64)
        return np.asarray((1.0 - _TILT) * np.interp(raw, self.x, self.y) + _TILT * raw)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"method": "isotonic", "x": self.x.tolist(), "y": self.y.tolist()}


@dataclass(frozen=True)
class Conformal:
    """Leaves scores as they are and widens, or narrows, all spreads by one factor."""

    factor: float

    def apply(self, score: Floats) -> Floats:
        """Return the scores."""
        return np.asarray(score, dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"method": "conformal", **asdict(self)}


def fit_conformal(log_error: Floats, spread: Floats, coverage: float) -> Conformal:
    """Return the factor by which intervals hold `coverage` of rows the model was not fitted on.

    Parameters
    ----------
    log_error
        Shape (n,), distance of log label from log score.
    spread
        Shape (n,), half-width of each interval in log units, > 0.
    coverage
        Share of labels that intervals are to hold.

    Notes
    -----
    Split conformal prediction with locally weighted scores (Lei, G'Sell, Rinaldo, Tibshirani and
    Wasserman, 2018): the factor is the ``ceil((n + 1) coverage)``-th smallest ratio of error to
    spread. Of rows exchangeable with these, intervals then hold at least that share, whatever the
    model and whatever the distribution. Drift is what ends exchangeability.
    """
    ratio = np.sort(log_error / spread)
    if not len(ratio):
        return Conformal(1.0)
    rank = min(int(np.ceil((len(ratio) + 1) * coverage)), len(ratio))
    return Conformal(float(ratio[rank - 1]))


def fit_calibrator(
    method: Method, score: Floats, label: Floats, odds_factor: float | None = 1.0
) -> Calibrator:
    """Fit a calibrator on rows that the model was *not* fitted on.

    Parameters
    ----------
    score, label
        Shape (n,). `closed_form` and `none` do not look at them; the others need both classes.
    odds_factor
        What the imbalance strategy did to the odds; None where it has no closed form.

    Raises
    ------
    UsageError
        If ``closed_form`` is asked of a strategy without one (SMOTE).
    """
    if method == "closed_form":
        if odds_factor is None:
            raise UsageError(
                "smote has no closed-form correction",
                where="model.calibration",
                got=method,
                expected="sigmoid or isotonic",
                hint="Synthetic rows change more than the class ratio: calibrate on data.",
            )
        return OddsScale(odds_factor)
    if method == "sigmoid":
        return _fit_sigmoid(score, label)
    return _fit_isotonic(score, label) if method == "isotonic" else Identity()


def calibrator_from_dict(plain: Mapping[str, Any]) -> Calibrator:
    """Read back what `Calibrator.to_dict` gave; ValueError or KeyError if it cannot be that."""
    method = plain["method"]
    if method == "none":
        return Identity()
    if method == "closed_form":
        return OddsScale(float(plain["factor"]))
    if method == "conformal":
        return Conformal(float(plain["factor"]))
    if method == "sigmoid":
        return Sigmoid(float(plain["slope"]), float(plain["intercept"]))
    if method == "isotonic":
        return Isotonic(np.array(plain["x"], float), np.array(plain["y"], float))
    raise ValueError(f"unknown calibration method {method!r}")


def _fit_sigmoid(score: Floats, label: Floats) -> Sigmoid:
    from sklearn.linear_model import LogisticRegression

    # C this large is no penalty: two parameters need none.
    fitted = LogisticRegression(C=1e9, max_iter=1000).fit(_log_odds(score)[:, None], label)
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        # Scores that rank backwards: keep the order, and say the base rate for nearly all.
        rate = float(np.mean(label))
        slope, intercept = 1e-3, float(np.log(rate / (1.0 - rate)))
    return Sigmoid(slope, intercept)


def _fit_isotonic(score: Floats, label: Floats) -> Isotonic:
    from sklearn.isotonic import IsotonicRegression

    # One imagined negative above all scores and a base rate's worth of a positive below keep the
    # ends off 1 and 0, where three lucky rows would otherwise claim certainty.
    rate = float(np.mean(label))
    x = np.concatenate(([np.min(score)], score, [np.max(score)]))
    y = np.concatenate(([1.0], label, [0.0]))
    weight = np.concatenate(([rate], np.ones(len(score)), [1.0]))
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(x, y, sample_weight=weight)
    return Isotonic(
        np.asarray(fitted.X_thresholds_, dtype=np.float64),
        np.asarray(fitted.y_thresholds_, dtype=np.float64),
    )


def _log_odds(score: Floats) -> Floats:
    p = np.clip(np.asarray(score, dtype=np.float64), _EDGE, 1.0 - _EDGE)
    return np.asarray(np.log(p) - np.log1p(-p))
