"""A plant under load in virtual time: SimPy says what changes when, the network carries events."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import NDArray

from sandbox.capacity.crew import Crew
from sandbox.capacity.effects import Effects
from sandbox.capacity.faults import Fault
from sandbox.capacity.plant import Plant
from sandbox.simulate.control import ControlPlane, Phase
from sandbox.simulate.network import Network, Source
from sandbox.simulate.network_stage import Overflow
from sandbox.spec.capacity import Profile
from sandbox.spec.design import Design

__all__ = ["Played", "Trial", "play"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEP_EVENTS = 100_000
LONGEST_STEP, SHORTEST_STEP = 1.0, 0.02
"""Steps hold about as many events as fit into a cache, within these lengths [s]."""
AT_ONCE = 64
STANDING = 2.0
"""A queue of so many seconds of work means that a stage is busy, whatever it did."""


@dataclass(frozen=True)
class Trial:
    """What a plant is put through."""

    rate: float
    """Events a second."""
    length: float
    """[s]"""
    faults: tuple[Fault, ...] = ()
    buckets: int = 60
    seed: int = 7


@dataclass(frozen=True)
class Played:
    """What became of it."""

    time: Floats
    """Start of each bucket of birth [s], shape (buckets,)."""
    histogram: Ints
    """Decided events by bucket and latency, shape (buckets, bins)."""
    shed: Ints
    """Events left to the fallback, by bucket."""
    arrived: Ints
    """Events that came, by bucket; those neither decided nor shed still wait."""
    lag_time: Floats
    """Ends of steps [s], shape (steps,)."""
    lag: Floats
    """Waiting events by stage, shape (stages, steps)."""
    busy: Floats
    """Mean share of their time that workers of a stage were busy, shape (stages, steps)."""
    workers: tuple[tuple[float, int], ...]
    """Time [s] and number of workers a stage, at every change."""
    repeated: int
    """Requests that callers repeated."""
    overflow: str = ""
    """Why it ended early, if it did."""


def play(
    plant: Plant,
    design: Design,
    profile: Profile,
    trial: Trial,
    progress: Callable[[float], None] = lambda share: None,
) -> Played:
    """Carry every event of a trial, and whatever changes on the way."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, len(plant.stages))) as pool:
        return _Play(plant, design, profile, trial, pool, progress).run()


class _Play:
    """One trial at work."""

    def __init__(
        self, plant: Plant, design: Design, profile: Profile, trial: Trial,
        pool: ThreadPoolExecutor, progress: Callable[[float], None],
    ) -> None:  # fmt: skip
        self._plant, self._design, self._trial = plant, design, trial
        self._pool, self._progress = pool, progress
        self._plane = ControlPlane(simpy.Environment())
        arrivals, services = np.random.Generator(np.random.SFC64(trial.seed)).spawn(2)
        ingest = design.ingest
        self._network = Network(
            plant.stages, Source(lambda _: trial.rate * self._effects.load, arrivals), services,
            start=0.0, end=trial.length, buckets=trial.buckets, last_hop=plant.last_hop,
            timeout=ingest.timeout or math.inf, retries=ingest.retries,
        )  # fmt: skip
        self._crew = Crew(plant, self._network, profile)
        self._effects = Effects(
            self._network, self._crew, self._plane, design, profile, self._carry
        )
        self._changes = [(0.0, design.pipeline.workers)]
        self._seen = [0.0] * len(plant.stages)

    def run(self) -> Played:
        """Play to the end."""
        for fault in self._trial.faults:
            begin, finish = self._effects.of(fault)
            self._plane.between(fault.start, fault.end, begin, finish)
        rule = self._design.pipeline.autoscale
        if rule is not None:
            self._plane.every(rule.every, self._look, Phase.MONITOR, until=self._trial.length)
        overflow = ""
        try:
            self._plane.run(self._trial.length)
            self._carry(self._trial.length)
        except Overflow as error:
            overflow = str(error)
        return self._played(overflow)

    def _carry(self, now: float) -> None:
        """Bring the network to the present."""
        network = self._network
        if network.now >= now:
            return
        rate = max(self._trial.rate * self._effects.load, 1.0)
        step = min(LONGEST_STEP, max(STEP_EVENTS / rate, SHORTEST_STEP))
        count = max(1, math.ceil((now - network.now) / step))
        ends = np.linspace(network.now, now, count + 1)[1:].tolist()
        for at in range(0, count, AT_ONCE):
            network.advance(ends[at : at + AT_ONCE], self._pool)
            self._progress(network.now / self._trial.length)

    def _look(self, now: float) -> None:
        """Autoscale: as many workers as would be busy for the target share of their time."""
        rule = self._design.pipeline.autoscale
        assert rule is not None
        self._carry(now)
        last_change, wanted = self._changes[-1]
        if last_change > now:  # ordered, not there yet
            return
        wanted = max(self._needed(stage, rule.target, rule.every) for stage in self._crew.workers)
        wanted = min(max(wanted, 1), rule.most, len(self._plant.stages[0].share))
        size = self._crew.size[self._crew.workers[0]]
        if wanted == size or (wanted < size and now - last_change < rule.cooldown):
            return
        later = now + (rule.delay if wanted > size else 0.0)
        self._changes.append((later, wanted))
        if later < self._trial.length:
            self._plane.at(later, self._resize, Phase.RETRAIN)

    def _needed(self, stage: int, target: float, every: float) -> int:
        """Return the workers that a stage needs; those of a standing queue count as busy."""
        state, size = self._network.states[stage], self._crew.size[stage]
        done = state.trace[-1][2]
        busy, self._seen[stage] = done - self._seen[stage], done
        standing = state.lag > STANDING * size * state.stage.full_rate
        return math.ceil(size * (1.0 if standing else busy / (every * size)) / target)

    def _resize(self, now: float) -> None:
        self._carry(now)
        self._crew.resize(self._changes[-1][1], now)

    def _played(self, overflow: str) -> Played:
        network, states = self._network, self._network.states
        steps = min(len(state.trace) for state in states)
        trace = np.array([state.trace[:steps] for state in states], dtype=np.float64)
        trace = trace.reshape(len(states), steps, 3)
        ends = trace[0, :, 0] if steps else np.empty(0)
        sizes = np.array([self._size_at(s, ends) for s in range(len(states))])
        work = np.diff(trace[:, :, 2], axis=1, prepend=0.0)
        return Played(
            time=np.asarray(network.width * np.arange(self._trial.buckets), dtype=np.float64),
            histogram=network.histogram, shed=network.shed.sum(axis=0), arrived=network.arrived,
            lag_time=ends, lag=trace[:, :, 1],
            busy=np.minimum(work / (np.diff(ends, prepend=0.0) * sizes), 1.0),
            workers=tuple(self._changes), repeated=network.repeated, overflow=overflow,
        )  # fmt: skip

    def _size_at(self, stage: int, times: Floats) -> Floats:
        used = len(self._plant.stages[stage].share)
        if self._plant.brokers[stage]:
            return np.full(len(times), float(min(self._plant.stages[stage].workers, used)))
        place = np.searchsorted([at for at, _ in self._changes], times, side="right") - 1
        sizes = np.array([size for _, size in self._changes], dtype=np.float64)[place]
        return np.asarray(np.minimum(sizes, used))
