"""An event log in memory, for all roles in one process: groups, transactions and fencing included.

It keeps everything until the process ends.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from sandbox.adapters.event_log import Chunk, Fenced, Listener, Member, Offsets, Place
from sandbox.errors import SandboxError

__all__ = ["MemoryLog"]


@dataclass
class _Partition:
    """Messages from offset `begin` on."""

    values: list[bytes] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    begin: int = 0

    @property
    def end(self) -> int:
        return self.begin + len(self.values)

    def chunk(self, place: Place, start: int, most: int) -> Chunk | None:
        at = max(start, self.begin) - self.begin
        values = self.values[at : at + most]
        if not values:
            return None
        first = self.begin + at
        offsets = list(range(first, first + len(values)))
        return Chunk(place, values, offsets, self.sent[at : at + most])


@dataclass
class _Group:
    """Who is in a group, what each holds, and how far the group has come."""

    members: dict[str, MemoryMember] = field(default_factory=dict)
    owner: dict[Place, MemoryMember] = field(default_factory=dict)
    committed: dict[Place, int] = field(default_factory=dict)


class MemoryLog:
    """See `EventLog`. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._topics: dict[str, list[_Partition]] = {}
        self._groups: dict[str, _Group] = {}
        self._epochs: dict[str, int] = {}
        self._identity = uuid4().hex
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)

    def create(self, topics: Mapping[str, int]) -> None:
        """See `EventLog.create`."""
        with self._lock:
            for name, number in topics.items():
                known = self._topics.setdefault(name, [_Partition() for _ in range(number)])
                if len(known) != number:
                    raise SandboxError(
                        "topic has another number of partitions", where=name, got=len(known),
                        expected=str(number),
                    )  # fmt: skip

    def begins(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `EventLog.begins`."""
        with self._lock:
            return {place: self._at(place).begin for place in places}

    def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `EventLog.ends`."""
        with self._lock:
            return {place: self._at(place).end for place in places}

    def between(self, place: Place, start: int, stop: int) -> Iterator[Chunk]:
        """See `EventLog.between`."""
        with self._lock:
            chunk = self._at(place).chunk(place, start, max(stop - start, 0))
        if chunk is not None and chunk.offsets[0] < stop:
            yield chunk

    def identity(self, topic: str) -> str:
        """See `EventLog.identity`."""
        return f"{self._identity}-{topic}"

    def trim(self, place: Place, offset: int) -> None:
        """Forget the messages below an offset, as retention does."""
        with self._lock:
            partition = self._at(place)
            gone = max(min(offset, partition.end) - partition.begin, 0)
            del partition.values[:gone], partition.sent[:gone]
            partition.begin += gone

    def writer(self) -> MemoryWriter:
        """See `EventLog.writer`."""
        return MemoryWriter(self)

    def transactor(self, name: str) -> MemoryTransactor:
        """See `EventLog.transactor`."""
        with self._lock:
            self._epochs[name] = self._epochs.get(name, 0) + 1
            return MemoryTransactor(self, name, self._epochs[name])

    def reader(self, topics: Sequence[str], start: Offsets | None = None) -> MemoryReader:
        """See `EventLog.reader`."""
        with self._lock:
            places = [Place(t, n) for t in topics for n in range(len(self._topics[t]))]
            begins = self.begins(places)
        return MemoryReader(self, {p: (start or {}).get(p, begins[p]) for p in places})

    def member(
        self, group: str, topics: Sequence[str], name: str, came: Listener, went: Listener
    ) -> MemoryMember:
        """See `EventLog.member`."""
        with self._lock:
            state = self._groups.setdefault(group, _Group())
            places = [Place(t, n) for t in topics for n in range(len(self._topics[t]))]
            joined = MemoryMember(self, group, state, places, name, (came, went))
            if former := state.members.get(name):
                former.forget()
            state.members[name] = joined
            return joined

    def close(self) -> None:
        """Nothing is shared that would need it."""

    def append(self, messages: Sequence[tuple[Place, bytes]]) -> None:
        """Add messages that are committed."""
        sent = time.time()
        with self._news:
            for place, value in messages:
                partition = self._at(place)
                partition.values.append(value)
                partition.sent.append(sent)
            self._news.notify_all()

    def commit(
        self, name: str, epoch: int, messages: Sequence[tuple[Place, bytes]],
        progress: Mapping[Member, Offsets],
    ) -> None:  # fmt: skip
        """Add messages and note progress, or neither."""
        with self._lock:
            if self._epochs[name] != epoch:
                raise Fenced(f"{name} was taken over", replaced=True)
            for member, offsets in progress.items():
                assert isinstance(member, MemoryMember)
                member.check(offsets)
            for member, offsets in progress.items():
                self._groups[member.group].committed.update(offsets)
            self.append(messages)

    def fetch(self, positions: dict[Place, int], timeout: float, most: int) -> list[Chunk]:
        """Return messages from positions on, which move, waiting for the first."""
        deadline = time.monotonic() + timeout
        with self._news:
            while not (found := self._take(positions, most)):
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    break
            return found

    def lag(self, positions: Mapping[Place, int]) -> dict[Place, int]:
        """Return how many messages wait at each position."""
        with self._lock:
            return {p: max(self._at(p).end - at, 0) for p, at in positions.items()}

    def _take(self, positions: dict[Place, int], most: int) -> list[Chunk]:
        found: list[Chunk] = []
        for place in list(positions):
            if most <= 0:
                break
            chunk = self._at(place).chunk(place, positions[place], most)
            if chunk is None:
                continue
            found.append(chunk)
            most -= len(chunk.values)
            del positions[place]  # whoever was served goes to the end of the line
            positions[place] = chunk.next
        return found

    def _at(self, place: Place) -> _Partition:
        try:
            return self._topics[place.topic][place.partition]
        except (KeyError, IndexError):
            raise SandboxError(
                "no such partition", where=place.topic, got=place.partition
            ) from None

    @property
    def lock(self) -> threading.RLock:
        """Held while the log changes."""
        return self._lock


class MemoryWriter:
    """See `Writer`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def send(self, place: Place, value: bytes) -> None:
        """See `Writer.send`."""
        self._log.append([(place, value)])

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


class MemoryTransactor:
    """See `Transactor`."""

    def __init__(self, log: MemoryLog, name: str, epoch: int) -> None:
        self._log, self._name, self._epoch = log, name, epoch
        self._messages: list[tuple[Place, bytes]] = []

    def begin(self) -> None:
        """See `Transactor.begin`."""
        self._messages = []

    def send(self, place: Place, value: bytes) -> None:
        """See `Transactor.send`."""
        self._messages.append((place, value))

    def commit(self, progress: Mapping[Member, Offsets]) -> None:
        """See `Transactor.commit`."""
        messages, self._messages = self._messages, []
        self._log.commit(self._name, self._epoch, messages, progress)

    def abort(self) -> None:
        """See `Transactor.abort`."""
        self._messages = []

    def close(self) -> None:
        """See `Transactor.close`."""
        self._messages = []


class MemoryReader:
    """See `Reader`."""

    def __init__(self, log: MemoryLog, positions: dict[Place, int]) -> None:
        self._log, self._positions = log, positions

    def poll(self, timeout: float, most: int = 10_000) -> list[Chunk]:
        """See `Reader.poll`."""
        return self._log.fetch(self._positions, timeout, most)

    def lag(self) -> int:
        """See `Reader.lag`."""
        return sum(self._log.lag(self._positions).values())

    def close(self) -> None:
        """Nothing is open."""


class MemoryMember:
    """See `Member`. Partitions change hands one by one: first the former holder lets go."""

    def __init__(
        self, log: MemoryLog, group: str, state: _Group, places: Sequence[Place], name: str,
        listeners: tuple[Listener, Listener],
    ) -> None:  # fmt: skip
        self._log, self._group, self._state = log, group, state
        self._places, self._name = places, name
        self._came, self._went = listeners
        self._positions: dict[Place, int] = {}

    @property
    def group(self) -> str:
        """See `Member.group`."""
        return self._group

    @property
    def assigned(self) -> frozenset[Place]:
        """See `Member.assigned`."""
        return frozenset(self._positions)

    def poll(self, timeout: float, most: int) -> list[Chunk]:
        """See `Member.poll`."""
        if self._state.members.get(self._name) is not self:
            raise Fenced(f"{self._name} was replaced", replaced=True)
        self._rebalance()
        return self._log.fetch(self._positions, timeout, most)

    def seek(self, place: Place, offset: int) -> None:
        """See `Member.seek`."""
        self._positions[place] = offset

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `Member.committed`."""
        with self._log.lock:
            return {p: self._state.committed[p] for p in places if p in self._state.committed}

    def lag(self) -> dict[Place, int]:
        """See `Member.lag`."""
        return self._log.lag(self._positions)

    def close(self) -> None:
        """See `Member.close`."""
        with self._log.lock:
            if self._state.members.get(self._name) is self:
                del self._state.members[self._name]
        self.forget()

    def forget(self) -> None:
        """Let go of everything."""
        with self._log.lock:
            for place in [p for p, owner in self._state.owner.items() if owner is self]:
                del self._state.owner[place]

    def check(self, offsets: Offsets) -> None:
        """Raise `Fenced` unless all these partitions are held."""
        for place in offsets:
            if self._state.owner.get(place) is not self:
                what = f"{place.topic}/{place.partition} is no longer {self._name}'s"
                raise Fenced(what, replaced=False)

    def _rebalance(self) -> None:
        with self._log.lock:
            target = self._target()
            gone = self.assigned - target
            for place in gone:
                del self._positions[place]
            new = {p for p in target - self.assigned if self._state.owner.get(p) is None}
        if gone:
            self._went(frozenset(gone))
            with self._log.lock:
                for place in gone:
                    self._state.owner.pop(place, None)
        if new:
            with self._log.lock:
                begins = self._log.begins(sorted(new))
                for place in sorted(new):
                    self._state.owner[place] = self
                    self._positions[place] = self._state.committed.get(place, begins[place])
            self._came(frozenset(new))

    def _target(self) -> frozenset[Place]:
        """Return this member's share: a stretch of the partitions, in order of names."""
        names = sorted(self._state.members)
        share, at = len(self._places) / len(names), bisect_left(names, self._name)
        return frozenset(self._places[round(at * share) : round((at + 1) * share)])
