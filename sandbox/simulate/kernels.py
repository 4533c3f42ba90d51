"""Compiled queues: every event exactly, between two changes of regime.

All of it is in one file on purpose: numba's disk cache notices changes of the file that a function
is in, not of the files it calls into.

What is exact here (`waiting_times`, `serve_batches`) takes arrivals and hands its state over.
What samples (`simulate_span`) runs the exact batch server over short stretches and carries the
backlog between them by a fluid balance; see ``docs/stack-model.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BINS_PER_DECADE",
    "LATENCY_EDGES",
    "LONGEST_STRETCH",
    "BatchServer",
    "Span",
    "Tally",
    "full_rate",
    "histogram_quantiles",
    "serve_batches",
    "simulate_span",
    "waiting_times",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])

LOWEST, HIGHEST, BINS_PER_DECADE = -4, 5, 64
BINS = (HIGHEST - LOWEST) * BINS_PER_DECADE
LATENCY_EDGES: Floats = np.logspace(LOWEST, HIGHEST, BINS + 1)
"""Edges of the latency histogram [s], 64 a decade from 0.1 ms to 28 h; the outer bins are open."""

LANES = 4  # pairs of workers sampled in a bucket
SAMPLES = 128  # latencies recorded a lane
BATCHES = 4.0  # length of a stretch in batches, at least
LONGEST_STRETCH = 4096  # events
STRIDE = 7919  # distance of two stretches in the pool: longer than a stretch, prime
GOLDEN = 0.6180339887498949  # low-discrepancy choice of workers
QUIET = 1e-6  # events/s below which every event is alone
NEAR_FULL = 0.99  # load at which stretches run while a backlog stands


def compiled(function: Function) -> Function:
    """Compile a function to machine code, cached on disk, free of the interpreter lock."""
    return cast(Function, numba.njit(cache=True, nogil=True)(function))


class BatchServer(NamedTuple):
    """A worker that takes micro-batches: serving `n` events takes ``call + event * n``.

    A batch starts when the server is free and either `max_batch` events wait or `linger` has passed
    since the oldest waiting one arrived. It takes what waits then, at most `max_batch`.
    """

    call: float
    """Cost of a batch whatever its size [s]."""
    event: float
    """Cost of each event in it [s]."""
    max_batch: int
    linger: float
    """[s]"""


@compiled
def waiting_times(gaps: Floats, services: Floats, wait: float, waits: Floats) -> float:
    """Fill `waits` with the waiting times of a first-come-first-served single server.

    Parameters
    ----------
    gaps
        Time [s] from each customer's arrival to the next one's, shape (n,).
    services
        Service times [s], shape (n,).
    wait
        Waiting time of the first customer [s]; the state handed over.
    waits
        Result [s], shape (n,).

    Returns
    -------
    float
        Waiting time of the customer after the last [s], to hand over.

    Notes
    -----
    Lindley (1952): ``W[k+1] = max(0, W[k] + S[k] - A[k])``.
    """
    for k in range(len(services)):
        waits[k] = wait
        wait = max(0.0, wait + services[k] - gaps[k])
    return wait


@compiled
def serve_batches(
    arrivals: Floats, server: BatchServer, free: float, until: float, departures: Floats
) -> tuple[int, float]:
    """Serve every batch that starts by `until`, exactly.

    Parameters
    ----------
    arrivals
        Ascending arrival times [s], shape (n,): those still queued, then the new ones. All arrivals
        up to `until` must be there; later ones may be.
    free
        When the server becomes free [s].
    until
        Time up to which arrivals are known [s]; infinity when no more will come.
    departures
        Filled with departure times [s] of the served events, shape (n,).

    Returns
    -------
    tuple of (int, float)
        Number of events served (the first ones), and when the server is free: the state to hand
        over is ``arrivals[served:]`` and that time.
    """
    head, n = 0, len(arrivals)
    while head < n:
        start = arrivals[head] + server.linger
        if head + server.max_batch <= n:
            start = min(start, arrivals[head + server.max_batch - 1])
        start = max(start, free)
        if start > until:
            break
        tail = head + 1
        stop = min(n, head + server.max_batch)
        while tail < stop and arrivals[tail] <= start:
            tail += 1
        free = start + (server.call + server.event * (tail - head))
        departures[head:tail] = free
        head = tail
    return head, free


@compiled
def full_rate(server: BatchServer) -> float:
    """Return the capacity of a server [events/s]: its rate in full batches."""
    return server.max_batch / (server.call + server.event * server.max_batch)


class Span(NamedTuple):
    """A stretch of virtual time in which nothing but the load changes."""

    edges: Floats
    """Ends of the m segments [s], shape (m + 1,)."""
    bucket: Ints
    """Index of the segment's bucket among those tallied, shape (m,)."""
    number: Ints
    """Number of the segment's bucket since day 0, shape (m,): picks the random stretch."""
    load: Floats
    """Arrivals [events/s], shape (m,)."""
    call: Floats
    """Cost of a batch at each stage [s], shape (stages,)."""
    event: Floats
    """Cost of an event at each stage [s], shape (stages,)."""
    max_batch: int
    linger: float
    """[s]"""
    share: Floats
    """Share of a stage's events that each worker gets, shape (stages, workers)."""
    hops: float
    """Time of all hops together [s]."""
    resumes: float
    """When consumption resumes after a rebalance [s]; before it nothing moves."""
    budget: float
    """Event-to-decision time that counts as answered [s]."""


