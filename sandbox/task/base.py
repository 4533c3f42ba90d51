"""Task: what a machine-learning task means for metrics, estimates and model families."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError, suggest

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
        """

    @abstractmethod
    def estimate(
        self, metrics: Sequence[str], score: Array, *, day: NDArray[np.int64], capacity: float
    ) -> dict[str, float]:
        """Return what the metrics would be expected to be, from scores alone.

        NaN where scores alone say nothing about a metric. Arguments as in `measure`.
        """

    @abstractmethod
    def higher_is_better(self, metric: str) -> bool:
        """Return whether a larger value of the metric is an improvement."""

    @abstractmethod
    def score_edges(self) -> NDArray[np.float64]:
        """Return edges of histogram bins that show the distribution of scores."""

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
