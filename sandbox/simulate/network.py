"""The exact network: stages of partitions and micro-batching workers, every event carried.

Between two changes of regime, compiled passes carry all events; at a change their state is handed
over. What waits is kept, what has left is only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sandbox.simulate import network_kernels as kernels
from sandbox.simulate.histogram import empty_histogram
from sandbox.simulate.network_stage import NONE, Events, Stage, StageState

__all__ = ["Network", "Source"]

Floats = NDArray[np.float64]


class Source:
    """Poisson arrivals.

    Parameters
    ----------
    rate
        Arrivals [events/s] at a time [s].
    """

    def __init__(self, rate: Callable[[float], float], rng: np.random.Generator) -> None:
        self._rate, self._rng = rate, rng

    def between(self, start: float, end: float) -> Floats:
        """Return the arrivals of (start, end] [s], at the rate of its middle."""
        rate = self._rate(0.5 * (start + end))
        if rate <= 0:
            return np.empty(0)
        expected, parts, last = rate * (end - start), [], start
        while last <= end:
            gaps = self._rng.standard_exponential(int(expected + 5 * np.sqrt(expected) + 16))
            kernels.arrive(gaps, rate, last, gaps)
            parts.append(gaps)
            last = float(gaps[-1])
        time = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return time[: np.searchsorted(time, end, side="right")]


class Network:
    """Stages one behind the other, and what became of the events.

    Parameters
    ----------
    stages
        At least one.
    source
        Where events come from.
    rng
        For lengths of batches and pauses.
    start, end, buckets
        Span of virtual time [s], >= 0, and into how many buckets of birth its
        latencies are counted.
    last_hop
        From the last stage to whoever asked [s].
    timeout, retries
        When clients ask again [s], and how often at most.

    Attributes
    ----------
    histogram
        Decided events by bucket of birth and latency, shape (buckets, bins).
    shed
        Dropped events by stage and bucket of birth, shape (stages, buckets).
    arrived
        Events that came, by bucket of birth, shape (buckets,).
    repeated
        Retries so far.
    """

    def __init__(
        self, stages: Sequence[Stage], source: Source, rng: np.random.Generator, *, start: float,
        end: float, buckets: int, last_hop: float = 0.0, timeout: float = np.inf, retries: int = 0,
    ) -> None:  # fmt: skip
        hops = [*(stage.hop for stage in stages[1:]), last_hop]
        self.states = [
            StageState(stage, child, hop)
            for stage, child, hop in zip(stages, rng.spawn(len(stages)), hops, strict=True)
        ]
        self._source = source
        self._timeout, self._retries = timeout, retries
        self.start, self.now, self.width = start, start, (end - start) / buckets
        self.histogram = empty_histogram(buckets)
        self.shed = np.zeros((len(stages), buckets), dtype=np.int64)
        self.arrived = np.zeros(buckets, dtype=np.int64)
        self.first_hop = stages[0].hop
        self.repeated = 0

    def advance(self, ends: Sequence[float], pool: ThreadPoolExecutor | None = None) -> None:
        """Carry everything to the last of `ends` [s], step by step.

        With a pool, stages work side by side, each a step behind the one before it. The results
        are the same.
        """
        if self._retries:
            for end in ends:
                again = self._again(end)
                self._wave([end], pool, again)
            return
        self._wave(ends, pool, NONE)

    def _wave(self, ends: Sequence[float], pool: ThreadPoolExecutor | None, extra: Events) -> None:
        """Go through (stage, step) pairs in diagonals: those of one do not need each other."""
        last, starts = len(self.states) - 1, [self.now, *ends[:-1]]
        inbox: dict[int, Events] = {}
        for wave in range(len(ends) + last):
            jobs = []
            for stage in range(max(0, wave - len(ends) + 1), min(last, wave) + 1):
                step = wave - stage
                span = (starts[step], ends[step])
                jobs.append((stage, span, inbox.get(stage, extra if step == 0 else NONE)))
            done = list(pool.map(self._pass, jobs)) if pool else [self._pass(job) for job in jobs]
            inbox = {job[0] + 1: events for job, events in zip(jobs, done, strict=True)}
        self.now = ends[-1]

    def _pass(self, job: tuple[int, tuple[float, float], Events]) -> Events:
        """Carry one stage through one step; return what it sends on."""
        stage, (since, until), incoming = job
        if stage == 0:
            born = self._source.between(since, until)
            self.arrived += self._by_bucket(born)
            fresh = Events(born + self.first_hop, born)
            incoming = Events.join([incoming, fresh]) if len(incoming) else fresh
        left, shed = self.states[stage].step(until, incoming)
        if len(shed):
            self.shed[stage] += self._by_bucket(shed)
        if stage + 1 < len(self.states):
            return left
        kernels.record(left.time, left.born, self.start, self.width, self.histogram)
        return NONE

    def _by_bucket(self, born: Floats) -> NDArray[np.int64]:
        """Count births, shape (buckets,)."""
        edges = self.start + self.width * np.arange(1, len(self.arrived))
        ordered = np.sort(born)
        return np.diff(np.searchsorted(ordered, edges), prepend=0, append=len(born))

    def _again(self, end: float) -> Events:
        """Return what clients ask again in the coming step."""
        again = [
            state.retries(self.now, end, self._timeout, self._retries) for state in self.states
        ]
        asked = Events.join(again)
        self.repeated += len(asked)
        return asked
