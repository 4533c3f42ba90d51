"""EventLog: what live roles need of a log of messages, whether Kafka keeps it or memory does.

Topics have numbered partitions; a partition is one ordered log whose messages have ascending
offsets. Readers see what was committed and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

__all__ = [
    "Chunk", "EventLog", "Fenced", "Listener", "Member", "Offsets", "Place", "Reader",
    "Transactor", "Writer",
]  # fmt: skip


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


Offsets = Mapping[Place, int]
"""For each partition the offset of the next message: the messages below it are done."""
Listener = Callable[[frozenset[Place]], None]
"""Told of partitions that were assigned, or taken away."""


class Chunk(NamedTuple):
    """Consecutive messages of one partition, at least one."""

    place: Place
    values: list[bytes]
    offsets: list[int]
    """Ascending; offsets of aborted messages and of marks are missing among them."""
    sent: list[float]
    """Wall-clock time at which each was sent [s since epoch]."""

    @property
    def next(self) -> int:
        """Return the offset from which to go on after the last message."""
        return self.offsets[-1] + 1


class Fenced(Exception):
    """Another process took over: nothing of this transaction was or will be written.

    Parameters
    ----------
    what
        Who took over what.
    replaced
        Another process has this one's name: it must end. False: only partitions are somebody
        else's now; it may join again.
    """

    def __init__(self, what: str, *, replaced: bool) -> None:
        super().__init__(what)
        self.replaced = replaced


class Writer(Protocol):
    """Sends messages, in order for each partition, each once."""

    def send(self, place: Place, value: bytes) -> None:
        """Queue a message."""

    def flush(self) -> None:
        """Wait until the log has all that was sent.

        Raises
        ------
        SandboxError
            If it does not take them in time.
        """

    def close(self) -> None:
        """Flush, and give up the connection."""


class Member(Protocol):
    """One of a group of readers that share the partitions of some topics."""

    @property
    def group(self) -> str:
        """Name of the group."""

    @property
    def assigned(self) -> frozenset[Place]:
        """Partitions that are this member's now."""

    def poll(self, timeout: float, most: int) -> list[Chunk]:
        """Return at most so many messages, waiting up to `timeout` [s] for the first.

        Calls the listeners first where partitions came or went. Messages of a new partition start
        where `seek` was called within the listener, else at the group's committed offset, else at
        the beginning.
        """

    def seek(self, place: Place, offset: int) -> None:
        """Go on from an offset."""

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the group's committed offsets; partitions without one are left out."""

    def lag(self) -> dict[Place, int]:
        """Return how many messages of each assigned partition wait to be polled."""

    def close(self) -> None:
        """Leave the group."""


class Transactor(Protocol):
    """Writes messages and a group's progress together: all of it or nothing.

    Whoever opens a transactor of a name fences the one that had it before.
    """

    def begin(self) -> None:
        """Begin a transaction."""

    def send(self, place: Place, value: bytes) -> None:
        """Add a message to the transaction."""

    def commit(self, progress: Mapping[Member, Offsets]) -> None:
        """Commit what was sent, together with how far each group has come.

        Raises
        ------
        Fenced
            If another process has the name now, or the member's partitions. Nothing was written.
        SandboxError
            If the log does not answer.
        """

    def abort(self) -> None:
        """Undo what was sent since `begin`."""

    def close(self) -> None:
        """Give up the connection; an open transaction is undone."""


class Reader(Protocol):
    """Reads all partitions of some topics, alone and from wherever it says."""

    def poll(self, timeout: float, most: int = 10_000) -> list[Chunk]:
        """Return at most so many messages, waiting up to `timeout` [s] for the first."""

    def lag(self) -> int:
        """Return how many committed offsets lie ahead of what was polled."""

    def close(self) -> None:
        """Give up the connection."""


class EventLog(Protocol):
    """A log of messages."""

    def create(self, topics: Mapping[str, int]) -> None:
        """Create topics with so many partitions each; those that exist stay as they are.

        Raises
        ------
        SandboxError
            If the log does not answer, or a topic exists with another number of partitions.
        """

    def begins(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the first offset that is still kept."""

    def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the offset after the last committed message."""

    def between(self, place: Place, start: int, stop: int) -> Iterator[Chunk]:
        """Read the committed messages with ``start <= offset < stop`` that are still kept."""

    def identity(self, topic: str) -> str:
        """Return what tells this topic from another that once had its name."""

    def writer(self) -> Writer:
        """Open a writer."""

    def transactor(self, name: str) -> Transactor:
        """Open a transactor; the former one of that name is fenced."""

    def reader(self, topics: Sequence[str], start: Offsets | None = None) -> Reader:
        """Open a reader at the beginning of every partition, or from where `start` says."""

    def member(
        self, group: str, topics: Sequence[str], name: str, came: Listener, went: Listener
    ) -> Member:
        """Join a group under a name of one's own; a member of the same name is replaced."""

    def close(self) -> None:
        """Give up what is shared."""
