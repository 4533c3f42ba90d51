"""The stack of a design in virtual time: load in, lag and latency out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sandbox.simulate import kernels
from sandbox.simulate.faults import Extra, Force, Regime, Timeline
from sandbox.simulate.kernels import LATENCY_EDGES, Span, Tally
from sandbox.simulate.profile import REFERENCE, ServiceTimes
from sandbox.spec.design import Ingest, Pipeline
from sandbox.spec.incidents import StackFault

__all__ = ["BUCKET", "StackModel", "StackSample", "latency_quantile", "partition_shares"]

Floats = NDArray[np.float64]

BUCKET = 600.0  # s
POOL = 1 << 18  # standard exponentials; 2 MB
BACKGROUND = "background"
SCALED = "scaled"


@dataclass(frozen=True)
class StackSample:
    """What the stack did in consecutive buckets of 10 minutes (the last may be shorter)."""

    time: Floats
    """Start of each bucket [s after day 0], shape (n,)."""
    load: Floats
    """Mean arrival rate [events/s], shape (n,)."""
    lag: Floats
    """Most unread events at once, all stages together, shape (n,)."""
    utilisation: Floats
    """Load over capacity of each stage's busiest worker, shape (stages, n); >= 1 builds lag."""
    p50: Floats
    """Median event-to-decision latency of the bucket's arrivals [s]; NaN without events."""
    p99: Floats
    """99th percentile [s]; NaN without events."""
    answered: Floats
    """Share of the arrivals decided within the budget; 1 without events."""
    histogram: Floats
    """Events by latency over all buckets; edges are `kernels.LATENCY_EDGES`."""

    @property
    def events(self) -> float:
        """Number of events that arrived."""
        return float(self.histogram.sum())


