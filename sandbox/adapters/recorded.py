"""Recorded events: a file of any order and size becomes blocks of clean events in order of time.

Two passes: the first (`recorded_survey`) sees when things happened, the second keeps the span that
is played. Rows that break the schema are refused with a reason and counted; a file that cannot be
played at all is one `UsageError`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.recorded_spill import DAY, DayStore
from sandbox.adapters.recorded_survey import EARLIEST, LATEST, Survey
from sandbox.adapters.recorded_values import (
    FINE,
    NULL,
    OUT_OF_RANGE,
    WRONG_TYPE,
    categories,
    keys,
    numbers,
    texts,
    times,
)
from sandbox.batch import Batch, missing_value
from sandbox.errors import UsageError
from sandbox.spec.scenario import Column, EventSchema

__all__ = ["LabelRule", "Recording", "read_recording"]

_REASONS = {NULL: "null", WRONG_TYPE: "wrong_type", OUT_OF_RANGE: "out_of_range"}


@dataclass(frozen=True)
class LabelRule:
    """What a label may be."""

    values: tuple[float, ...]
    """Its possible values; any number when empty."""
    absence: float | None
    """What an empty label stands for; None: a row without a label cannot be played."""


@dataclass
class Recording:
    """Clean events on disk, read back by time.

    Attributes
    ----------
    refused
        Rows left out because they break the schema, by reason.
    examples
        For each reason, the first such row of the file (1 is the first after a header) and its
        field.
    events
        Rows that can be played.
    """

    schema: EventSchema
    store: DayStore
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    events: int = 0

    def between(self, start: float, end: float) -> Batch:
        """Return the events of ``[start, end)`` [s since epoch] in order of time.

        Columns: the id (a running number in order of time), `event_time`, the columns of the
        schema, `label`, `mechanism` (0), and `label_time` where the file has it.
        """
        parts = []
        for day in range(int(start // DAY), int(np.ceil(end / DAY))):
            rows = self.store.day(day)
            if len(rows):
                low, high = np.searchsorted(rows["time"], [start, end])
                parts.append(rows.slice(int(low), int(high)))
        rows = Batch.concat(parts) if parts else self._nothing()
        names = {self.schema.id: "number", "event_time": "time"}
        names |= {name: name for name in self.schema.columns}
        names |= {name: name for name in ("label", "label_time") if name in rows}
        columns: dict[str, NDArray[Any]] = {new: rows[old] for new, old in names.items()}
        return Batch({**columns, "mechanism": np.zeros(len(rows), dtype=np.int8)})

    def _nothing(self) -> Batch:
        kinds = {name: _stored_as(c) for name, c in self.schema.columns.items()}
        kinds |= {"number": "i8", "time": "f8", "label": "f8"}
        return Batch({name: np.zeros(0, dtype=kind) for name, kind in kinds.items()})


def read_recording(
    survey: Survey, schema: EventSchema, labels: LabelRule, start: float, end: float
) -> Recording:
    """Read and check the rows with ``start <= event_time < end`` [s since epoch].

    Rows whose time cannot be read are refused too. Memory holds one piece of the file, one day of
    events, 16 bytes for each of these rows, and with sessions 8 for each row of the file.

    Raises
    ------
    UsageError
        If nothing of it can be played, or most labels are none of the task's.
    OutputError
        If intermediate files cannot be written.
    """
    file, table = survey.file, survey.table
    request = schema.slate.request if survey.sessions and schema.slate else None
    recording = Recording(schema, DayStore(file.scratch, together=request))
    check = _RowCheck(survey, schema, labels, recording, (start, end))
    seen = 0
    for piece in table.pieces(list(survey.columns.values()), lambda s: file.told(0.5 + s / 2)):
        rows = np.arange(seen, seen + len(next(iter(piece.values()))), dtype=np.int64)
        seen += len(rows)
        columns, fine = check.convert(piece, rows)
        recording.store.add({name: values[fine] for name, values in columns.items()})
        recording.events += int(fine.sum())
    if table.malformed:
        recording.refused["malformed"] = table.malformed
    doubled = recording.store.close()
    if len(doubled):
        recording.refused["duplicate"] = len(doubled)
        recording.examples["duplicate"] = f"row {doubled.min() + 1}: {survey.columns[schema.id]}"
        recording.events -= len(doubled)
    check.refuse_strange_labels()
    if not recording.events:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in recording.refused.items())
        raise UsageError(
            "no row can be played", where=str(file.path), got=reasons or "nothing in this span",
            hint="; ".join(recording.examples.values()),
        )  # fmt: skip
    return recording


class _RowCheck:
    """Converts pieces of a file, and counts rows that break the schema by their first reason."""

    def __init__(
        self,
        survey: Survey,
        schema: EventSchema,
        labels: LabelRule,
        recording: Recording,
        span: tuple[float, float],
    ) -> None:
        self._survey, self._schema, self._recording = survey, schema, recording
        self._labels, self._span = labels, span
        self._strange: Counter[float] = Counter()
        """Labels that are numbers, and none of the task's."""

    def refuse_strange_labels(self) -> None:
        """Refuse a file of stars or points: what few rows are left would say nothing."""
        if self._strange.total() <= self._recording.events:
            return
        often = sorted(value for value, _ in self._strange.most_common(3))
        raise UsageError(
            "most labels are no labels of this task",
            where=f"{self._survey.file.path} {self._survey.columns['label']}",
            got=", ".join(f"{value:g}" for value in often),
            expected=" or ".join(f"{value:g}" for value in self._labels.values),
            hint="--positive '>=4' says which labels count as 1.",
        )

    def convert(
        self, piece: Mapping[str, Any], rows: NDArray[np.int64]
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """Return columns (`time`, `row`, `id` and the schema's) and which rows may be played.

        Rows outside the span are left out before anything else is looked at.
        """
        of = self._survey.columns
        moments, why = self._survey.moments(piece, rows)
        inside = ~(moments < self._span[0]) & ~(moments >= self._span[1])
        rows, moments, reasons = rows[inside], moments[inside], why[inside]
        if not inside.all():
            piece = {name: column.filter(inside) for name, column in piece.items()}
        fine = np.ones(len(rows), dtype=np.bool_)
        columns: dict[str, NDArray[Any]] = {"row": rows, "time": moments}
        reasons[(moments < EARLIEST) | (moments > LATEST)] = OUT_OF_RANGE
        self._refuse("event_time", reasons, columns, fine)
        if self._schema.id in of:
            columns["id"], reasons = keys(piece[of[self._schema.id]])
        else:
            columns["id"], reasons = rows, np.full(len(rows), FINE, dtype=np.int8)
        self._refuse(self._schema.id, reasons, columns, fine)
        for name, spec in self._schema.columns.items():
            if name in of:
                columns[name], reasons = _column(piece[of[name]], spec)
                self._refuse(name, reasons, columns, fine)
            else:
                columns[name] = self._absent(name, spec, rows)
        self._convert_labels(piece, columns, fine)
        return columns, fine

    def _absent(self, name: str, spec: Column, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return a column that the file does not have: missing, but for the requests made here."""
        sessions, slate = self._survey.sessions, self._schema.slate
        if sessions is not None and slate is not None and name == slate.request:
            return sessions.request[rows]  # a row without one lacks its user, and is refused
        kind = _stored_as(spec)
        return np.full(len(rows), missing_value(kind), dtype=kind)

    def _convert_labels(
        self,
        piece: Mapping[str, Any],
        columns: dict[str, NDArray[Any]],
        fine: NDArray[np.bool_],
    ) -> None:
        """Add `label` and, where the file has it, `label_time` (infinity: never)."""
        of, rule = self._survey.columns, self._labels
        positive = self._survey.file.positive
        told = piece[of["label"]]
        label, reasons = numbers(told) if positive is None else positive.labels(told)
        absent = reasons == NULL
        if rule.values:
            strange = (reasons == FINE) & ~np.isin(label, rule.values)
            reasons[strange] = OUT_OF_RANGE
            self._strange.update(label[strange].tolist())
        if rule.absence is not None:
            label, reasons = np.where(absent, rule.absence, label), np.where(absent, FINE, reasons)
        columns["label"] = label
        self._refuse("label", reasons.astype(np.int8), columns, fine)
        if "label_time" not in of:
            return
        known, reasons = times(piece[of["label_time"]], self._survey.file.time_unit)
        reasons[reasons == NULL] = FINE
        reasons[known < columns["time"]] = OUT_OF_RANGE
        columns["label_time"] = np.where(absent | np.isnan(known), np.inf, known)
        self._refuse("label_time", reasons, columns, fine)

    def _refuse(
        self,
        name: str,
        reasons: NDArray[np.int8],
        columns: Mapping[str, NDArray[Any]],
        fine: NDArray[np.bool_],
    ) -> None:
        bad = fine & (reasons != FINE)
        if not bad.any():
            return
        for code, reason in _REASONS.items():
            mine = np.flatnonzero(bad & (reasons == code))
            if len(mine):
                self._recording.refused[reason] += len(mine)
                row = int(columns["row"][mine[0]]) + 1
                self._recording.examples.setdefault(reason, f"row {row}: {name}")
        fine &= ~bad


def _stored_as(spec: Column) -> str:
    return "i8" if spec.type == "category" else spec.dtype


def _column(column: Any, spec: Column) -> tuple[NDArray[Any], NDArray[np.int8]]:
    """Return a column's values and why some cannot be used under its specification."""
    if spec.type == "number":
        values, reasons = numbers(column)
        low = -np.inf if spec.min is None else spec.min
        high = np.inf if spec.max is None else spec.max
        outside = (values < low) | (values > high) | np.isinf(values)
        reasons[outside] = OUT_OF_RANGE
    elif spec.type == "key":
        values, reasons = keys(column)
    elif spec.type == "text":
        values, reasons = texts(column, spec.max_bytes)
    else:
        values, reasons = categories(column, spec.values)
    if spec.nullable:
        reasons[reasons == NULL] = FINE
    return values, reasons
