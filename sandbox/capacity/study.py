"""A whole study of a design's capacity: how busy, how late, what breaks first, enough, the bill."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.capacity.bill import Item, make_bill
from sandbox.capacity.faults import Fault
from sandbox.capacity.plant import Plant, StageLoad, build_plant
from sandbox.capacity.search import EVENTS, SETTLING, Enough, find_enough, resized
from sandbox.capacity.simulation import Played, Trial, play
from sandbox.capacity.words import LIMITS, first_bottleneck, say_verdict
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.simulate.histogram import quantiles, share_below
from sandbox.spec.capacity import Prices, Profile
from sandbox.spec.design import Design

__all__ = ["SHARES", "Asked", "CapacityRecord", "Drain", "Latency", "StageRow", "run_study"]

SHARES = (0.5, 0.95, 0.99, 0.999)
CALM = 1.5
"""A backlog has drained when it stays below this multiple of the largest one before the fault."""
LEAST_CALM = 50.0
MOST_EVENTS = 1e8
"""Trials with faults are made longer up to so many events."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What is to be found out."""

    scenario: str
    design_name: str
    mean_rate: float
    """Events a second over a week."""
    rate: float
    """Events a second at the peak; what the plant is held against."""
    objective: float
    """p99 of event-to-decision time [s] that is wanted."""
    budget: float
    """Time after which the fallback answers [s]."""
    length: float
    """Of the trial with faults [s]."""
    faults: tuple[Fault, ...]
    seed: int
    profile_name: str


@dataclass(frozen=True)
class StageRow:
    """A stage at the peak."""

    name: str
    workers: int
    utilisation: float
    """Load of the busiest worker over its capacity."""
    busy: float | None
    """Share of their time that workers are busy; None where it was not played."""
    max_lag: int | None
    """Most events that waited at once."""
    enough: int
    """Workers that would keep up with an even load."""


@dataclass(frozen=True)
class Latency:
    """Event-to-decision times of some span, and how many events were answered."""

    quantiles: tuple[float, ...]
    """[s] at `SHARES`."""
    answered: float
    """Share of the events decided within the budget; what waited at the end counts as late."""


@dataclass(frozen=True)
class Drain:
    """What faults did."""

    max_lag: int
    seconds: float | None
    """From the end of the last fault until the backlog was gone; None if it never was."""
    played: float
    """Length of the trial [s]."""
    repeated: int
    """Requests that callers repeated."""
    shed: int
    """Events left to the fallback on purpose."""


@dataclass(frozen=True)
class CapacityRecord:
    """The study, as plain data."""

    asked: Asked
    profile: Profile
    prices: Prices
    stages: tuple[StageRow, ...]
    most: float
    """Events a second at which the first worker is full."""
    bottleneck: str
    steady: Latency | None
    """None where the load is beyond capacity."""
    under_fault: Latency | None
    drain: Drain | None
    enough: Enough | None
    bill: tuple[Item, ...]
    bill_enough: tuple[Item, ...]
    verdict: tuple[str, ...]
    limits: tuple[str, ...]
    played: Played | None
    """The trial with faults, or the steady one."""

    @property
    def keeps_up(self) -> bool:
        """Whether the load is below capacity at every worker."""
        return self.most > self.asked.rate

    def summary(self) -> dict[str, Any]:
        """Return what goes into ``capacity.json``."""
        plain: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "played":
                continue
            if field.name in ("profile", "prices"):
                plain[field.name] = value.model_dump(mode="json")
            else:
                plain[field.name] = _plain(value)
        plain["keeps_up"] = self.keeps_up
        plain["cost_a_month"] = sum(item.cost for item in self.bill)
        plain["latency_shares"] = list(SHARES)
        return plain


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def run_study(
    design: Design, plan: FeaturePlan, profile: Profile, prices: Prices, asked: Asked, tell: Tell,
    progress: Callable[[float], None] = lambda share: None,
) -> CapacityRecord:  # fmt: skip
    """Find out everything that was asked about a design."""
    plant = build_plant(design, plan, profile)
    loads = plant.loads(asked.rate)
    most, _ = plant.most()
    fits = max(load.utilisation for load in loads) < 1.0
    steady = played = None
    if fits:
        tell("the peak, every event carried")
        played = _play_steady(plant, design, profile, asked, progress)
        steady = _latency(played, asked.budget, round(SETTLING * len(played.time)), -1)
    under_fault = drain = None
    if asked.faults:
        tell("the faults, every event carried")
        troubled, drain = _play_faults(plant, design, profile, asked, fits, progress)
        under_fault = _latency(troubled, asked.budget, 0, None)
    tell("enough workers and partitions")
    enough = find_enough(design, plan, profile, asked.rate, asked.objective, tell)
    keyed = len(plan.stage_plans) or 1
    bill = make_bill(design, keyed, asked.mean_rate, profile, prices)
    wanted = design
    if enough:
        wanted = resized(design, enough.workers, enough.partitions, enough.brokers)
    rows = _rows(loads, played, asked.rate)
    return CapacityRecord(
        asked=asked, profile=profile, prices=prices, stages=rows, most=most,
        bottleneck=first_bottleneck(plant, design, asked.rate), steady=steady,
        under_fault=under_fault, drain=drain, enough=enough, bill=tuple(bill),
        bill_enough=tuple(make_bill(wanted, keyed, asked.mean_rate, profile, prices)),
        verdict=say_verdict(design, plant, asked.rate, asked.objective, steady_p99(steady), enough),
        limits=LIMITS, played=troubled if asked.faults else played,
    )  # fmt: skip


