from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sandbox.simulate.kernels import LATENCY_EDGES, BatchServer, full_rate, serve_batches
from sandbox.simulate.profile import REFERENCE
from sandbox.simulate.stack import (
    BUCKET,
    StackModel,
    StackSample,
    latency_quantile,
    partition_shares,
)
from sandbox.spec.design import Ingest, Pipeline
from sandbox.spec.incidents import StackFault

Floats = NDArray[np.float64]
Kind = Literal["load_spike", "worker_loss", "slow_model", "broker_slow"]
HOUR = 3600.0
EVEN = replace(REFERENCE, effective_keys=1e12)
FEATURES = full_rate(BatchServer(REFERENCE.feature_call, REFERENCE.feature_event, 500, 0.005))
WORKER = full_rate(BatchServer(REFERENCE.score_call, REFERENCE.score_event, 500, 0.005))


def stack(partitions: int = 12, stages: int = 2, even: bool = False, **pipeline: Any) -> StackModel:
    return StackModel(
        Ingest(partitions=partitions),
        Pipeline(**pipeline),
        stages,
        np.random.default_rng(1),
        EVEN if even else REFERENCE,
    )


def steady(load: float) -> Callable[[Floats], Floats]:
    return lambda times: np.full(len(times), load)


def fault(kind: Kind, factor: float = 3.0, workers: int = 1) -> StackFault:
    return StackFault(kind=kind, factor=factor, workers=workers, at=0)


def all_events(load: float, workers: int, seconds: float) -> Floats:
    """Latencies of a tandem of two stages, every event and every worker carried exactly."""
    rng = np.random.default_rng(3)
    born = np.sort(rng.uniform(0, seconds, rng.poisson(load * seconds)))
    time = born.copy()
    for stage, (call, event) in enumerate(zip(*REFERENCE.stages(2), strict=True)):
        time += REFERENCE.hop
        shares = partition_shares(12, REFERENCE.effective_keys, stage)
        worker = rng.choice(12, len(time), p=shares) % workers
        for number in range(workers):
            rows = np.flatnonzero(worker == number)
            rows = rows[np.argsort(time[rows], kind="stable")]
            departures = np.empty(len(rows))
            server = BatchServer(float(call), float(event), 500, 0.005)
            serve_batches(time[rows], server, 0.0, np.inf, departures)
            time[rows] = departures
    settled = (born > 0.1 * seconds) & (born < 0.95 * seconds)
    return (time + REFERENCE.hop - born)[settled]


@pytest.mark.parametrize("load", [2000.0, 16000.0, 24000.0, 30000.0])
def test_latencies_agree_with_every_event_carried(load: float) -> None:
    exact = np.quantile(all_events(load, workers=4, seconds=max(8.0, 80_000 / load)), [0.5, 0.99])
    sample = stack(workers=4).advance(0.0, 24 * HOUR, steady(load))
    modelled = [latency_quantile(sample.histogram, share) for share in (0.5, 0.99)]
    np.testing.assert_allclose(modelled, exact, rtol=0.06)


def test_the_comparison_notices_another_stack() -> None:
    exact = np.quantile(all_events(24000.0, workers=4, seconds=4.0), 0.99)
    sample = stack(workers=6).advance(0.0, 24 * HOUR, steady(24000.0))
    assert latency_quantile(sample.histogram, 0.99) != pytest.approx(exact, rel=0.06)


def test_the_reference_design_is_quick_on_an_ordinary_day() -> None:
    sample = stack().advance(0.0, 24 * HOUR, steady(3200.0))
    assert sample.p99.max() < 0.05
    assert sample.answered.min() == 1.0
    assert sample.lag.max() < 100
    assert sample.events == pytest.approx(3200 * 24 * HOUR)


