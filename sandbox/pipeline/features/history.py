"""compute_history: the features of a whole log at once, as training and backfills need them.

A different algorithm from the online fold, for the same bits: events are sorted by key and time,
windows and their sums slide along by two pointers, labels are difference arrays over the events
that know them. Out-of-order events take one correction each for every event of their key that
happened later and was logged before.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.features import history_kernels as kernels
from sandbox.pipeline.features.codes import (
    COUNT,
    KNOWN,
    MEAN,
    POSITIVE,
    RATIO,
    SHARE,
    SUM,
    TOTAL,
)
from sandbox.pipeline.features.plan import FeaturePlan, Output, StagePlan, Window
from sandbox.pipeline.features.rows import fill_quotients, fill_row_features

__all__ = ["compute_history"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_HUGE = 9.0e15


def compute_history(
    plan: FeaturePlan, batch: Batch, labels: Batch | None = None
) -> NDArray[np.float32]:
    """Return the feature matrix of a log.

    Parameters
    ----------
    batch
        The whole log in log order, columns as for `FeatureStore.update`.
    labels
        Labels in order of `label_time`.

    Returns
    -------
    NDArray[np.float32]
        Shape (n, features): bit for bit what a new `FeatureStore` gives for the same log, as long
        as no event is later than the plan's allowed lateness (here the lateness is unbounded).
    """
    batch = plan.cleaner.clean(batch)
    out = np.empty((len(batch), len(plan.names)), dtype=np.float32)
    fill_row_features(plan, batch, out)
    stages = [stage for stage in plan.stage_plans if stage.outputs]
    with ThreadPoolExecutor(max(min(len(stages), os.cpu_count() or 1), 1)) as threads:
        # Stages fill different columns, and compiled code and NumPy let each other run.
        jobs = [threads.submit(_fill_stage, s, plan.id, batch, labels, out) for s in stages]
        for job in jobs:
            job.result()
    fill_quotients(plan, out)
    return out


@dataclass(frozen=True)
class _Order:
    """A log sorted by key, time and log position; see `history_kernels` for the words."""

    t: Floats
    log: Ints
    first: Ints
    newest: Ints
    late: Ints
    ahead: Ints


@dataclass(frozen=True)
class _Labels:
    """Changes of labels; `last` and `oldest` by place, see `history_kernels.label_changes`."""

    place: Ints
    """Of the labelled event."""
    known_from: Ints
    """Log position from which the value counts."""
    before: Ints
    now: Ints
    is_first: NDArray[np.bool_]
    last: Ints
    oldest: Ints


def _fill_stage(
    stage: StagePlan, id: str, batch: Batch, labels: Batch | None, out: NDArray[np.float32]
) -> None:
    keys = batch[stage.key].astype(np.int64)
    event_time = batch["event_time"].astype(np.float64)
    order = _sort(keys, event_time)
    sources = [
        _minor(batch[name][order.log], scale)
        for name, scale in zip(stage.columns, stage.scales, strict=False)
    ]
    sums, changes = _parts(stage, sources), None
    if stage.has_labels and labels is not None and len(labels):
        changes = _label_changes(stage, id, batch, labels, order)
    values = np.empty((len(order.log), len(stage.outputs)), dtype=np.float32)
    room = (np.empty_like(order.log), np.empty_like(sums[0]))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for window_at in range(-1, len(stage.windows)):
            wanted = [(c, o) for c, o in enumerate(stage.outputs) if o.window == window_at]
            if window_at < 0:
                gap = np.empty(len(order.t))
                kernels.seen_before(order.t, order.log, order.first, gap)
                for column, _ in wanted:
                    values[:, column] = gap
                continue
            totals = _totals(stage.windows[window_at], order, sums, len(sources), changes, room)
            for column, output in wanted:
                _finish(output, totals, sources, stage.scales, values[:, column])
    if len(order.log) < len(keys):
        out[np.ix_(keys < 0, stage.positions)] = np.nan
    kernels.scatter(values, order.log, stage.positions, out.reshape(-1), out.shape[1])


def _sort(keys: Ints, event_time: Floats) -> _Order:
    known = keys >= 0
    largest = int(keys.max(initial=0))
    if largest <= 4 * len(keys) + 1024:
        codes, distinct = keys, largest + 1
    else:
        names, codes = np.unique(keys, return_inverse=True)
        codes, distinct = np.where(known, codes, -1), len(names)
    counts = np.bincount(codes[known], minlength=distinct)
    starts = np.cumsum(counts) - counts
    rows = int(counts.sum())
    log, first, newest = (np.empty(rows, dtype=np.int64) for _ in range(3))
    t = np.empty(rows)
    kernels.arrange(codes, event_time, starts.copy(), starts, log, t, first, newest)
    pairs = kernels.count_pairs(log, first, newest)
    late, ahead = np.empty(pairs, dtype=np.int64), np.empty(pairs, dtype=np.int64)
    kernels.list_pairs(log, first, newest, late, ahead)
    return _Order(t, log, first, newest, late, ahead)


def _minor(values: NDArray[np.float64], scale: float) -> tuple[Ints, NDArray[np.bool_]]:
    """Return values in integer minor units (0 where unknown), and which are known."""
    minor = np.rint(values.astype(np.float64) * scale)
    known = np.abs(minor) < _HUGE
    return np.where(known, minor, 0.0).astype(np.int64), known


def _parts(
    stage: StagePlan, sources: list[tuple[Ints, NDArray[np.bool_]]]
) -> tuple[Ints, dict[tuple[int, int], int]]:
    """Return what windows can add up, shape (k, places), and the row of each (source, kind).

    Row -1 stands for ones: where every value is known, how many are is the count.
    """
    rows: list[Ints] = []
    index: dict[tuple[int, int], int] = {}
    for window in stage.windows:
        for source, kind in window.slots:
            if source == len(sources) or (source, kind) in index:
                continue
            values, known = sources[source]
            if kind == KNOWN and known.all():
                index[source, kind] = -1
                continue
            index[source, kind] = len(rows)
            rows.append(
                values if kind == TOTAL else known * 1 if kind == KNOWN else (values > 0) * 1
            )
    places = len(sources[0][0]) if sources else 0
    return np.array(rows, dtype=np.int64).reshape(len(rows), places), index


def _totals(
    window: Window, order: _Order, sums: tuple[Ints, dict[tuple[int, int], int]], labels: int,
    changes: _Labels | None, room: tuple[Ints, Ints],
) -> dict[tuple[int, int] | int, Ints]:  # fmt: skip
    """Return what the window of each event adds up, by (source, kind); its count by -1.

    `labels` is the number of the source that stands for labels. Counts and sums are put into
    `room`, which the next window uses again: fresh memory costs as much as the sums.
    """
    parts, index = sums
    slots = [slot for slot in window.slots if slot[0] != labels]
    rows = [index[slot] for slot in slots if index[slot] >= 0]
    wanted = parts[rows] if len(rows) < len(parts) else parts
    count, added = room[0], room[1][: len(rows)]
    kernels.slide(order.t, order.first, window.delay, window.over, wanted, count, added)
    # What an event has not seen: those that happened before it and came after it.
    newest = order.t[order.ahead] - window.delay
    inside = (order.t[order.late] > newest - window.over) & (order.t[order.late] <= newest)
    late, ahead = order.late[inside], order.ahead[inside]
    np.subtract.at(count, ahead, 1)
    for total, part in zip(added, wanted, strict=True):
        np.subtract.at(total, ahead, part[late])
    totals: dict[tuple[int, int] | int, Ints] = {-1: count}
    place = {row: at for at, row in enumerate(rows)}
    for slot in window.slots:
        if slot[0] == labels:
            totals[slot] = _label_total(slot[1], window, order, changes)
        else:
            totals[slot] = count if index[slot] < 0 else added[place[index[slot]]]
    return totals


def _finish(
    output: Output,
    totals: dict[tuple[int, int] | int, Ints],
    sources: list[tuple[Ints, NDArray[np.bool_]]],
    scales: tuple[float, ...],
    out: NDArray[np.float32],
) -> None:
    """Fill an output column from integer totals; arithmetic in float64."""
    operation, source, count = output.operation, output.source, totals[-1]
    if operation == COUNT:
        out[:] = count
        return
    if operation == SHARE:
        kernels.divide(totals[source, POSITIVE], count, 1.0, 0.0, out)
        return
    scale = scales[source]
    if operation == SUM:
        out[:] = totals[source, TOTAL] / scale
        return
    total, known = totals[source, TOTAL], totals[source, KNOWN]
    if operation == MEAN:
        kernels.divide(total, known, scale, np.nan, out)
        return
    if operation != RATIO:
        raise ValueError(f"operation {operation} has no window")
    own, own_known = sources[source]
    usable = own_known & (known > 1) & (total != own)
    ratio = own / scale / ((total - own) / (known - 1) / scale)
    out[:] = np.where(usable, ratio, np.nan)


def _label_changes(
    stage: StagePlan, id: str, batch: Batch, labels: Batch, order: _Order
) -> _Labels:
    """Match labels with events and say from where in the log each value counts."""
    ids, keys = batch[id].astype(np.int64), batch[stage.key].astype(np.int64)
    by_id = np.argsort(ids, kind="stable")
    label_ids, found = labels[id].astype(np.int64), np.empty(len(labels), dtype=np.int64)
    kernels.match(
        ids, by_id, keys, batch["event_time"].astype(np.float64), label_ids,
        labels[stage.key].astype(np.int64), labels["event_time"].astype(np.float64),
        np.searchsorted(ids[by_id], label_ids), found,
    )  # fmt: skip
    reached = np.maximum.accumulate(batch["processing_time"])
    known_from = np.searchsorted(reached, labels["label_time"]).astype(np.int64)
    values, known = _minor(labels["label"], stage.scales[-1])
    # A label that comes before its event, or never, is ignored; so is one without a key.
    used = known & (found >= 0) & (known_from > found) & (known_from < len(batch))
    used &= labels[stage.key] >= 0
    found, known_from, values = found[used], known_from[used], values[used]
    by_event = np.argsort(found, kind="stable")
    found, known_from, values = found[by_event], known_from[by_event], values[by_event]
    is_first = np.ones(len(found), dtype=np.bool_)
    is_first[1:] = found[1:] != found[:-1]
    before = np.where(is_first, 0, np.roll(values, 1))
    place = np.empty(len(batch), dtype=np.int64)
    place[order.log] = np.arange(len(order.log))
    last, oldest = np.empty_like(order.log), np.empty_like(order.log)
    kernels.key_ends(order.log, order.first, last, oldest)
    return _Labels(place[found], known_from, before, values, is_first, last, oldest)


def _label_total(kind: int, window: Window, order: _Order, changes: _Labels | None) -> Ints:
    difference = np.zeros(len(order.log) + 1, dtype=np.int64)
    if changes is None:
        return difference[:-1]
    if kind == TOTAL:
        change = changes.now - changes.before
    elif kind == KNOWN:
        change = changes.is_first.astype(np.int64)
    else:
        change = (changes.now > 0).astype(np.int64) - (changes.before > 0)
    kernels.label_changes(
        changes.place, changes.known_from, change, window.delay, window.over,
        order.t, order.log, order.newest, changes.last, changes.oldest, difference,
    )  # fmt: skip
    return np.asarray(np.cumsum(difference)[:-1])
