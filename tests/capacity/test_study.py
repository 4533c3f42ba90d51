from __future__ import annotations

import json

import pytest

from sandbox.capacity.faults import parse_fault
from sandbox.capacity.study import Asked, CapacityRecord, run_study
from sandbox.report.capacity import capacity_html, fault_words
from sandbox.spec.capacity import Prices, Profile
from tests.capacity.conftest import Fraud


def study(
    fraud: Fraud, profile: Profile, prices: Prices, rate: float, *faults: str,
    overrides: tuple[str, ...] = (), objective: float = 0.1,
) -> CapacityRecord:  # fmt: skip
    prepared = fraud(*overrides)
    asked = Asked(
        "fraud", "reference", rate, rate, objective, 0.2, 30.0,
        tuple(parse_fault(text, 6.0, 6.0) for text in faults), 7, "test",
    )  # fmt: skip
    return run_study(prepared.design, prepared.plan, profile, prices, asked, lambda text: None)


def test_a_design_with_room_keeps_its_objective(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    record = study(fraud, profile, prices, 3_000.0, "worker_loss")
    assert record.keeps_up and record.steady is not None and record.drain is not None
    assert "keeps the objective" in record.verdict[0]
    assert record.drain.seconds is not None
    assert "gone" in " ".join(fault_words(record))
    plain = json.loads(json.dumps(record.summary()))
    assert plain["cost_a_month"] == pytest.approx(sum(i.cost for i in record.bill))
    assert "<h1>" in capacity_html(record)


def test_overload_for_ever_gets_a_verdict_instead_of_a_hang(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    record = study(fraud, profile, prices, 400_000.0)
    assert record.steady is None and not record.keeps_up
    assert "Never catches up" in record.verdict[0] and "needs >= " in record.verdict[0]
    assert record.enough is not None and record.enough.workers > 4
    assert capacity_html(record)


def test_enough_is_enough_and_one_less_is_not(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    record = study(fraud, profile, prices, 120_000.0)
    enough = record.enough
    assert enough is not None and enough.workers > 1
    sizes = (f"ingest.partitions={enough.partitions}", f"ingest.brokers={enough.brokers}")
    kept = study(
        fraud, profile, prices, 120_000.0, overrides=(*sizes, f"pipeline.workers={enough.workers}")
    )
    assert kept.steady is not None and kept.steady.quantiles[2] <= 0.1
    less = study(
        fraud, profile, prices, 120_000.0,
        overrides=(*sizes, f"pipeline.workers={enough.workers - 1}"),
    )  # fmt: skip
    assert less.steady is None or less.steady.quantiles[2] > 0.1


def test_an_objective_below_the_hops_is_said_to_be_out_of_reach(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    record = study(fraud, profile, prices, 3_000.0, objective=0.001)
    assert record.enough is None
    assert "misses" in record.verdict[0] and "No number of workers" in record.verdict[1]


def test_a_trial_grows_until_the_backlog_is_gone(
    fraud: Fraud, profile: Profile, prices: Prices
) -> None:
    record = study(fraud, profile, prices, 80_000.0, "outage@20s/9s")
    assert record.drain is not None
    assert record.drain.played > 30.0 and record.drain.seconds is not None