def test_overload_builds_lag_that_must_drain() -> None:
    model, capacity = stack(even=True), 4 * WORKER
    up = model.advance(0.0, HOUR, steady(1.25 * capacity))
    assert model.backlog == pytest.approx(0.25 * capacity * HOUR, rel=1e-6)
    np.testing.assert_allclose(np.diff(up.lag), 0.25 * capacity * BUCKET, rtol=1e-3)
    middle = 0.25 * (np.arange(6) + 0.5) * BUCKET  # backlog over capacity, mid-bucket
    np.testing.assert_allclose(up.p50, middle, rtol=0.02)
    assert up.answered.max() < 0.05
    down = model.advance(HOUR, 2 * HOUR, steady(0.5 * capacity))
    drained = 0.25 * HOUR / 0.5
    assert down.answered[int(drained // BUCKET) + 1 :].min() == 1.0
    assert down.p99[0] > 600.0 > 0.1 > down.p99[-1]
    assert model.backlog == 0.0


def test_the_slow_stage_is_the_one_that_lags() -> None:
    model = stack(even=True)
    model.set_fault("model", fault("slow_model", factor=10.0), at=0.0)
    sample = model.advance(0.0, HOUR, steady(6000.0))
    assert sample.utilisation[0].max() < 0.2
    assert sample.utilisation[1].min() == pytest.approx(6000.0 * 10 / (4 * WORKER))
    assert model.backlog == pytest.approx((6000.0 - 4 * WORKER / 10) * HOUR, rel=1e-6)


def test_a_fault_acts_between_its_times_only() -> None:
    model = stack()
    model.set_fault("hop", fault("broker_slow", factor=11.0), at=2 * BUCKET + 150.0)
    model.clear_fault("hop", at=4 * BUCKET)
    p50 = model.advance(0.0, 6 * BUCKET, steady(2000.0)).p50
    assert p50[3] - p50[0] == pytest.approx(3 * 10 * REFERENCE.hop, rel=0.05)
    np.testing.assert_allclose(p50[[1, 4, 5]], p50[0], rtol=0.05)
    assert p50[2] == pytest.approx(p50[3], rel=0.05)  # three quarters of the bucket


def test_a_load_spike_is_in_the_load() -> None:
    model = stack()
    model.set_fault("sale", fault("load_spike"), at=300.0)
    assert model.load_factor(np.array([299.0, 300.0])).tolist() == [1.0, 3.0]
    sample = model.advance(0.0, 2 * BUCKET, steady(1000.0))
    np.testing.assert_allclose(sample.load, [2000.0, 3000.0])
    assert model.faults == ("sale",)


def test_losing_a_worker_stops_everybody_for_a_rebalance() -> None:
    model = stack(even=True)
    model.set_fault("loss", fault("worker_loss"), at=60.0)
    before = model.advance(0.0, 60.0, steady(4000.0))
    pause = model.advance(60.0, 60.0 + REFERENCE.rebalance, steady(4000.0))
    assert model.backlog == pytest.approx(4000.0 * REFERENCE.rebalance)
    catch_up = 4000.0 * REFERENCE.rebalance / 2 / (3 * FEATURES)
    assert pause.p50[0] == pytest.approx(REFERENCE.rebalance / 2 + catch_up, rel=0.03)
    after = model.advance(63.0, BUCKET, steady(4000.0))
    assert model.backlog == 0.0
    np.testing.assert_allclose(after.utilisation[0], before.utilisation[0] * 4 / 3, rtol=1e-5)


def test_a_rebalance_keeps_the_backlog() -> None:
    model = stack()
    model.advance(0.0, HOUR, steady(60_000.0))
    before = model.backlog
    model.set_fault("loss", fault("worker_loss", workers=2), at=HOUR)
    model.advance(HOUR, HOUR + 2.0, steady(1000.0))
    assert model.backlog == pytest.approx(before + 2 * 1000.0)


def test_without_workers_nothing_moves_until_they_return() -> None:
    model = stack(workers=2)
    model.set_fault("zone", fault("worker_loss", workers=2), at=0.0)
    dark = model.advance(0.0, HOUR, steady(1000.0))
    assert model.backlog == pytest.approx(1000.0 * HOUR)
    assert dark.answered.max() == pytest.approx(0.0, abs=1e-9)
    assert (dark.p50 > 0.9 * LATENCY_EDGES[-1]).all()
    model.clear_fault("zone", at=HOUR)
    light = model.advance(HOUR, 2 * HOUR, steady(1000.0))
    assert model.backlog == 0.0
    assert light.answered[-1] == 1.0


def test_training_on_the_same_machines_slows_them() -> None:
    calm, busy = stack(), stack()
    busy.background(0.5, at=0.0)
    first = calm.advance(0.0, HOUR, steady(8000.0))
    second = busy.advance(0.0, HOUR, steady(8000.0))
    np.testing.assert_allclose(second.utilisation, 2 * first.utilisation)
    assert (second.p99 > 1.1 * first.p99).all()
    busy.background(0.0, at=HOUR)
    third = busy.advance(HOUR, 2 * HOUR, steady(8000.0))
    np.testing.assert_allclose(third.utilisation, first.utilisation)


def test_workers_beyond_the_partitions_idle() -> None:
    some, many = stack(workers=12), stack(workers=40)
    one = some.advance(0.0, HOUR, steady(30_000.0))
    other = many.advance(0.0, HOUR, steady(30_000.0))
    np.testing.assert_array_equal(one.p99, other.p99)


def test_unevenly_dealt_partitions_load_one_worker_more() -> None:
    four = stack(workers=4, even=True).advance(0.0, BUCKET, steady(9000.0)).utilisation
    five = stack(workers=5, even=True).advance(0.0, BUCKET, steady(9000.0)).utilisation
    np.testing.assert_allclose(five, four, rtol=1e-5)  # three of twelve partitions either way


def test_no_load_no_latency() -> None:
    sample = stack().advance(0.0, HOUR, steady(0.0))
    assert np.isnan(sample.p99).all()
    assert sample.answered.tolist() == [1.0] * 6
    assert sample.events == 0.0


def test_a_last_bucket_may_be_short() -> None:
    sample = stack().advance(-BUCKET, 90.0, steady(100.0))
    assert sample.time.tolist() == [-BUCKET, 0.0]
    np.testing.assert_allclose(sample.load, 100.0)
    assert sample.events == pytest.approx(100.0 * 690.0)


def test_designs_meet_the_same_luck_however_the_run_is_cut() -> None:
    def rates(times: Floats) -> Floats:
        return np.asarray(5000.0 + 4000.0 * np.sin(times / 9000.0))

    whole = stack().advance(0.0, 6 * HOUR, rates)
    model = stack()
    parts = [model.advance(k * HOUR, (k + 1) * HOUR, rates) for k in range(6)]
    for name in ("load", "lag", "p50", "p99", "answered"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(joined, getattr(whole, name))
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    StackModel(Ingest(partitions=3), Pipeline(workers=1), 1, one)
    StackModel(Ingest(), Pipeline(), 2, other).advance(0.0, HOUR, rates)
    assert one.random() == other.random()


def test_big_batches_and_long_lingers_stay_cheap_and_sane() -> None:
    sample = stack(max_batch=100_000, linger=10.0, workers=1).advance(0.0, HOUR, steady(4000.0))
    assert 20.0 < sample.p99.min() <= sample.p99.max() < 60.0  # two stages, 10 s and more each


faults = st.tuples(
    st.sampled_from(["load_spike", "worker_loss", "slow_model", "broker_slow"]),
    st.floats(0.1, 20.0),
    st.integers(1, 5),
    st.floats(0.0, 2 * HOUR),
)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.001, 80_000.0),
    st.lists(faults, max_size=4),
    st.integers(1, 3),
    st.integers(1, 20),
    st.integers(1, 700),
)
def test_whatever_happens_the_numbers_stay_numbers(
    load: float,
    happening: list[tuple[Kind, float, int, float]],
    stages: int,
    workers: int,
    max_batch: int,
) -> None:
    model = stack(stages=stages, workers=workers, max_batch=max_batch)
    for number, (kind, factor, lost, at) in enumerate(happening):
        model.set_fault(str(number), fault(kind, factor, lost), at)
    sample: StackSample = model.advance(0.0, 2 * HOUR, steady(load))
    assert np.isfinite(sample.lag).all() and (sample.lag >= 0).all()
    assert (sample.answered >= 0).all() and (sample.answered <= 1).all()
    assert sample.lag[-1] >= model.backlog * (1 - 1e-9) - 1e-6
    assert sample.events == pytest.approx(float(sample.load.sum()) * BUCKET, rel=1e-9)
    assert (sample.p50 <= sample.p99).all()
    assert (sample.p50 > 0).all()


@pytest.mark.parametrize("partitions", [1, 2, 7, 100])
def test_partition_shares(partitions: int) -> None:
    shares = partition_shares(partitions, effective_keys=1000.0)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() > 0
    spread = np.sqrt((partitions - 1) / 1000.0)
    assert shares.std() * partitions == pytest.approx(spread, rel=0.01)


def test_programming_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one stage"):
        stack(stages=0)
    model = stack()
    model.advance(0.0, HOUR, steady(1.0))
    with pytest.raises(ValueError, match="cannot go"):
        model.advance(0.0, HOUR, steady(1.0))
    with pytest.raises(ValueError, match="cannot change"):
        model.set_fault("late", fault("load_spike"), at=10.0)
    with pytest.raises(ValueError, match="share of CPU"):
        model.background(1.0, at=HOUR)
    for rate in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="arrival rates"):
            model.advance(HOUR, 2 * HOUR, steady(rate))


