"""Model families behind one contract: a fitted estimator scores a matrix and can be stored.

Storage is plain bytes by file name (XGBoost's UBJ, JSON for the rest), never pickle: a model file
from somebody else must not be able to run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from sandbox.model.imbalance import Resampled, fill_missing, medians
from sandbox.spec.design import Champion, Logistic, XGBoost

__all__ = [
    "Bag",
    "Estimator",
    "LinearModel",
    "Trees",
    "fit_booster",
    "fit_estimator",
    "load_estimator",
    "load_trees",
]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Files = Mapping[str, bytes]
_THREADS = 1
"""One thread: results then depend on no machine's number of cores, and on a busy machine two
threads that wait for each other take longer than one."""


class Estimator(Protocol):
    """A fitted model."""

    @property
    def family(self) -> str:
        """Name by which `load_estimator` knows it."""
        ...

    def predict(self, features: Matrix) -> Floats:
        """Return scores, shape (n,), for features of shape (n, f).

        The probability of a positive as the model sees it, or an estimate in the label's unit.
        """
        ...

    def files(self) -> dict[str, bytes]:
        """Return what has to be stored, by file name."""
        ...


@dataclass(frozen=True)
class Trees:
    """Gradient-boosted trees: an XGBoost booster. Missing values take a learned branch."""

    booster: xgb.Booster
    family: str = "xgboost"

    def predict(self, features: Matrix) -> Floats:
        """Return scores, shape (n,); each row's score is the same in whatever batch it comes."""
        if len(features) == 0:
            return np.empty(0)
        return np.asarray(self.booster.inplace_predict(features), dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """Return ``trees.ubj``."""
        return {"trees.ubj": bytes(self.booster.save_raw("ubj"))}


@dataclass(frozen=True)
class LinearModel:
    """Logistic regression as arrays of shape (f,), over the features as they come.

    Standardisation is folded into the coefficients. Missing values count as `fill`, the medians of
    the training rows.
    """

    fill: Floats
    coefficients: Floats
    intercept: float
    family: str = "logistic_regression"

    def predict(self, features: Matrix) -> Floats:
        """Return scores, shape (n,); each row's score is the same in whatever batch it comes."""
        # einsum sums row by row; a matrix product would round differently in other batch sizes.
        known = np.where(np.isnan(features), self.fill, features)
        margin = np.einsum("ij,j->i", known, self.coefficients) + self.intercept
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin, -500.0, 500.0))))

    def files(self) -> dict[str, bytes]:
        """Return ``linear.json``."""
        plain = {
            "fill": self.fill.tolist(),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
        }
        return {"linear.json": json.dumps(plain).encode()}


@dataclass(frozen=True)
class Bag:
    """The mean of several estimators."""

    members: tuple[Estimator, ...]
    family: str = "bag"

    def predict(self, features: Matrix) -> Floats:
        """Return the mean of the members' scores, shape (n,)."""
        total = np.zeros(len(features))
        for member in self.members:
            total += member.predict(features)
        return total / len(self.members)

    def files(self) -> dict[str, bytes]:
        """Return the members' files under ``member_<i>_<family>/``."""
        return {
            f"member_{i}_{member.family}/{name}": content
            for i, member in enumerate(self.members)
            for name, content in member.files().items()
        }


def fit_estimator(champion: Champion, data: Resampled, seed: int) -> Estimator:
    """Fit the family that `champion` names to resampled training rows.

    The same seed and data give the same model on the same machine.
    """
    if champion.xgboost is not None:
        return _fit_trees(champion.xgboost, data, seed)
    return _fit_linear(champion.logistic_regression or Logistic(), data)


def load_estimator(family: str, files: Files) -> Estimator:
    """Read back what `Estimator.files` gave.

    Raises
    ------
    ValueError
        If the family is unknown or a file is not what it should be.
    KeyError
        If a file is missing.
    """
    if family == "xgboost":
        return load_trees(files["trees.ubj"])
    if family == "logistic_regression":
        plain = json.loads(files["linear.json"])
        fill, coefficients = np.array(plain["fill"]), np.array(plain["coefficients"])
        return LinearModel(fill, coefficients, float(plain["intercept"]))
    if family == "bag":
        return _load_bag(files)
    raise ValueError(f"unknown model family {family!r}")


def load_trees(stored: bytes) -> Trees:
    """Read back an XGBoost booster in UBJ; ValueError if it is none."""
    try:
        return Trees(xgb.Booster({"nthread": _THREADS}, model_file=bytearray(stored)))
    except xgb.core.XGBoostError as error:
        raise ValueError(f"trees.ubj: {str(error).splitlines()[-1]}") from error


def _load_bag(files: Files) -> Bag:
    folders: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        folder, _, name = path.partition("/")
        folders.setdefault(folder, {})[name] = content
    numbered = sorted((int(folder.split("_", 2)[1]), folder) for folder in folders)
    return Bag(tuple(load_estimator(f.split("_", 2)[2], folders[f]) for _, f in numbered))


def _fit_trees(spec: XGBoost, data: Resampled, seed: int) -> Trees:
    own: dict[str, Any] = {
        "objective": "binary:logistic", "scale_pos_weight": data.positive_weight,
    }  # fmt: skip
    # Left to itself XGBoost takes the label mean as base score; with rare positives every hessian
    # then starts tiny, and min_child_weight prunes the splits that single them out.
    if spec.base_score is not None:
        own["base_score"] = spec.base_score
    return fit_booster(spec, data.features, data.label, own, seed)


def fit_booster(
    spec: XGBoost, features: Matrix, target: Floats, objective: Mapping[str, Any], seed: int
) -> Trees:
    """Fit boosted trees to a target, shape (n,); `objective` holds XGBoost's own parameters."""
    params: dict[str, Any] = {
        **objective,
        "max_depth": spec.depth,
        "eta": spec.learning_rate,
        "min_child_weight": spec.min_child_weight,
        "subsample": spec.subsample,
        "colsample_bytree": spec.colsample,
        "lambda": spec.l2,
        "tree_method": spec.tree_method,
        "nthread": _THREADS,
        "seed": seed % 2**31,
        "verbosity": 0,
    }
    matrix = xgb.QuantileDMatrix if spec.tree_method == "hist" else xgb.DMatrix
    training = matrix(features, label=target, nthread=_THREADS)
    return Trees(xgb.train(params, training, num_boost_round=spec.trees))


def _fit_linear(spec: Logistic, data: Resampled) -> LinearModel:
    from sklearn.linear_model import LogisticRegression

    fill = medians(data.features)
    known = fill_missing(data.features, fill).astype(np.float64)
    mean, scale = known.mean(axis=0), known.std(axis=0)
    scale[scale < 1e-12 * np.maximum(np.abs(mean), 1.0)] = 1.0
    known -= mean
    known /= scale
    weight = np.where(data.label == 1, data.positive_weight, 1.0)
    # 1,000 is far beyond what standardised columns need; a warning there would be a real one.
    fitted = LogisticRegression(C=spec.c, max_iter=1000)
    fitted.fit(known, data.label, sample_weight=weight)
    coefficients = fitted.coef_[0] / scale
    return LinearModel(fill, coefficients, float(fitted.intercept_[0] - coefficients @ mean))
