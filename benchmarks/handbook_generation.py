"""The handbook's data set and its inputs, beside the straightforward way to make them.

    python benchmarks/handbook_generation.py [--smoke] [--write]

1,754,155 payments of 5,000 customers on 183 days, with fraud: compiled here, a loop over customers,
days and payments with `numpy.random` and `random` there. Then the 15 inputs: the feature engine
here, pandas' rolling windows for each customer and terminal there (left out if pandas is not
installed). Both ways must give the same data set to the last bit, and the same inputs.

Compilation is not counted.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sheet import Row, absent, best_of, installed, machine, publish, table
from sandbox.batch import Batch
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.loading import load_design, load_scenario
from sandbox.world import RecordedWorld, World, build_world, load_world_class

FOLDER = Path(__file__).parents[1] / "scenarios" / "fraud-handbook"
DAY = 86400
WINDOWS = (1, 7, 30)
DELAY = 7
FULL = {"customers": 5000, "terminals": 10_000, "days": 183, "radius": 5}
SMOKE = {"customers": 60, "terminals": 500, "days": 45, "radius": 10}
START = dt.datetime(2018, 4, 1, tzinfo=dt.UTC).timestamp()
PEERS = {"pandas": "pandas"}
BOTH = "both: sandbox"
WANTED = 30.0
Sizes = dict[str, Any]


def compiled_world(kind: type[World], sizes: Sizes) -> Batch:
    world = build_world(kind, sizes, np.random.default_rng(0))
    assert isinstance(world, RecordedWorld)
    return world.recording


def looped_world(sizes: Sizes) -> Batch:
    """Make the data set one number at a time, with the global generators."""
    np.random.seed(0)
    ranges = ((0, 100), (0, 100), (5, 100), (0, 4))
    people = [[np.random.uniform(*r) for r in ranges] for _ in range(sizes["customers"])]
    np.random.seed(1)
    shops = np.array([[np.random.uniform(0, 100) for _ in "xy"] for _ in range(sizes["terminals"])])
    rows: list[tuple[int, int, int, float]] = []
    for customer, (x, y, mean, rate) in enumerate(people):
        distance = np.sqrt(((shops - [x, y]) ** 2).sum(axis=1))
        near = np.flatnonzero(distance < sizes["radius"]).tolist()
        random.seed(customer)
        np.random.seed(customer)
        for day in range(sizes["days"]):
            rows += payments_of_a_day(customer, day, mean, rate, near)
    customers, terminals, seconds, amounts = (np.array(c) for c in zip(*rows, strict=True))
    order = seconds.astype("datetime64[s]").argsort(kind="quicksort")
    log = [values[order] for values in (customers, terminals, seconds, amounts)]
    mechanism = loop_frauds(log, sizes)
    names = ("customer_id", "terminal_id", "event_time", "amount")
    columns = dict(zip(names, log, strict=True)) | {"mechanism": mechanism}
    return Batch(columns | {"event_time": START + columns["event_time"]})


def payments_of_a_day(
    customer: int, day: int, mean: float, rate: float, near: list[int]
) -> list[tuple[int, int, int, float]]:
    rows = []
    for _ in range(np.random.poisson(rate)):
        second = int(np.random.normal(43_200, 20_000))
        if not 0 < second < DAY:
            continue
        amount = np.random.normal(mean, mean / 2)
        if amount < 0:
            amount = np.random.uniform(0, mean * 2)
        if near:
            terminal = random.choice(near)
            rows.append((customer, terminal, day * DAY + second, np.round(amount, 2)))
    return rows


def loop_frauds(log: list[NDArray[Any]], sizes: Sizes) -> NDArray[np.int8]:
    """Return the mechanism of each payment, and change the amounts in the log."""
    customer, terminal, second, amount = log
    day = second // DAY
    mechanism = np.where(amount > 220, 1, 0).astype(np.int8)
    for start in range(sizes["days"] - 1):
        chosen = np.random.RandomState(start).choice(sizes["terminals"], 2, replace=False)
        mechanism[(day >= start) & (day < start + 28) & np.isin(terminal, chosen)] = 2
    for start in range(sizes["days"] - 1):
        chosen = np.random.RandomState(start).choice(sizes["customers"], 3, replace=False)
        usable = (day >= start) & (day < start + 14) & np.isin(customer, chosen)
        rows = np.flatnonzero(usable).tolist()
        random.seed(start)
        used = random.sample(rows, int(len(rows) / 3))
        amount[used] *= 5
        mechanism[used] = 3
    return mechanism


def engine_features(plan: FeaturePlan, events: Batch) -> NDArray[np.float32]:
    times = events["event_time"]
    known = events.with_columns(label_time=times + DELAY * DAY).take(events["label"] > 0)
    return compute_history(plan, events.with_columns(processing_time=times), known)


def pandas_features(events: Batch) -> NDArray[np.float64]:
    """Return the 15 inputs in the order of design.yaml, each group rolled by itself."""
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    names = ("customer_id", "terminal_id", "amount", "label")
    frame = pd.DataFrame({name: events[name] for name in names})
    frame.index = pd.to_datetime(events["event_time"], unit="s")
    out = np.empty((len(frame), 15))
    out[:, 0] = frame.amount
    out[:, 1] = frame.index.day_of_week >= 5
    out[:, 2] = frame.index.hour <= 6
    for rows in frame.groupby("customer_id").indices.values():
        amount = frame.amount.iloc[rows]
        for i, days in enumerate(WINDOWS):
            window = amount.rolling(f"{days}D")
            out[rows, 3 + i], out[rows, 6 + i] = window.count(), window.mean()
    for rows in frame.groupby("terminal_id").indices.values():
        label = frame.label.iloc[rows]
        near = label.rolling(f"{DELAY}D")
        near_sum, near_count = near.sum(), near.count()
        for i, days in enumerate(WINDOWS):
            window = label.rolling(f"{DELAY + days}D")
            count = window.count() - near_count
            known = (window.sum() - near_sum).round()
            out[rows, 9 + i] = count
            out[rows, 12 + i] = np.where(count > 0, known / count.clip(lower=1), 0.0)
    return out


def same_data(ours: Batch, theirs: Batch) -> bool:
    return all(np.array_equal(ours[name], theirs[name]) for name in theirs.names)


def measure(sizes: Sizes, plan: FeaturePlan) -> tuple[list[Row], bool]:
    """Return the rows of the table, and whether the two ways agree."""
    kind = load_world_class(FOLDER)
    worlds = best_of(
        {"sandbox": lambda: compiled_world(kind, sizes), "loop": lambda: looped_world(sizes)}, 1
    )
    (events, *made), (looped, *by_loop) = worlds["sandbox"], worlds["loop"]
    agree = same_data(events, looped)
    rows = [
        Row("data set: sandbox", len(events), *made),
        Row("data set: a loop over every payment", len(events), *by_loop),
    ]
    ways: dict[str, Callable[[], NDArray[Any]]] = {"sandbox": lambda: engine_features(plan, events)}
    if installed("pandas"):
        ways["pandas"] = lambda: pandas_features(events)
    took = best_of(ways, 1)
    features, *computed = took["sandbox"]
    ours = [a + b for a, b in zip(made, computed, strict=True)]
    rows.append(Row("15 inputs: sandbox", len(events), *computed))
    if installed("pandas"):
        rolled, *by_pandas = took["pandas"]
        agree &= np.allclose(features, rolled, rtol=1e-6, atol=1e-6)
        theirs = [a + b for a, b in zip(by_loop, by_pandas, strict=True)]
        rows.append(Row("15 inputs: pandas, rolling by group", len(events), *by_pandas))
        rows.append(Row("both: loop and pandas", len(events), *theirs))
    return [Row(BOTH, len(events), *ours, f"wanted: < {WANTED:g} s"), *rows], agree


def main() -> int:
    """Print the table; exit code 1 if the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few customers: does it work at all")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    where = machine()
    design, _ = load_design(FOLDER / "design.yaml")
    scenario, _ = load_scenario(FOLDER / "scenario.yaml")
    plan = FeaturePlan.compile(design.features, scenario.event, design.ingest.key)
    engine_features(plan, compiled_world(load_world_class(FOLDER), SMOKE))
    rows, agree = measure(SMOKE if options.smoke else FULL, plan)
    said = "The same data and inputs." if agree else "DIFFERENT data or inputs."
    lines = ["## The handbook's data set and inputs", "", *table(rows, BOTH), "", said]
    publish("handbook_generation", [*lines, *absent(PEERS), "", where], write=options.write)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
