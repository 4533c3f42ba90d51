from __future__ import annotations

import pytest

from sandbox.capacity.bill import make_bill
from sandbox.capacity.estimate import estimate, usual_peak
from sandbox.capacity.plant import build_plant, trees
from sandbox.spec.capacity import Prices, Profile
from tests.capacity.conftest import Fraud


def test_stages_come_in_the_order_events_pass_them(fraud: Fraud, profile: Profile) -> None:
    prepared = fraud()
    plant = build_plant(prepared.design, prepared.plan, profile)
    assert [stage.name.partition(":")[0] for stage in plant.stages] == [
        "broker", "worker", "broker", "worker", "broker",
    ]  # fmt: skip
    assert plant.brokers == (True, False, True, False, True)


def test_twice_the_workers_carry_twice_the_load(fraud: Fraud, profile: Profile) -> None:
    even = profile.model_copy(update={"effective_keys": 1e9})
    found = []
    for workers in (2, 4):
        prepared = fraud(f"pipeline.workers={workers}", "ingest.brokers=100")
        found.append(build_plant(prepared.design, prepared.plan, even).most()[0])
    assert found[1] == pytest.approx(2 * found[0], rel=1e-4)


def test_workers_beyond_the_partitions_carry_nothing(fraud: Fraud, profile: Profile) -> None:
    found = []
    for workers in (3, 30):
        prepared = fraud(f"pipeline.workers={workers}", "ingest.partitions=3")
        plant = build_plant(prepared.design, prepared.plan, profile)
        found.append(plant.most()[0])
        assert {load.workers for load in plant.loads(1.0)} == {3}
    assert found[0] == pytest.approx(found[1])


def test_trees_are_counted_with_their_bags(fraud: Fraud) -> None:
    one = trees(fraud("model.imbalance=none").design)
    assert trees(fraud("model.imbalance=balanced_bagging").design) > one
    assert trees(fraud("model.champion={logistic_regression: {}}").design) == 1


def test_a_slow_answer_from_all_replicas_costs_latency_and_no_capacity(
    fraud: Fraud, profile: Profile
) -> None:
    plants = []
    for acks in ("0", "all"):
        prepared = fraud(f"ingest.acks={acks}")
        plants.append(build_plant(prepared.design, prepared.plan, profile))
    assert plants[0].most() == plants[1].most()
    assert plants[0].stages[0].hop < plants[1].stages[0].hop


def test_the_bill_adds_up_and_grows_with_what_it_counts(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    prepared = fraud()
    bill = {i.name: i for i in make_bill(prepared.design, 2, 2000.0, profile, prices)}
    assert bill["workers"].amount == prepared.design.pipeline.workers * 2 * 730
    gigabytes = 2000.0 * profile.event_bytes * 7 * 86400 / 1e9 * 3 * 3
    assert bill["log storage"].amount == pytest.approx(gigabytes)
    alone = fraud("ingest.brokers=1", "pipeline.zones=1")
    small = {i.name: i for i in make_bill(alone.design, 2, 2000.0, profile, prices)}
    assert small["traffic between zones"].cost == 0.0
    assert small["log storage"].amount == pytest.approx(gigabytes / 3)


def test_the_estimate_is_held_against_the_usual_peak(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    prepared = fraud()
    load = prepared.scenario.load
    found = estimate(prepared.design, prepared.plan, profile, prices, load)
    most, stage = build_plant(prepared.design, prepared.plan, profile).most()
    assert load.mean < usual_peak(load) < 3 * load.mean
    assert (found.used, found.bottleneck) == (usual_peak(load) / most, stage)
    tight = fraud("pipeline.workers=1")
    assert estimate(tight.design, tight.plan, profile, prices, load).used > 3 * found.used
