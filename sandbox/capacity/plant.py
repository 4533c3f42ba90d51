"""A design as stages of the exact network: brokers, workers, and the hops between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.model.imbalance import BAGS
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.simulate.network_kernels import Rules
from sandbox.simulate.network_stage import Stage
from sandbox.simulate.stack import partition_shares
from sandbox.spec.capacity import CostLine, Profile
from sandbox.spec.design import Design
from sandbox.spec.model import OF_SPREAD

__all__ = ["Plant", "StageLoad", "build_plant", "texts_hashed", "trees", "worker_rules"]

Floats = NDArray[np.float64]
BROKER_BATCH = 10_000
CHARACTERS = 3.4
"""Work on the runs of characters of a text over that on its words, measured on messages."""
TYPICAL = 100.0
"""Events in a batch at which spreads of its parts are weighed."""


@dataclass(frozen=True)
class StageLoad:
    """How much of a stage a load takes, by arithmetic alone."""

    name: str
    utilisation: float
    """Of the busiest worker; at 1 its queue grows for ever."""
    mean: float
    """Of all workers together."""
    full_rate: float
    """Capacity of one worker [events/s]."""
    workers: int
    """Those that have a partition."""

    def enough(self, rate: float) -> int:
        """Return the fewest workers that keep up with a load spread evenly."""
        return math.floor(rate / self.full_rate) + 1


@dataclass(frozen=True)
class Plant:
    """Stages in the order events pass them."""

    stages: tuple[Stage, ...]
    brokers: tuple[bool, ...]
    """Which stages are brokers; the others are workers of the design."""
    last_hop: float
    """From the last broker to whoever asked [s]."""

    def loads(self, rate: float) -> list[StageLoad]:
        """Return how busy stages are at a load [events/s]."""
        found = []
        for stage in self.stages:
            used = min(stage.workers, len(stage.share))
            owner = np.arange(len(stage.share)) % stage.workers
            busiest = float(np.bincount(owner, weights=stage.share).max())
            full = stage.full_rate
            found.append(
                StageLoad(stage.name, rate * busiest / full, rate / (full * used), full, used)
            )
        return found

    def most(self) -> tuple[float, str]:
        """Return the load [events/s] at which the first worker is full, and its stage's name."""
        loads = self.loads(1.0)
        worst = max(loads, key=lambda load: load.utilisation)
        return 1.0 / worst.utilisation, worst.name


def build_plant(design: Design, plan: FeaturePlan, profile: Profile) -> Plant:
    """Return a design's stages: broker, then workers and broker for every keyed stage.

    Every stage of workers is a consumer group. The same brokers serve all topics, so each pass
    through them gets its share of their time.
    """
    stages: list[Stage] = []
    brokers: list[bool] = []
    columns = [len(stage.outputs) for stage in plan.stage_plans] or [0]
    passes = len(columns) + 1
    produced = {
        "0": profile.produced.none,
        "1": profile.produced.leader,
        "all": profile.produced.all,
    }
    sent = produced[design.ingest.acks]
    names = plan.stages or ("all",)
    for number in range(passes):
        shares = partition_shares(design.ingest.partitions, profile.effective_keys, number)
        topic = "ingest" if number == 0 else "decisions" if number == passes - 1 else names[number]
        stages.append(_broker(f"broker: {topic}", design, profile, shares, passes, sent, number))
        brokers.append(True)
        if number == passes - 1:
            break
        last = number == passes - 2
        texts = texts_hashed(plan) if number == 0 else None
        rules, spread = _worker(design, profile, columns[number], texts, last, 2 * number + 1)
        words = "features, score" if last else "features"
        stages.append(
            Stage(
                f"worker: {names[number]} ({words})", shares, design.pipeline.workers, rules,
                profile.fetched, spread,
            )
        )  # fmt: skip
        brokers.append(False)
    return Plant(tuple(stages), tuple(brokers), profile.fetched)


def _broker(
    name: str, design: Design, profile: Profile, shares: Floats, passes: int, hop: float, seed: int
) -> Stage:
    """Return one pass through the brokers; every copy of an event is work for one of them."""
    ingest = design.ingest
    copies = min(3, ingest.brokers)
    rules = Rules(
        profile.append.call, profile.append.event * copies * passes, BROKER_BATCH, 0.0, np.inf, 0.0,
        np.inf, 1000 + seed,
    )  # fmt: skip
    return Stage(name, shares, ingest.brokers, rules, hop, profile.append.spread)


def _worker(
    design: Design, profile: Profile, columns: int, texts: float | None, last: bool, seed: int
) -> tuple[Rules, float]:
    """Return the rules of a stage of workers, and the spread of its batches.

    Events and their texts are looked at once: `texts` is None for later stages.
    """
    parts = [(profile.fetch, 1.0), (profile.decode, 1.0), (profile.send, 1.0)]
    if texts is not None:
        parts.append((profile.check, 1.0))
    if texts:
        parts.append((profile.text, texts))
    if columns:
        parts.append((profile.feature, float(columns)))
    if last:
        parts += [(profile.score, float(trees(design))), (profile.decide, 1.0)]
    else:
        parts.append((profile.encode, 1.0))
    return worker_rules(design, profile, parts, seed)


def texts_hashed(plan: FeaturePlan) -> float:
    """Return how many times the work on the words of one text an event is."""
    return sum(CHARACTERS if row.grams == "characters" else 1.0 for row in plan.hashed)


def worker_rules(
    design: Design, profile: Profile, parts: Sequence[tuple[CostLine, float]], seed: int
) -> tuple[Rules, float]:
    """Return how workers serve whose batches cost `parts`, lines with the times that each counts.

    The second value is the spread of a batch: a slow moment of the machine slows all its parts.
    """
    call = sum(line.call for line, _ in parts)
    event = sum(line.event * times for line, times in parts)
    typical = [line.call + line.event * times * TYPICAL for line, times in parts]
    noise = [cost * line.spread for cost, (line, _) in zip(typical, parts, strict=True)]
    pipeline = design.pipeline
    rules = Rules(
        call, event, pipeline.max_batch, pipeline.linger, profile.pause_every, profile.pause,
        pipeline.shed_after if pipeline.shed_after is not None else np.inf, seed,
        profile.cold,
    )  # fmt: skip
    return rules, sum(noise) / sum(typical)


def trees(design: Design) -> int:
    """Return how many trees an event is walked through; a linear model counts as one.

    Those that say how far off an estimate may be are counted where intervals are calibrated.
    """
    champion = design.model.champion.xgboost
    bags = BAGS if design.model.imbalance == "balanced_bagging" else 1
    of_spread = OF_SPREAD.trees if design.model.calibration == "conformal" else 0
    return champion.trees * bags + of_spread if champion else 1
