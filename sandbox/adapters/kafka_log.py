"""The event log on Apache Kafka, through kafka-python.

Defaults that would lose or double messages are overridden here, once: nothing commits by itself,
readers see committed messages only, a dead process is noticed within `SESSION`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import kafka
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from sandbox.adapters.event_log import Chunk, Fenced, Listener, Offsets, Place, Reader, Transactor
from sandbox.adapters.kafka_group import members_of, process_of
from sandbox.adapters.kafka_link import CLIENT, PATIENCE, knock, not_answering, quiet_client
from sandbox.adapters.kafka_member import KafkaMember, chunk_of
from sandbox.adapters.kafka_send import KafkaTransactor, KafkaWriter
from sandbox.errors import SandboxError

__all__ = ["KafkaLog", "wait_for_broker"]

LOOK = 5.0
"""How long the broker may take to say how far its log goes [s]."""
FETCH_WAIT = 0.5
"""How long the broker may hold a request for messages back until there are some [s]."""
VERDICT = 5.0
"""How long to ask a group whether another process has one's name [s]."""
_AGAIN = 0.5


class KafkaLog:
    """See `EventLog`.

    Parameters
    ----------
    address
        ``HOST:PORT`` of a broker.
    compression
        How batches are packed: none, gzip, lz4, snappy or zstd.
    retention
        How long topics keep messages [s]; None: as the broker does.

    Raises
    ------
    SandboxError
        If nobody answers there.
    """

    def __init__(
        self, address: str, compression: str = "lz4", retention: float | None = None
    ) -> None:
        self._address, self._retention = address, retention
        self._compression = None if compression == "none" else compression
        self._process = uuid4().hex[:8]
        self._joined: set[tuple[str, str]] = set()
        quiet_client()
        knock(address)
        with _told(address):
            self._admin = KafkaAdminClient(
                bootstrap_servers=address,
                **CLIENT,
            )

    def create(self, topics: Mapping[str, int]) -> None:
        """See `EventLog.create`. One replica, as on the single broker that Compose starts."""
        configs = {}
        if self._retention is not None:
            configs = {"retention.ms": str(round(self._retention * 1000))}
        with _told(self._address):
            known = {one["name"]: len(one["partitions"]) for one in self._admin.describe_topics()}
            new = {
                name: {"num_partitions": count, "replication_factor": 1, "configs": configs}
                for name, count in topics.items()
                if name not in known
            }
            if new:
                with contextlib.suppress(TopicAlreadyExistsError):  # somebody was faster
                    self._admin.create_topics(new, wait_for_metadata=True)
        for name, count in topics.items():
            if known.get(name, count) != count:
                raise SandboxError(
                    "topic has another number of partitions", where=f"Kafka topic {name}",
                    got=known[name], expected=str(count),
                    hint="Delete the topic, or set ingest.partitions to what it has.",
                )  # fmt: skip

    def begins(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `EventLog.begins`."""
        return self._ask(places, lambda consumer, asked: consumer.beginning_offsets(asked))

    def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `EventLog.ends`."""
        return self._ask(places, lambda consumer, asked: consumer.end_offsets(asked))

    def between(self, place: Place, start: int, stop: int) -> Iterator[Chunk]:
        """See `EventLog.between`.

        Raises
        ------
        SandboxError
            If the broker stops answering on the way.
        """
        if start >= stop:
            return
        stop = min(stop, self.ends([place])[place])
        reader = KafkaReader(self._address, self._consumer(), {place: start})
        deadline = time.monotonic() + PATIENCE
        try:
            while reader.position(place) < stop:
                for chunk in reader.poll(_AGAIN):
                    deadline = time.monotonic() + PATIENCE
                    kept = sum(offset < stop for offset in chunk.offsets)
                    if kept:
                        yield Chunk(place, chunk.values[:kept], chunk.offsets[:kept],
                                    chunk.sent[:kept])  # fmt: skip
                if time.monotonic() > deadline:
                    raise SandboxError("no messages came", where=f"Kafka at {self._address}")
        finally:
            reader.close()

    def identity(self, topic: str) -> str:
        """See `EventLog.identity`: the id that the broker gave the topic."""
        with _told(self._address):
            (found,) = self._admin.describe_topics([topic])
        return str(found["topic_id"])

    def writer(self) -> KafkaWriter:
        """See `EventLog.writer`."""
        with _told(self._address):
            return KafkaWriter(self._address, self._compression)

    def transactor(self, name: str) -> Transactor:
        """See `EventLog.transactor`."""
        with _told(self._address):
            return KafkaTransactor(self._address, name, self._compression)

    def reader(self, topics: Sequence[str], start: Offsets | None = None) -> Reader:
        """See `EventLog.reader`."""
        with _told(self._address):
            found = self._admin.describe_topics(list(topics))
        places = [Place(one["name"], n) for one in found for n in range(len(one["partitions"]))]
        begins = self.begins(places)
        positions = {place: (start or {}).get(place, begins[place]) for place in places}
        return KafkaReader(self._address, self._consumer(), positions)

    def member(
        self, group: str, topics: Sequence[str], name: str, came: Listener, went: Listener
    ) -> KafkaMember:
        """See `EventLog.member`.

        Raises
        ------
        Fenced
            If this process was there before, and another has its name now. Where the group cannot
            say within `VERDICT`, it joins: then the other is refused, and nothing is written twice.
        """
        if (group, name) in self._joined:
            self._fail_where_replaced(group, name)
        self._joined.add((group, name))
        with _told(self._address):
            return KafkaMember(
                self._address, self._admin, group, topics, name, self._process, came, went
            )

    def close(self) -> None:
        """See `EventLog.close`."""
        self._admin.close()

    def _fail_where_replaced(self, group: str, name: str) -> None:
        deadline = time.monotonic() + VERDICT
        while (members := members_of(self._admin, group)) is None:
            if time.monotonic() > deadline:
                return
            time.sleep(_AGAIN)
        if process_of(members, name) not in (None, self._process):
            raise Fenced(f"another process is {name} now", replaced=True)

    def _consumer(self) -> kafka.KafkaConsumer:
        with _told(self._address):
            return kafka.KafkaConsumer(
                bootstrap_servers=self._address, group_id=None, enable_auto_commit=False,
                isolation_level="read_committed", auto_offset_reset="earliest",
                fetch_max_wait_ms=round(FETCH_WAIT * 1000), metrics_enabled=False,
                **CLIENT,
            )  # fmt: skip

    def _ask(
        self, places: Sequence[Place], how: Callable[[Any, list[Any]], Mapping[Any, int]]
    ) -> dict[Place, int]:
        consumer = self._consumer()
        try:
            with _told(self._address):
                found = how(consumer, [kafka.TopicPartition(*place) for place in places])
        finally:
            consumer.close()
        return {Place(at.topic, at.partition): offset for at, offset in found.items()}


class KafkaReader:
    """See `Reader`."""

    def __init__(
        self, address: str, consumer: kafka.KafkaConsumer, positions: Mapping[Place, int]
    ) -> None:
        self._address, self._consumer = address, consumer
        self._places = {place: kafka.TopicPartition(*place) for place in positions}
        consumer.assign(list(self._places.values()))
        for place, offset in positions.items():
            consumer.seek(self._places[place], offset)

    def poll(self, timeout: float, most: int = 10_000) -> list[Chunk]:
        """See `Reader.poll`."""
        with _told(self._address):
            found = self._consumer.poll(timeout_ms=round(timeout * 1000), max_records=most)
        return [chunk_of(at, records) for at, records in found.items()]

    def position(self, place: Place) -> int:
        """Return the offset from which it goes on."""
        with _told(self._address):
            return int(self._consumer.position(self._places[place]))

    def lag(self) -> int:
        """See `Reader.lag`."""
        with _told(self._address):
            ends = self._consumer.end_offsets(list(self._places.values()), round(LOOK * 1000))
            return sum(max(end - int(self._consumer.position(at)), 0) for at, end in ends.items())

    def close(self) -> None:
        """See `Reader.close`."""
        self._consumer.close()


def wait_for_broker(address: str, patience: float, stop: Callable[[], bool]) -> None:
    """Wait until a broker answers.

    Raises
    ------
    SandboxError
        If none does within `patience` [s].
    """
    deadline = time.monotonic() + patience
    while not stop():
        try:
            knock(address)
            return
        except SandboxError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN)


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """Turn what the client raises into one line."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise not_answering(address, error) from None
