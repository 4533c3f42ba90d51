"""What ``reproduce.yaml`` may say: what others published about a scenario's data, and how."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.design import Champion, Logistic, XGBoost
from sandbox.spec.units import Duration

__all__ = ["Contender", "Facts", "Forest", "Protocol", "Published", "Reproduction", "Split", "Tree"]

Metric = Literal["roc_auc", "pr_auc", "card_precision"]


class Protocol(Spec):
    """How models were trained and tested."""

    train: Duration = Field(gt=0)
    """Length of the training slice."""
    delay: Duration = Field(gt=0)
    """Gap between training and test: nobody knows these labels when the test begins."""
    test: Duration = Field(gt=0)
    """Length of the test slice."""
    key: str
    """Key column; keys with a positive known by the morning of a test day are left out of it."""
    top: int = Field(default=100, ge=1)
    """Keys that people look at each day, for the card precision."""


class Split(Spec):
    """Folds that a figure is the mean of."""

    starts: tuple[dt.date, ...]
    """First training day of each fold."""
    train_rows: int | None = None
    """Published number of training rows, of all folds together."""
    train_positives: int | None = None
    """Published number of positives among them."""
    test_rows: int | None = None
    """Published number of test rows."""
    test_positives: int | None = None
    """Published number of positives among them."""


class Facts(Spec):
    """Published numbers of the data set, to be met exactly."""

    events: int
    """Number of events."""
    positives: int
    """Number of positives."""
    mechanisms: dict[str, int] = Field(default_factory=dict)
    """Number of events of a mechanism, by its name."""


class Tree(Spec):
    """A single decision tree."""

    depth: int | None = Field(default=None, ge=1)
    """Deepest level; null for no limit."""


class Forest(Spec):
    """A random forest."""

    trees: int = Field(default=100, ge=1)
    """Number of trees."""
    depth: int | None = Field(default=None, ge=1)
    """Deepest level of each; null for no limit."""


class Published(Spec):
    """Figures from the record."""

    roc_auc: float | None = None
    """Area under the ROC curve."""
    pr_auc: float | None = None
    """Average precision."""
    card_precision: float | None = None
    """Card precision at the protocol's `top`."""

    def items(self) -> tuple[tuple[Metric, float], ...]:
        """Return the figures there are."""
        found: list[tuple[Metric, float]] = []
        names: tuple[Metric, ...] = ("roc_auc", "pr_auc", "card_precision")
        for name in names:
            value = getattr(self, name)
            if value is not None:
                found.append((name, value))
        return tuple(found)


class Contender(Spec):
    """A model with its published figures."""

    name: str
    """What people call it."""
    xgboost: XGBoost | None = None
    """Gradient-boosted trees, fitted by the model room."""
    logistic_regression: Logistic | None = None
    """Logistic regression, fitted by the model room."""
    tree: Tree | None = None
    """One decision tree."""
    forest: Forest | None = None
    """A random forest."""
    positive_weight: float = Field(default=1.0, gt=0)
    """What a positive counts against a negative."""
    smote: float | None = Field(default=None, gt=0, le=1)
    """Positives over negatives after SMOTE; absent for none."""
    published: dict[str, Published]
    """Figures by split."""
    held: bool = True
    """Whether it must agree; false for a row that shows what goes wrong."""
    about: str = ""
    """One line for people."""

    @model_validator(mode="after")
    def _one(self) -> Contender:
        families = (self.xgboost, self.logistic_regression, self.tree, self.forest)
        if sum(family is not None for family in families) != 1:
            raise ValueError("expected exactly one of xgboost, logistic_regression, tree, forest")
        return self

    @property
    def champion(self) -> Champion | None:
        """The family as a design gives it; None for those that only the record knows."""
        if self.tree is not None or self.forest is not None:
            return None
        return Champion(xgboost=self.xgboost, logistic_regression=self.logistic_regression)


class Reproduction(Spec):
    """A published record and the protocol behind it."""

    source: str
    """Who published it."""
    facts: Facts
    """The data set in numbers."""
    protocol: Protocol
    """How models were trained and tested."""
    splits: dict[str, Split]
    """Folds by the name of the split."""
    tolerance: Published
    """Largest accepted difference of each metric."""
    models: tuple[Contender, ...]
    """Models with their published figures."""

    @model_validator(mode="after")
    def _consistent(self) -> Reproduction:
        # Here and not in the fields: there an unreadable item would count as a missing one.
        if not self.models:
            raise SpecError("expected at least one model", "models")
        for name, folds in self.splits.items():
            if not folds.starts:
                raise SpecError("expected at least one date", "splits", name, "starts")
        bounds = dict(self.tolerance.items())
        for position, model in enumerate(self.models):
            for split, figures in model.published.items():
                place = ("models", position, "published", split)
                if split not in self.splits:
                    known = f"expected one of {', '.join(self.splits)}"
                    raise SpecError(f"unknown split {split!r}, {known}", *place)
                for metric, _ in figures.items():
                    if metric not in bounds:
                        raise SpecError(f"expected a tolerance for {metric}", "tolerance", metric)
        return self
