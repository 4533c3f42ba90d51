"""The online feature fold beside a plain-Python and a River version of the same features.

    python benchmarks/feature_fold.py [--events N] [--long N] [--smoke]

Twelve windowed features: count and mean amount of a customer over 1, 7, 30 days; count and share of
positive labels of a terminal over the same windows, 7 days delayed. 5,000 customers, 10,000
terminals, batches of 500. All versions fold the same events and labels in the same run on one core,
and their outputs are compared. A longer stream shows the fold alone with full windows.

Time is CPU time of the one thread, so that other work on the machine counts less; threads of other
processes still share caches and memory with it.

Labels come within 6.9 days of the event, before they are asked for, since River cannot change a
value that is in a window already. To us it makes no difference.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from river import stats, utils

from sandbox.batch import Batch
from sandbox.pipeline.features.online import FeatureStore, warm_up
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.features import FeatureSpec
from sandbox.spec.scenario import EventSchema

DAY = 86400.0
START = 1_767_571_200.0
OVER = (DAY, 7 * DAY, 30 * DAY)
DELAY = 7 * DAY
CUSTOMERS, TERMINALS = 5_000, 10_000
SPAN = 90 * DAY

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Stream:
    """Events in log order and labels in order of label time."""

    events: Batch
    labels: Batch


@dataclass(frozen=True)
class Result:
    """One version's speed [events/s] and how far its output is from ours."""

    name: str
    events: int
    rate: float
    worst: float


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


def fold_deques(stream: Stream) -> tuple[Matrix, float]:
    """Fold event by event with a deque and running sums for each key and window."""
    rows, known, out = list(_rows(stream)), _Known(stream), []
    spent: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0, 0])
    paid: dict[tuple[int, int], deque[tuple[float, int]]] = defaultdict(deque)
    waiting: dict[int, deque[tuple[float, int]]] = defaultdict(deque)
    risk: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    past: dict[tuple[int, int], deque[tuple[float, int]]] = defaultdict(deque)
    began = time.thread_time()
    for event, t, customer, terminal, amount in rows:
        known.advance(t)
        counts, means, seen, shares = [], [], [], []
        minor = round(amount * 100)
        waiting[terminal].append((t, event))
        released = _released(waiting[terminal], t - DELAY, known.positive)
        for w, over in enumerate(OVER):
            window, total = paid[customer, w], spent[customer, w]
            window.append((t, minor))
            total[0] += 1
            total[1] += minor
            while window[0][0] <= t - over:
                total[0] -= 1
                total[1] -= window.popleft()[1]
            counts.append(total[0])
            means.append(total[1] / total[0] / 100)
            window, share = past[terminal, w], risk[terminal, w]
            for item in released:
                window.append(item)
                share[0] += 1
                share[1] += item[1]
            while window and window[0][0] <= t - DELAY - over:
                share[0] -= 1
                share[1] -= window.popleft()[1]
            seen.append(share[0])
            shares.append(share[1] / share[0] if share[0] else 0.0)
        out.append(counts + means + seen + shares)
    seconds = time.thread_time() - began
    return np.array(out, dtype=np.float32), seconds


def _released(
    queue: deque[tuple[float, int]], until: float, positive: dict[int, int]
) -> list[tuple[float, int]]:
    out = []
    while queue and queue[0][0] <= until:
        before, number = queue.popleft()
        out.append((before, positive.get(number, 0)))
    return out


class _Rolling(utils.TimeRolling):  # type: ignore[type-arg]
    """River's rolling window, which alone forgets only when something new arrives."""

    def expire(self, t: dt.datetime) -> None:
        """Forget what is older than the window at time `t`."""
        old = 0
        while old < len(self._timestamps) and self._timestamps[old] <= t - self.period:
            arguments, options = self._datum[old]
            self.obj.revert(*arguments, **options)
            old += 1
        if old:
            del self._timestamps[:old], self._datum[:old]


