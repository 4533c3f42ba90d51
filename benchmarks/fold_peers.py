"""The twelve features of `benchmarks/feature_fold.py` with deques, River and Bytewax.

Each version takes the stream event by event and returns the features, shape (n, 12), and the
seconds of CPU time that the fold took.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import stats, utils

from sandbox.batch import Batch

DAY = 86400.0
OVER = (DAY, 7 * DAY, 30 * DAY)
DELAY = 7 * DAY

Matrix = NDArray[np.float32]
Item = tuple[float, int]


@dataclass(frozen=True)
class Stream:
    """Events in log order and labels in order of label time."""

    events: Batch
    labels: Batch


@dataclass
class _Spent:
    """Of one customer: how many payments and how much, for each window."""

    windows: list[deque[Item]] = field(default_factory=lambda: [deque() for _ in OVER])
    totals: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in OVER])

    def add(self, t: float, minor: int) -> list[float]:
        """Return counts and means, this payment included."""
        counts: list[float] = []
        means: list[float] = []
        for window, total, over in zip(self.windows, self.totals, OVER, strict=True):
            window.append((t, minor))
            total[0] += 1
            total[1] += minor
            while window[0][0] <= t - over:
                total[0] -= 1
                total[1] -= window.popleft()[1]
            counts.append(total[0])
            means.append(total[1] / total[0] / 100)
        return counts + means


@dataclass
class _Risk:
    """Of one terminal: how many payments and how many positives, for each window, delayed."""

    waiting: deque[Item] = field(default_factory=deque)
    windows: list[deque[Item]] = field(default_factory=lambda: [deque() for _ in OVER])
    totals: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in OVER])

    def add(self, t: float, event: int, positive: dict[int, int]) -> list[float]:
        """Return counts and shares."""
        self.waiting.append((t, event))
        released = []
        while self.waiting and self.waiting[0][0] <= t - DELAY:
            before, number = self.waiting.popleft()
            released.append((before, positive.get(number, 0)))
        counts: list[float] = []
        shares: list[float] = []
        for window, total, over in zip(self.windows, self.totals, OVER, strict=True):
            for item in released:
                window.append(item)
                total[0] += 1
                total[1] += item[1]
            while window and window[0][0] <= t - DELAY - over:
                total[0] -= 1
                total[1] -= window.popleft()[1]
            counts.append(total[0])
            shares.append(total[1] / total[0] if total[0] else 0.0)
        return counts + shares


def fold_deques(stream: Stream) -> tuple[Matrix, float]:
    """Fold event by event with a deque and running sums for each key and window."""
    rows, known = list(_rows(stream)), _Known(stream)
    spent: dict[int, _Spent] = defaultdict(_Spent)
    risk: dict[int, _Risk] = defaultdict(_Risk)
    out = []
    began = time.thread_time()
    for event, t, customer, terminal, amount in rows:
        known.advance(t)
        late = risk[terminal].add(t, event, known.positive)
        out.append(spent[customer].add(t, round(amount * 100)) + late)
    seconds = time.thread_time() - began
    return np.array(out, dtype=np.float32), seconds


def fold_bytewax(stream: Stream) -> tuple[Matrix, float]:
    """Fold as a dataflow of two stateful steps, keyed by customer, then by terminal.

    The state is that of `fold_deques`; between the steps the stream is keyed anew. One event at a
    time: a step gives a batch back ordered by key, and the next step would see time go backwards.
    """
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, TestingSource, run_main

    known, out = _Known(stream), []
    rows = [(str(row[2]), row) for row in _rows(stream)]

    def by_customer(state: _Spent | None, row: Any) -> tuple[_Spent, Any]:
        state = state or _Spent()
        return state, (row, state.add(row[1], round(row[4] * 100)))

    def by_terminal(state: _Risk | None, value: Any) -> tuple[_Risk, Any]:
        (event, t, *_), spent = value
        known.advance(t)
        state = state or _Risk()
        return state, (event, spent + state.add(t, event, known.positive))

    flow = Dataflow("fold")
    keyed = op.input("events", flow, TestingSource(rows))
    paid = op.stateful_map("customer", keyed, by_customer)
    moved = op.map("repartition", paid, lambda item: (str(item[1][0][3]), item[1]))
    op.output("out", op.stateful_map("terminal", moved, by_terminal), TestingSink(out))
    began = time.process_time()
    run_main(flow)
    seconds = time.process_time() - began
    out.sort(key=lambda item: item[1][0])
    return np.array([item[1][1] for item in out], dtype=np.float32), seconds


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
