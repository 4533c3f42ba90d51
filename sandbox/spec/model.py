"""What the ``model`` part of ``design.yaml`` may say: family, imbalance, calibration, training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from sandbox.spec.base import Spec
from sandbox.spec.units import Duration

__all__ = [
    "OF_SPREAD",
    "Champion",
    "Imbalance",
    "Logistic",
    "ModelSpec",
    "Retrieval",
    "Ridge",
    "Training",
    "XGBoost",
]

DAY = 86400.0
_FAMILIES = ("xgboost", "logistic_regression", "ridge")
Imbalance = Literal["none", "weight", "under_sample", "smote", "balanced_bagging"]


class XGBoost(Spec):
    """Gradient-boosted trees."""

    trees: int = Field(default=100, ge=1, le=5000)
    """Boosting rounds."""
    depth: int = Field(default=4, ge=1, le=16)
    """Deepest level of a tree."""
    learning_rate: float = Field(default=0.2, gt=0, le=1)
    """Shrinkage of every tree."""
    min_child_weight: float = Field(default=1.0, ge=0)
    """Least sum of instance weights (second derivatives) in a leaf."""
    subsample: float = Field(default=1.0, gt=0, le=1)
    """Share of rows that a tree sees."""
    colsample: float = Field(default=1.0, gt=0, le=1)
    """Share of features that a tree sees."""
    l2: float = Field(default=1.0, ge=0)
    """Penalty on squared leaf values."""
    base_score: float | None = Field(default=0.5, gt=0, lt=1)
    """0.5 keeps rare positives from being pruned away; null lets XGBoost use the label mean. A
    regression starts from the mean in any case."""
    tree_method: Literal["hist", "exact", "approx"] = "hist"
    """How splits are searched."""


OF_SPREAD = XGBoost(trees=40, depth=3, learning_rate=0.1, min_child_weight=20.0)
"""The trees that learn how far off a regression is. Absolute errors are noise for the most part:
few, small trees."""


class Logistic(Spec):
    """Regularised logistic regression on standardised features."""

    c: float = Field(default=1.0, gt=0)
    """Inverse regularisation strength."""


class Ridge(Spec):
    """Linear regression of the label's logarithm on standardised features."""

    penalty: float = Field(default=1.0, gt=0)
    """On squared coefficients."""


class Champion(Spec):
    """The model that decides; exactly one family."""

    xgboost: XGBoost | None = None
    """Gradient-boosted trees."""
    logistic_regression: Logistic | None = None
    """Regularised logistic regression."""
    ridge: Ridge | None = None
    """Regularised linear regression."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict) and len(value) == 1:
            return {name: {} if body is None else body for name, body in value.items()}
        return value

    @model_validator(mode="after")
    def _one(self) -> Champion:
        if sum(getattr(self, name) is not None for name in _FAMILIES) != 1:
            raise ValueError(f"expected exactly one of {', '.join(_FAMILIES)}")
        return self

    @property
    def family(self) -> str:
        """Name of the model family."""
        return next(name for name in _FAMILIES if getattr(self, name) is not None)


class Retrieval(Spec):
    """The first of two stages of a ranking: candidates by collaborative filtering."""

    factors: int = Field(default=16, ge=1, le=256)
    """Length of the vectors of users and items."""
    keep: int = Field(default=15, ge=1, le=10_000)
    """Candidates of a request that the second stage ranks; the others come after them."""
    kind: str | None = None
    """A category among the features that says what kind of item it is. Factors are then about
    kinds too: few people have met an item, and everybody has met its kind."""


class Training(Spec):
    """Which events a training job sees."""

    window: Duration = Field(default=28 * DAY, gt=0)
    """Length of the training slice."""
    label_maturity: Duration = 14 * DAY
    """Events younger than this are left out: their labels are still arriving."""
    validation: Duration = Field(default=7 * DAY, gt=0)
    """Last part of the mature data: calibration, thresholds, the gate."""
    refit: bool = True
    """Fit the accepted model again on training and validation slices together."""


class ModelSpec(Spec):
    """The model, how it is trained and calibrated."""

    baseline: Literal["logistic_regression", "ridge", "popularity"] | None = None
    """Trained beside the champion and never used to decide: is the champion worth it? Each task has
    one: logistic_regression for binary, ridge for regression, popularity for ranking."""
    champion: Champion = Champion(xgboost=XGBoost())
    """The family of the model that decides."""
    retrieval: Retrieval | None = None
    """Of a ranking: which candidates the trees rank, and how near users and items are. Null: the
    trees see all of them and know no nearness."""
    imbalance: Imbalance = "none"
    """What training does about rare positives."""
    ratio: float = Field(default=0.1, gt=0, le=1)
    """Positives over negatives after under_sample, smote and in each balanced bag."""
    calibration: Literal["none", "closed_form", "sigmoid", "isotonic", "conformal"] = "isotonic"
    """How scores become probabilities; closed_form undoes weight and under_sample exactly.
    conformal, of a regression, scales intervals until nine in ten hold on the validation slice."""
    training: Training = Training()
    """Which events a training job sees."""
    without: tuple[str, ...] = ()
    """Features that are computed and logged, but that the model does not see."""

    @field_validator("without", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value
