"""DayBook: at the end of each simulated day, what it was like: money, quality, drift, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from sandbox.live.journal import Journal
from sandbox.live.metrics import LiveMetrics
from sandbox.live.monitor.gauges import GaugeTable, number
from sandbox.model import ModelVersion
from sandbox.monitor import CostLedger, matured_labels
from sandbox.pipeline.decide import BLOCK, REVIEW
from sandbox.record import AlertRecord
from sandbox.run.setup import DAY, Prepared
from sandbox.run.shown import ShownClicks, measures_of_shown
from sandbox.run.watch import Watch

__all__ = ["DayBook"]

_KEPT = 50
"""Alerts that are kept."""
_MATURED = (
    "event_time", "processing_time", "score", "label", "label_time", "hidden", "decision",
)  # fmt: skip


class DayBook:
    """The monitors of a design, day by day.

    Parameters
    ----------
    prepared
        Scenario and design.
    journal
        The decision log, with the truth.
    metrics
        Where it shows.
    """

    def __init__(self, prepared: Prepared, journal: Journal, metrics: LiveMetrics) -> None:
        self._journal, self._metrics = journal, metrics
        self._start = prepared.scenario.start_time
        self._absence = prepared.scenario.labels.absence_means
        self._table = GaugeTable(metrics, prepared.task)
        self._watch = Watch(prepared, journal.log, self._table)
        self._ledger, self._task = CostLedger(prepared.scenario.costs), prepared.task
        self._slate, self._shown = prepared.scenario.event.slate, ShownClicks()
        self._active: list[AlertRecord] = []
        self.closed = 0.0
        """End of the last day in the book [s since day 0]."""
        self.alerts: tuple[AlertRecord, ...] = ()
        """The last ones, oldest first."""
        metrics.review_capacity.set(self._watch.capacity)

    def new_champion(self, now: float, version: ModelVersion) -> None:
        """Start over with a champion that went live at a time [s since day 0]."""
        self._watch.new_champion(now, version.predict)

    def close(self, end: float, unanswered: NDArray[np.int8]) -> list[AlertRecord]:
        """Book the day that ended [s since day 0] and return the alerts that it raises.

        Parameters
        ----------
        end
            End of the day.
        unanswered
            Reason codes of the dead letters that are no rows of the log.
        """
        log = self._journal.log
        rows = log.rows_between(self._start + self.closed, self._start + end)
        self._book(round(end / DAY) - 1, rows)
        dead = log.column("dead")[rows]
        accepted = int(np.count_nonzero(dead == 0))
        self._table.begin_day()
        if self._slate is not None:
            self._count_shown(end / DAY, rows, self._slate.item)
        refused = np.concatenate([dead[dead > 0], unanswered])
        alerts = self._watch.look(end, accepted, refused)
        self._show_alerts(alerts)
        self.closed = end
        return alerts

    def show_queue(self) -> None:
        """Show how many cases wait for people."""
        log = self._journal.log
        rows = log.rows_between(self._start + self.closed, np.inf)
        waiting = np.count_nonzero(log.column("decision")[rows] == REVIEW)
        self._metrics.review_queue.set(int(waiting))

    def snapshot(self) -> dict[str, object]:
        """Return what the book says, as plain data."""
        return {
            **({"shown": self._arms()} if self._slate is not None else {}),
            "task": self._task.name,
            "closed_day": self.closed / DAY,
            "quality": {
                metric: {view: number(value) for view, value in views.items()}
                for metric, views in sorted(
                    self._table.quality.items(), key=lambda item: item[0] != self._task.primary
                )
            },
            "money": {kind: number(v) for kind, v in self._ledger.totals.as_dict().items()},
            "alerts": [
                {
                    "day": a.day, "kind": a.kind, "subject": a.subject, "value": number(a.value),
                    "threshold": number(a.threshold), "text": a.text,
                }
                for a in self.alerts
            ],
        }  # fmt: skip

    def _book(self, day: int, rows: slice) -> None:
        log, metrics = self._journal.log, self._metrics
        label, decision = log.column("label")[rows], log.column("decision")[rows]
        known = np.isfinite(label)
        bad, blocked = log.bad(rows)[known], decision[known] == BLOCK
        idle = self._task.is_bad(label[known], np.zeros(int(known.sum())))
        missed, declined, worked = (
            log.column(name)[rows][known]
            for name in ("cost_missed", "cost_false_decline", "worked")
        )
        self._ledger.add(day, missed, declined, bad, blocked, worked, idle)
        for kind, value in self._ledger.totals.as_dict().items():
            metrics.loss.labels(kind).set(value)
        refused = int(np.count_nonzero(~bad & blocked))
        metrics.good_blocked.set(refused / max(int(np.count_nonzero(~bad)), 1))
        self._show_bad(rows, bad)

    def _count_shown(self, day: float, rows: slice, item: str) -> None:
        """Show what the model is worth over the baseline since day 0, and what is seen at all."""
        log = self._journal.log
        self._shown += ShownClicks.of(log, rows)
        for name, value in measures_of_shown(self._shown, log, rows, item).items():
            self._table.add(day, name, value, "oracle")

    def _arms(self) -> dict[str, object]:
        """Return what both arms of the test have shown, and what the model is worth by it."""
        value, low, high = (number(v) for v in self._shown.uplift())
        return {**asdict(self._shown), "uplift": value, "low": low, "high": high}

    def _show_bad(self, rows: slice, bad: NDArray[np.bool_]) -> None:
        """Show the share of bad events: of the day, of the day that matured, and as scored."""
        log, gauge, end = self._journal.log, self._metrics.bad, self.closed + DAY
        if len(bad):
            gauge.labels("oracle").set(float(bad.mean()))
        reach = self._start + end - self._watch.maturity - 2 * DAY
        matured = matured_labels(
            self._watch.judged(log.view(_MATURED, log.rows_between(reach, self._start + end))),
            self._start + end - DAY, self._start + end,
            maturity=self._watch.maturity, absence=self._absence,
        )  # fmt: skip
        if len(matured):
            gauge.labels("observed").set(float(matured.mean()))
        answered = ~log.column("fallback")[rows]
        if answered.any():
            score = log.column("score")[rows][answered]
            spread = log.column("spread")[rows][answered] if "spread" in log else None
            gauge.labels("estimated").set(float(self._task.bad_chance(score, spread).mean()))

    def _show_alerts(self, alerts: Sequence[AlertRecord]) -> None:
        for former in self._active:
            self._metrics.alert_active.labels(former.kind, former.subject).set(0)
        for alert in alerts:
            self._metrics.alerts.labels(alert.kind).inc()
            self._metrics.alert_active.labels(alert.kind, alert.subject).set(1)
        self._active = list(alerts)
        self.alerts = (*self.alerts, *alerts)[-_KEPT:]
