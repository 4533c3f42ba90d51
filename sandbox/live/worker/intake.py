"""Intake: from messages of a stage's topic to batches of events and labels, in log order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from sandbox.adapters.event_log import Chunk
from sandbox.batch import Batch
from sandbox.live.frames import NotAFrame, is_frame, read_frame
from sandbox.live.worker.gather import CALL, WITHDRAWN
from sandbox.pipeline.codec import EventCodec
from sandbox.spec.scenario import EventSchema

__all__ = ["DeadLetter", "Intake", "Kind", "Piece"]

Kind = Literal["events", "labels", "withdrawals", "call"]

_SHOWN = 500
"""Bytes of a message that its dead letter repeats."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that is neither an event nor a frame."""

    topic: str
    partition: int
    offset: int
    reason: str
    message: bytes

    def as_json(self) -> bytes:
        """Return what goes to the dead-letter topic."""
        shown = self.message[:_SHOWN].decode("utf-8", "backslashreplace")
        place = {"topic": self.topic, "partition": self.partition, "offset": self.offset}
        return json.dumps({**place, "reason": self.reason, "message": shown}).encode()


@dataclass(frozen=True)
class Piece:
    """Consecutive events, or a frame of something else."""

    kind: Kind
    batch: Batch
    """Labels are in order of `label_time`; of `call` and `withdrawals` see `gather`."""


class Intake:
    """Reads a partition's messages.

    Parameters
    ----------
    schema
        Schema of the events.
    columns
        Columns that a frame of events must have, and those a frame of labels must.
    withdrawn_columns
        Columns that a frame of withdrawals must have; none: there are no such frames here.
    """

    def __init__(
        self, schema: EventSchema, event_columns: Sequence[str], label_columns: Sequence[str],
        withdrawn_columns: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._codec = EventCodec(schema)
        self._wanted: dict[Kind, Sequence[str]] = {
            "events": event_columns, "labels": label_columns, "withdrawals": withdrawn_columns,
            "call": (CALL,),
        }  # fmt: skip
        self._gathers = bool(withdrawn_columns)
        self.dead: list[DeadLetter] = []
        """Messages refused since somebody emptied the list."""

    def read(self, chunk: Chunk) -> Iterator[Piece]:
        """Yield what the messages say, in log order; `sent` [s since epoch] is added to events."""
        start, values = 0, chunk.values
        for at, value in enumerate(values):
            if not is_frame(value):
                continue
            yield from self._events(chunk, start, at)
            start = at + 1
            piece = self._frame(chunk, at)
            if piece is not None:
                yield piece
        yield from self._events(chunk, start, len(values))

    def _frame(self, chunk: Chunk, at: int) -> Piece | None:
        try:
            batch = read_frame(chunk.values[at])
            kind = self._kind(batch)
            missing = [name for name in self._wanted[kind] if name not in batch]
            if missing:
                raise NotAFrame(f"no column {missing[0]}")
        except NotAFrame as error:
            self._bury(chunk, at, str(error))
            return None
        if kind == "events" and "sent" not in batch:
            batch = batch.with_columns(sent=np.full(len(batch), chunk.sent[at]))
        return Piece(kind, batch)

    def _kind(self, batch: Batch) -> Kind:
        if "label_time" in batch:
            return "labels"
        if self._gathers and CALL in batch:
            return "call"
        return "withdrawals" if self._gathers and WITHDRAWN in batch else "events"

    def _events(self, chunk: Chunk, start: int, stop: int) -> Iterator[Piece]:
        if start == stop:
            return
        values, sent = chunk.values[start:stop], chunk.sent[start:stop]
        try:
            batch = self._codec.decode(values)
        except msgspec.MsgspecError:
            good = [at for at in range(start, stop) if self._is_event(chunk, at)]
            if not good:
                return
            batch = self._codec.decode([chunk.values[at] for at in good])
            sent = [chunk.sent[at] for at in good]
        yield Piece("events", batch.with_columns(sent=np.array(sent)))

    def _is_event(self, chunk: Chunk, at: int) -> bool:
        try:
            self._codec.decode([chunk.values[at]])
        except msgspec.MsgspecError as error:
            self._bury(chunk, at, str(error))
            return False
        return True

    def _bury(self, chunk: Chunk, at: int, reason: str) -> None:
        place = chunk.place
        letter = DeadLetter(
            place.topic, place.partition, chunk.offsets[at], reason, chunk.values[at]
        )
        self.dead.append(letter)
