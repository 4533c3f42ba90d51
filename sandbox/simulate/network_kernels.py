"""Compiled passes of the exact network: every event, between two changes of regime.

All of it is in one file on purpose: numba's disk cache notices changes of the file that a function
is in, not of the files it calls into.

An event is known by its time of birth, which is > 0 and its own; a retry of it has the negative.
Chance is a function of what it is about: an event's partition depends on its birth and the stage,
the length of a batch on the worker and the number of the batch. So results do not depend on how
time is cut into steps, nor on how many threads work.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.simulate.kernels import compiled

__all__ = [
    "COOLED",
    "LOWEST",
    "OCTAVES",
    "PARTS",
    "TABLE",
    "Rules",
    "Workers",
    "arrive",
    "birth_key",
    "chance",
    "count_by_worker",
    "make_room",
    "put",
    "queue_behind",
    "record",
    "retry",
    "serve",
    "settle",
    "take_turns",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.int32]
Shorts = NDArray[np.int16]

COOLED = 0.002
"""Idleness after which a worker's caches hold nothing of use [s]."""
OCTAVES, PARTS, LOWEST = 40, 128, 1e-6
"""The latency histogram: 128 equal bins an octave from 1 us up to 12 days; ends are open."""
TABLE = 1 << 16
"""Entries of a table from hash to partition, and of the pools of chance."""


class Rules(NamedTuple):
    """How the workers of one stage work, between two changes."""

    call: float
    """Cost of a batch whatever its size [s]."""
    event: float
    """Cost of each event in it [s]."""
    max_batch: int
    linger: float
    """How long a batch waits for more after its first event [s]."""
    pause_every: float
    """Mean time between pauses of a worker [s]; infinity for none."""
    pause: float
    """Length of a pause [s]."""
    shed_after: float
    """Age at which an event is dropped instead of served [s]; infinity for never."""
    seed: int
    """Of the stage."""
    cold: float = 0.0
    """By how much a batch takes longer after `COOLED` of idleness; less after less."""


class Workers(NamedTuple):
    """The state of a stage's workers, shape (workers,), and their queues, laid end to end."""

    free: Floats
    """When each is free [s]; infinity while it is gone."""
    next_pause: Floats
    batches: Ints
    """Batches served so far."""
    pauses: Ints
    busy: Floats
    """Time spent in batches and pauses [s]."""
    base: Ints
    """Where each queue's room begins; one more entry for the end."""
    head: Ints
    """First event of each queue."""
    tail: Ints
    """Behind the last event of each queue."""


@compiled
def chance(value: int, seed: int) -> int:
    """Return 16 bits (splitmix64)."""
    z = np.uint64(value) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int((z ^ (z >> np.uint64(31))) & np.uint64(0xFFFF))


@compiled
def birth_key(born: float) -> int:
    """Return the number that an event, or a retry of it, is known by."""
    return int(np.float64(abs(born)).view(np.int64))


@compiled
def _bin(latency: float) -> int:
    """Return the histogram's bin."""
    if not latency > LOWEST:
        return 0
    # Exponent and the first 7 bits behind the point, as they stand in the number: octave and part.
    bits = int(np.float64(latency / LOWEST).view(np.int64))
    return min((bits >> 45) - (1023 << 7), OCTAVES * PARTS - 1)


@compiled
def arrive(gaps: Floats, rate: float, start: float, time: Floats) -> None:
    """Fill arrival times [s] of a Poisson process from standard exponentials."""
    step = 1.0 / rate
    now = start
    for i in range(len(gaps)):
        now += gaps[i] * step
        time[i] = now


@compiled
def count_by_worker(
    time: Floats, born: Floats, worker_of: Shorts, seed: int, since: float, until: float,
    cells: int, count: Words, key: Words,
) -> None:  # fmt: skip
    """Add up how many events each worker and time cell gets, and say so for each event.

    `worker_of` maps 16 bits to workers. Cells divide `since` to `until`. `key` gets
    ``worker * cells + cell``, or -1 beyond `until`; `count` has shape (workers * cells,).
    """
    per = cells / max(until - since, 1e-12)
    for i in range(len(time)):
        if time[i] > until:
            key[i] = -1
            continue
        cell = min(max(int((time[i] - since) * per), 0), cells - 1)
        key[i] = worker_of[chance(birth_key(born[i]), seed)] * cells + cell
        count[key[i]] += 1


