"""What a consumer group on Kafka says about its members, and what they say about themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError

from sandbox.adapters.event_log import Place

__all__ = ["Signed", "members_of", "owned_by", "process_of"]

_SETTLED = ("Stable", "Empty", "Dead")


def members_of(admin: KafkaAdminClient, group: str) -> list[Mapping[str, Any]] | None:
    """Return the members of a group; None where it rebalances or cannot say."""
    try:
        found = admin.describe_groups([group])[group]
    except KafkaError:
        return None
    settled = found["error"] is None and found["group_state"] in _SETTLED
    return list(found["members"]) if settled else None


def process_of(members: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """Return which process has a name in a group; None where nobody has.

    It goes with every joining as user data of the subscription: ids of members do not tell an old
    request of one's own, answered late after an outage, from somebody else's, and a broker keeps
    the id of the client when a name changes hands.
    """
    said = [one["member_metadata"] for one in members if one["group_instance_id"] == name]
    words = str(said[0]["user_data"]).split() if said and said[0] else []
    return words[0] if words else None


def owned_by(members: Sequence[Mapping[str, Any]]) -> frozenset[Place]:
    """Return the partitions that members of a group have been given."""
    return frozenset(
        Place(one["topic"], partition)
        for member in members
        for one in (member["member_assignment"] or {}).get("assigned_partitions", ())
        for partition in one["partitions"]
    )


class Signed(CooperativeStickyAssignor):  # type: ignore[misc]
    """The assignor of every member: says its process, and how often it asked for a round."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process, self.rounds = process, 0

    def metadata(self, topics: Any) -> Any:
        """Return what a member says when it joins."""
        found = super().metadata(topics)
        found.user_data = f"{self._process} {self.rounds}".encode()
        return found