def hourly(sample: StackSample, name: str) -> Floats:
    return np.asarray(getattr(sample, name)).reshape(-1, 6).mean(axis=1)


def test_a_hot_key_overloads_one_worker_however_many_there_are() -> None:
    load = 0.5 * WORKER * 4
    for workers in (4, 12):
        model = stack(workers=workers)
        calm = model.advance(0, HOUR, steady(load))
        fault = StackFault(kind="hot_key", share=0.8, at=0)
        model.set_fault("script", fault, HOUR)
        assert model.hottest(HOUR) > 0.8 > model.hottest(0)
        hot = model.advance(HOUR, 2 * HOUR, steady(load))
        assert calm.answered.min() > 0.999 and hot.utilisation.max() > 1
        assert hot.answered.mean() < 0.5 and model.backlog > 0
        model.clear_fault("script", 2 * HOUR)
        assert model.hottest(2 * HOUR) < 0.2


def test_workers_can_be_added_and_taken_away() -> None:
    model, load = stack(workers=4), steady(0.6 * WORKER * 4)
    before = model.advance(0, HOUR, load).utilisation[-1, -1]
    model.scale(8, HOUR)
    after = model.advance(HOUR, 2 * HOUR, load).utilisation[-1, -1]
    model.scale(4, 2 * HOUR)
    again = model.advance(2 * HOUR, 3 * HOUR, load).utilisation[-1, -1]
    assert 0.45 < after / before < 0.8, "twelve partitions over eight workers"
    assert again == pytest.approx(before, rel=0.02)
    with pytest.raises(ValueError, match="at least one worker"):
        model.scale(0, 3 * HOUR)


