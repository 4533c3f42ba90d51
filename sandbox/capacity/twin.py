"""Twin: what the model of a worker predicts, beside what a real worker does on this machine.

One process reads events' messages from a log in memory, in wall-clock time, and writes decisions'
messages: decode, check, features of all stages, score, decide. No broker takes part.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.capacity.calibrate import Supply
from sandbox.capacity.drive import Driven, drive, top_speed
from sandbox.capacity.plant import texts_hashed, trees, worker_rules
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.handler import Handler
from sandbox.simulate.histogram import quantiles
from sandbox.simulate.network import Network, Source
from sandbox.simulate.network_stage import Stage
from sandbox.spec.capacity import CostLine, Profile
from sandbox.spec.design import Design

__all__ = [
    "LOADS", "Figures", "Point", "Rounds", "TwinRecord", "drive_rounds", "hold", "one_worker",
    "predict",
]  # fmt: skip

Floats = NDArray[np.float64]
LOADS = (0.3, 0.6, 0.8)
"""Shares of the measured top speed."""
ROUNDS = 5
"""Each load is driven as often, in turn, and the median round counts: no single moment in which
the machine had other things to do decides."""
SECONDS = 2.0
PROBE = 0.15
"""Share of a round's time in which the top speed is taken anew before it."""
LATENCY_WITHIN, SPEED_WITHIN = 0.20, 0.15
"""How far a prediction may be off."""
PREDICTED_ROUNDS, STEP = 25, 0.01
NAMES = ("p50", "p99", "throughput", "lag")


@dataclass(frozen=True)
class Figures:
    """How a worker does under a load."""

    p50: float
    """Arrival to decision [s]."""
    p99: float
    throughput: float
    """Decided events a second."""
    lag: float
    """Events that wait for a batch, on average over time."""


@dataclass(frozen=True)
class Point:
    """One load: predicted and measured."""

    load: float
    """Share of the top speed measured right before."""
    rate: float
    """Events a second."""
    predicted: Figures
    measured: Figures
    p99_rounds: tuple[float, float]
    """Lowest and highest measured p99 of a round [s]."""

    def off(self, name: str) -> float:
        """Return (predicted - measured) / measured of a figure."""
        measured = float(getattr(self.measured, name))
        return (float(getattr(self.predicted, name)) - measured) / measured


@dataclass(frozen=True)
class TwinRecord:
    """Predictions beside measurements."""

    scenario: str
    design_name: str
    profile: Profile
    predicted_speed: float
    """Events a second of a worker that never waits."""
    measured_speed: float
    speeds: tuple[float, float]
    """Lowest and highest top speed of the rounds: how steady the machine was."""
    points: tuple[Point, ...]

    @property
    def speed_off(self) -> float:
        """Return (predicted - measured) / measured of the top speed."""
        return self.predicted_speed / self.measured_speed - 1.0

    def misses(self) -> list[str]:
        """Say where a prediction is off by more than it may."""
        said = []
        if abs(self.speed_off) > SPEED_WITHIN:
            said.append(f"top speed is off by {self.speed_off:+.0%}")
        for point in self.points:
            for name in ("p50", "p99"):
                if not abs(point.off(name)) <= LATENCY_WITHIN:
                    said.append(f"{name} at {point.load:.0%} load is off by {point.off(name):+.0%}")
        return said

    def summary(self) -> dict[str, Any]:
        """Return what goes into ``twin.json``."""
        return {
            **{k: v for k, v in dataclasses.asdict(self).items() if k != "profile"},
            "profile": self.profile.model_dump(mode="json"),
            "speed_off": self.speed_off,
            "misses": self.misses(),
            "off": [{name: p.off(name) for name in NAMES} for p in self.points],
        }


def one_worker(design: Design, plan: FeaturePlan, profile: Profile) -> Stage:
    """Return a worker that does the work of all stages, without a broker."""
    parts: list[tuple[CostLine, float]] = [(profile.decode, 1.0), (profile.check, 1.0)]
    parts += [(profile.feature, float(len(stage.outputs))) for stage in plan.stage_plans]
    if texts := texts_hashed(plan):
        parts.append((profile.text, texts))
    parts += [(profile.score, float(trees(design))), (profile.decide, 1.0)]
    rules, spread = worker_rules(design, profile, parts, seed=1)
    return Stage("worker", np.ones(1), 1, rules, 0.0, spread)


