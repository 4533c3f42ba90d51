"""EventCodec: events as JSON messages, and decisions back; how batches travel on a wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.decide import DECISIONS
from sandbox.spec.scenario import Column, EventSchema

__all__ = ["EventCodec"]

_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: dict[str, Any] = {
    "key": _Int64 | None, "number": float | None, "category": str | None, "text": str | None,
}  # fmt: skip


class EventCodec:
    """Typed JSON, one message an event.

    Parameters
    ----------
    schema
        Schema of the events; times are event and processing time [s since epoch].
    """

    def __init__(self, schema: EventSchema) -> None:
        self._schema = schema
        fields: list[tuple[Any, ...]] = [
            (schema.id, _Int64), ("event_time", float), ("processing_time", float),
        ]  # fmt: skip
        # A field that does not come is missing: the schema check says whether it may be.
        fields += [(name, _TYPES[column.type], None) for name, column in schema.columns.items()]
        self._names = tuple(field[0] for field in fields)
        self._codes = {
            name: {value: code for code, value in enumerate(column.values)}
            for name, column in schema.columns.items()
            if column.type == "category"
        }
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Event", fields, gc=False))
        self._encoder = msgspec.json.Encoder()

    def encode(self, events: Batch) -> list[bytes]:
        """Return a message an event; codes become names, missing values null.

        Columns that the schema does not know go along, those that are absent do not.
        """
        columns: list[list[Any]] = []
        for name in events.names:
            values = events[name].tolist()
            if name in self._codes:
                words = (*self._schema.columns[name].values, None)
                values = [words[code] for code in values]
            elif events[name].dtype.kind == "S":
                values = [value.decode(errors="ignore") if value else None for value in values]
            elif events[name].dtype.kind == "f":
                values = [None if value != value else value for value in values]
            columns.append(values)
        rows = zip(*columns, strict=True)
        return [self._encoder.encode(dict(zip(events.names, row, strict=True))) for row in rows]

    def decode(self, messages: Sequence[bytes]) -> Batch:
        """Return the events of messages.

        Raises
        ------
        msgspec.DecodeError
            For a message that is no event of the schema. Unknown names of a category get code -1;
            text is cut at its longest.
        """
        found = [self._decoder.decode(message) for message in messages]
        columns: dict[str, NDArray[Any]] = {}
        for name in self._names:
            values = [getattr(event, name) for event in found]
            if name in self._codes:
                codes = self._codes[name]
                columns[name] = np.array([codes.get(v, -1) for v in values], dtype=np.int16)
            elif name in self._schema.columns:
                columns[name] = _column(values, self._schema.columns[name])
            else:
                kind = np.int64 if name == self._schema.id else np.float64
                columns[name] = np.array(values, dtype=kind)
        return Batch(columns)

    def encode_decisions(
        self, ids: NDArray[np.int64], decision: NDArray[np.int8], score: NDArray[np.float64],
        version: NDArray[np.int16],
    ) -> list[bytes]:  # fmt: skip
        """Return a message a decision."""
        rows = zip(ids.tolist(), decision.tolist(), score.tolist(), version.tolist(), strict=True)
        return [
            self._encoder.encode({"id": i, "decision": DECISIONS[d], "score": s, "version": v})
            for i, d, s, v in rows
        ]


def _column(values: list[Any], column: Column) -> NDArray[Any]:
    if column.type == "key":
        values = [-1 if value is None else value for value in values]
    elif column.type == "text":
        values = [(value or "").encode() for value in values]
    return np.array(values, dtype=column.dtype)
