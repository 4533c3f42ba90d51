"""Dead letters: what they say about events that never became rows of the decision log."""

from __future__ import annotations

import msgspec
import numpy as np

from sandbox.adapters.event_log import Chunk
from sandbox.live.progress import EventTimes
from sandbox.pipeline.schema import REASONS

__all__ = ["poisoned", "unanswered"]

_ROWLESS = frozenset({"duplicate"})
"""Reasons of the schema check for which an event is not answered."""


class _Letter(msgspec.Struct):
    """A dead letter; `message` only where it was no event at all."""

    reason: str
    message: str | None = None


def poisoned(chunk: Chunk, times: EventTimes) -> list[int]:
    """Return the ids of events whose messages could not be read.

    A worker answers an event that breaks the schema, but not one whose message is none.
    """
    letters = [letter for letter in _letters(chunk) if letter.message is not None]
    return [id for one in letters for id, _ in times.read((one.message or "").encode())]


def unanswered(chunk: Chunk) -> list[np.int8]:
    """Return codes into `REASONS` of the letters whose events are no rows of the log."""
    missing, wrong = REASONS.index("missing_column"), REASONS.index("wrong_type")
    codes = []
    for letter in _letters(chunk):
        if letter.message is not None:
            codes.append(np.int8(missing if "missing" in letter.reason else wrong))
        elif letter.reason in _ROWLESS:
            codes.append(np.int8(REASONS.index(letter.reason)))
    return codes


def _letters(chunk: Chunk) -> list[_Letter]:
    letters = []
    for value in chunk.values:
        try:
            letters.append(msgspec.json.decode(value, type=_Letter))
        except msgspec.MsgspecError:
            continue
    return letters
