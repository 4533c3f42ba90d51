from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sandbox.simulate.kernels import (
    LATENCY_EDGES,
    BatchServer,
    full_rate,
    histogram_quantiles,
    serve_batches,
    waiting_times,
)

Floats = NDArray[np.float64]
SERVER = BatchServer(call=0.002, event=85e-6, max_batch=50, linger=0.005)


def serve(arrivals: Floats, server: BatchServer, free: float = 0.0) -> Floats:
    departures = np.full(len(arrivals), np.nan)
    served, _ = serve_batches(arrivals, server, free, np.inf, departures)
    assert served == len(arrivals)
    return departures


def mean_wait(services: Floats, load: float, rng: np.random.Generator) -> float:
    waits = np.empty(len(services))
    waiting_times(rng.exponential(1.0 / load, len(services)), services, 0.0, waits)
    return float(waits.mean())


@pytest.mark.parametrize("load", [0.3, 0.7, 0.85])
def test_mm1_mean_wait(load: float) -> None:
    rng = np.random.default_rng(11)
    wait = mean_wait(rng.exponential(1.0, 2_000_000), load, rng)
    assert wait == pytest.approx(load / (1 - load), rel=0.03)


@pytest.mark.parametrize("load", [0.3, 0.7, 0.85])
def test_md1_mean_wait_is_half_of_mm1(load: float) -> None:
    rng = np.random.default_rng(12)
    wait = mean_wait(np.ones(2_000_000), load, rng)
    assert wait == pytest.approx(load / (2 * (1 - load)), rel=0.03)


@pytest.mark.parametrize("load", [0.3, 0.7, 0.85])
def test_batches_of_one_without_linger_are_md1(load: float) -> None:
    arrivals = np.cumsum(np.random.default_rng(13).exponential(1.0 / load, 2_000_000))
    departures = serve(arrivals, BatchServer(call=0.25, event=0.75, max_batch=1, linger=0.0))
    wait = float((departures - arrivals).mean()) - 1.0
    assert wait == pytest.approx(load / (2 * (1 - load)), rel=0.03)


def test_batch_server_equals_lindley_when_batches_are_single() -> None:
    rng = np.random.default_rng(14)
    gaps, waits = rng.exponential(1.2, 10_000), np.empty(10_000)
    waiting_times(gaps, np.ones(10_000), 0.0, waits)
    arrivals = np.concatenate(([0.0], np.cumsum(gaps)[:-1]))
    departures = serve(arrivals, BatchServer(call=1.0, event=0.0, max_batch=1, linger=0.0))
    np.testing.assert_allclose(departures - arrivals - 1.0, waits, atol=1e-8)


def in_simpy(arrivals: Floats, server: BatchServer) -> Floats:
    """Serve the same arrivals by the same rules, in a plain SimPy model."""
    env = simpy.Environment()
    queue: list[int] = []
    departures = np.full(len(arrivals), np.nan)
    arrived = [env.event()]

    def source() -> Generator[simpy.Event, None, None]:
        for number, time in enumerate(arrivals):
            yield env.timeout(time - env.now)
            queue.append(number)
            event, arrived[0] = arrived[0], env.event()
            event.succeed()

    def worker() -> Generator[simpy.Event, None, None]:
        while True:
            while not queue:
                yield arrived[0]
            deadline = arrivals[queue[0]] + server.linger
            while len(queue) < server.max_batch and env.now < deadline:
                yield env.timeout(deadline - env.now) | arrived[0]
            batch = queue[: server.max_batch]
            del queue[: server.max_batch]
            yield env.timeout(server.call + server.event * len(batch))
            departures[batch] = env.now

    env.process(source())
    env.process(worker())
    env.run()
    return departures


@pytest.mark.parametrize("load", [100.0, 2000.0, 7500.0, 12000.0])  # light ... beyond capacity
@pytest.mark.parametrize("linger", [0.0, 0.005])
def test_batch_server_equals_simpy(load: float, linger: float) -> None:
    arrivals = np.cumsum(np.random.default_rng(15).exponential(1.0 / load, 5_000))
    server = SERVER._replace(linger=linger)
    expected = in_simpy(arrivals, server)
    np.testing.assert_allclose(serve(arrivals, server), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("change", [{"linger": 0.006}, {"max_batch": 49}, {"call": 0.0021}])
def test_simpy_comparison_notices_other_rules(change: dict[str, float]) -> None:
    arrivals = np.cumsum(np.random.default_rng(15).exponential(1.0 / 7500, 5_000))
    other = in_simpy(arrivals, SERVER._replace(**change))  # type: ignore[arg-type]
    assert not np.allclose(serve(arrivals, SERVER), other, rtol=0, atol=1e-9)


servers = st.builds(
    BatchServer,
    call=st.floats(0.0, 2.0),
    event=st.floats(0.001, 1.0),
    max_batch=st.integers(1, 8),
    linger=st.floats(0.0, 3.0),
)
gap_lists = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(servers, gap_lists, st.floats(0.0, 10.0))
def test_batches_keep_the_rules(server: BatchServer, gaps: list[float], free: float) -> None:
    arrivals = np.cumsum(gaps)
    departures = serve(arrivals, server, free)
    assert (np.diff(departures) >= 0).all()
    assert (departures - arrivals >= server.call + server.event - 1e-9).all()
    ends, sizes = np.unique(departures, return_counts=True)
    assert sizes.max() <= server.max_batch
    starts = ends - server.call - server.event * sizes
    assert (starts[1:] >= ends[:-1] - 1e-9).all()
    assert starts[0] >= free - 1e-9


@settings(max_examples=200, deadline=None)
@given(servers, gap_lists, st.floats(0.0, 1.0))
def test_handing_over_changes_nothing(server: BatchServer, gaps: list[float], part: float) -> None:
    arrivals = np.cumsum(gaps)
    until = float(arrivals[-1] * part)
    known = arrivals[arrivals <= until]
    first = np.full(len(known), np.nan)
    served, free = serve_batches(known, server, 0.0, until, first)
    second = serve(arrivals[served:], server, free)
    np.testing.assert_allclose(
        np.concatenate((first[:served], second)), serve(arrivals, server), atol=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(gap_lists, st.integers(0, 60))
def test_waiting_times_hand_over(gaps: list[float], cut: int) -> None:
    steps, services = np.array(gaps), np.linspace(0.0, 4.0, len(gaps))
    whole, parts = np.empty(len(gaps)), np.empty(len(gaps))
    waiting_times(steps, services, 1.5, whole)
    wait = waiting_times(steps[:cut], services[:cut], 1.5, parts[:cut])
    waiting_times(steps[cut:], services[cut:], wait, parts[cut:])
    np.testing.assert_array_equal(parts, whole)


def test_capacity_is_reached_under_overload() -> None:
    arrivals = np.linspace(0.0, 1.0, 50_000)
    assert 50_000 / serve(arrivals, SERVER)[-1] == pytest.approx(full_rate(SERVER), rel=1e-3)


def test_quantiles_of_a_histogram() -> None:
    values = np.random.default_rng(16).lognormal(-3.0, 0.8, 200_000)
    rows = np.array([np.histogram(values, LATENCY_EDGES)[0], np.zeros(len(LATENCY_EDGES) - 1)])
    got = histogram_quantiles(rows.astype(np.float64), np.array([0.5, 0.99, 1.0]))
    np.testing.assert_allclose(got[:2, 0], np.quantile(values, [0.5, 0.99]), rtol=0.01)
    assert got[2, 0] == pytest.approx(values.max(), rel=0.04)
    assert np.isnan(got[:, 1]).all()
