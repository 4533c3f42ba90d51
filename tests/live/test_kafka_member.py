"""What a member of a group sees to that nobody tells it, on a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import kafka
import pytest
from kafka.admin import MemberToRemove
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from sandbox.adapters import kafka_member
from sandbox.adapters.event_log import Chunk, Fenced, Place
from sandbox.adapters.kafka_group import members_of
from sandbox.adapters.kafka_log import KafkaLog
from sandbox.adapters.kafka_member import KafkaMember

PATIENCE = 60.0


class Stingy(CooperativeStickyAssignor):  # type: ignore[misc]
    """Gives everybody the first partition, as a round leaves it that waits for another."""

    def assign(self, cluster: Any, members: Any) -> Any:
        return {
            member.member_id: ConsumerProtocolAssignment(
                self.version, [(topic, [0]) for topic in member.metadata.topics], b""
            )
            for member in members
        }


@pytest.fixture
def log(broker: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaLog]:
    monkeypatch.setattr(kafka_member, "_LOOK", 0.5)
    found = KafkaLog(broker)
    yield found
    found.close()


@pytest.fixture
def topic(log: KafkaLog) -> str:
    name = f"gaps-{uuid4().hex[:8]}"
    log.create({name: 4})
    return name


def join(log: KafkaLog, topic: str, name: str) -> KafkaMember:
    return log.member(topic, [topic], name, lambda _: None, lambda _: None)


def poll_while(holds: Callable[[], bool], *members: KafkaMember) -> None:
    """Poll as long as something holds."""
    deadline = time.monotonic() + PATIENCE
    while holds():
        assert time.monotonic() < deadline, [member.assigned for member in members]
        for member in members:
            member.poll(0.1, 100)


def everything(topic: str) -> frozenset[Place]:
    return frozenset(Place(topic, number) for number in range(4))


def test_what_is_left_to_nobody_is_asked_for(log: KafkaLog, broker: str, topic: str) -> None:
    # Its owner gave three of four up, and died before it could join once more: so the broker notes
    # the group, and so a member that comes back under the name finds it.
    died = kafka.KafkaConsumer(
        bootstrap_servers=broker, group_id=topic, group_instance_id="one",
        partition_assignment_strategy=[Stingy], enable_auto_commit=False,
    )  # fmt: skip
    died.subscribe([topic])
    deadline = time.monotonic() + PATIENCE
    while not died.assignment():
        assert time.monotonic() < deadline
        died.poll(timeout_ms=500)
    died.close()
    back = join(log, topic, "one")
    poll_while(lambda: back.assigned != {Place(topic, 0)}, back)  # nothing makes it join again
    poll_while(lambda: back.assigned != everything(topic), back)
    back.close()


def test_a_whole_group_is_left_alone(
    log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [join(log, topic, name) for name in ("one", "two")]
    poll_while(lambda: any(len(member.assigned) != 2 for member in members), *members)
    looks, asked = list[str](), members_of

    def counted(admin: Any, group: str) -> Any:
        looks.append(group)
        return asked(admin, group)

    monkeypatch.setattr(kafka_member, "members_of", counted)
    poll_while(lambda: len(looks) < 4, *members)  # these may see the end of the last round
    before = [member.claim for member in members]
    poll_while(lambda: len(looks) < 10, *members)
    assert [member.claim for member in members] == before
    for member in members:
        member.close()


def test_what_was_polled_before_a_loss_is_not_handed_over(
    log: KafkaLog, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = log.writer()
    for place in everything(topic):
        writer.send(place, b"message")
    writer.flush()
    writer.close()
    member = join(log, topic, "one")
    poll, noted = member._consumer.poll, member._consumer.group_metadata

    def poll_and_lose(**asked: Any) -> Any:
        # As after a pause: messages are at hand, and then the group gives the member up, which
        # joins again in the background and has its partitions back.
        found = poll(**asked)
        if found and not lost:
            lost.append(noted())
            removed = MemberToRemove(member_id=lost[0].member_id, group_instance_id="one")
            log._admin.remove_group_members(topic, [removed])
            while noted().member_id == lost[0].member_id or len(member.assigned) < 4:
                assert time.monotonic() < deadline
                poll(timeout_ms=3000, max_records=1)
        return found

    lost, deadline = list[Any](), time.monotonic() + PATIENCE
    monkeypatch.setattr(member._consumer, "poll", poll_and_lose)
    with pytest.raises(Fenced):
        while time.monotonic() < deadline:
            assert not member.poll(1.0, 100), "a commit of these would be taken"
    assert lost
    member.close()


@pytest.mark.parametrize(
    ("news", "kept"),
    [
        ([], {0, 1}),
        ([("went", {0})], {1}),
        ([("came", {0}), ("went", {2})], {0, 1}),
        ([("went", {2}), ("came", {2})], {0, 1}),
        ([("came", {1}), ("went", {1})], {0}),
    ],
)
def test_chunks_of_lost_partitions_are_dropped(
    news: list[tuple[str, set[int]]], kept: set[int]
) -> None:
    chunks = [Chunk(Place("t", number), [b"x"], [7], [0.0]) for number in (0, 1)]
    told = [(kind, frozenset(Place("t", n) for n in numbers)) for kind, numbers in news]
    found = kafka_member._still_owned(chunks, told)
    assert {chunk.place.partition for chunk in found} == kept