class StackModel:
    """Partitions, micro-batching workers and hops of one design under a changing load.

    Every stage is a consumer group of its own with ``pipeline.workers`` processes, one a machine;
    losing a machine takes one process from every stage.

    Parameters
    ----------
    ingest, pipeline
        The design's partitions, workers, batching and latency budget.
    stages
        Number of keyed stages, >= 1.
    rng
        Drawn from here, once, and equally for every design: designs are compared on the same luck.
    service
        What work costs.
    """

    def __init__(
        self,
        ingest: Ingest,
        pipeline: Pipeline,
        stages: int,
        rng: np.random.Generator,
        service: ServiceTimes = REFERENCE,
    ) -> None:
        if stages < 1:
            raise ValueError(f"a stack has at least one stage, got {stages}")
        self._pipeline, self._service = pipeline, service
        self._pool: Floats = rng.standard_exponential(POOL)
        self._shares = np.array(
            [partition_shares(ingest.partitions, service.effective_keys, s) for s in range(stages)]
        )
        self._backlog = np.zeros((stages, ingest.partitions))
        self._timeline = Timeline(service.rebalance)
        self._now = -np.inf
        self._again = 0.0

    @property
    def backlog(self) -> float:
        """Events that wait beyond the ordinary filling of batches, now."""
        return float(self._backlog.sum())

    @property
    def faults(self) -> tuple[str, ...]:
        """Names of the faults in force now."""
        active = self._timeline.active(self._now)
        return tuple(n.removeprefix("fault ") for n in active if n not in (BACKGROUND, SCALED))

    def set_fault(self, name: str, fault: StackFault, at: float) -> None:
        """Let a fault act from `at` [s after day 0] on, under a name to clear it by."""
        self._change(at, f"fault {name}", fault)

    def clear_fault(self, name: str, at: float) -> None:
        """End a fault at `at` [s after day 0]."""
        self._change(at, f"fault {name}", None)

    def background(self, share: float, at: float) -> None:
        """Let something else take a share of every worker's CPU from `at` on; 0 gives it back."""
        if not 0.0 <= share < 1.0:
            raise ValueError(f"a share of CPU is in [0, 1), got {share}")
        self._change(at, BACKGROUND, float(share) or None)

    def scale(self, workers: int, at: float) -> None:
        """Run this many workers from `at` on; the design's number at first."""
        if workers < 1:
            raise ValueError(f"at least one worker, got {workers}")
        self._change(at, SCALED, Extra(workers - self._pipeline.workers))

    def hottest(self, at: float) -> float:
        """Return the largest share of the load that one partition of any stage has."""
        return float(self._spread(self._timeline.regimes(at, at + 1.0)[0][2]).max())

    def load_factor(self, times: Floats) -> Floats:
        """Return the factor of load spikes at each time [s after day 0]."""
        return self._timeline.load_factor(times)

    def advance(self, start: float, end: float, rate_at: Callable[[Floats], Floats]) -> StackSample:
        """Carry the stack from `start` to `end` [s after day 0].

        Parameters
        ----------
        rate_at
            Arrival rate [events/s, full scale] at given times, without load spikes.

        Raises
        ------
        ValueError
            If the call does not go on where the last one ended, or a rate is not a number >= 0.
        """
        if end < start or (np.isfinite(self._now) and start != self._now):
            raise ValueError(f"cannot go from {start} to {end}, the stack stands at {self._now}")
        count = int(np.ceil((end - start) / BUCKET))
        edges = np.append(start + BUCKET * np.arange(count), end)
        regimes = self._timeline.regimes(start, end)
        if any(regime.retries for _, _, regime in regimes):
            return self._with_retries(edges, rate_at)
        tally = self._tally(count)
        for low, high, regime in regimes:
            self._run(edges, low, high, regime, rate_at, tally)
        self._now = end
        return _sample(edges, tally)

    def _tally(self, count: int) -> Tally:
        return Tally(
            latency=np.zeros((count, len(LATENCY_EDGES) - 1)),
            missed=np.zeros(count),
            events=np.zeros(count),
            lag=np.zeros(count),
            offered=np.zeros((len(self._backlog), count)),
        )

    def _with_retries(self, edges: Floats, rate_at: Callable[[Floats], Floats]) -> StackSample:
        """Go bucket by bucket: what one leaves unanswered comes again in the next.

        Load that feeds on its own failure outlives what set it off: Bronson et al., Metastable
        failures in distributed systems, HotOS 2021.
        """
        samples = []
        for low, high in pairwise(edges):
            bucket, tally = np.array([low, high]), self._tally(1)
            retries = 0.0
            for begin, end, regime in self._timeline.regimes(low, high):
                retries = regime.retries
                again = 1.0 + self._again if retries else 1.0
                told = replace(regime, load=regime.load * again)
                self._run(bucket, begin, end, told, rate_at, tally)
            self._now = high
            samples.append(_sample(bucket, tally))
            self._again = retries * (1.0 - float(samples[-1].answered[0]))
        return _joined(samples)

    def _spread(self, regime: Regime) -> Floats:
        """Return the share of every stage's partitions, shape (stages, partitions)."""
        shares = self._shares * (1.0 - regime.hot)
        shares[:, 0] += regime.hot
        return shares

    def _change(self, at: float, name: str, value: Force | None) -> None:
        if at < self._now:
            raise ValueError(f"cannot change the stack at {at}, it stands at {self._now}")
        self._timeline.change(at, name, value)

    def _run(
        self,
        edges: Floats,
        low: float,
        high: float,
        regime: Regime,
        rate_at: Callable[[Floats], Floats],
        tally: Tally,
    ) -> None:
        inner = edges[np.searchsorted(edges, low, "right") : np.searchsorted(edges, high, "left")]
        ends = np.concatenate(([low], inner, [high]))
        workers = min(max(self._pipeline.workers - regime.lost, 0), self._backlog.shape[1])
        machine = np.arange(self._backlog.shape[1]) % max(workers, 1)
        call, event = self._service.stages(len(self._backlog))
        call[-1], event[-1] = call[-1] * regime.scoring, event[-1] * regime.scoring
        spread = self._spread(regime)
        share = _by_worker(spread, machine)
        span = Span(
            edges=ends,
            bucket=np.searchsorted(edges, ends[:-1], side="right").astype(np.int64) - 1,
            number=np.floor(ends[:-1] / BUCKET).astype(np.int64),
            load=_mean_rate(rate_at, ends) * regime.load,
            call=call / (1.0 - regime.background),
            event=event / (1.0 - regime.background),
            max_batch=self._pipeline.max_batch,
            linger=self._pipeline.linger,
            share=share,
            hops=self._service.hop * regime.hop * (len(self._backlog) + 1),
            resumes=regime.resumes if workers else np.inf,
            budget=self._pipeline.budget,
        )
        backlog = _by_worker(self._backlog, machine)
        kernels.simulate_span(span, backlog, self._pool, tally)
        # What still waits came last, so it lies over a worker's partitions as its arrivals do.
        self._backlog = (backlog / share)[:, machine] * spread


