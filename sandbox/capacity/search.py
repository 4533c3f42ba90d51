"""Enough workers and partitions for an objective: found by trying, not guessed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.capacity.plant import build_plant
from sandbox.capacity.simulation import Trial, play
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.simulate.histogram import quantiles
from sandbox.spec.capacity import Profile
from sandbox.spec.design import Design

__all__ = ["Enough", "find_enough", "resized", "steady_latency"]

PARTITIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024,
              1536, 2048, 3072, 4096)  # fmt: skip
EVENTS, LEAST, MOST = 150_000, 4.0, 30.0
"""A trial carries so many events, within these seconds."""
FULL = 0.98
"""Busiest worker's load from which on a trial is not worth playing."""
BROKERS = 0.6
SETTLING = 0.25
"""Share of a trial that does not count: its queues still fill."""


@dataclass(frozen=True)
class Enough:
    """The smallest plant that keeps an objective at a load."""

    workers: int
    partitions: int
    brokers: int
    p99: float
    """[s]"""
    tried: int
    """Trials it took."""


def resized(design: Design, workers: int, partitions: int, brokers: int) -> Design:
    """Return the design with other numbers of machines and partitions, and no autoscaling."""
    ingest = {"partitions": partitions, "brokers": brokers}
    return design.model_copy(
        update={
            "ingest": design.ingest.model_copy(update=ingest),
            "pipeline": design.pipeline.model_copy(update={"workers": workers, "autoscale": None}),
        }
    )


def steady_latency(
    design: Design, plan: FeaturePlan, profile: Profile, rate: float, shares: tuple[float, ...],
    seed: int = 7,
) -> np.ndarray:  # fmt: skip
    """Return quantiles of event-to-decision time [s] once queues have filled."""
    length = min(max(EVENTS / rate, LEAST), MOST)
    buckets = 8
    played = play(
        build_plant(design, plan, profile), design, profile,
        Trial(rate, length, buckets=buckets, seed=seed),
    )  # fmt: skip
    counted = played.histogram[round(SETTLING * buckets) : -1].sum(axis=0)
    return quantiles(counted, shares)


def find_enough(
    design: Design,
    plan: FeaturePlan,
    profile: Profile,
    rate: float,
    objective: float,
    progress: Callable[[str], None] = lambda text: None,
) -> Enough | None:
    """Return the fewest workers, and partitions for them, whose p99 [s] keeps the objective.

    The design's own number of partitions is kept if some number of workers does with it; more are
    tried only then. Brokers are added until they are busy for at most `BROKERS` of their time. None
    when even thousands do not help.
    """
    tried = 0
    plant = build_plant(design, plan, profile)
    pairs = zip(plant.loads(rate), plant.brokers, strict=True)
    busiest = max(load.mean * load.workers for load, broker in pairs if broker)
    brokers = max(design.ingest.brokers, math.ceil(busiest / BROKERS))

    def p99(workers: int, partitions: int) -> float:
        nonlocal tried
        asked = resized(design, workers, partitions, brokers)
        loads = build_plant(asked, plan, profile).loads(rate)
        if max(load.utilisation for load in loads) >= FULL:
            return np.inf
        tried += 1
        progress(f"{workers} workers, {partitions} partitions")
        return float(steady_latency(asked, plan, profile, rate, (0.99,))[0])

    own = design.ingest.partitions
    for partitions in (own, *(p for p in PARTITIONS if p > own)):
        best = p99(partitions, partitions)
        if best > objective:
            if np.isfinite(best) and partitions >= 8 * own:
                break  # more of the same no longer helps
            continue
        low, high = 0, partitions  # low does not do, high does
        while high - low > 1:
            middle = (low + high) // 2
            found = p99(middle, partitions)
            if found <= objective:
                high, best = middle, found
            else:
                low = middle
        return Enough(high, partitions, brokers, best, tried)
    return None
