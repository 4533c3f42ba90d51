"""Three views of model quality: what is true, what can be known, what can be guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.task.order import falling_order

__all__ = ["VIEWS", "QualityMonitor", "QualityPoint", "QualityTask", "known_labels"]

Floats = NDArray[np.float64]
VIEWS = ("oracle", "observed", "estimated")
_DAY = 86400.0


class QualityTask(Protocol):
    """The part of a task that quality monitoring needs."""

    def measure(
        self,
        metrics: Sequence[str],
        label: Floats,
        score: Floats,
        *,
        day: NDArray[np.int64],
        capacity: float,
        spread: Floats | None = None,
        group: NDArray[np.int64] | None = None,
    ) -> dict[str, float]:
        """Return metrics from labels."""
        ...

    def estimate(
        self,
        metrics: Sequence[str],
        score: Floats,
        *,
        day: NDArray[np.int64],
        capacity: float,
        spread: Floats | None = None,
        group: NDArray[np.int64] | None = None,
    ) -> dict[str, float]:
        """Return metrics from what the model says alone."""
        ...

    def cases_in(self, label: Floats) -> float:
        """Return how many rows carry evidence, by labels or by scores that stand in for them."""
        ...

    def higher_is_better(self, metric: str) -> bool:
        """Return whether more of a metric is good."""
        ...


@dataclass(frozen=True)
class QualityPoint:
    """One metric in one view over the events of ``(from_day, to_day]``."""

    view: str
    metric: str
    value: float
    """NaN where the window has no event, or the metric is undefined on it."""
    from_day: float
    to_day: float
    """Last day it speaks about: now, or now minus maturity in the observed view."""
    window: float
    """Length asked for [days]; `from_day` is later where the log does not reach back so far."""
    maturity: float
    """Age from which labels count as known [days]; 0 in the views that need none."""
    rows: int
    positives: float
    """Cases of the task among the rows, positives for example; expected ones without labels."""

    @property
    def full(self) -> bool:
        """Whether the events cover the whole window."""
        return self.to_day - self.from_day >= self.window * (1 - 1e-9)

    @property
    def standard_error(self) -> float:
        """Binomial standard error ``sqrt(v (1 - v) / positives)``; 0 for values outside [0, 1].

        Right for recall, a fair approximation for precision-recall areas (K. Boyd, K. Eng and
        C. Page, Area under the precision-recall curve, ECML 2013), whose information comes from
        the few positives. The value is kept half a case away from 0 and 1, where the formula
        would promise certainty.
        """
        if not 0.0 <= self.value <= 1.0:
            return 0.0
        if self.positives <= 0:
            return math.inf
        edge = min(0.5, 0.5 / self.positives)
        value = min(max(self.value, edge), 1.0 - edge)
        return math.sqrt(value * (1.0 - value) / self.positives)


class QualityMonitor:
    """Measures a task's metrics over the newest window of the decision log, in three views.

    ========== ============================ ===================================================
    oracle     window ends now              true labels; only a simulator has them
    observed   window ends `maturity` ago   labels known by now; events whose decision hides the
                                            label are left out
    estimated  window ends now              no labels: what the calibrated scores promise
    ========== ============================ ===================================================

    The log is a batch in order of `processing_time` with the columns `event_time`,
    `processing_time`, `score` (NaN where no model answered: such rows are left out in all views),
    `label`, `label_time` (the earliest time the label is known, +inf for never), `hidden` (bool:
    the decision keeps the label from ever arriving) and, of a regression, `spread`.

    Parameters
    ----------
    task
        Computes the metrics.
    metrics
        Their names.
    window, maturity
        Length of the window and age of mature labels [s].
    capacity_per_day
        Cases that can be worked a day. The window is cut into periods of about a day counted from
        its own start, so that the capacity is whole in each.
    absence
        Value that a missing mature label stands for; None leaves unlabelled rows out.
    start_time
        Day 0 [s since epoch]; no window begins earlier.
    group
        Column of the log that names the request of a candidate; of a ranking only.

    Raises
    ------
    ValueError
        If `window` is not positive or `maturity` is negative.
    """

    def __init__(
        self,
        task: QualityTask,
        metrics: Sequence[str],
        *,
        window: float,
        maturity: float,
        capacity_per_day: float,
        absence: float | None,
        start_time: float = 0.0,
        group: str | None = None,
    ) -> None:
        if window <= 0 or maturity < 0:
            raise ValueError(f"expected window > 0, maturity >= 0; got {window}, {maturity}")
        self._task, self._metrics = task, tuple(metrics)
        self._window, self._maturity = window, maturity
        self._capacity, self._absence, self._start = capacity_per_day, absence, start_time
        self._group = group

    @property
    def reach(self) -> float:
        """How far back in the log a look goes [s]."""
        return self._window + self._maturity

    def observe(
        self, now: float, log: Batch, *, since: float | None = None, views: Sequence[str] = VIEWS
    ) -> list[QualityPoint]:
        """Return the points that can be said at `now` [s since epoch], metric by metric.

        Parameters
        ----------
        now
            Nothing that arrived later is looked at.
        log
            The whole decision log, or its newest part.
        since
            No window begins earlier: pass the time of the last promotion to judge the champion by
            its own decisions only. Day 0 when absent.
        views
            The views wanted.
        """
        points: list[QualityPoint] = []
        since = self._start if since is None else max(since, self._start)
        ranked: dict[float, Batch] = {}
        for view in views:
            end = now - self._maturity if view == "observed" else now
            begin = max(end - self._window, since)
            if end <= begin:
                continue
            if end not in ranked:
                more = () if self._group is None else (self._group,)
                ranked[end] = _ranked(_between(log, begin, end, now, more))
            points.extend(self._view(view, now, begin, end, ranked[end]))
        return points

    def _view(
        self, view: str, now: float, begin: float, end: float, rows: Batch
    ) -> list[QualityPoint]:
        label = rows["label"]
        if view == "observed":
            label = known_labels(rows, now, self._absence)
            keep = ~np.isnan(label)
            rows, label = rows.take(keep), label[keep]
        values = self._values(view, begin, end, rows, label)
        positives = self._task.cases_in(rows["score"] if view == "estimated" else label)
        return [
            QualityPoint(
                view=view,
                metric=metric,
                value=values[metric],
                from_day=(begin - self._start) / _DAY,
                to_day=(end - self._start) / _DAY,
                window=self._window / _DAY,
                maturity=self._maturity / _DAY if view == "observed" else 0.0,
                rows=len(rows),
                positives=positives,
            )
            for metric in self._metrics
        ]

    def _values(
        self, view: str, begin: float, end: float, rows: Batch, label: Floats
    ) -> dict[str, float]:
        if len(rows) == 0:
            return dict.fromkeys(self._metrics, math.nan)
        periods = max(1, round((end - begin) / _DAY))
        length = (end - begin) / periods
        since = (rows["event_time"] - begin) / length
        # The window is closed on the right, so its very last event belongs to the last period.
        day = np.minimum(since.astype(np.int64), periods - 1)
        capacity = self._capacity * length / _DAY
        score, spread = rows["score"], None
        if "spread" in rows:
            spread = rows["spread"]
        group = rows[self._group] if self._group is not None else None
        if view == "estimated":
            return self._task.estimate(
                self._metrics, score, day=day, capacity=capacity, spread=spread, group=group
            )
        return self._task.measure(
            self._metrics, label, score, day=day, capacity=capacity, spread=spread, group=group
        )


def known_labels(rows: Batch, now: float, absence: float | None) -> Floats:
    """Return what an operator would call the label of mature rows at `now`; NaN: no saying.

    A label that has arrived counts as it is, a missing one as `absence`; NaN where the decision
    hid it, or where absence means nothing.
    """
    silent = np.nan if absence is None else absence
    known = np.where(rows["label_time"] <= now, rows["label"], silent)
    result: Floats = np.where(rows["hidden"], np.nan, known)
    return result


_COLUMNS = ("event_time", "score", "label", "label_time", "hidden")


def _between(log: Batch, begin: float, end: float, now: float, more: tuple[str, ...] = ()) -> Batch:
    """Return scored rows with event_time in (begin, end] that had arrived by `now`.

    The log is in order of arrival, and nothing arrives before it happens: rows from `begin` on
    in processing time hold every row from `begin` on in event time, however late.
    """
    arrival = log["processing_time"]
    first, last = arrival.searchsorted([begin, now], side="right")
    wanted = (*_COLUMNS, *(["spread"] if "spread" in log else []), *more)
    rows = log.select(wanted).slice(int(first), int(last))
    time = rows["event_time"]
    return rows.take((time > begin) & (time <= end) & ~np.isnan(rows["score"]))


def _ranked(rows: Batch) -> Batch:
    """Return rows by falling score, equal ones in order of arrival.

    Ranking metrics begin by ranking; done once here, for two views, it spares the task that work.
    """
    return rows.take(falling_order(rows["score"]))