def test_a_retry_storm_outlives_what_set_it_off() -> None:
    """A metastable failure: the same surge passes without retries, and lasts with them."""
    load = steady(0.5 * WORKER * 4)

    def surge(retries: bool) -> Floats:
        model = stack(workers=4)
        if retries:
            model.set_fault("clients", StackFault(kind="retry_storm", factor=3, at=0), 0)
        model.set_fault("surge", fault("load_spike", factor=4), HOUR)
        model.clear_fault("surge", 1.5 * HOUR)
        return hourly(model.advance(0, 12 * HOUR, load), "answered")

    alone, storm = surge(False), surge(True)
    assert alone[0] == storm[0] == pytest.approx(1.0, abs=1e-3)
    assert alone[-1] > 0.999 and storm[-1] < 0.1


def test_retries_change_nothing_where_everything_is_answered() -> None:
    plain, patient = stack(), stack()
    patient.set_fault("clients", StackFault(kind="retry_storm", factor=3, at=0), 0)
    ours, theirs = (m.advance(0, 3 * HOUR, steady(0.4 * WORKER * 4)) for m in (plain, patient))
    assert theirs.answered.min() > 0.9999
    assert np.allclose(ours.load, theirs.load, rtol=1e-4)
    assert np.allclose(ours.p99, theirs.p99, rtol=0.05)
