"""A member of a consumer group on Kafka."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import kafka
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.coordinator.base import MemberState
from kafka.errors import FencedInstanceIdError, KafkaError

from sandbox.adapters.event_log import Chunk, Fenced, Listener, Place
from sandbox.adapters.kafka_group import Signed, members_of, owned_by, process_of
from sandbox.adapters.kafka_link import CLIENT, PATIENCE, SESSION, not_answering

__all__ = ["KafkaMember", "chunk_of"]

_LONGEST_ROUND = 120.0
"""Between two polls [s]: a replay of long logs comes in between."""
_FETCH_WAIT = 0.5
_LOOK = SESSION
"""Between two looks at the group [s]."""
_FETCH = 1 << 18
"""Bytes that come of a partition at once: of a history in frames, what a transaction can carry."""
_NEWER = 0.005
"""Wait for messages that came since the last poll [s]."""
_JOINING = 3.0
"""Length of a client's poll while it joins [s]. kafka-python 3.0.12 begins to join again when it
is asked for messages after an answer came that nobody waited for, so somebody always waits."""
_Change = tuple[str, frozenset[Place]]
"""Partitions ``came`` or ``went``."""
_News = Sequence[_Change]


class KafkaMember:
    """See `Member`.

    Its name makes it a static member: who comes back under it after a crash gets the same
    partitions at once, and whoever had it before is refused. The client polls in a thread of its
    own, and only while this member is being polled or the last poll brought nothing: partitions
    change hands cooperatively, and never while polled messages are not committed yet.

    `process` tells this process from another of the same name; see `process_of`.

    Partitions can be left to nobody: cooperatively, who gives some up joins once more so that they
    find their new owner, and where it dies before that, or the broker does, static members come
    back to the assignment that was noted last and nothing makes them join again. So each looks at
    the group now and then, and asks for another round where the gap stays.
    """

    def __init__(
        self, address: str, admin: KafkaAdminClient, group: str, topics: Sequence[str], name: str,
        process: str, came: Listener, went: Listener,
    ) -> None:  # fmt: skip
        self._address, self._admin, self._group, self._name = address, admin, group, name
        self._process = process
        self._tell: Mapping[str, Listener] = {"came": came, "went": went}
        self._claim: Any = None
        self._news: queue.SimpleQueue[_Change] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[tuple[Any, Any] | Exception, _News]] = (
            queue.SimpleQueue()
        )
        self._waiting = self._closing = False
        self._looked = time.monotonic()
        self._topics, self._gap = tuple(topics), (-1, frozenset[Place]())
        self._assignor = Signed(process)
        self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=address, group_id=group, group_instance_id=name, client_id=name,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False, isolation_level="read_committed",
            auto_offset_reset="earliest", session_timeout_ms=round(SESSION * 1000),
            heartbeat_interval_ms=round(SESSION * 1000 / 4),
            max_poll_interval_ms=round(_LONGEST_ROUND * 1000),
            fetch_max_wait_ms=round(_FETCH_WAIT * 1000), max_partition_fetch_bytes=_FETCH,
            metrics_enabled=False,
            **CLIENT,
        )  # fmt: skip
        self._consumer.subscribe(list(topics), listener=_Listener(self._news))
        self._thread = threading.Thread(target=self._work, name=f"{group} {name}", daemon=True)
        self._thread.start()

    @property
    def group(self) -> str:
        """See `Member.group`."""
        return self._group

    @property
    def assigned(self) -> frozenset[Place]:
        """See `Member.assigned`."""
        return frozenset(Place(at.topic, at.partition) for at in self._consumer.assignment())

    @property
    def claim(self) -> Any:
        """The membership under which the last messages were polled: what a commit must show.

        Taken while polling, since a group may give a member up in between, and a commit without a
        membership is refused by no one.
        """
        return self._claim

    def poll(self, timeout: float, most: int) -> list[Chunk]:
        """See `Member.poll`."""
        if not self._waiting:
            self._waiting = True
            self._asked.put(most)
        try:
            answer, news = (
                self._answers.get(timeout=timeout) if timeout else self._answers.get_nowait()
            )
        except queue.Empty:
            return []
        self._waiting = False
        for kind, places in news:
            self._tell[kind](places)
        if isinstance(answer, FencedInstanceIdError):
            raise Fenced(f"another member is {self._name} now", replaced=False)
        if isinstance(answer, Exception):
            raise not_answering(self._address, answer)
        found, self._claim = answer
        if found and (not self._claim.member_id or self._claim.generation_id < 0):
            raise Fenced(f"{self._group} gave {self._name} up", replaced=False)
        return _still_owned([chunk_of(at, records) for at, records in found.items()], news)

    def _work(self) -> None:
        while (most := self._asked.get()) and not self._closing:
            answer: tuple[Any, Any] | Exception
            try:
                answer = self._ask(most)
            except (KafkaError, RuntimeError) as error:
                answer = error
            # After the membership was noted: a new one then comes with what was lost before it.
            self._answers.put((answer, [self._news.get() for _ in range(self._news.qsize())]))

    def _ask(self, most: int) -> tuple[Any, Any]:
        """Return messages and the membership they came under; none when nothing came for long."""
        self._look_around()
        found: Any = {}
        rounds = 0
        while not found and not self._closing and (rounds == 0 or not self._stable()):
            wait = _FETCH_WAIT if self._stable() else _JOINING
            found = self._consumer.poll(timeout_ms=round(wait * 1000), max_records=most)
            rounds += 1
        left = most - sum(map(len, found.values()))
        if found and left > 0:
            # That had come when the last poll ended; what came since takes a request of its own.
            newer = self._consumer.poll(timeout_ms=round(_NEWER * 1000), max_records=left)
            for at, records in newer.items():
                found[at] = [*found.get(at, ()), *records]
        return found, self._consumer.group_metadata()

    def _look_around(self) -> None:
        """Find out once a session what nobody says unasked: somebody of this name, a gap."""
        if time.monotonic() - self._looked < _LOOK or not self._stable():
            return
        self._looked = time.monotonic()
        members = members_of(self._admin, self._group) or []
        if process_of(members, self._name) not in (None, self._process):
            raise FencedInstanceIdError(self._name)
        places = {Place(topic, n) for topic in self._topics
                  for n in self._consumer.partitions_for_topic(topic) or ()}  # fmt: skip
        unowned = frozenset(places - owned_by(members)) if members else frozenset()
        before, self._gap = self._gap, (self._consumer.group_metadata().generation_id, unowned)
        if unowned and self._gap == before:
            # A follower that joins with the same words gets the same answer.
            self._assignor.rounds += 1
            self._consumer._coordinator.request_rejoin()

    def _stable(self) -> bool:
        return self._consumer.group_metadata().state is MemberState.STABLE

    def seek(self, place: Place, offset: int) -> None:
        """See `Member.seek`."""
        self._consumer.seek(kafka.TopicPartition(*place), offset)

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """See `Member.committed`."""
        found = {}
        for place in places:
            try:
                offset = self._consumer.committed(
                    kafka.TopicPartition(*place), timeout_ms=round(PATIENCE * 1000)
                )
            except KafkaError as error:
                raise not_answering(self._address, error) from None
            if offset is not None and offset >= 0:
                found[place] = int(offset)
        return found

    def lag(self) -> dict[Place, int]:
        """See `Member.lag`: as far as the last answers of the broker tell."""
        waiting = {}
        for at in self._consumer.assignment():
            high = self._consumer.highwater(at)
            if high is None:
                continue
            position = self._consumer.position(at, timeout_ms=1)
            if position is not None:
                waiting[Place(at.topic, at.partition)] = max(int(high) - int(position), 0)
        return waiting

    def close(self) -> None:
        """See `Member.close`. A static member stays until told to go."""
        claim = self._consumer.group_metadata()
        self._closing = True
        self._asked.put(0)
        self._thread.join(timeout=_JOINING + 1.0)
        self._consumer.close(timeout_ms=2000)
        if claim.member_id:
            with contextlib.suppress(KafkaError):  # then its session ends by itself
                leaving = MemberToRemove(
                    member_id=claim.member_id, group_instance_id=self._name, reason="closed"
                )
                self._admin.remove_group_members(self._group, [leaving])


class _Listener(kafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes changes of assignment; the client calls it in a thread of its own."""

    def __init__(self, news: queue.SimpleQueue[tuple[str, frozenset[Place]]]) -> None:
        self._news = news

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Partitions came."""
        self._news.put(("came", _places(assigned)))

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Partitions go to somebody else."""
        self._news.put(("went", _places(revoked)))

    def on_partitions_lost(self, lost: Any) -> None:
        """Partitions are somebody else's already."""
        self._news.put(("went", _places(lost)))


def _still_owned(chunks: Sequence[Chunk], news: _News) -> list[Chunk]:
    """Return the chunks whose partitions stayed with the member while it polled.

    A client joins a group in a thread of its own. So messages may have been polled under an old
    membership and be handed over with a new one, under which a commit would be taken.

    Raises
    ------
    Fenced
        If a partition went and came back: nobody knows on which side of that it was polled.
    """
    gone = set[Place]()
    for kind, places in news:
        if kind == "went":
            gone |= places
        elif any(chunk.place in gone & places for chunk in chunks):
            raise Fenced("partitions were lost and given back", replaced=False)
    return [chunk for chunk in chunks if chunk.place not in gone]


def _places(found: Any) -> frozenset[Place]:
    return frozenset(Place(at.topic, at.partition) for at in found)


def chunk_of(at: Any, records: Sequence[Any]) -> Chunk:
    """Return what a consumer polled of one partition."""
    return Chunk(
        Place(at.topic, at.partition),
        [record.value for record in records],
        [record.offset for record in records],
        [record.timestamp * 1e-3 for record in records],
    )
