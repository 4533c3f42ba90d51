"""What formulas may name: the scenario, the design so far, what it can carry, stated numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.capacity.bill import make_bill
from sandbox.capacity.estimate import usual_peak
from sandbox.capacity.files import REFERENCE, load_prices, load_profile
from sandbox.capacity.plant import build_plant, texts_hashed
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.capacity import Prices, Profile
from sandbox.spec.design import Design
from sandbox.spec.scenario import Scenario

__all__ = ["Shipped", "names_for", "shipped"]


@dataclass(frozen=True)
class Shipped:
    """What work costs on the reference machine, and what machines cost."""

    profile: Profile
    prices: Prices


def shipped() -> Shipped:
    """Read the costs that come with the package: the same on every machine."""
    return Shipped(load_profile(REFERENCE, None)[0], load_prices(None))


def names_for(
    scenario: Scenario,
    design: Design,
    own: Mapping[str, float],
    figures: Mapping[str, float],
    costs: Shipped,
) -> Mapping[str, object]:
    """Return the names of formulas and what they stand for.

    ======== ====================================================================================
    scenario ``scenario.yaml``, such as ``scenario.load.mean`` [events/s]
    design   the candidate's design as it is by then, ``design.ingest.partitions``
    own      the candidate's own numbers: an error is carried forward, not counted twice
    figures  numbers that the interview names, ``figures.base_rate``
    profile  the shipped costs of work, ``profile.event_bytes``
    prices   the shipped prices
    capacity ``peak`` [events/s in the busiest hour of an ordinary week], ``worker_rate``
             [events/s that one worker of the slowest stage carries], ``most`` [events/s at which
             the first worker is full], ``stages`` (keyed ones), ``topics``, ``columns`` (features
             a model sees), ``texts`` (hashing an event, in times of hashing the words of one text),
             ``cost`` [USD a month]
    ======== ====================================================================================
    """
    profile, prices = costs.profile, costs.prices
    plan = FeaturePlan.compile(
        design.features, scenario.event, design.ingest.key,
        allowed_lateness=design.pipeline.allowed_lateness, clean=design.clean,
    )  # fmt: skip
    plant = build_plant(design, plan, profile)
    workers = [s for s, broker in zip(plant.loads(1.0), plant.brokers, strict=True) if not broker]
    stages = len(plan.stage_plans) or 1
    bill = make_bill(design, stages, scenario.load.mean, profile, prices)
    capacity = {
        "peak": usual_peak(scenario.load),
        "worker_rate": min(stage.full_rate for stage in workers),
        "most": plant.most()[0],
        "stages": float(stages),
        "topics": float(stages + 1),
        "columns": float(len(plan.names)),
        "texts": texts_hashed(plan),
        "cost": sum(item.cost for item in bill),
    }
    return {
        "scenario": scenario, "design": design, "own": own, "figures": figures, "profile": profile,
        "prices": prices, "capacity": capacity,
    }  # fmt: skip
