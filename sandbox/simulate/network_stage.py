"""One stage of the exact network: partitions, queues and micro-batching workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import SandboxError
from sandbox.simulate import network_kernels as kernels
from sandbox.simulate.network_kernels import TABLE, Rules, Workers

__all__ = ["MOST_QUEUED", "NONE", "Events", "Overflow", "Stage", "StageState"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_QUEUED = 20_000_000
"""Events that may wait in one stage; they take 16 bytes each."""
ROOM = 1024


class Overflow(SandboxError):
    """More events wait than memory is meant for: the design is hopelessly overloaded."""


@dataclass(frozen=True)
class Events:
    """Events on their way: arrival at the next stage [s] and birth [s], shape (n,) each.

    A retry has the negative of its event's birth.
    """

    time: Floats
    born: Floats

    def __len__(self) -> int:
        return len(self.time)

    @staticmethod
    def room(number: int) -> Events:
        """Return that many, whatever is in them."""
        return Events(np.empty(number), np.empty(number))

    @staticmethod
    def join(parts: Sequence[Events]) -> Events:
        """Return all, one part behind the other."""
        if len(parts) == 1:
            return parts[0]
        return Events(
            np.concatenate([p.time for p in parts]), np.concatenate([p.born for p in parts])
        )

    def first(self, number: int) -> Events:
        """Return the first ones, not copied."""
        return Events(self.time[:number], self.born[:number])


@dataclass(frozen=True)
class Stage:
    """A consumer group: partitions, dealt to workers that take micro-batches.

    Raises
    ------
    ValueError
        If there is no partition or no worker, or a cost is not positive.
    """

    name: str
    share: Floats
    """Each partition's share of the events, shape (partitions,)."""
    workers: int
    rules: Rules
    hop: float = 0.0
    """From the stage before to this one [s]."""
    spread: float = 0.0
    """Standard deviation of a batch's length over its mean; log-normal."""

    def __post_init__(self) -> None:
        if self.workers < 1 or len(self.share) < 1:
            raise ValueError(f"{self.name}: needs a worker and a partition")
        if self.rules.event <= 0 or self.rules.call < 0 or self.rules.max_batch < 1:
            raise ValueError(f"{self.name}: an event must cost something, a batch not less than 0")
        if self.rules.linger < 0 or self.hop < 0 or self.spread < 0:
            raise ValueError(f"{self.name}: times must be >= 0")

    @property
    def table(self) -> Ints:
        """Partition by 16 bits of hash, shape (TABLE,)."""
        ends = np.cumsum(self.share) / np.sum(self.share)
        return np.searchsorted(ends, (np.arange(TABLE) + 0.5) / TABLE).astype(np.int64)

    @property
    def full_rate(self) -> float:
        """Capacity of a worker [events/s]: its rate in full batches, pauses taken off."""
        rules = self.rules
        working = rules.pause_every / (rules.pause_every + rules.pause)
        if not np.isfinite(rules.pause_every):
            working = 1.0
        return working * rules.max_batch / (rules.call + rules.event * rules.max_batch)


NONE = Events.room(0)


class _Room:
    """Arrays that are used again and again: fresh memory costs as much as the work in it."""

    def __init__(self) -> None:
        self._events = Events.room(0)

    def events(self, number: int) -> Events:
        """Return room for that many events, whatever was in it."""
        if len(self._events) < number:
            self._events = Events.room(max(ROOM, 2 * number))
        return self._events


