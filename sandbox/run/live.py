"""The state of a run at the end of a day, for people who watch."""

from __future__ import annotations

import time

import numpy as np

from sandbox.record import LiveState, QualityView
from sandbox.run.setup import DAY
from sandbox.run.system import RunSystem

__all__ = ["Stopwatch", "live_state"]

_HISTORY = 28
_VIEWS = ("oracle", "observed", "estimated")


class Stopwatch:
    """Wall-clock seconds since it was made; for the eye only, never recorded."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def elapsed(self) -> float:
        """Return seconds since the start."""
        return time.perf_counter() - self._start


def live_state(run: RunSystem, now: float, elapsed: float) -> LiveState:
    """Describe a run at `now` [s since day 0], `elapsed` wall-clock seconds after it began."""
    prepared, metric = run.prepared, run.prepared.task.gate_metric
    quality = {}
    for view in _VIEWS:
        days, values = run.metrics.series(metric, view)
        if len(values):
            to_day = float(days[-1])
            quality[view] = QualityView(
                value=float(values[-1]),
                history=tuple(values[-_HISTORY:].tolist()),
                to_day=to_day if to_day < now / DAY else None,
            )
    sample = run.stack.last
    return LiveState(
        day=now / DAY,
        days=float(prepared.days),
        events=run.service.events,
        wall_events_per_second=len(run.service.log) / elapsed if elapsed > 0 else 0.0,
        load=float(sample.load.mean()) if sample else None,
        lag=float(sample.lag[-1]) if sample else None,
        latency_p99=float(np.nanmax(sample.p99)) if sample else None,
        metric=metric,
        quality=quality,
        alerts=tuple((alert.day, f"{alert.kind}({alert.subject})") for alert in run.alerts),
        versions=run.lifecycle.describe(),
        money={
            prepared.task.losses.get(kind, kind): value
            for kind, value in run.service.ledger.totals.as_dict().items()
        },
        reviews_used=float(run.service.worked_today),
        review_capacity=run.watch.capacity,
    )