def steady_p99(steady: Latency | None) -> float | None:
    """Return the 99th percentile [s], if there is one."""
    return steady.quantiles[2] if steady else None


def _play_steady(
    plant: Plant, design: Design, profile: Profile, asked: Asked, progress: Callable[[float], None]
) -> Played:
    """Play the peak until rare things have happened: a million events, and some pauses."""
    length = min(max(6 * EVENTS / asked.rate, 60.0), 300.0)
    return play(plant, design, profile, Trial(asked.rate, length, seed=asked.seed), progress)


def _play_faults(
    plant: Plant, design: Design, profile: Profile, asked: Asked, fits: bool,
    progress: Callable[[float], None],
) -> tuple[Played, Drain]:  # fmt: skip
    """Play the faults; longer and longer as long as the backlog may still go away."""
    length = asked.length
    while True:
        trial = Trial(asked.rate, length, asked.faults, seed=asked.seed)
        played = play(plant, design, profile, trial, progress)
        drain = _drain(played, asked.faults)
        over = drain.seconds is not None or played.overflow or not fits
        if over or 2 * length * asked.rate > MOST_EVENTS:
            return played, drain
        length *= 2


def _latency(played: Played, budget: float, first: int, last: int | None) -> Latency:
    counted = played.histogram[first:last].sum(axis=0)
    came = int(played.arrived[first:last].sum())
    within = share_below(counted, budget) * int(counted.sum()) if counted.any() else 0.0
    return Latency(
        tuple(float(q) for q in quantiles(counted, SHARES)), min(within / max(came, 1), 1.0)
    )


def _drain(played: Played, faults: Sequence[Fault]) -> Drain:
    total = played.lag.sum(axis=0)
    start, end = min(f.start for f in faults), max(f.end for f in faults)
    before = total[played.lag_time <= start]
    calm = max(CALM * float(before.max(initial=0.0)), LEAST_CALM)
    high = np.flatnonzero(total > calm)
    last = float(played.lag_time[high[-1]]) if len(high) else end
    over = len(high) == 0 or high[-1] + 1 < len(total)
    seconds = max(last - end, 0.0) if over and not played.overflow else None
    length = float(played.lag_time[-1]) if len(played.lag_time) else 0.0
    lag = int(total.max(initial=0.0))
    return Drain(lag, seconds, length, played.repeated, int(played.shed.sum()))


def _rows(loads: Sequence[StageLoad], played: Played | None, rate: float) -> tuple[StageRow, ...]:
    rows = []
    for place, load in enumerate(loads):
        settled = slice(round(SETTLING * played.busy.shape[1]), None) if played else slice(0)
        rows.append(
            StageRow(
                load.name, load.workers, load.utilisation,
                float(played.busy[place, settled].mean()) if played else None,
                int(played.lag[place].max()) if played else None,
                load.enough(rate),
            )
        )  # fmt: skip
    return tuple(rows)
