"""What happens to a plant when something changes."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.capacity.faults import parse_fault
from sandbox.capacity.plant import build_plant
from sandbox.capacity.simulation import Played, Trial, play
from sandbox.simulate.histogram import quantiles
from sandbox.spec.capacity import Profile
from tests.capacity.conftest import Fraud

RATE = 20_000.0
SMALL = ("pipeline.workers=2", "ingest.partitions=12")


def played(
    fraud: Fraud, profile: Profile, *faults: str, overrides: tuple[str, ...] = (),
    length: float = 30.0, rate: float = RATE,
) -> Played:  # fmt: skip
    prepared = fraud(*SMALL, *overrides)
    plant = build_plant(prepared.design, prepared.plan, profile)
    asked = tuple(parse_fault(text, 5.0, 5.0) for text in faults)
    return play(plant, prepared.design, profile, Trial(rate, length, asked, buckets=30))


def p99(result: Played, first: int = 0, last: int | None = None) -> float:
    return float(quantiles(result.histogram[first:last].sum(axis=0), (0.99,))[0])


def conserved(result: Played) -> None:
    """Every event was decided, shed, or still waits or is on its way."""
    left = result.arrived.sum() - result.histogram.sum() - result.shed.sum()
    assert 0 <= left <= result.lag[:, -1].sum() + 0.1 * RATE


def test_a_calm_plant_keeps_its_latency(fraud: Fraud, profile: Profile) -> None:
    calm = played(fraud, profile)
    conserved(calm)
    assert p99(calm, 5, 15) == pytest.approx(p99(calm, 15, 29), rel=0.1)


@pytest.mark.parametrize(
    "fault",
    ["worker_loss", "outage", "broker_loss=2", "zone_loss", "slow_model=60", "load_spike=3",
     "slow_dependency=0.05", "broker_slow=30", "hot_key=0.9", "retraining=0.8", "rebalance"],
)  # fmt: skip
def test_every_fault_hurts_while_it_lasts_and_passes(
    fraud: Fraud, profile: Profile, fault: str
) -> None:
    result = played(fraud, profile, f"{fault}@5s/5s", length=60.0)
    conserved(result)
    calm, during, after = p99(result, 0, 2), p99(result, 2, 6), p99(result, 25, 29)
    assert during > 1.3 * calm
    assert after < 1.3 * calm


def test_an_outage_loses_nothing_and_drains_at_the_spare_rate(
    fraud: Fraud, profile: Profile
) -> None:
    result = played(fraud, profile, "outage@5s/10s", length=60.0)
    total = result.lag.sum(axis=0)
    waiting = float(total.max())
    # Nothing was served from 5 s until 3 s of rebalance after 15 s.
    assert waiting == pytest.approx(13.0 * RATE, rel=0.05)
    assert total[-1] < 0.02 * waiting
    conserved(result)


def test_shedding_answers_late_events_by_the_fallback(fraud: Fraud, profile: Profile) -> None:
    kept = played(fraud, profile, "outage@5s/10s")
    shed = played(fraud, profile, "outage@5s/10s", overrides=("pipeline.shed_after=1s",))
    assert kept.shed.sum() == 0 < shed.shed.sum()
    assert shed.lag.sum(axis=0)[-1] < kept.lag.sum(axis=0).max() / 10
    conserved(shed)


def test_retries_make_an_overload_worse(fraud: Fraud, profile: Profile) -> None:
    calm = played(fraud, profile, "outage@5s/5s")
    storm = played(
        fraud, profile, "outage@5s/5s", overrides=("ingest.timeout=1s", "ingest.retries=2")
    )
    assert calm.repeated == 0 < storm.repeated
    assert storm.lag.sum(axis=0).max() > calm.lag.sum(axis=0).max()


def test_autoscaling_adds_workers_under_a_spike_and_takes_them_back(
    fraud: Fraud, profile: Profile
) -> None:
    rule = "pipeline.autoscale={every: 2s, delay: 3s, cooldown: 5s, most: 8, target: 50%}"
    result = played(fraud, profile, "load_spike=2@5s/15s", overrides=(rule,), length=60.0)
    sizes = [size for _, size in result.workers]
    assert sizes[0] == 2 and max(sizes) > 2
    assert sizes[-1] < max(sizes)


def test_the_same_seed_plays_the_same(fraud: Fraud, profile: Profile) -> None:
    one, two = (played(fraud, profile, "worker_loss") for _ in range(2))
    assert np.array_equal(one.histogram, two.histogram)
    assert np.array_equal(one.lag, two.lag)


def test_an_impossible_load_ends_early_and_says_so(
    fraud: Fraud, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.simulate.network_stage.MOST_QUEUED", 100_000)
    result = played(fraud, profile, rate=500_000.0)
    assert "more events wait" in result.overflow
