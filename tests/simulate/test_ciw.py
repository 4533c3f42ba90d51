"""The exact network beside Ciw, an independent simulator, on the same network."""

from __future__ import annotations

import ciw  # type: ignore[import-untyped]
import numpy as np
import pytest

from sandbox.simulate.histogram import EDGES
from sandbox.simulate.network import Network, Source
from sandbox.simulate.network_kernels import Rules
from sandbox.simulate.network_stage import Stage

RATE, SERVICES = 0.8, (1.0, 0.9)
LENGTH, WARM = 3_000.0, 500.0
SEEDS = range(12)


def ours(seed: int, services: tuple[float, ...]) -> float:
    """Return the mean time in the system [s] of two single servers in a row."""
    stages = [
        Stage(str(i), np.ones(1), 1, Rules(0.0, s, 1, 0.0, np.inf, 0.0, np.inf, i), 0.0, 0.0)
        for i, s in enumerate(services)
    ]
    arrivals, batches = np.random.Generator(np.random.SFC64(seed)).spawn(2)
    network = Network(
        stages, Source(lambda _: RATE, arrivals), batches, start=0.0, end=LENGTH + 500.0,
        buckets=35,
    )  # fmt: skip
    network.advance([100.0 * (i + 1) for i in range(35)])
    counted = network.histogram[5:30].sum(axis=0)
    return float((0.5 * (EDGES[:-1] + EDGES[1:]) * counted).sum() / counted.sum())


def theirs(seed: int) -> float:
    ciw.seed(seed)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(RATE), None],
        service_distributions=[ciw.dists.Deterministic(s) for s in SERVICES],
        routing=[[0.0, 1.0], [0.0, 0.0]],
        number_of_servers=[1, 1],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(LENGTH + 500.0)
    entered: dict[int, float] = {}
    left: dict[int, float] = {}
    for record in simulation.get_all_records():
        place = entered if record.node == 1 else left
        place[record.id_number] = record.arrival_date if record.node == 1 else record.exit_date
    times = [left[i] - t for i, t in entered.items() if WARM <= t < LENGTH and i in left]
    return float(np.mean(times))


@pytest.fixture(scope="module")
def theirs_by_seed() -> list[float]:
    return [theirs(seed) for seed in SEEDS]


def apart(mine: list[float], others: list[float]) -> float:
    """Return the difference of means in standard errors (Welch)."""
    error = np.sqrt(np.var(mine, ddof=1) / len(mine) + np.var(others, ddof=1) / len(others))
    return float(abs(np.mean(mine) - np.mean(others)) / error)


def test_the_same_network_within_confidence_limits(theirs_by_seed: list[float]) -> None:
    assert apart([ours(seed, SERVICES) for seed in SEEDS], theirs_by_seed) < 2.5


def test_another_network_is_told_apart(theirs_by_seed: list[float]) -> None:
    assert apart([ours(seed, (1.05, 0.9)) for seed in SEEDS], theirs_by_seed) > 2.5
