"""Regression of a logarithm, with a second model of how far off the first one is.

Prices are products of what a thing is and where it stands: on the log scale effects add up, errors
are in proportion and no villa outweighs a hundred flats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.model.estimators import fit_booster, load_trees
from sandbox.model.imbalance import fill_missing, medians
from sandbox.spec.model import OF_SPREAD, Champion, Ridge
from sandbox.task.regression import QUANTILE

__all__ = ["REGRESSIONS", "LogRegression", "Straight", "fit_regression", "load_regression"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
REGRESSIONS: Mapping[str, str] = {"log_xgboost": "trees.ubj", "log_ridge": "straight.json"}
"""Families that `load_regression` knows, and the file of each part."""
_FOLDS = 3
_SMALLEST = 1e-3
"""Log errors below a tenth of a percent count as that: the logarithm of 0 says nothing."""
_MEAN_LOG = -(np.euler_gamma + np.log(2.0)) / 2.0
"""Mean of ``log |Z|`` for a standard normal Z."""
_WIDEST = 3.0
"""Spreads beyond a factor of 20 either way say that nothing is known."""


class Part(Protocol):
    """A fitted function of features."""

    def predict(self, features: Matrix) -> Floats:
        """Return values, shape (n,), for features of shape (n, f)."""
        ...

    def files(self) -> dict[str, bytes]:
        """Return what has to be stored, by file name."""
        ...


@dataclass(frozen=True)
class Straight:
    """A linear function of the features as they come; missing ones count as `fill`."""

    fill: Floats
    coefficients: Floats
    intercept: float

    def predict(self, features: Matrix) -> Floats:
        """Return values, shape (n,); each row's is the same in whatever batch it comes."""
        # einsum sums row by row; a matrix product would round differently in other batch sizes.
        known = np.where(np.isnan(features), self.fill, features)
        return np.asarray(np.einsum("ij,j->i", known, self.coefficients) + self.intercept)

    def files(self) -> dict[str, bytes]:
        """Return ``straight.json``."""
        plain = {
            "fill": self.fill.tolist(),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
        }
        return {"straight.json": json.dumps(plain).encode()}


@dataclass(frozen=True)
class LogRegression:
    """``exp(center + value(x))``, and ``exp(error(x))`` as its spread in log units."""

    family: str
    center: float
    value: Part
    error: Part

    def predict(self, features: Matrix) -> Floats:
        """Return estimates in the label's unit, shape (n,), for features of shape (n, f)."""
        return np.asarray(np.exp(self.center + self.value.predict(features)))

    def spread(self, features: Matrix) -> Floats:
        """Return half-widths of intervals in log units, shape (n,).

        They hold nine labels in ten if errors are normal and the future is like the past; a
        `Conformal` calibrator needs the first no more.
        """
        deviation = np.exp(np.clip(self.error.predict(features), -10.0, 2.0) - _MEAN_LOG)
        return np.asarray(np.minimum(QUANTILE * deviation, _WIDEST))

    def files(self) -> dict[str, bytes]:
        """Return the files of both parts, and ``center.json``."""
        stored = {"center.json": json.dumps({"center": self.center}).encode()}
        for name, part in (("value", self.value), ("error", self.error)):
            stored |= {f"{name}/{path}": content for path, content in part.files().items()}
        return stored


def fit_regression(
    champion: Champion, features: Matrix, label: Floats, rng: np.random.Generator
) -> LogRegression:
    """Fit the family that `champion` names to log labels, and then how far off it is.

    Parameters
    ----------
    features, label
        Shapes (n, f) and (n,); labels > 0.
    rng
        Divides the rows into folds and, where the family samples, drives the fit.

    Notes
    -----
    Errors on rows a model was fitted on are too small. The second model learns those of three
    fits, each on two thirds of the rows, on the third that it had not seen.
    """
    target = np.log(label)
    center = float(target.mean())
    target = target - center
    fold = rng.permutation(len(label)) % _FOLDS
    error = np.empty(len(label))
    for number in range(_FOLDS):
        mine = fold == number
        part = _fit(champion, features[~mine], target[~mine], rng)
        error[mine] = np.abs(target[mine] - part.predict(features[mine]))
    log_error = np.log(np.maximum(error, _SMALLEST))
    spread = Champion(xgboost=OF_SPREAD) if champion.xgboost is not None else champion
    return LogRegression(
        family="log_xgboost" if champion.xgboost is not None else "log_ridge",
        center=center,
        value=_fit(champion, features, target, rng),
        error=_fit(spread, features, log_error, rng),
    )


def load_regression(family: str, files: Mapping[str, bytes]) -> LogRegression:
    """Read back what `LogRegression.files` gave; errors as of `load_estimator`."""
    if family not in REGRESSIONS:
        raise ValueError(f"unknown model family {family!r}")
    value, error = (_load(family, files[f"{part}/{REGRESSIONS[family]}"])
                    for part in ("value", "error"))  # fmt: skip
    return LogRegression(family, float(json.loads(files["center.json"])["center"]), value, error)


def _fit(champion: Champion, features: Matrix, target: Floats, rng: np.random.Generator) -> Part:
    if champion.xgboost is not None:
        objective = {"objective": "reg:squarederror", "base_score": float(target.mean())}
        seed = int(rng.integers(2**31))
        return fit_booster(champion.xgboost, features, target, objective, seed)
    return _fit_straight(champion.ridge or Ridge(), features, target)


def _fit_straight(spec: Ridge, features: Matrix, target: Floats) -> Straight:
    from sklearn.linear_model import Ridge as Fitter

    fill = medians(features)
    known = fill_missing(features, fill).astype(np.float64)
    mean, scale = known.mean(axis=0), known.std(axis=0)
    scale[scale < 1e-12 * np.maximum(np.abs(mean), 1.0)] = 1.0
    fitted = Fitter(alpha=spec.penalty).fit((known - mean) / scale, target)
    coefficients = fitted.coef_ / scale
    return Straight(fill, coefficients, float(fitted.intercept_ - coefficients @ mean))


def _load(family: str, content: bytes) -> Part:
    if family == "log_xgboost":
        return load_trees(content)
    plain = json.loads(content)
    return Straight(
        np.array(plain["fill"], float), np.array(plain["coefficients"], float),
        float(plain["intercept"]),
    )  # fmt: skip