@compiled
def make_room(workers: Workers, cells: int, count: Words, time: Floats, born: Floats) -> bool:
    """Make sure that queues can take `count` more, and turn it into places behind their tails.

    Returns False, with nothing changed, if the room of a worker does not suffice.
    """
    for w in range(len(workers.free)):
        wanted = workers.tail[w] - workers.head[w]
        for cell in range(w * cells, (w + 1) * cells):
            wanted += count[cell]
        if wanted > workers.base[w + 1] - workers.base[w]:
            return False
    for w in range(len(workers.free)):
        new = 0
        for cell in range(w * cells, (w + 1) * cells):
            new += count[cell]
        if workers.tail[w] + new > workers.base[w + 1]:
            place = workers.base[w]
            for i in range(workers.head[w], workers.tail[w]):
                time[place], born[place] = time[i], born[i]
                place += 1
            workers.head[w], workers.tail[w] = workers.base[w], place
        place = workers.tail[w]
        for cell in range(w * cells, (w + 1) * cells):
            here = count[cell]
            count[cell] = place
            place += here
    return True


@compiled
def put(
    time: Floats, born: Floats, key: Words, count: Words, to_time: Floats, to_born: Floats,
    later_time: Floats, later_born: Floats, later: int,
) -> int:  # fmt: skip
    """Write events to their places, and those without a key behind the first `later` of `later_*`.

    Returns the new number of those.
    """
    for i in range(len(time)):
        if key[i] < 0:
            later_time[later], later_born[later] = time[i], born[i]
            later += 1
            continue
        place = count[key[i]]
        count[key[i]] = place + 1
        to_time[place], to_born[place] = time[i], born[i]
    return later


@compiled
def settle(workers: Workers, cells: int, count: Words, time: Floats, born: Floats) -> None:
    """Sort what was put behind each tail by time, then birth, and move the tail behind it.

    Cells hold a few events each, so insertion moves them a few places.
    """
    for w in range(len(workers.free)):
        low, high = workers.tail[w], count[(w + 1) * cells - 1]
        for i in range(low + 1, high):
            t, b = time[i], born[i]
            place = i
            while place > low and (
                time[place - 1] > t or (time[place - 1] == t and born[place - 1] > b)
            ):
                time[place], born[place] = time[place - 1], born[place - 1]
                place -= 1
            if place < i:
                time[place], born[place] = t, b
        workers.tail[w] = high


@compiled
def _drop_old(
    born: Floats, head: int, tail: int, oldest: float, shed: Floats, dropped: int
) -> tuple[int, int]:
    """Return where the queue goes on behind what was born before `oldest`, noting it in `shed`."""
    while head < tail and abs(born[head]) < oldest:
        if born[head] > 0.0:
            shed[dropped] = born[head]
            dropped += 1
        head += 1
    return head, dropped


