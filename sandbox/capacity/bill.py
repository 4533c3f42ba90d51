"""What a design costs a month, item by item."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.spec.capacity import Prices, Profile
from sandbox.spec.design import Design

__all__ = ["HOURS", "Item", "make_bill"]

HOURS = 730.0
"""Of a month."""
TRAINING_HOURS = 1.0
"""A training job takes as long."""
ALERTS = 1.0
"""Training jobs a month that alerts ask for, by assumption."""
SECONDS = HOURS * 3600.0


@dataclass(frozen=True)
class Item:
    """One line of a bill."""

    name: str
    amount: float
    unit: str
    price: float
    """USD a unit."""

    @property
    def cost(self) -> float:
        """USD a month."""
        return self.amount * self.price


def make_bill(
    design: Design, keyed_stages: int, rate: float, profile: Profile, prices: Prices
) -> list[Item]:
    """Return the bill of a month at a mean rate [events/s].

    Every stage has its own workers and writes its own topic; decisions are a topic too. Copies lie
    in different zones, and a consumer's partition does so in all but one zone of `zones`.
    """
    ingest, pipeline = design.ingest, design.pipeline
    copies, topics = min(3, ingest.brokers), keyed_stages + 1
    gigabytes = rate * profile.event_bytes / 1e9
    kept = gigabytes * ingest.retention * copies * topics
    away = (pipeline.zones - 1) / pipeline.zones
    moved = gigabytes * SECONDS * topics * ((copies - 1) * (pipeline.zones > 1) + away)
    return [
        Item("workers", pipeline.workers * keyed_stages * HOURS, "h", prices.worker_hour),
        Item("brokers", ingest.brokers * HOURS, "h", prices.broker_hour),
        Item("log storage", kept, "GB", prices.storage_gb_month),
        Item("traffic between zones", moved, "GB", prices.cross_zone_gb),
        Item("training", _jobs(design) * TRAINING_HOURS, "h", prices.training_hour),
    ]


def _jobs(design: Design) -> float:
    """Return training jobs a month; every trigger that waits for an alert counts as `ALERTS`."""
    when = design.retraining.when
    return sum(HOURS * 3600.0 / w.every if w.every else ALERTS for w in when)
