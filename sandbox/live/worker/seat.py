"""Seat: a worker's place in one stage: the partitions it holds, their states, what comes in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.adapters.event_log import Chunk, Fenced, Place
from sandbox.batch import Batch
from sandbox.live.role import Setting
from sandbox.live.worker.intake import DeadLetter, Intake
from sandbox.live.worker.snapshots import Snapshots
from sandbox.live.worker.states import Folded, PartitionState

__all__ = ["Gap", "Seat", "Work"]


@dataclass(frozen=True)
class Gap:
    """Messages that retention took before this stage had seen them, or before it could replay."""

    place: Place
    start: int
    stop: int
    unseen: bool
    """True: nobody decided them. False: they were decided, but the state misses them."""


@dataclass
class Work:
    """What a stage made of what it polled."""

    events: list[tuple[Place, Batch]] = field(default_factory=list)
    """Accepted events with features, by partition; partitions in order of polling."""
    refused: list[tuple[Place, Batch]] = field(default_factory=list)
    withdrawn: list[Batch] = field(default_factory=list)
    """What the last stage must know of those refused, see `gather`."""
    poison: list[DeadLetter] = field(default_factory=list)
    offsets: dict[Place, int] = field(default_factory=dict)


@dataclass
class _Held:
    """The state of a partition, and where it stands."""

    state: PartitionState
    next: int
    saved: float
    """When its last snapshot was asked for, on a clock that only goes forward [s]."""
    saved_at: int = -1


class Seat:
    """One stage.

    Parameters
    ----------
    setting
        Log, design and metrics.
    key
        The stage.
    snapshots
        Where states are kept.
    every
        Time between two snapshots of a partition [s].
    """

    def __init__(self, setting: Setting, key: str, snapshots: Snapshots, every: float) -> None:
        self.key = key
        prepared = setting.prepared
        self._setting, self._snapshots, self._every = setting, snapshots, every
        self._schema, self._plan = prepared.scenario.event, prepared.plan
        self._lateness = prepared.design.pipeline.allowed_lateness
        self._intake = self._new_intake()
        self._held: dict[Place, _Held] = {}
        self.gaps: list[Gap] = []
        """Found since somebody emptied the list."""
        self.member = setting.log.member(
            setting.topics.group(key), [setting.topics.stage(key)], setting.name,
            self._came, self._went,
        )  # fmt: skip

    def work(self, chunks: Sequence[Chunk]) -> Work:
        """Fold messages into the states and return what comes out."""
        done = Work()
        began = time.perf_counter()
        for chunk in chunks:
            held = self._held.get(chunk.place) or self._restore(chunk.place, chunk.offsets[0])
            for folded in _folded(held.state, self._intake, chunk):
                done.events.append((chunk.place, folded.events))
                if len(folded.dead):
                    done.refused.append((chunk.place, folded.dead))
                if len(folded.withdrawn):
                    done.withdrawn.append(folded.withdrawn)
            held.next = done.offsets[chunk.place] = chunk.next
        done.poison, self._intake.dead = self._intake.dead, []
        metrics, count = self._setting.metrics, sum(len(batch) for _, batch in done.events)
        metrics.events.labels(self.key).inc(count)
        metrics.stage_time.labels(self.key).observe(time.perf_counter() - began)
        return done

    def overdue(self, until: float) -> list[Place]:
        """Return partitions where candidates wait for others since a time or longer."""
        return [at for at, held in self._held.items() if held.state.waits_since() <= until]

    def close(self) -> None:
        """Leave the group and drop all states: what they hold may not be committed."""
        self._held.clear()
        self.member.close()

    def save_one(self, now: float, *, force: bool = False) -> None:
        """Have the partition that has waited longest saved, if it is due at `now` [s]."""
        waiting = [h for h in self._held.items() if h[1].next != h[1].saved_at]
        if not waiting:
            return
        place, held = min(waiting, key=lambda item: item[1].saved)
        if not force and now - held.saved < self._every:
            return
        held.saved = now
        self._save(place, held)

    def save_all(self) -> None:
        """Have every partition saved."""
        for _ in self._held:
            self.save_one(0.0, force=True)

    def _save(self, place: Place, held: _Held) -> None:
        held.saved_at = held.next
        arrays = held.state.arrays()
        self._snapshots.save(place, held.next, _packer(held.state, arrays))

    def _came(self, places: frozenset[Place]) -> None:
        self._count()
        for place in places:  # somebody else may have gone on from where it stood
            self._held.pop(place, None)

    def _went(self, places: frozenset[Place]) -> None:
        """Let go of partitions, whose messages up to here are committed: less is to be replayed."""
        self._count()
        for place in places:
            held = self._held.pop(place, None)
            if held is not None and held.next != held.saved_at:
                self._save(place, held)

    def _count(self) -> None:
        self._setting.metrics.rebalances.labels(self.key).inc()

    def _new_intake(self) -> Intake:
        times = ("event_time", "processing_time")
        labels = (self._schema.id, self.key, "event_time", "label_time", "label")
        slate, gone = self._schema.slate, tuple[str, ...]()
        if slate is not None and self.key == self._plan.stages[-1]:
            gone = (slate.request, str(slate.size), "sent")
        events = (self._schema.id, *times, *self._schema.columns)
        return Intake(self._schema, events, labels, gone)

    def _fresh(self) -> PartitionState:
        return PartitionState(self._schema, self._plan, self.key, self._lateness)

    def _restore(self, place: Place, offset: int) -> _Held:
        """Return the state that all messages below an offset lead to.

        Raises
        ------
        Fenced
            If the offset is below what is committed: what comes from there was worked on before.
        """
        began, log = time.perf_counter(), self._setting.log
        committed = self.member.committed([place]).get(place, 0)
        if offset < committed:
            # kafka-python 3.0.12: a partition that comes while it asks for the offsets of others
            # has none yet, and is read from the beginning.
            what = f"{place.topic}/{place.partition} is read from {offset}, below {committed}"
            raise Fenced(what, replaced=False)
        state, start = self._from_snapshot(place, offset)
        kept = log.begins([place])[place]
        if committed < kept:
            self.gaps.append(Gap(place, committed, kept, unseen=True))
        if start < min(kept, committed):
            self.gaps.append(Gap(place, start, min(kept, committed), unseen=False))
        replayed = 0
        again = self._new_intake()  # of its own: what is no event was buried when it came first
        for chunk in log.between(place, max(start, kept), offset):
            replayed += sum(len(folded.events) for folded in _folded(state, again, chunk))
        metrics = self._setting.metrics
        metrics.replayed.inc(replayed)
        metrics.restored.observe(time.perf_counter() - began)
        held = self._held[place] = _Held(state, offset, time.monotonic(), start)
        return held

    def _from_snapshot(self, place: Place, offset: int) -> tuple[PartitionState, int]:
        """Return the newest state on disk that is not ahead of an offset, and where it stands."""
        most = offset
        while found := self._snapshots.newest(place, most):
            at, data = found
            state = self._fresh()
            try:
                state.restore(data)
            except ValueError:  # torn, or of another design
                self._snapshots.discard(place, at)
                most = at - 1
                continue
            return state, at
        return self._fresh(), 0


def _folded(state: PartitionState, intake: Intake, chunk: Chunk) -> list[Folded]:
    pieces = (state.fold(piece) for piece in intake.read(chunk))
    return [folded for folded in pieces if folded is not None]


def _packer(
    state: PartitionState, arrays: Mapping[str, np.ndarray[Any, Any]]
) -> Callable[[], bytes]:
    return lambda: state.packed(arrays)