class StageState:
    """A stage at work.

    Parameters
    ----------
    next_hop
        From this stage to where its events go [s].

    Attributes
    ----------
    rules, next_hop
        In force now.
    served, shed
        Events so far, retries included among the served.
    trace
        Time [s], events that wait and seconds worked so far, after every step.
    """

    def __init__(self, stage: Stage, rng: np.random.Generator, next_hop: float) -> None:
        self.stage, self.rules, self.next_hop = stage, stage.rules, next_hop
        sigma = np.sqrt(np.log1p(stage.spread**2))
        self._spread = np.exp(sigma * rng.standard_normal(TABLE) - sigma**2 / 2)
        self._spread /= self._spread.mean()
        self._gaps: Floats = rng.standard_exponential(TABLE)
        self._table = stage.table
        self._rooms = [_Room(), _Room()]
        self._later = [_Room(), _Room()]
        self._coming = self._queues = Events.room(0)
        self._since, self._retired = np.inf, 0.0
        self.workers = self._fresh(stage.workers)
        self.owner = np.arange(len(stage.share)) % stage.workers
        self._worker_of = self.owner[self._table].astype(np.int16)
        self.served = self.shed = 0
        self.trace: list[tuple[float, int, float]] = []

    @property
    def lag(self) -> int:
        """Events that wait."""
        return int((self.workers.tail - self.workers.head).sum())

    def step(self, until: float, incoming: Events) -> tuple[Events, Floats]:
        """Serve every batch that starts by `until`.

        Parameters
        ----------
        incoming
            Events whose arrival here has become known; all up to `until` are known now.

        Returns
        -------
        tuple
            What left, with arrival times a hop further, in no order, valid until the step after the
            next; and when those were born that were shed.
        """
        self._admit(until, incoming)
        self._rooms.reverse()
        most, queues = self.lag, self._queues
        room, shed = self._rooms[0].events(most), np.empty(most)
        done, dropped = kernels.serve(
            self.rules, self.workers, queues.time, queues.born, until, self.next_hop,
            self._spread, self._gaps, room.time, room.born, shed,
        )  # fmt: skip
        self.served += done
        self.shed += dropped
        self.trace.append((until, self.lag, self._retired + float(self.workers.busy.sum())))
        return room.first(done), shed[:dropped]

    def deal(self, owner: Ints, workers: int, resumes: float) -> None:
        """Give partitions to workers anew: partition p to ``owner[p]``, of `workers` in all.

        Nobody starts a batch before `resumes` [s], which is not in the past.
        """
        queued = self._waiting()
        if len(queued):
            self._coming = Events.join([queued, self._coming])
            self._since = float(self._coming.time.min())
        former, kept = self.workers, min(workers, len(self.workers.free))
        self._retired += float(former.busy[kept:].sum())
        self.workers, self.owner = self._fresh(workers), owner
        self._worker_of = owner[self._table].astype(np.int16)
        for new, old in zip(self.workers[:5], former[:5], strict=True):
            new[:kept] = old[:kept]
        self.halt(slice(None), resumes)
        self._queues = Events.room(0)

    def halt(self, workers: Sequence[int] | slice, until: float) -> None:
        """Let workers do nothing before a time [s]; infinity for those that are gone."""
        self.workers.free[workers] = np.maximum(self.workers.free[workers], until)

    def revive(self, workers: Sequence[int] | slice, at: float) -> None:
        """Let workers that are gone work again from a time [s] on."""
        self.workers.free[workers] = at

    def skew(self, share: Floats) -> None:
        """Spread the keys over the partitions in another way, from now on."""
        self._table = replace(self.stage, share=share).table
        self._worker_of = self.owner[self._table].astype(np.int16)

    def retries(self, before: float, now: float, timeout: float, most: int) -> Events:
        """Return the requests that clients repeat between two times."""
        again = Events.room(self.lag * most)
        found = kernels.retry(
            self.workers, self._queues.born, now, before, timeout, most, again.time, again.born
        )
        return again.first(found)

    def _fresh(self, workers: int) -> Workers:
        rules = self.rules
        first = rules.pause_every * self._gaps[np.arange(workers) % TABLE]
        zeros = np.zeros(workers, dtype=np.int64)
        return Workers(
            free=np.full(workers, -np.inf),
            next_pause=np.where(np.isfinite(first), first, np.inf),
            batches=zeros.copy(), pauses=zeros.copy(), busy=np.zeros(workers),
            base=np.zeros(workers + 1, dtype=np.int64), head=zeros.copy(), tail=zeros.copy(),
        )  # fmt: skip

    def _waiting(self) -> Events:
        spans = zip(self.workers.head.tolist(), self.workers.tail.tolist(), strict=True)
        rows = [np.arange(low, high) for low, high in spans]
        place = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
        return Events(self._queues.time[place], self._queues.born[place])

    def _admit(self, until: float, incoming: Events) -> None:
        """Queue what has arrived by `until`; keep the rest for later."""
        parts = [part for part in (self._coming, incoming) if len(part)]
        if not parts:
            return
        total, number = sum(map(len, parts)), len(self.workers.free)
        since = min(self._since, min(float(p.time[0]) for p in parts))
        cells = max(1, total // (2 * number))
        count, keys = np.zeros(number * cells, dtype=np.int32), []
        for part in parts:
            key = np.empty(len(part), dtype=np.int32)
            kernels.count_by_worker(
                part.time, part.born, self._worker_of, self.rules.seed, since, until, cells,
                count, key,
            )  # fmt: skip
            keys.append(key)
        queues = self._queues
        while not kernels.make_room(self.workers, cells, count, queues.time, queues.born):
            queues = self._grow(count.reshape(number, cells).sum(axis=1))
        self._later.reverse()
        room, later = self._later[0].events(total), 0
        for part, key in zip(parts, keys, strict=True):
            later = kernels.put(
                part.time, part.born, key, count, queues.time, queues.born,
                room.time, room.born, later,
            )  # fmt: skip
        kernels.settle(self.workers, cells, count, queues.time, queues.born)
        self._coming, self._since = room.first(later), until

    def _grow(self, new: Ints) -> Events:
        """Give every queue room for twice what it must hold."""
        workers, old = self.workers, self._queues
        waiting = workers.tail - workers.head
        if int(waiting.sum() + new.sum()) > MOST_QUEUED:
            raise Overflow(
                "more events wait than can be carried", where=f"stage {self.stage.name}",
                got=f"{int(waiting.sum() + new.sum()):,}", expected=f"at most {MOST_QUEUED:,}",
                hint="Give the stage more workers, or let it shed load.",
            )  # fmt: skip
        room = np.where(waiting + new > ROOM, 2 * (waiting + new), ROOM)
        base = np.concatenate(([0], np.cumsum(room)))
        queues = Events.room(int(base[-1]))
        for at, low, high in zip(base, workers.head, workers.tail, strict=False):
            size = high - low
            queues.time[at : at + size] = old.time[low:high]
            queues.born[at : at + size] = old.born[low:high]
        workers.base[:], workers.head[:], workers.tail[:] = base, base[:-1], base[:-1] + waiting
        self._queues = queues
        return queues
