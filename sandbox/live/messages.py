"""What roles tell each other apart from events: commands, happenings, who serves."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

__all__ = ["Command", "Happening", "ServingState", "decode", "encode"]

_Message = TypeVar("_Message", bound=msgspec.Struct)
_ENCODER = msgspec.json.Encoder()


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a person wants done."""

    id: str
    """Unlike any other's."""
    who: str
    action: str
    """See `control.ACTIONS`."""
    args: dict[str, str | float | int | bool] = {}
    sent: float = 0.0
    """Wall clock [s since epoch]."""


class Happening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happened, for people, dashboards and the record."""

    kind: str
    """command, refused, incident, mended, alert, training, promotion, rollback, threshold, fault,
    clock, worker."""
    what: str
    """In words, one line."""
    role: str
    """Which role says so."""
    who: str = ""
    """Person behind it; empty where nobody is."""
    command: str = ""
    """Id of the command that it answers."""
    ok: bool = True
    """False: a command was not carried out; `what` says why."""
    sent: float = 0.0
    """Wall clock [s since epoch]."""
    day: float = 0.0
    """Simulated time [days since day 0]."""
    facts: dict[str, Any] = {}
    """Numbers and names, for programs."""


class ServingState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which models decide, and how. Workers follow the newest."""

    champion: int
    """Number of the version that decides."""
    challenger: int = 0
    """Number of the version that scores beside it; 0 for none."""
    canary: float = 0.0
    """Share of the events that the challenger decides."""
    review_above: float | None = None
    """Threshold by hand; the champion's own where absent. 1 or more: never."""
    block_above: float | None = None
    explore: float | None = None
    """Share of would-be blocked events that go through; the design's where absent."""
    sent: float = 0.0
    """Wall clock [s since epoch]."""


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as JSON."""
    return _ENCODER.encode(message)


def decode(data: bytes, kind: type[_Message]) -> _Message:
    """Return the message of this kind.

    Raises
    ------
    msgspec.MsgspecError
        If it is none; unknown fields count as a mistake.
    """
    return msgspec.json.decode(data, type=kind)
