"""Task: what a machine-learning task means for metrics, estimates and model families."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError, suggest
from sandbox.task.slates import Worth

__all__ = ["Task"]

Array = NDArray[Any]


class Task(ABC):
    """One kind of learning problem. It holds no state: every method is a function of its arguments.

    Everything above this floor asks the task, so that another kind of problem is another class
    here and nothing else.
    """

    name: str
    """Name in ``scenario.yaml``."""
    label_values: tuple[float, ...]
    """What a label can be; any number when empty."""
    primary: str
    """Metric that incidents and verdicts are told in."""
    gate_metric: str
    """Metric that a challenger is held to unless the design names another."""
    metrics: tuple[str, ...]
    """Names of the metrics that can be measured."""
    calibration_metrics: tuple[str, ...]
    """Those that depend on the level of scores, not on their order alone; the gate holds a
    challenger to the first. Empty where scores are no probabilities."""
    watched: tuple[str, ...]
    """Metrics measured every day; the others are measured when a model is trained."""
    families: tuple[str, ...]
    """Model families that can learn this task."""
    baseline: str
    """Family of the linear model that is trained beside the champion."""
    calibrations: tuple[str, ...]
    """Ways to make what a model says hold: probabilities, or the coverage of intervals."""
    strategies: tuple[str, ...]
    """What training may do about rare positives."""
    cases: str
    """What evidence is counted in, for sentences: ``positives``."""
    good: str
    """What events are called that are not bad, see `is_bad`: ``negatives``."""
    bad_rate: str
    """Name of the daily series of the share of bad events."""
    without_model: str
    """What there would be without any model, for sentences: ``letting everything through``."""
    promise: tuple[str, float] | None = None
    """Metric of what a model says about its own errors, and the value that is promised."""
    in_label_unit: tuple[str, ...] = ()
    """Metrics that have the unit of the label; the others have none."""
    of_shown: tuple[str, ...] = ()
    """What else is measured of a run: of what people were shown, by whichever arm of a test."""
    losses: Mapping[str, str] = MappingProxyType({})
    """What its kinds of loss are called, see `name_loss`; the others by their names."""
    keeps_back: tuple[str, str] = ("the cut-off withholds", "withheld")
    """What its decisions do to what they refuse, for sentences and for a column of a table."""
    has_groups: bool = False
    """Whether events are candidates of requests, see `EventSchema.slate`."""
    has_spread: bool = False
    """Whether a model says with each score how far off it may be; decisions then go by that."""

    @abstractmethod
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
        """Return metrics against known labels; NaN where one is undefined.

        Parameters
        ----------
        metrics
            Names out of `metrics`.
        label, score
            Shape (n,).
        day
            Shape (n,), day number of each row; capacity is counted by day.
        capacity
            Cases a day that people can look at.
        weight
            Shape (n,), how often each row counts; once when absent.
        spread
            Shape (n,), how far off each score may be; where the task has such a thing.
        group
            Shape (n,), integers: the request that each row is a candidate of; for rankings.
        """

    def worth(self, metric: str, label: Array, score: Array, group: Array | None) -> Worth | None:
        """Return a metric that is a mean over requests by request, so that a bootstrap sorts once.

        None where the metric is of another kind. Arguments as in `measure`.
        """
        return None

    @abstractmethod
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
        """Return what the metrics would be expected to be, from scores alone.

        NaN where scores alone say nothing about a metric. Arguments as in `measure`.
        """

    @abstractmethod
    def higher_is_better(self, metric: str) -> bool:
        """Return whether a larger value of the metric is an improvement."""

    @abstractmethod
    def is_bad(self, label: Array, score: Array) -> NDArray[np.bool_]:
        """Return which events had better not go through: they cost ``costs.missed`` if they do.

        The others cost ``costs.false_decline`` if they are blocked. Both arguments have shape
        (n,); events without a known label (NaN) are not bad.
        """

    @abstractmethod
    def bad_chance(self, score: Array, spread: Array | None = None) -> NDArray[np.float64]:
        """Return how probable it is that each event is bad, as the model sees it; shape (n,)."""

    @abstractmethod
    def cases_in(self, label: Array) -> float:
        """Return how many of the rows, shape (n,), carry evidence about a model.

        Labels, or the scores of an estimate that stand in for them.
        """

    @abstractmethod
    def why_too_little(self, label: Array, *, least: int) -> str:
        """Return what is missing to learn from these labels, shape (n,); empty if nothing is.

        Parameters
        ----------
        least
            Cases needed at the least.
        """

    @abstractmethod
    def describe_labels(self, label: Array) -> str:
        """Return in words what the labels, shape (n,), are like: ``0.8% positive``."""

    @abstractmethod
    def show(self, score: float) -> str:
        """Return a score as people read it."""

    @abstractmethod
    def show_label(self, label: float) -> str:
        """Return a known label as people read it."""

    @abstractmethod
    def reliability(self, label: Array, score: Array) -> tuple[Array, Array, Array]:
        """Return (mean score, mean label, rows) of ten bins of scores with as many rows each."""

    @abstractmethod
    def score_edges(self) -> NDArray[np.float64]:
        """Return edges of histogram bins that show the distribution of scores."""

    def words(self) -> dict[str, str]:
        """Return what the task calls things, for dashboards that serve every task.

        Labels of ``sandbox_task_info``: a dashboard asks for them instead of knowing them.
        """
        return {
            "task": self.name,
            "primary": self.primary,
            "bad": self.bad_rate,
            "good": self.good,
            "baseline": self.baseline,
            "without_model": self.without_model,
        }

    def name_loss(self, kind: str) -> str:
        """Return what people call a kind of loss: ``missed``, ``false_declines``, ``reviews``."""
        return self.losses.get(kind, kind.replace("_", " "))

    def check_metrics(self, metrics: Iterable[str], where: str = "") -> None:
        """Raise `UsageError` for a name that is not a metric of this task."""
        for metric in metrics:
            if metric not in self.metrics:
                raise UsageError(
                    f"unknown metric of task {self.name}",
                    where=where,
                    got=metric,
                    expected=f"one of {', '.join(self.metrics)}",
                    hint=suggest(metric, self.metrics),
                )
