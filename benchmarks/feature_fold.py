"""The online feature fold beside plain Python, River and Bytewax versions of the same features.

    python benchmarks/feature_fold.py [--smoke] [--write]

Twelve windowed features: count and mean amount of a customer over 1, 7, 30 days; count and share of
positive labels of a terminal over the same windows, 7 days delayed. 5,000 customers, 10,000
terminals, batches of 500. All versions fold the same events and labels in the same run on one core,
and their outputs are compared. A longer stream shows the fold alone with full windows.

Time is CPU time, so that other work on the machine counts less; threads of other processes still
share caches and memory with it.

Labels come within 6.9 days of the event, before they are asked for, since River cannot change a
value that is in a window already. To us it makes no difference.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.fold_peers import (
    DAY,
    DELAY,
    OVER,
    Matrix,
    Stream,
    fold_bytewax,
    fold_deques,
    fold_river,
)
from benchmarks.sheet import Row, absent, installed, machine, publish, table
from sandbox.batch import Batch
from sandbox.pipeline.features.online import FeatureStore, warm_up
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.features import FeatureSpec
from sandbox.spec.scenario import EventSchema

__all__ = ["DELAY", "OVER", "make_plan"]

START = 1_767_571_200.0
CUSTOMERS, TERMINALS = 5_000, 10_000
SPAN = 90 * DAY
WANTED = 1_000_000
PEERS = {"bytewax": "Bytewax"}


def make_stream(events: int, seed: int = 7) -> Stream:
    """Return payments over 90 days; 1 % are positive and known within 6.9 days."""
    rng = np.random.default_rng(seed)
    times = START + np.sort(rng.uniform(0, SPAN, events)).round()
    log = Batch(
        {
            "event_id": np.arange(events),
            "event_time": times,
            "processing_time": times,
            "customer_id": rng.integers(0, CUSTOMERS, events),
            "terminal_id": rng.integers(0, TERMINALS, events),
            "amount": rng.lognormal(3.2, 0.9, events).round(2),
        }
    )
    positive = np.flatnonzero(rng.random(events) < 0.01)
    labels = log.select(["event_id", "event_time", "customer_id", "terminal_id"]).take(positive)
    delay = np.minimum(rng.lognormal(np.log(3 * DAY), 0.6, len(positive)), 6.9 * DAY)
    labels = labels.with_columns(
        label=np.ones(len(positive)), label_time=labels["event_time"] + delay
    )
    return Stream(log, labels.sort("label_time"))


def make_plan() -> FeaturePlan:
    """Return the plan of the twelve features."""
    schema = EventSchema.model_validate(
        {
            "id": "event_id",
            "columns": {
                "customer_id": {"type": "key"},
                "terminal_id": {"type": "key"},
                "amount": {"type": "number"},
            },
        }
    )
    days = ["1d", "7d", "30d"]
    declared = [
        {"count": {"by": "customer_id", "over": days}},
        {"mean": {"of": "amount", "by": "customer_id", "over": days}},
        {"count": {"by": "terminal_id", "over": days, "delay": "7d"}},
        {"share": {"of": "label", "by": "terminal_id", "over": days, "delay": "7d"}},
    ]
    features = [FeatureSpec.model_validate(item) for item in declared]
    return FeaturePlan.compile(features, schema, "customer_id")


def fold_sandbox(stream: Stream, batch: int = 500) -> tuple[Matrix, float]:
    """Fold in batches; return the features and the CPU seconds it took."""
    plan = make_plan()
    warm_up(plan)
    store, rows = FeatureStore(plan), len(stream.events)
    ends = [*range(batch, rows, batch), rows]
    reached = stream.events["processing_time"][np.array(ends) - 1]
    due = np.searchsorted(stream.labels["label_time"], reached, side="right").tolist()
    parts = [
        (stream.events.slice(a, b), stream.labels.slice(c, d))
        for a, b, c, d in zip([0, *ends[:-1]], ends, [0, *due[:-1]], due, strict=True)
    ]
    began = time.thread_time()
    out = [store.update(events, labels) for events, labels in parts]
    seconds = time.thread_time() - began
    return np.concatenate(out), seconds


def overhead(batches: int = 2000) -> float:
    """Return the seconds a batch costs besides its events, from batches of one event."""
    stream, plan = make_stream(batches), make_plan()
    warm_up(plan)
    store = FeatureStore(plan)
    parts = [stream.events.slice(i, i + 1) for i in range(batches)]
    took = []
    for part in parts:
        began = time.thread_time()
        store.update(part)
        took.append(time.thread_time() - began)
    return statistics.median(took)


def measure(events: int, long: int, repeats: int) -> list[Row]:
    """Run all versions on the same events, and the fold alone on a longer stream.

    Raises
    ------
    ValueError
        If the outputs of two versions differ.
    """
    stream = make_stream(events)
    ours, _ = fold_sandbox(stream)
    took = statistics.median(fold_sandbox(stream)[1] for _ in range(repeats))
    rows = [Row("sandbox", events, took, took, f"batches of 500; wanted: {WANTED:,}")]
    peers: dict[str, Callable[[Stream], tuple[Matrix, float]]] = {
        "plain Python, deques": fold_deques,
        "River TimeRolling": fold_river,
    }
    if installed("bytewax"):
        peers["Bytewax, two stateful steps"] = fold_bytewax
    for name, fold in peers.items():
        theirs, seconds = fold(stream)
        worst = float(np.max(np.abs(theirs - ours) / np.maximum(np.abs(ours), 1.0)))
        if not worst < 1e-5:
            raise ValueError(f"{name} differs from our fold by {worst:g}")
        rows.append(Row(name, events, seconds, seconds, f"difference {worst:.1g}"))
    longer = make_stream(long)
    took = statistics.median(fold_sandbox(longer)[1] for _ in range(repeats))
    return [*rows, Row("sandbox, longer stream", long, took, took)]


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="few events: does it work at all")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args(arguments)
    where = machine()
    rows = measure(4_000, 20_000, 1) if options.smoke else measure(100_000, 2_000_000, 3)
    lines = [
        "## The online feature fold", "", *table(rows, rows[0].name), *absent(PEERS), "",
        f"A batch costs {overhead() * 1e6:.0f} us besides its events. CPU time, one core.", "",
        where,
    ]  # fmt: skip
    publish("feature_fold", lines, write=options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
