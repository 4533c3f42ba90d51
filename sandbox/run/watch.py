"""Once a day: measure quality, drift and data quality of the log, and raise the alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.monitor import (
    AlertEngine,
    DriftMonitor,
    QualityMonitor,
    QualityPoint,
    Signals,
    dead_letter_shares,
    matured_labels,
)
from sandbox.pipeline.decide import DECISIONS
from sandbox.pipeline.pipeline import Scorer
from sandbox.pipeline.schema import REASONS
from sandbox.record import AlertRecord, MetricTable
from sandbox.run.log import DecisionLog
from sandbox.run.setup import DAY, Prepared

__all__ = ["Watch"]

_VIEWED = (
    "event_time", "processing_time", "score", "label", "label_time", "hidden", "decision", "worked",
)  # fmt: skip


class Watch:
    """The monitors of a design over the decision log.

    Parameters
    ----------
    prepared
        Scenario, design and task.
    log
        The decision log, read only.
    metrics
        Where daily series are written.
    """

    def __init__(self, prepared: Prepared, log: DecisionLog, metrics: MetricTable) -> None:
        scenario, design, task = prepared.scenario, prepared.design, prepared.task
        self._log, self._metrics, self._task = log, metrics, task
        self._start, self._names = scenario.start_time, prepared.plan.inputs
        self._group = scenario.event.request
        self._absence = scenario.labels.absence_means
        self._viewed = (*_VIEWED, *(["spread"] if "spread" in log else []))
        self._viewed += () if self._group is None else (self._group,)
        self._reference = design.monitoring.reference
        self._periods = max(1, round(design.monitoring.current / DAY))
        self._engine = AlertEngine(
            design.monitoring.alerts, self._names, task, columns=tuple(scenario.event.columns)
        )
        self.window, self.maturity = quality_window(prepared)
        self.capacity = design.decision.review.capacity * DAY if design.decision.review else 0.0
        measured = dict.fromkeys((*task.watched, *scenario.objectives))
        watched = tuple(name for name in measured if name in task.metrics)
        self._quality = self._monitor(watched, self.window, self.maturity)
        ours = (self.window, self.maturity)
        self._asked = [
            (w.view, self._monitor(w.metrics, w.window, w.maturity))
            for w in self._engine.quality_windows
            if not (w.window == ours[0] and set(w.metrics) <= set(watched)
                    and (w.view != "observed" or w.maturity == ours[1]))
        ]  # fmt: skip
        self._drift: DriftMonitor | None = None

    def new_champion(self, now: float, predict: Scorer | None = None) -> None:
        """Start over with a champion that went live at `now` [s since day 0].

        Parameters
        ----------
        predict
            The champion's own scores, which the reference is made of: its predecessor's, or those
            of a time without a model, would look like drift for ever. Those in the log when absent.
        """
        epoch = self._start + now
        rows = self._log.rows_between(epoch - self._reference, epoch)
        valid = self._log.column("dead")[rows] == 0
        features = self._log.features[rows][valid]
        scores = self._log.column("score")[rows][valid]
        if predict is not None and len(features):
            scores = predict(features)
        seen = features[:, : len(self._names)]
        self._drift = DriftMonitor(self._names, seen, scores, periods=self._periods)
        self._engine.reset_reference(now / DAY)

    def look(self, now: float, accepted: int, refused: NDArray[np.int8]) -> list[AlertRecord]:
        """Measure the day that ended at `now` [s since day 0] and return the alerts it raises.

        Parameters
        ----------
        now
            End of the day.
        accepted
            Events that passed the schema check that day.
        refused
            Reason code of each dead letter of that day.
        """
        epoch = self._start + now
        today = self._log.rows_between(epoch - DAY, epoch)
        points = self._look_at_quality(now, epoch)
        distances = self._look_at_inputs(now / DAY, today)
        signals = Signals(
            distances=distances,
            missing=self._drift.missing_excess() if self._drift else {},
            invalid=self._refused(now / DAY, accepted, refused),
            quality=points,
            streams=self._streams(epoch, today),
        )
        return self._engine.evaluate(now / DAY, signals)

    def _monitor(self, metrics: Sequence[str], window: float, maturity: float) -> QualityMonitor:
        return QualityMonitor(
            self._task,
            metrics,
            window=window,
            maturity=maturity,
            capacity_per_day=self.capacity,
            absence=self._absence,
            start_time=self._start,
            group=self._group,
        )

    def _recent(self, epoch: float) -> Batch:
        longest = max([self._quality.reach, *(m.reach for _, m in self._asked)]) + 2 * DAY
        return self._log.view(self._viewed, self._log.rows_between(epoch - longest, epoch))

    def _look_at_quality(self, now: float, epoch: float) -> list[QualityPoint]:
        log = self._recent(epoch)
        points = self._quality.observe(epoch, log)
        for point in points:
            if point.full:
                self._metrics.add(point.to_day, point.metric, point.value, point.view)
        for view, monitor in self._asked:
            points += monitor.observe(epoch, log, views=(view,))
        return points

    def judged(self, rows: Batch) -> Batch:
        """Return rows with 1 for bad events and 0 for others in place of their known labels."""
        label = rows["label"]
        bad = self._task.is_bad(label, rows["score"]).astype(np.float64)
        return rows.with_columns(label=np.where(np.isnan(label), np.nan, bad))

    def _look_at_inputs(self, day: float, today: slice) -> dict[str, dict[str, float]]:
        if self._drift is None:
            return {}
        valid = self._log.column("dead")[today] == 0
        seen = self._log.features[today][valid][:, : len(self._names)]
        self._drift.add(seen, self._log.column("score")[today][valid])
        distances = self._drift.distances()
        for kind, values in distances.items():
            for subject, value in values.items():
                self._metrics.add(day, kind, value, subject)
        for subject, share in self._drift.missing().items():
            self._metrics.add(day, "missing", share, subject)
        return distances

    def _refused(self, day: float, accepted: int, refused: NDArray[np.int8]) -> dict[str, float]:
        shares = dead_letter_shares(accepted, refused - 1, REASONS[1:])
        for reason, share in shares.items():
            if share > 0:
                self._metrics.add(day, "invalid", share, reason)
        return shares

    def _streams(self, epoch: float, today: slice) -> dict[str, NDArray[np.float64]]:
        wanted = self._engine.streams
        if not wanted:
            return {}
        day = self.judged(self._log.view((*self._viewed, "dead"), today))
        valid = day["dead"] == 0
        readers: dict[str, Callable[[], NDArray[np.float64]]] = {
            "review_precision": lambda: day["label"][day["worked"]],
            "score": lambda: day["score"][valid],
            "positive_rate": lambda: (day["decision"] != DECISIONS.index("allow")).astype(float),
            "matured_labels": lambda: matured_labels(
                self.judged(self._recent(epoch)), epoch - DAY, epoch,
                maturity=self.maturity, absence=self._absence,
            ),
        }  # fmt: skip
        return {name: readers[name]() for name in wanted}


def quality_window(prepared: Prepared) -> tuple[float, float]:
    """Return window and label maturity [s] of the daily quality series.

    The window is that of the objective on the task's primary metric, a week where there is none;
    the maturity is that of the first performance alert, else that of training.
    """
    objective = prepared.scenario.objectives.get(prepared.task.primary)
    alert = next((a for a in prepared.design.monitoring.alerts if a.kind == "performance"), None)
    maturity = alert.maturity if alert else prepared.design.model.training.label_maturity
    return (objective.window if objective else 7 * DAY), maturity
