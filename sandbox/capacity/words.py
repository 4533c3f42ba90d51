"""What the numbers of a study say, in words."""

from __future__ import annotations

import math

from sandbox.capacity.plant import Plant
from sandbox.capacity.search import Enough
from sandbox.spec.design import Design
from sandbox.spec.units import format_duration

__all__ = ["LIMITS", "first_bottleneck", "say_verdict"]

LIMITS = (
    "Service times are those of the profile: one process on one core each. `sandbox calibrate` "
    "measures this machine's, `sandbox twin` holds the prediction against a running worker.",
    "Arrivals are a Poisson process at a steady rate: real traffic is burstier within a second.",
    "A batch that a lost worker had begun counts as done; in truth it is done again.",
    "Every pass through the brokers gets its part of their time; they do not queue for each other. "
    "Disks, page cache and network bandwidth have no limit of their own.",
    "A request that is repeated costs the full work again; the first answer counts.",
    "A rebalance stops the whole group; cooperative ones stop only what moves.",
    "Features cost by the number of columns, scores by the number of trees, whatever their kind.",
)


def first_bottleneck(plant: Plant, design: Design, rate: float) -> str:
    """Say which stage is full first, at which load, and why."""
    most, name = plant.most()
    load = next(load for load in plant.loads(most) if load.name == name)
    words = f"{name} is full first, at {most:,.0f} events/s"
    broker = name.startswith("broker")
    if load.mean < 0.9:
        words += (
            f": its busiest {'broker' if broker else 'worker'} is, while the mean is at "
            f"{load.mean:.0%}, because keys fill {design.ingest.partitions} partitions unevenly"
        )
        if not broker and load.workers < design.pipeline.workers:
            words += " and workers beyond the partitions stand idle"
        words += "; more partitions even that out"
    share = rate / most
    if share < 1.0:
        return f"{words}. The peak of {rate:,.0f} events/s is {share:.0%} of that."
    return f"{words}. The peak of {rate:,.0f} events/s is {share:.1f} times that."


def say_verdict(
    design: Design, plant: Plant, rate: float, objective: float, p99: float | None,
    enough: Enough | None,
) -> tuple[str, ...]:  # fmt: skip
    """Say whether the design keeps its objective at the peak, and what would."""
    said, goal = [], f"objective of {format_duration(objective)}"
    workers, partitions = design.pipeline.workers, design.ingest.partitions
    if p99 is None:
        most, name = plant.most()
        grows = rate - most
        short = [x for x in plant.loads(rate) if x.utilisation >= 1.0 and x.name == name]
        needs = max((x.enough(rate) for x in short), default=workers)
        what = "brokers" if name.startswith("broker") else "workers"
        said.append(
            f"Never catches up: at {rate:,.0f} events/s {name} falls behind by about "
            f"{grows:,.0f} events every second; needs >= {needs} {what} there."
        )
    elif math.isnan(p99):
        said.append("No event was decided.")
    else:
        kept = "keeps" if p99 <= objective else "misses"
        said.append(f"At {rate:,.0f} events/s p99 is {_time(p99)}: {kept} the {goal}.")
    if enough is None:
        said.append(
            f"No number of workers and partitions that was tried keeps the {goal}: hops, linger "
            "and single batches take longer."
        )
        return tuple(said)
    sizes = (
        f"{_count(enough.workers, 'worker')} a stage, {_count(enough.partitions, 'partition')}, "
        f"{_count(enough.brokers, 'broker')}"
    )
    said.append(
        f"Enough: {sizes} (p99 {_time(enough.p99)}); the design has {workers}, {partitions} and "
        f"{design.ingest.brokers}."
    )
    return tuple(said)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _time(seconds: float) -> str:
    return format_duration(float(f"{seconds:.3g}"))