def predict(stage: Stage, rate: float, seed: int, seconds: float = SECONDS) -> Figures:
    """Carry rounds of events through a worker in virtual time; the median round counts."""
    arrivals, services = np.random.Generator(np.random.SFC64(seed)).spawn(2)
    length = PREDICTED_ROUNDS * seconds
    network = Network(
        [stage], Source(lambda _: rate, arrivals), services, start=0.0, end=length,
        buckets=PREDICTED_ROUNDS,
    )  # fmt: skip
    steps = round(length / STEP)
    network.advance([STEP * (i + 1) for i in range(steps)])
    found = [quantiles(row, (0.5, 0.99)) for row in network.histogram]
    p50, p99 = np.median(found, axis=0)
    waiting = np.array([lag for _, lag, _ in network.states[0].trace])
    rounds = waiting.reshape(PREDICTED_ROUNDS, -1).mean(axis=1)
    decided = int(network.histogram.sum()) / length
    return Figures(float(p50), float(p99), decided, float(np.median(rounds)))


@dataclass(frozen=True)
class Rounds:
    """What a real worker did."""

    seconds: float
    """Length of a round."""
    speeds: tuple[float, ...]
    """Top speed before each round [events/s]."""
    driven: tuple[tuple[Driven, ...], ...]
    """Rounds of each of `LOADS`."""


def drive_rounds(
    design: Design, profile: Profile, handler: Handler, supply: Supply,
    progress: Callable[[float], None] = lambda share: None, seconds: float = SECONDS,
) -> Rounds:  # fmt: skip
    """Drive a real worker, whose state is full, at every load in turn."""
    pipeline = design.pipeline
    probe = round(one_worker(design, handler.pipeline.plan, profile).full_rate * seconds * PROBE)
    rng = np.random.default_rng(1)
    speeds: list[float] = []
    found: list[list[Driven]] = [[] for _ in LOADS]
    for turn in range(ROUNDS * len(LOADS)):
        place = turn % len(LOADS)
        speeds.append(top_speed(handler, supply.take(probe), pipeline.max_batch))
        rate = LOADS[place] * speeds[-1]
        messages = supply.take(math.ceil(rate * seconds))
        due = np.cumsum(rng.exponential(1.0 / rate, len(messages)))
        found[place].append(drive(handler, messages, due, pipeline.max_batch, pipeline.linger))
        progress((turn + 1) / (ROUNDS * len(LOADS)))
    return Rounds(seconds, tuple(speeds), tuple(map(tuple, found)))


def hold(
    names: tuple[str, str], design: Design, plan: FeaturePlan, profile: Profile, rounds: Rounds
) -> TwinRecord:
    """Put predictions beside what was measured; `names` are those of scenario and design."""
    stage = one_worker(design, plan, profile)
    speed = float(np.median(rounds.speeds))
    points = []
    for place, (load, runs) in enumerate(zip(LOADS, rounds.driven, strict=True)):
        rate = load * speed
        expected = predict(stage, rate, place, rounds.seconds)
        points.append(Point(load, rate, expected, *_figures(runs)))
    bounds = (min(rounds.speeds), max(rounds.speeds))
    return TwinRecord(*names, profile, stage.full_rate, speed, bounds, tuple(points))


def _figures(rounds: Sequence[Driven]) -> tuple[Figures, tuple[float, float]]:
    """Return what the median round of a load comes to, and the range of its p99 [s]."""
    found = np.array([
        (*np.quantile(one.latencies, (0.5, 0.99)), len(one.latencies) / one.length,
         one.waits.sum() / one.length)
        for one in rounds
    ])  # fmt: skip
    tails = found[:, 1]
    middle = Figures(*(float(value) for value in np.median(found, axis=0)))
    return middle, (float(tails.min()), float(tails.max()))
