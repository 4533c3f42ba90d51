"""Gauges: what the daily look at a design says, as metrics and as a snapshot."""

from __future__ import annotations

import math

from sandbox.live.metrics import LiveMetrics
from sandbox.monitor import DISTANCES, VIEWS
from sandbox.record import MetricTable
from sandbox.task import Task

__all__ = ["GaugeTable", "number"]


class GaugeTable(MetricTable):
    """A metric table that keeps the newest value of each line, and shows it.

    Parameters
    ----------
    metrics
        Where it is shown.
    task
        Says which quality metrics have a unit.
    """

    def __init__(self, metrics: LiveMetrics, task: Task) -> None:
        super().__init__()
        self._shown, self._task = metrics, task
        metrics.task.labels(**task.words()).set(1)
        self.quality: dict[str, dict[str, float]] = {}
        """By metric and view."""
        self._invalid: set[str] = set()

    def begin_day(self) -> None:
        """Forget what is only written where there is something to say."""
        for reason in self._invalid:
            self._shown.invalid.labels(reason).set(0.0)

    def add(self, day: float, metric: str, value: float, series: str = "") -> None:
        """See `MetricTable.add`."""
        if metric in DISTANCES:
            self._shown.drift.labels(series, metric).set(value)
        elif metric == "missing":
            self._shown.missing.labels(series).set(value)
        elif metric == "invalid":
            self._invalid.add(series)
            self._shown.invalid.labels(series).set(value)
        elif series in VIEWS:
            self.quality.setdefault(metric, {})[series] = float(value)
            shown = self._shown
            own = metric in self._task.in_label_unit
            (shown.quality_value if own else shown.quality).labels(metric, series).set(value)


def number(value: float) -> float | None:
    """Return a number as JSON has it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
