"""Capacity by arithmetic alone: how full a design is at its usual peak, and a month's bill."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.capacity.bill import make_bill
from sandbox.capacity.plant import build_plant
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.capacity import Prices, Profile
from sandbox.spec.design import Design
from sandbox.spec.scenario import Load

__all__ = ["Estimate", "estimate", "usual_peak"]


@dataclass(frozen=True)
class Estimate:
    """What `sandbox capacity` would say first."""

    peak: float
    """Events a second in the busiest hour of an ordinary week."""
    used: float
    """Load of the busiest worker at that peak over its capacity."""
    bottleneck: str
    """The stage of that worker."""
    cost: float
    """USD a month."""


def usual_peak(load: Load) -> float:
    """Return the events a second in the busiest hour of an ordinary week.

    Planned peaks and random surges come on top.
    """
    weekday = 7 / (5 + 2 * load.weekly.weekend)
    return load.mean * 2 * load.daily.ratio / (load.daily.ratio + 1) * max(weekday, 1.0)


def estimate(
    design: Design, plan: FeaturePlan, profile: Profile, prices: Prices, load: Load
) -> Estimate:
    """Hold a design against a scenario's load without carrying a single event."""
    peak = usual_peak(load)
    most, stage = build_plant(design, plan, profile).most()
    bill = make_bill(design, len(plan.stage_plans) or 1, load.mean, profile, prices)
    return Estimate(peak, peak / most, stage, sum(item.cost for item in bill))
