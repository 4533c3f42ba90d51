"""Waiting times against theory: ten million customers a queue, every one of them served."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.simulate.histogram import empty_histogram, quantiles
from sandbox.simulate.network_kernels import queue_behind, take_turns

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
CUSTOMERS, CHUNK = 10_000_000, 1 << 15
SEED = 5


def exponential(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_exponential(n)


def constant(rng: np.random.Generator, n: int) -> Floats:
    return np.ones(n)


def uniform(rng: np.random.Generator, n: int) -> Floats:
    return rng.uniform(0.0, 2.0, n)


def serve_all(
    servers: int, load: float, draw: Draw, seed: int = SEED
) -> tuple[float, float, float]:
    """Return mean wait, share that waits and p99 of the wait; the mean service time is 1."""
    rng = np.random.Generator(np.random.SFC64(SEED))
    histogram, free, now = empty_histogram()[0], np.zeros(servers), 0.0
    total, waited = 0.0, 0
    for _ in range(0, CUSTOMERS, CHUNK):
        gaps, services = rng.standard_exponential(CHUNK), draw(rng, CHUNK)
        now, wait, waiting = queue_behind(
            gaps, services, 1.0 / (load * servers), 1.0, free, now, histogram
        )
        total, waited = total + wait, waited + waiting
    count = int(histogram.sum())
    return total / count, waited / count, float(quantiles(histogram, (0.99,))[0])


def erlang_c(servers: int, load: float) -> float:
    """Return the probability of waiting in M/M/c (Erlang 1917)."""
    offered = load * servers
    terms = [offered**k / math.factorial(k) for k in range(servers)]
    last = offered**servers / math.factorial(servers) / (1.0 - load)
    return last / (sum(terms) + last)


@pytest.mark.slow
@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (1, 0.7), (4, 0.7), (16, 0.8)])
def test_exponential_services(servers: int, load: float) -> None:
    mean, waits, p99 = serve_all(servers, load, exponential)
    chance = erlang_c(servers, load)
    rate = servers * (1.0 - load)  # of the exponential tail of those that wait
    assert waits == pytest.approx(chance, rel=0.01)
    assert mean == pytest.approx(chance / rate, rel=0.01)
    assert p99 == pytest.approx(math.log(chance / 0.01) / rate, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "second_moment"), [(constant, 1.0), (uniform, 4.0 / 3.0)])
def test_other_services_by_pollaczek_and_khinchine(draw: Draw, second_moment: float) -> None:
    load = 0.7
    mean, waits, _ = serve_all(1, load, draw)
    assert waits == pytest.approx(load, rel=0.01)
    assert mean == pytest.approx(load * second_moment / (2.0 * (1.0 - load)), rel=0.01)


def constant_wait_cdf(t: float, load: float) -> float:
    """Return P(wait <= t) of M/D/1 with services of length 1 (Erlang 1909)."""
    terms = range(math.floor(t) + 1)
    return (1.0 - load) * math.fsum(
        math.exp(-load * (k - t)) * (load * (k - t)) ** k / math.factorial(k) for k in terms
    )


@pytest.mark.slow
def test_tail_of_constant_services() -> None:
    load = 0.6
    _, _, p99 = serve_all(1, load, constant)
    assert constant_wait_cdf(p99 * 0.99, load) < 0.99 < constant_wait_cdf(p99 * 1.01, load)


@pytest.mark.slow
def test_a_tandem_of_two_queues() -> None:
    """Departures of M/M/c are a Poisson process again (Burke 1956)."""
    rng = np.random.Generator(np.random.SFC64(SEED))
    loads, servers = (0.7, 0.6), (3, 4)
    rate = loads[0] * servers[0]
    second = rate / (loads[1] * servers[1])  # rate of a server of the second queue
    free = [np.zeros(c) for c in servers]
    now, then = 0.0, 0.0
    late, total, count = np.empty(0), np.zeros(2), np.zeros(2)
    for _ in range(0, CUSTOMERS, CHUNK):
        gaps, services = rng.standard_exponential(CHUNK) / rate, rng.standard_exponential(CHUNK)
        waits, start = np.empty(CHUNK), now
        now = take_turns(gaps, services, free[0], start, waits)
        leaving = np.concatenate((late, start + np.cumsum(gaps) + waits + services))
        leaving.sort()
        # No later customer leaves before the next one comes.
        final = int(np.searchsorted(leaving, now))
        late, ready = leaving[final:], leaving[:final]
        again = np.diff(ready, prepend=then)
        behind = np.empty(final)
        then = take_turns(again, rng.standard_exponential(final) / second, free[1], then, behind)
        for place, found in enumerate((waits, behind)):
            total[place] += found.sum()
            count[place] += len(found)
    for place, (load, c, speed) in enumerate(zip(loads, servers, (1.0, second), strict=True)):
        expected = erlang_c(c, load) / (c * (1.0 - load)) / speed
        assert total[place] / count[place] == pytest.approx(expected, rel=0.01)


def test_another_load_does_not_pass() -> None:
    """The comparison notices a load that is 1 % off."""
    chance = erlang_c(4, 0.7)
    assert erlang_c(4, 0.707) != pytest.approx(chance, rel=0.01)
