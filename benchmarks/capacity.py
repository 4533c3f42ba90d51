"""Customers a second through queues: ours beside plain SimPy and Ciw, and a day at internet scale.

    python benchmarks/capacity.py [--smoke] [--write]

M/M/4 at 80 % load, random numbers included: every version draws its own. Then one day at 10,000
events a second (864 million) through five stages of 16 workers and 64 partitions each,
micro-batches with spread lengths, hops in between; every event is carried.

SimPy and Ciw serve fewer customers, because they would take hours for as many.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import simpy

from benchmarks.sheet import Row, absent, installed, machine, publish, table
from sandbox.simulate.histogram import empty_histogram, quantiles
from sandbox.simulate.network import Network, Source
from sandbox.simulate.network_kernels import Rules, queue_behind
from sandbox.simulate.network_stage import Stage

PEERS = {"ciw": "Ciw"}
SERVERS, LOAD = 4, 0.8
CHUNK = 1 << 14
WANTED, AIMED = 200, 500
RATE, STAGES, WORKERS, PARTITIONS = 10_000.0, 5, 16, 64


@dataclass
class Served:
    """What a queue did: mean wait [s], and the time that random numbers took [s]."""

    wait: float
    drawing: float = 0.0


def ours(customers: int, seed: int = 0) -> Served:
    rng = np.random.Generator(np.random.SFC64(seed))
    histogram, free, now = empty_histogram()[0], np.zeros(SERVERS), 0.0
    gaps, services = np.empty(CHUNK), np.empty(CHUNK)
    total = drawing = 0.0
    for _ in range(0, customers, CHUNK):
        began = time.perf_counter()
        rng.standard_exponential(out=gaps)
        rng.standard_exponential(out=services)
        drawing += time.perf_counter() - began
        now, waits, _ = queue_behind(
            gaps, services, 1.0 / (LOAD * SERVERS), 1.0, free, now, histogram
        )
        total += waits
    return Served(total / int(histogram.sum()), drawing)


def ours_on_two_cores(customers: int) -> Served:
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(lambda seed: ours(customers // 2, seed), (1, 2)))
    return Served(sum(half.wait for half in halves) / 2)


def in_simpy(customers: int) -> Served:
    env, rng = simpy.Environment(), np.random.default_rng(0)
    servers = simpy.Resource(env, SERVERS)
    waits = np.empty(customers)

    def customer(number: int) -> Generator[simpy.Event, None, None]:
        came = env.now
        with servers.request() as turn:
            yield turn
            waits[number] = env.now - came
            yield env.timeout(rng.standard_exponential())

    def source() -> Generator[simpy.Event, None, None]:
        for number in range(customers):
            yield env.timeout(rng.standard_exponential() / (LOAD * SERVERS))
            env.process(customer(number))

    env.process(source())
    env.run()
    return Served(float(waits.mean()))


def in_ciw(customers: int) -> Served:
    import ciw  # type: ignore[import-untyped,unused-ignore]

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(LOAD * SERVERS)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[SERVERS],
    )
    ciw.seed(0)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(customers)
    return Served(float(np.mean([r.waiting_time for r in simulation.get_all_records()])))


def timed(name: str, customers: int, serve: Callable[[int], Served]) -> Row:
    """Serve customers and note the mean wait, which theory puts at 0.746 s."""
    wall, cpu = time.perf_counter(), time.process_time()
    served = serve(customers)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    note = f"mean wait {served.wait:.3f}"
    if served.drawing:
        note += f"; random numbers {served.drawing / wall:.0%} of the time"
    return Row(name, customers, wall, cpu, note)


def queues(customers: int, few: int) -> list[str]:
    ours(CHUNK)
    rows = [
        timed("sandbox, one core", customers, ours),
        timed("sandbox, two cores", customers, ours_on_two_cores),
        timed("SimPy", few, in_simpy),
    ]
    if installed("ciw"):
        rows.append(timed("Ciw", few, in_ciw))
    ratios = [rows[i].rate / rows[2].rate for i in (0, 1)]
    said = (
        f"{ratios[0]:.0f} times SimPy on one core (wanted: {WANTED}), {ratios[1]:.0f} times on two "
        f"(aimed: {AIMED})."
    )
    return ["## Queues: M/M/4", "", *table(rows, "SimPy"), *absent(PEERS), "", said]


def make_network(seconds: float) -> Network:
    """Return five stages at 63 % of their capacity."""
    share = np.ones(PARTITIONS) / PARTITIONS
    event = 0.9 * 0.7 * WORKERS / RATE
    stages = [
        Stage(
            f"stage {number}", share, WORKERS,
            Rules(0.002, event, 500, 0.005, np.inf, 0.0, np.inf, number), 0.002, 0.2,
        )
        for number in range(STAGES)
    ]  # fmt: skip
    ours_rng, theirs = np.random.Generator(np.random.SFC64(1)).spawn(2)
    return Network(
        stages, Source(lambda _: RATE, ours_rng), theirs, start=0.0, end=seconds, buckets=24,
        last_hop=0.002,
    )  # fmt: skip


def day(seconds: float) -> list[str]:
    """Carry every event of a day through the stages, on two cores."""
    make_network(20.0).advance([10.0, 20.0])
    network = make_network(seconds)
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(2) as pool:
        network.advance([10.0 * (i + 1) for i in range(int(seconds / 10))], pool)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    events = int(network.histogram.sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    p50, p99 = quantiles(network.histogram.sum(axis=0), (0.5, 0.99))
    row = Row("sandbox, two cores", events, wall, cpu, f"p50 {p50:.4f} s, p99 {p99:.4f} s")
    return [
        f"## {seconds / 3600:g} h at {RATE:,.0f} events/s through {STAGES} stages", "",
        *table([row], row.name), "",
        f"Wanted for a day: 150 s and 2 GB. Most memory of the whole process: {peak:.2f} GB.",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="few customers: does it work at all")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args(arguments)
    where = machine()
    lines = queues(200_000, 5_000) if options.smoke else queues(50_000_000, 200_000)
    lines += ["", *day(100.0 if options.smoke else 86_400.0), "", where]
    publish("capacity", lines, write=options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
