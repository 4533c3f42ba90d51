"""The stack model inside a run: full load beside the sampled events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sandbox.record import MetricTable
from sandbox.run.seeds import stream
from sandbox.run.setup import DAY, Prepared
from sandbox.simulate.stack import BUCKET, StackModel, StackSample, latency_quantile
from sandbox.spec.incidents import StackFault

__all__ = ["RunStack"]

Floats = NDArray[np.float64]


class RunStack:
    """Carries the full load, writes load, lag and latency by the hour, and says what was answered.

    Parameters
    ----------
    prepared
        The design and the seed.
    metrics
        Where series are written.
    """

    def __init__(self, prepared: Prepared, metrics: MetricTable) -> None:
        design = prepared.design
        self._model = StackModel(
            design.ingest,
            design.pipeline,
            len(prepared.plan.stages) or 1,
            stream(prepared.seed, "stack"),
        )
        self._names = prepared.plan.stages or ("all",)
        self._metrics = metrics
        self._histogram: Floats | None = None
        self._answered = 0.0
        self._arrived = 0.0
        self.last: StackSample | None = None
        self.workers = design.pipeline.workers
        self.shed = 0.0
        """Share of the events that get the fallback at once, without touching the workers."""

    def set_fault(self, name: str, fault: StackFault, now: float) -> None:
        """Let a fault act from `now` [s since day 0] on."""
        self._model.set_fault(name, fault, now)

    def clear_fault(self, name: str, now: float) -> None:
        """End a fault."""
        self._model.clear_fault(name, now)

    def scale(self, workers: int, now: float) -> None:
        """Run this many workers a stage from `now` on."""
        self._model.scale(workers, now)
        self.workers = workers

    def background(self, share: float, now: float) -> None:
        """Let a training job take a share of the CPU; 0 gives it back."""
        self._model.background(share, now)

    def advance(self, start: float, end: float, rate: Callable[[Floats], Floats]) -> StackSample:
        """Carry the stack over a block [s since day 0] and return what it did."""
        hottest = self._model.hottest(start)
        if self.shed:
            sample = self._without_shed(start, end, rate)
        else:
            sample = self._model.advance(start, end, rate)
        self.last = sample
        self._metrics.add(end / DAY, "hottest_partition", hottest)
        self._metrics.add(end / DAY, "workers", self.workers)
        counts = sample.histogram
        self._histogram = counts.copy() if self._histogram is None else self._histogram + counts
        arrived = sample.load * BUCKET
        self._arrived += float(arrived.sum())
        self._answered += float((arrived * sample.answered).sum())
        self._write(sample)
        return sample

    def _without_shed(
        self, start: float, end: float, rate: Callable[[Floats], Floats]
    ) -> StackSample:
        """Carry what is not shed; the load that is told stays that of the clients."""
        kept = 1.0 - self.shed
        sample = self._model.advance(start, end, lambda times: kept * np.asarray(rate(times)))
        return replace(sample, load=sample.load / kept, answered=sample.answered * kept)

    def latency_p99(self) -> float:
        """Return the 99th percentile of event-to-decision time so far [s]; NaN before any event."""
        if self._histogram is None:
            return float("nan")
        return float(latency_quantile(self._histogram, 0.99))

    def answered_share(self) -> float:
        """Return the share of events decided by the model within its budget so far."""
        return self._answered / self._arrived if self._arrived else float("nan")

    def _write(self, sample: StackSample) -> None:
        """Write hourly values: the mean load, the worst of everything else."""
        starts = np.arange(0, len(sample.time), round(3600.0 / BUCKET))
        days = sample.time[starts] / DAY
        hours = np.diff(np.append(starts, len(sample.time)))
        worst = {
            ("lag", ""): sample.lag,
            ("latency_p50", ""): sample.p50,
            ("latency_p99", ""): sample.p99,
            **{("utilisation", n): u for n, u in zip(self._names, sample.utilisation, strict=True)},
        }
        series = {key: np.maximum.reduceat(values, starts) for key, values in worst.items()}
        series["load", ""] = np.add.reduceat(sample.load, starts) / hours
        series["answered", ""] = np.minimum.reduceat(sample.answered, starts)
        for (metric, name), values in series.items():
            self._metrics.extend(days, metric, values, name)