def fold_river(stream: Stream) -> tuple[Matrix, float]:
    """Fold event by event with `river.utils.TimeRolling(stats.Mean)` for each key and window."""
    periods = [dt.timedelta(seconds=over) for over in OVER]
    delay = dt.timedelta(seconds=DELAY)

    def rolling() -> list[_Rolling]:
        return [_Rolling(stats.Mean, period=period) for period in periods]

    rows, known, out = list(_rows(stream)), _Known(stream), []
    clock = [dt.datetime.fromtimestamp(row[1], dt.UTC).replace(tzinfo=None) for row in rows]
    spent: dict[int, list[_Rolling]] = defaultdict(rolling)
    risk: dict[int, list[_Rolling]] = defaultdict(rolling)
    waiting: dict[int, deque[tuple[dt.datetime, int]]] = defaultdict(deque)
    began = time.thread_time()
    for (event, t, customer, terminal, amount), now in zip(rows, clock, strict=True):
        known.advance(t)
        windows, late, queue = spent[customer], risk[terminal], waiting[terminal]
        for window in windows:
            window.update(amount, t=now)
        queue.append((now, event))
        while queue and queue[0][0] <= now - delay:
            before, number = queue.popleft()
            for window in late:
                window.update(known.positive.get(number, 0), t=before)
        for window in late:
            window.expire(now - delay)
        out.append(
            [w.obj.n for w in windows]
            + [w.obj.get() for w in windows]
            + [w.obj.n for w in late]
            + [w.obj.get() if w.obj.n else 0.0 for w in late]
        )
    seconds = time.thread_time() - began
    return np.array(out, dtype=np.float32), seconds


class _Known:
    """Labels that have arrived, for the versions that go event by event."""

    def __init__(self, stream: Stream) -> None:
        labels = stream.labels
        self._coming = deque(
            zip(labels["label_time"].tolist(), labels["event_id"].tolist(), strict=True)
        )
        self.positive: dict[int, int] = {}

    def advance(self, t: float) -> None:
        """Take in what is known at time `t`."""
        while self._coming and self._coming[0][0] <= t:
            self.positive[self._coming.popleft()[1]] = 1


def _rows(stream: Stream) -> zip[tuple[int, float, int, int, float]]:
    names = ("event_id", "event_time", "customer_id", "terminal_id", "amount")
    return zip(*(stream.events[name].tolist() for name in names), strict=True)


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


def measure(events: int = 100_000, long: int = 2_000_000, repeats: int = 3) -> list[Result]:
    """Run all versions on the same events, and the fold alone on a longer stream.

    Raises
    ------
    ValueError
        If the outputs of two versions differ.
    """
    stream = make_stream(events)
    ours, _ = fold_sandbox(stream)
    rate = events / statistics.median(fold_sandbox(stream)[1] for _ in range(repeats))
    results = [Result("sandbox, batches of 500", events, rate, 0.0)]
    peers: tuple[tuple[str, Callable[[Stream], tuple[Matrix, float]]], ...] = (
        ("plain Python, deques", fold_deques),
        ("River TimeRolling", fold_river),
    )
    for name, fold in peers:
        theirs, seconds = fold(stream)
        worst = float(np.max(np.abs(theirs - ours) / np.maximum(np.abs(ours), 1.0)))
        if not worst < 1e-5:
            raise ValueError(f"{name} differs from our fold by {worst:g}")
        results.append(Result(name, events, events / seconds, worst))
    longer = make_stream(long)
    rate = long / statistics.median(fold_sandbox(longer)[1] for _ in range(repeats))
    results.append(Result("sandbox, longer stream", long, rate, 0.0))
    return results


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit code 1 if outputs differ or, but for --smoke, the target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--long", type=int, default=2_000_000)
    parser.add_argument("--smoke", action="store_true", help="few events: does it work at all")
    options = parser.parse_args(arguments)
    sizes = (4_000, 20_000) if options.smoke else (options.events, options.long)
    results = measure(sizes[0], sizes[1], repeats=1 if options.smoke else 3)
    ours = results[0].rate
    print(f"{'version':26}{'events':>11}{'events/s':>13}{'we are':>10}{'worst difference':>18}")
    for result in results:
        ratio = f"{ours / result.rate:.0f}x" if result.name[:7] != "sandbox" else ""
        print(
            f"{result.name:26}{result.events:>11,}{result.rate:>13,.0f}{ratio:>10}"
            f"{result.worst:>18.1e}"
        )
    print(f"overhead of a batch: {overhead() * 1e6:.0f} us")
    return 0 if options.smoke or ours >= 1e6 else 1


if __name__ == "__main__":
    sys.exit(main())