class Tally(NamedTuple):
    """What segments add to their buckets."""

    latency: Floats
    """Events by latency bin, shape (buckets, bins)."""
    missed: Floats
    """Events beyond the budget, shape (buckets,)."""
    events: Floats
    """Events that arrived, shape (buckets,)."""
    lag: Floats
    """Most unread events at once, shape (buckets,)."""
    offered: Floats
    """Load of the busiest worker in seconds of work, shape (stages, buckets)."""


@compiled
def simulate_span(span: Span, backlog: Floats, pool: Floats, tally: Tally) -> None:
    """Carry `backlog` [events, shape (stages, workers)] through a span and fill the tally.

    `pool` holds standard exponentials, drawn once; a bucket's stretches always read the
    same ones.
    """
    stages, workers = span.share.shape
    before = np.empty((stages, workers))
    inflow = np.empty(stages)
    latency = np.empty(SAMPLES)
    scratch = np.empty((2, LONGEST_STRETCH))
    for m in range(len(span.load)):
        length = span.edges[m + 1] - span.edges[m]
        paused = span.edges[m] < span.resumes
        standing = _copy(backlog, before)
        _balance(span, m, paused, backlog, inflow, tally)
        tally.events[span.bucket[m]] += span.load[m] * length
        if span.load[m] <= 0.0:
            continue
        lanes = min(LANES, workers)
        inside = 0.0
        for lane in range(lanes):
            latency[:] = span.hops
            inside += _lane(span, m, lane, lanes, before, inflow, pool, scratch, latency)
            _record(span, m, latency, span.load[m] * length / lanes, tally)
        # Little's law for what the fluid does not see: events in batches being filled and served.
        unread = max(standing, _copy(backlog, before)) + span.load[m] * inside / lanes
        tally.lag[span.bucket[m]] = max(tally.lag[span.bucket[m]], unread)


@compiled
def _copy(values: Floats, copy: Floats) -> float:
    """Copy and sum; a loop, because array expressions take seconds to compile."""
    total = 0.0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            copy[row, column] = values[row, column]
            total += values[row, column]
    return total


@compiled
def _server(span: Span, stage: int) -> BatchServer:
    return BatchServer(span.call[stage], span.event[stage], span.max_batch, span.linger)


@compiled
def _balance(
    span: Span, m: int, paused: bool, backlog: Floats, inflow: Floats, tally: Tally
) -> None:
    """Move the fluid through all stages for one segment; `inflow` gets each stage's load."""
    length = span.edges[m + 1] - span.edges[m]
    rate = span.load[m]
    for stage in range(len(inflow)):
        inflow[stage] = rate
        capacity = full_rate(_server(span, stage))
        served = 0.0
        busiest = 0.0
        for worker in range(span.share.shape[1]):
            arriving = rate * span.share[stage, worker] * length
            possible = 0.0 if paused else capacity * length
            done = min(backlog[stage, worker] + arriving, possible)
            backlog[stage, worker] = max(0.0, backlog[stage, worker] + arriving - done)
            served += done
            busiest = max(busiest, arriving / capacity)
        tally.offered[stage, span.bucket[m]] += busiest
        rate = served / length


@compiled
def _lane(
    span: Span,
    m: int,
    lane: int,
    lanes: int,
    before: Floats,
    inflow: Floats,
    pool: Floats,
    scratch: Floats,
    latency: Floats,
) -> float:
    """Add the time at every stage of one chain of sampled workers.

    Returns the mean time [s] in batches, without the backlog.
    """
    inside = 0.0
    for stage in range(len(inflow)):
        # Workers in proportion to their load, spread evenly; pairs of stages mix over buckets.
        turn = (lane + stage * span.number[m]) % lanes
        point = (turn + (span.number[m] * GOLDEN * (stage + 1)) % 1.0) / lanes
        worker = _pick(span.share[stage], point)
        server = _server(span, stage)
        capacity = full_rate(server)
        load = inflow[stage] * span.share[stage, worker]
        start = ((span.number[m] * LANES + lane) * 8 + stage) * STRIDE
        gaps = pool[start % (len(pool) - LONGEST_STRETCH) :]
        inside += _stretch(min(load, NEAR_FULL * capacity), server, gaps, scratch, latency)
        resumes = span.resumes if stage == 0 else -np.inf  # one pause is waited for once
        ends = span.edges[m : m + 2]
        _add_backlog(ends, resumes, before[stage, worker], load, capacity, latency)
    return inside