def partition_shares(partitions: int, effective_keys: float, stage: int = 0) -> Floats:
    """Return each partition's share of a stage's load, summing to 1.

    Keys hashed over P partitions give shares with coefficient of variation
    ``sqrt((P - 1) / effective_keys)``; these are quantiles of a normal distribution scaled to it,
    dealt out in a fixed order that differs by stage.

    Examples
    --------
    >>> partition_shares(4, effective_keys=100.0).round(3)
    array([0.234, 0.309, 0.191, 0.266])
    """
    spread = np.sqrt((partitions - 1) / effective_keys)
    points = (np.arange(partitions) + 0.5) / partitions
    normal = np.array([NormalDist().inv_cdf(point) for point in points])
    order = np.argsort(np.arange(1, partitions + 1) * 0.6180339887498949 * (stage + 1) % 1.0)
    shares = np.maximum(1.0 + spread * normal / max(normal.std(), 1e-9), 0.05)[order]
    return np.asarray(shares / shares.sum())


def latency_quantile(histogram: Floats, share: float) -> Floats:
    """Return the latency [s] that a share of the events stays below.

    Parameters
    ----------
    histogram
        Events by latency bin, shape (bins,) or (n, bins).

    Returns
    -------
    ndarray
        Shape () or (n,); interpolated on the log scale in its bin, NaN where there are no events.
    """
    rows = np.atleast_2d(np.asarray(histogram, dtype=np.float64))
    quantiles = kernels.histogram_quantiles(rows, np.array([share]))[0]
    return np.asarray(quantiles.reshape(np.shape(histogram)[:-1]))


def _joined(samples: Sequence[StackSample]) -> StackSample:
    """Put consecutive samples behind each other."""
    names = ("time", "load", "lag", "p50", "p99", "answered")
    return StackSample(
        **{name: np.concatenate([getattr(s, name) for s in samples]) for name in names},
        utilisation=np.concatenate([s.utilisation for s in samples], axis=1),
        histogram=np.sum([s.histogram for s in samples], axis=0),
    )


def _by_worker(values: Floats, machine: NDArray[np.int64]) -> Floats:
    """Sum values of partitions, shape (stages, partitions), over each worker's."""
    size = int(machine.max()) + 1
    return np.array([np.bincount(machine, weights=row, minlength=size) for row in values])


def _mean_rate(rate_at: Callable[[Floats], Floats], ends: Floats) -> Floats:
    """Return the mean rate of each segment, from its two quarter points."""
    width = np.diff(ends)
    times = np.concatenate((ends[:-1] + 0.25 * width, ends[:-1] + 0.75 * width))
    rates = np.asarray(rate_at(times), dtype=np.float64).reshape(2, -1)
    if not (np.isfinite(rates).all() and (rates >= 0).all()):
        raise ValueError("arrival rates must be numbers >= 0")
    return np.asarray(rates.mean(axis=0))


def _sample(edges: Floats, tally: Tally) -> StackSample:
    width = np.diff(edges)
    missed = np.zeros(len(width))
    p50, p99 = kernels.histogram_quantiles(tally.latency, np.array([0.50, 0.99]))
    np.divide(tally.missed, tally.events, out=missed, where=tally.events > 0)
    return StackSample(
        time=edges[:-1],
        load=tally.events / width,
        lag=tally.lag,
        utilisation=tally.offered / width,
        p50=p50,
        p99=p99,
        answered=np.maximum(1.0 - missed, 0.0),
        histogram=tally.latency.sum(axis=0),
    )
