"""SchemaCheck: which events may enter, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch, missing_value
from sandbox.pipeline.admission import KEEP, NEVER, admit, rebuild
from sandbox.pipeline.snapshot import pack, unpack
from sandbox.spec.scenario import Column, EventSchema

__all__ = ["REASONS", "SchemaCheck"]

REASONS = (
    "valid", "missing_column", "wrong_type", "null", "out_of_range", "duplicate", "late",
)  # fmt: skip
"""Names of reason codes; an event has the first that applies, in this order within its columns."""

_MISSING, _TYPE, _NULL, _RANGE, _DUPLICATE, _LATE = range(1, 7)
_CLOCK_SKEW = 300.0  # a producer's clock may run ahead of ours by this much [s]
_OWNER = "schema check"
_KINDS = {"key": "iu", "category": "iu", "number": "iufb", "text": "S"}


class SchemaCheck:
    """Hold events against a schema, in log order.

    ============== ========================================================================
    missing_column a column that must not be missing is not there at all: nobody passes
    wrong_type     a column is not of numbers (of integers, for keys and categories; of bytes, for
                   text)
    null           a value is missing that must not be
    out_of_range   outside min..max, an unknown category, not finite, or from the future
    duplicate      its id was seen in the 24 h before (by processing time)
    late           its event time is below the watermark: the largest event time accepted
                   before it, less the allowed lateness
    ============== ========================================================================

    Columns that the schema does not know are dropped and counted. A nullable column that is
    absent is filled with missing values.

    Parameters
    ----------
    schema
        The schema of events.
    allowed_lateness
        Seconds an event may be older than the newest one before it.
    """

    def __init__(self, schema: EventSchema, allowed_lateness: float) -> None:
        self._schema, self._lateness = schema, allowed_lateness
        self._ids = np.zeros(1 << 14, dtype=np.int64)
        self._seen = np.full(len(self._ids), NEVER)
        self._marks = np.array([-np.inf, 0.0])
        self._unknown: dict[str, int] = {}
        self.accepted = np.zeros(0, dtype=np.bool_)
        """Rows of the last batch that passed."""

    @property
    def watermark(self) -> float:
        """Largest event time accepted, less the allowed lateness [s since epoch]."""
        return float(self._marks[0]) - self._lateness

    @property
    def unknown_columns(self) -> Mapping[str, int]:
        """Events that carried a column which the schema does not know, by column."""
        return MappingProxyType(self._unknown)

    def check(self, batch: Batch) -> tuple[Batch, Batch]:
        """Part a batch.

        Parameters
        ----------
        batch
            Events in log order, with `processing_time`.

        Returns
        -------
        valid : Batch
            Accepted events: id, `event_time`, `processing_time`, the columns of the schema.
        dead : Batch
            The others: id, `event_time`, `processing_time`, `reason` (code into `REASONS`).
        """
        name, rows = self._schema.id, len(batch)
        reasons = np.zeros(rows, dtype=np.int8)
        columns = {
            name: _column(batch, name, "iu", "i8", False, reasons),
            "event_time": _column(batch, "event_time", "iuf", "f8", False, reasons),
            "processing_time": batch["processing_time"],
        }
        for column, spec in self._schema.columns.items():
            kinds = _KINDS[spec.type]
            columns[column] = _column(batch, column, kinds, spec.dtype, spec.nullable, reasons)
        self._count_unknown(batch, columns)
        if rows and not reasons[0]:
            self._check_times(columns, reasons)
            for column, spec in self._schema.columns.items():
                _check_values(columns[column], spec, reasons)
            self._admit(columns, reasons)
        whole, self.accepted = Batch(columns), reasons == 0
        if self.accepted.all():
            return whole, _dead(whole, name, reasons, slice(0, 0))
        return whole.take(self.accepted), _dead(whole, name, reasons, ~self.accepted)

    def snapshot(self) -> bytes:
        """Return remembered ids and watermark."""
        used = self._seen != NEVER
        return pack(
            {"ids": self._ids[used], "seen": self._seen[used], "marks": self._marks}, _OWNER
        )

    def restore(self, data: bytes) -> None:
        """Go back to the state of a snapshot.

        Raises
        ------
        ValueError
            If the bytes are no such snapshot.
        """
        arrays = unpack(data, _OWNER)
        self._marks = arrays["marks"].copy()
        self._resize(arrays["ids"], arrays["seen"], -np.inf, 2 * len(arrays["ids"]))

    def _count_unknown(self, batch: Batch, known: Mapping[str, object]) -> None:
        for name in batch.names:
            if name not in known:
                self._unknown[name] = self._unknown.get(name, 0) + len(batch)

    def _check_times(self, columns: Mapping[str, NDArray[Any]], reasons: NDArray[np.int8]) -> None:
        event_time, now = columns["event_time"], columns["processing_time"]
        _mark(reasons, columns[self._schema.id] < 0, _NULL)
        _mark(reasons, np.isnan(event_time), _NULL)
        ahead = event_time - now > max(self._lateness, _CLOCK_SKEW)
        _mark(reasons, ahead | (event_time == -np.inf), _RANGE)

    def _admit(self, columns: Mapping[str, NDArray[Any]], reasons: NDArray[np.int8]) -> None:
        ids = columns[self._schema.id].astype(np.int64)
        times = np.empty((2, len(ids)))
        times[0], times[1] = columns["event_time"], columns["processing_time"]
        if 2 * (self._marks[1] + len(ids)) > len(self._ids):
            self._resize(self._ids, self._seen, float(times[1, 0]), len(ids))
        admit(
            ids, times, reasons, _DUPLICATE, _LATE, self._lateness,
            self._ids, self._seen, self._marks,
        )  # fmt: skip

    def _resize(
        self, ids: NDArray[np.int64], seen: NDArray[np.float64], now: float, extra: int
    ) -> None:
        """Forget old ids, and make the table large enough to be rebuilt seldom."""
        kept = int(np.count_nonzero(now - seen <= KEEP)) if now > -np.inf else len(ids)
        size = 1 << max(2 * (kept + max(kept // 2, extra)), 1 << 14).bit_length()
        self._ids, self._seen = np.zeros(size, dtype=np.int64), np.full(size, NEVER)
        self._marks[1] = rebuild(
            np.ascontiguousarray(ids), np.ascontiguousarray(seen), now, self._ids, self._seen
        )


def _column(
    batch: Batch, name: str, kinds: str, dtype: str, nullable: bool, reasons: NDArray[np.int8]
) -> NDArray[Any]:
    """Return a column, or missing values (and a mark on every row) where it cannot be used."""
    if name in batch:
        column = batch[name]
        if column.dtype.kind in kinds:
            return column
        _mark(reasons, np.True_, _TYPE)
    elif not nullable:
        _mark(reasons, np.True_, _MISSING)
    return np.full(len(batch), missing_value(dtype), dtype=dtype)


def _check_values(values: NDArray[Any], spec: Column, reasons: NDArray[np.int8]) -> None:
    if spec.type == "number":
        low = -np.inf if spec.min is None else spec.min
        high = np.inf if spec.max is None else spec.max
        _mark(reasons, (values < low) | (values > high) | (np.abs(values) == np.inf), _RANGE)
        if not spec.nullable:
            _mark(reasons, np.isnan(values), _NULL)
        return
    if spec.type == "text":
        if not spec.nullable:
            _mark(reasons, values == b"", _NULL)
        return
    if spec.type == "category" and spec.values:
        _mark(reasons, values >= len(spec.values), _RANGE)
    _mark(reasons, values < (-1 if spec.nullable else 0), _NULL)


def _mark(reasons: NDArray[np.int8], rows: Any, reason: int) -> None:
    """Give `reason` to rows that have none yet or a later one."""
    if rows.any():
        reasons[rows & ((reasons == 0) | (reasons > reason))] = reason


def _dead(whole: Batch, name: str, reasons: NDArray[np.int8], rows: Any) -> Batch:
    columns = {n: whole[n][rows] for n in (name, "event_time", "processing_time")}
    return Batch({**columns, "reason": reasons[rows]})