@compiled
def _pick(share: Floats, point: float) -> int:
    """Return the worker in whose share of [0, 1] the point falls."""
    total = 0.0
    for worker in range(len(share)):
        total += share[worker]
        if point < total:
            return worker
    return len(share) - 1


@compiled
def _stretch(
    load: float, server: BatchServer, gaps: Floats, scratch: Floats, latency: Floats
) -> float:
    """Add to `latency` times in the steady state of one server under Poisson load; return the mean.

    The stretch starts at the fixed point of the batch size, ``n = load * (call + event * n)``, so
    that few batches suffice. Where even those are too many events, `merge` of them move as one.
    """
    if load <= QUIET:
        alone = server.linger + server.call + server.event
        for j in range(SAMPLES):
            latency[j] += alone
        return alone
    slack = 1.0 - load * server.event
    steady = load * server.call / slack if slack > 0.0 else float(server.max_batch)
    steady = min(steady, float(server.max_batch))
    batch = max(1.0, steady, min(load * server.linger, float(server.max_batch)))
    merge = max(1, int(np.ceil((BATCHES * batch + 2.0) / LONGEST_STRETCH)))
    n = min(max(SAMPLES, int(BATCHES * batch / merge) + 2), LONGEST_STRETCH)
    arrivals, departures = scratch[0, :n], scratch[1, :n]
    now, scale = 0.0, merge / load
    for k in range(n):
        now += gaps[k] * scale
        arrivals[k] = now
    whole = BatchServer(
        server.call, server.event * merge, max(1, server.max_batch // merge), server.linger
    )
    free = server.call + server.event * steady
    served, _ = serve_batches(arrivals, whole, free, now, departures)
    if served == 0:
        served, _ = serve_batches(arrivals, whole, free, np.inf, departures)
    mean = 0.0
    for j in range(SAMPLES):
        k = (j * served) // SAMPLES
        latency[j] += departures[k] - arrivals[k]
        mean += (departures[k] - arrivals[k]) / SAMPLES
    return mean


@compiled
def _add_backlog(
    ends: Floats, resumes: float, backlog: float, load: float, capacity: float, latency: Floats
) -> None:
    """Add the wait behind the fluid backlog to events spread evenly over a segment."""
    length = ends[1] - ends[0]
    pause = max(0.0, resumes - ends[0])
    if backlog <= 0.0 and load <= capacity and pause <= 0.0:
        return
    for j in range(SAMPLES):
        elapsed = (j + 0.5) / SAMPLES * length
        drained = capacity * max(0.0, elapsed - pause)
        ahead = max(0.0, backlog + load * elapsed - drained)
        latency[j] += max(0.0, pause - elapsed) + ahead / capacity


@compiled
def _record(span: Span, m: int, latency: Floats, weight: float, tally: Tally) -> None:
    """Count a lane's latencies, `weight` events in all."""
    bucket = span.bucket[m]
    for j in range(SAMPLES):
        place = (np.log10(max(latency[j], 1e-9)) - LOWEST) * BINS_PER_DECADE
        tally.latency[bucket, int(min(max(place, 0.0), BINS - 1.0))] += weight / SAMPLES
        if latency[j] > span.budget:
            tally.missed[bucket] += weight / SAMPLES


@compiled
def histogram_quantiles(histogram: Floats, shares: Floats) -> Floats:
    """Return latencies [s] that shares of the events stay below, shape (shares, n).

    `histogram` counts events by latency bin, shape (n, bins). Interpolated on the log scale within
    a bin; NaN where there are no events.
    """
    result = np.full((len(shares), len(histogram)), np.nan)
    for row in range(len(histogram)):
        total = 0.0
        for place in range(BINS):
            total += histogram[row, place]
        for k in range(len(shares)):
            left = shares[k] * total
            for place in range(BINS):
                inside = histogram[row, place]
                if inside > 0.0:
                    part = min(left / inside, 1.0)
                    result[k, row] = 10.0 ** (LOWEST + (place + part) / BINS_PER_DECADE)
                    if left <= inside:
                        break
                left -= inside
    return result
