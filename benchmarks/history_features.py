"""Twelve windowed features over a whole history, beside pandas, Polars and DuckDB.

    python benchmarks/history_features.py [--smoke] [--write]

Count and mean amount of a customer over 1, 7, 30 days, this payment included; count and share of
positive labels of a terminal over the same windows, 7 days delayed: the windows of the Fraud
Detection Handbook, on its 1.75 million payments. Fractions of a second are added to the times, so
that no two are equal and all four ways mean the same by a window; their results are compared.

Every library gets columns in memory in order of time, and as many threads as it likes.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.feature_fold import DELAY, OVER, make_plan
from benchmarks.handbook_generation import FOLDER, FULL, SMOKE, compiled_world
from benchmarks.sheet import Row, absent, best_of, installed, machine, publish, table
from sandbox.batch import Batch
from sandbox.pipeline.features.history import compute_history
from sandbox.world import load_world_class

PEERS = {"polars": "Polars", "duckdb": "DuckDB", "pandas": "pandas"}
WANTED = 3.0
Matrix = NDArray[np.float64]


def make_events(sizes: dict[str, Any]) -> Batch:
    """Return the payments at distinct times, rounded to microseconds."""
    world = compiled_world(load_world_class(FOLDER), sizes)
    rng = np.random.default_rng(0)
    micro = (world["event_time"] * 1e6).astype(np.int64) + rng.permutation(len(world)) % 10**6
    order = np.argsort(micro, kind="stable")
    micro = np.maximum.accumulate(micro[order])
    micro += np.arange(len(micro)) - np.searchsorted(micro, micro)  # the few that are still equal
    names = ("customer_id", "terminal_id", "amount", "label")
    columns = {name: world[name][order] for name in names}
    return Batch({"event_id": np.arange(len(micro)), "micro": micro, **columns})


def ours(events: Batch) -> Callable[[], Matrix]:
    plan = make_plan()
    times = events["micro"] / 1e6
    log = events.drop("micro", "label").with_columns(event_time=times, processing_time=times)
    positive = events["label"] > 0
    labels = log.select(["event_id", "event_time", "customer_id", "terminal_id"]).take(positive)
    labels = labels.with_columns(
        label=np.ones(len(labels)), label_time=labels["event_time"] + DELAY * 0.99
    )
    return lambda: compute_history(plan, log, labels)


def with_polars(events: Batch) -> Callable[[], Matrix]:
    import polars as pl

    frame = pl.DataFrame({name: events[name] for name in events.names})
    frame = frame.with_columns(pl.col("micro").cast(pl.Datetime("us")).alias("t"))
    one = pl.lit(1.0).alias("one")

    def total(what: str, key: str, seconds: float) -> pl.Expr:
        return pl.col(what).rolling_sum_by("t", window_size=f"{int(seconds)}s").over(key)

    def asked() -> list[pl.Expr]:
        counts = [total("one", "customer_id", over) for over in OVER]
        means = [
            pl.col("amount").rolling_mean_by("t", window_size=f"{int(over)}s").over("customer_id")
            for over in OVER
        ]
        far = [total("one", "terminal_id", DELAY + over) for over in OVER]
        risk = [total("label", "terminal_id", DELAY + over) for over in OVER]
        near = [total("one", "terminal_id", DELAY), total("label", "terminal_id", DELAY)]
        return [e.alias(str(i)) for i, e in enumerate([*counts, *means, *far, *risk, *near])]

    def work() -> Matrix:
        got = frame.with_columns(one).select(asked()).to_numpy()
        late = got[:, 6:9] - got[:, [12]]
        shares = (got[:, 9:12] - got[:, [13]]).round() / np.maximum(late, 1)
        return np.concatenate([got[:, :6], late, shares], axis=1)

    return work


def with_duckdb(events: Batch) -> Callable[[], Matrix]:
    import duckdb

    connection = duckdb.connect()
    columns = {name: events[name] for name in events.names}
    connection.register("given", columns)
    connection.execute("create table e as select * from given order by micro")
    wanted, frames = [], []
    for kind, key, what in (
        ("near", "customer_id", ("count(*)", "avg(amount)")),
        ("late", "terminal_id", ("count(*)", "coalesce(avg(label), 0)")),
    ):
        for i, _ in enumerate(OVER):
            wanted += [f"{w.replace(')', f') over {kind}{i}', 1)}" for w in what]
            frames.append((kind, key, i))
    windows = ", ".join(
        f"{kind}{i} as (partition by {key} order by micro range between "
        + (
            f"{int(OVER[i] * 1e6) - 1} preceding and current row)"
            if kind == "near"
            else f"{int((OVER[i] + DELAY) * 1e6) - 1} preceding and {int(DELAY * 1e6)} preceding)"
        )
        for kind, key, i in frames
    )
    query = f"select {', '.join(wanted)} from e window {windows} order by event_id"

    def work() -> Matrix:
        got = list(connection.execute(query).fetchnumpy().values())
        order = [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
        return np.stack([np.asarray(got[i], dtype=np.float64) for i in order], axis=1)

    return work


def with_pandas(events: Batch) -> Callable[[], Matrix]:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    frame = pd.DataFrame({name: events[name] for name in events.names})
    frame.index = pd.to_datetime(frame["micro"], unit="us")

    def rolled(key: str, seconds: float, column: str) -> Any:
        return frame.groupby(key)[["event_id", column]].rolling(pd.Timedelta(seconds=seconds))

    def placed(values: Any, column: str, rows: Any) -> Matrix:
        out = np.empty(len(frame))
        out[rows] = values[column].to_numpy()
        return out

    def work() -> Matrix:
        counts, means, late, shares = [], [], [], []
        by_customer = np.argsort(events["customer_id"], kind="stable")
        by_terminal = np.argsort(events["terminal_id"], kind="stable")
        for over in OVER:
            window = rolled("customer_id", over, "amount")
            counts.append(placed(window.count(), "amount", by_customer))
            means.append(placed(window.mean(), "amount", by_customer))
        near = rolled("terminal_id", DELAY, "label")
        near_n = placed(near.count(), "label", by_terminal)
        near_s = placed(near.sum(), "label", by_terminal)
        for over in OVER:
            far = rolled("terminal_id", DELAY + over, "label")
            count = placed(far.count(), "label", by_terminal) - near_n
            late.append(count)
            total = placed(far.sum(), "label", by_terminal) - near_s
            shares.append(total.round() / np.maximum(count, 1))
        return np.stack([*counts, *means, *late, *shares], axis=1)

    return work


def limit(work: Callable[[], Matrix], passes: int = 5) -> str:
    """Say what part of our time is not ours: the system's, for handing out memory."""
    walls, before = [], resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(passes):
        began = time.perf_counter()
        work()
        walls.append(time.perf_counter() - began)
    after = resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    share = system / max(system + after.ru_utime - before.ru_utime, 1e-9)
    return (
        f"{passes} more passes of the sandbox took {min(walls):.2f} to {max(walls):.2f} s, "
        f"{share:.0%} of the CPU time in the system, which clears the memory of fresh arrays. That "
        "part varies with the state of the machine."
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit code 1 if results differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="few customers: does it work at all")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args(arguments)
    where = machine()
    events = make_events(SMOKE if options.smoke else FULL)
    makers = {"polars": with_polars, "duckdb": with_duckdb, "pandas": with_pandas}
    work = {"sandbox": ours(events)}
    work |= {PEERS[name]: make(events) for name, make in makers.items() if installed(name)}
    work["sandbox"]()  # compiled code is loaded by a pass that nobody times
    took = best_of(work, 1 if options.smoke else 3)
    rows, worst = [], 0.0
    for name, (matrix, seconds, cpu) in took.items():
        rows.append(Row(name, len(events), seconds, cpu))
        gap = np.abs(matrix - took["sandbox"][0]) / np.maximum(np.abs(matrix), 1.0)
        worst = max(worst, float(gap.max()))
    lines = ["## Features of a whole history", "", *table(rows, "sandbox"), ""]
    if len(rows) > 1:
        best = min(rows[1:], key=lambda row: row.seconds)
        lines.append(
            f"{best.seconds / rows[0].seconds:.1f} times the best peer, {best.name} (wanted: "
            f"{WANTED:g}). Largest difference between results: {worst:.1g}."
        )
        lines.append(limit(work["sandbox"]))
    publish("history_features", [*lines, *absent(PEERS), "", where], write=options.write)
    return 0 if worst < 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