@compiled
def serve(
    rules: Rules, workers: Workers, time: Floats, born: Floats, until: float, hop: float,
    spread: Floats, gaps: Floats, out_time: Floats, out_born: Floats, shed: Floats,
) -> tuple[int, int]:  # fmt: skip
    """Serve every batch that starts by `until`; return how many events left and were shed.

    A batch starts when the worker is free and either `max_batch` events wait or `linger` has passed
    since the oldest waiting one arrived. The worker first drops what is too old at the head of its
    queue, then takes what waits, at most `max_batch`.

    What is served goes to `out_*` with the time at which it is `hop` [s] further; the births of
    what was shed go to `shed`. `spread` holds factors on a batch's length with mean 1, `gaps`
    standard exponentials, shape (TABLE,).
    """
    done = dropped = 0
    for w in range(len(workers.free)):
        head, tail = workers.head[w], workers.tail[w]
        free, pause_at, pauses = workers.free[w], workers.next_pause[w], workers.pauses[w]
        while head < tail and free < np.inf:
            start = time[head] + rules.linger
            if head + rules.max_batch <= tail:
                start = min(start, time[head + rules.max_batch - 1])
            start = max(start, free)
            at, gone = pause_at, pauses
            while at <= start:
                start = max(start, at + rules.pause)
                gone += 1
                at += rules.pause + rules.pause_every * gaps[chance(w * 7919 + gone, rules.seed)]
            if start > until:
                break
            head, dropped = _drop_old(born, head, tail, start - rules.shed_after, shed, dropped)
            first, most = done, min(tail - head, rules.max_batch)
            while done - first < most and time[head] <= start:
                out_born[done] = born[head]
                done += 1
                head += 1
            length = 0.0
            if done > first:
                workers.batches[w] += 1
                factor = spread[chance(w * 104729 + workers.batches[w], rules.seed + 1)]
                factor *= 1.0 + rules.cold * min((start - free) / COOLED, 1.0)
                length = (rules.call + rules.event * (done - first)) * factor
            end = start + length
            while at < end:
                end += rules.pause
                gone += 1
                at += rules.pause + rules.pause_every * gaps[chance(w * 7919 + gone, rules.seed)]
            workers.busy[w] += end - start
            pause_at, pauses, free = at, gone, end
            for i in range(first, done):
                out_time[i] = end + hop
        workers.head[w], workers.free[w] = head, free
        workers.next_pause[w], workers.pauses[w] = pause_at, pauses
    return done, dropped


@compiled
def record(time: Floats, born: Floats, start: float, width: float, histogram: Ints) -> None:
    """Count latencies by the bucket of birth, shape (buckets, bins); retries do not count."""
    last = len(histogram) - 1
    for i in range(len(time)):
        if born[i] > 0.0:
            bucket = min(max(int((born[i] - start) / width), 0), last)
            histogram[bucket, _bin(time[i] - born[i])] += 1


@compiled
def retry(
    workers: Workers, born: Floats, now: float, before: float, timeout: float, most: int,
    out_time: Floats, out_born: Floats,
) -> int:  # fmt: skip
    """List the queued events whose client asks again between `before` and `now`, and when.

    A client asks again when `timeout` has passed, then after another, `most` times. Returns how
    many do.
    """
    found = 0
    for w in range(len(workers.free)):
        for i in range(workers.head[w], workers.tail[w]):
            for times in range(1, most + 1):
                due = born[i] + times * timeout
                if born[i] > 0.0 and before < due and due <= now:
                    out_time[found], out_born[found] = due, -born[i]
                    found += 1
    return found


@compiled
def take_turns(gaps: Floats, services: Floats, free: Floats, now: float, waits: Floats) -> float:
    """Fill waiting times of a first-come-first-served queue with several servers.

    Parameters
    ----------
    gaps
        Time from the customer before to each [s], shape (n,).
    services
        Service times [s], shape (n,).
    free
        When each server is free [s], shape (servers,); carried over.
    now
        Arrival of the customer before the first [s].
    waits
        Result [s], shape (n,).

    Returns
    -------
    float
        Arrival of the last customer [s], to hand over.

    Notes
    -----
    Kiefer and Wolfowitz (1955): each customer takes the server that is free first.
    """
    for k in range(len(gaps)):
        now += gaps[k]
        first = 0
        for c in range(1, len(free)):
            if free[c] < free[first]:
                first = c
        start = max(now, free[first])
        waits[k] = start - now
        free[first] = start + services[k]
    return now


@compiled
def queue_behind(
    gaps: Floats, services: Floats, gap: float, service: float, free: Floats, now: float,
    histogram: Ints,
) -> tuple[float, float, int]:  # fmt: skip
    """Count waiting times like `take_turns`, from standard draws times `gap` and `service` [s].

    Nothing is kept but the histogram, shape (bins,). Returns the arrival of the last customer, the
    sum of the waits [s], and how many waited.
    """
    total, waited = 0.0, 0
    for k in range(len(gaps)):
        now += gaps[k] * gap
        first = 0
        earliest = free[0]
        for c in range(1, len(free)):
            if free[c] < earliest:
                first, earliest = c, free[c]
        wait = earliest - now
        if wait > 0.0:
            total += wait
            waited += 1
            histogram[_bin(wait)] += 1
            free[first] = earliest + services[k] * service
        else:
            histogram[0] += 1
            free[first] = now + services[k] * service
    return now, total, waited
