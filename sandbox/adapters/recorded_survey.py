"""The first look at recorded events: which column is which, and when things happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.recorded_file import EventsFile, TableFile, match_columns
from sandbox.adapters.recorded_sessions import SessionFinder, Sessions, slate_of
from sandbox.adapters.recorded_spill import DAY
from sandbox.adapters.recorded_values import FINE, Values, times
from sandbox.errors import UsageError
from sandbox.spec.scenario import EventSchema

__all__ = ["EARLIEST", "LATEST", "Survey", "survey_recording"]

_PIECE = 1 << 16
EARLIEST, LATEST = 0.0, 7.3e9  # 1970 to 2201 [s since epoch]
_PACED_FROM = 1_767_571_200.0
"""Time of the first row of a file without times [s since epoch]: a Monday, 2026-01-05."""


@dataclass(frozen=True)
class Survey:
    """What a first look at a file's times says."""

    file: EventsFile
    table: TableFile
    columns: Mapping[str, str]
    """The file's column for each field."""
    days: Mapping[int, int]
    """Rows by day since the epoch; those without a readable time are in none."""
    first: float
    last: float
    """Earliest and latest time [s since epoch]."""
    sessions: Sessions | None = None
    """Requests, where the file has none."""

    def moments(self, piece: Mapping[str, Any], rows: NDArray[np.int64]) -> Values:
        """Return when rows are played [s since epoch], and why some times cannot be read."""
        own = _moments(self.file, self.columns, piece, rows)
        return own if self.sessions is None else self.sessions.moments(rows, own)

    def rows_between(self, start: float, end: float) -> int:
        """Return how many rows fall on the days from `start` to before `end` [s since epoch]."""
        low, high = start / DAY, end / DAY
        return sum(rows for day, rows in self.days.items() if low - 1 < day < high)


def survey_recording(file: EventsFile, schema: EventSchema) -> Survey:
    """Look at a file's columns and times.

    Raises
    ------
    UsageError
        If columns are missing, or no time can be read.
    """
    slate = slate_of(file, schema)
    table = TableFile(file.path)
    columns = _match(file, table, schema)
    calendar, finder, rows, example = _Calendar(), None, 0, ""
    name = columns.get("event_time", columns["label"])
    read = [name]
    if slate is not None and file.sessions is not None:
        finder, read = SessionFinder(file.sessions), [name, columns[slate.user]]
    for piece in table.pieces(read, lambda share: file.told(share / 2)):
        numbers_of_rows = np.arange(rows, rows + len(piece[name]), dtype=np.int64)
        moments = _moments(file, columns, piece, numbers_of_rows)
        rows += len(numbers_of_rows)
        if not calendar.add(moments[0]):
            example = example or next((str(v) for v in piece[name].to_pylist() if v), "")
        if finder is not None:
            finder.add(piece[read[1]], moments)
    where = f"{file.path} {name}"
    if not rows:
        raise UsageError("the file has no rows", where=str(file.path))
    if not calendar.days:
        raise UsageError(
            "no time can be read", where=where, got=example or "nothing",
            expected="timestamps, ISO 8601 text, or numbers",
        )  # fmt: skip
    _check_era(calendar.first, calendar.last, where)
    sessions = None
    if finder is not None:
        sessions, calendar = finder.close(), _Calendar()
        for at in range(0, len(sessions.time), _PIECE):
            piece_of = slice(at, at + _PIECE)
            calendar.add(sessions.time[piece_of], sessions.size[piece_of])
        if not calendar.days:
            raise UsageError("no row has a user and a time", where=f"{file.path} {read[1]}")
    days, first, last = calendar.days, calendar.first, calendar.last
    return Survey(file, table, columns, days, first, last, sessions)


class _Calendar:
    """Rows by day since the epoch, and the first and the last time [s since epoch]."""

    def __init__(self) -> None:
        self.days: Counter[int] = Counter()
        self.first, self.last = np.inf, -np.inf

    def add(self, moments: NDArray[np.float64], rows: NDArray[np.int64] | None = None) -> bool:
        """Take times, each that of so many rows (one if absent); say whether any can be read."""
        known = np.isfinite(moments)
        if not known.any():
            return False
        moments = moments[known]
        self.first = min(self.first, float(moments.min()))
        self.last = max(self.last, float(moments.max()))
        days, at = np.unique(np.floor(moments / DAY).astype(np.int64), return_inverse=True)
        counts = np.bincount(at, None if rows is None else rows[known]).astype(np.int64)
        self.days.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))
        return True


def _match(file: EventsFile, table: TableFile, schema: EventSchema) -> dict[str, str]:
    """Return the file's column for each field, and refuse one that is to be made here."""
    paced, slate = file.pace is not None, schema.slate
    made = slate.request if slate is not None and file.sessions is not None else ""
    fields = {schema.id: not (paced or made), "event_time": not paced}
    fields |= {name: not column.nullable for name, column in schema.columns.items()}
    if made:
        fields[made] = False
    fields |= {"label": True, "label_time": False}
    instead = {} if slate is None else {slate.request: "--sessions 30min"}
    columns = match_columns(table, file.columns, fields, instead)
    for name, what, option in (
        ("event_time", "times", "--pace"),
        (made, "requests", "--sessions"),
    ):
        if name in columns and (paced or made == name):
            raise UsageError(
                f"the file has {what} of its own", where=option, got=columns[name],
                hint=f"Leave {option} out.",
            )  # fmt: skip
    return columns


def _moments(
    file: EventsFile, columns: Mapping[str, str], piece: Mapping[str, Any], rows: NDArray[np.int64]
) -> Values:
    if file.pace is None:
        return times(piece[columns["event_time"]], file.time_unit)
    return _PACED_FROM + rows / file.pace, np.full(len(rows), FINE, dtype=np.int8)


def _check_era(first: float, last: float, where: str) -> None:
    """Refuse numbers that are not seconds rather than play them as such."""
    if first >= EARLIEST and last <= LATEST:
        return
    raise UsageError(
        "times outside the years 1970 to 2200",
        where=where,
        got=f"{first:.0f} to {last:.0f} s since 1970",
        expected="seconds, unless --time-unit says otherwise",
        hint="For milliseconds: --time-unit ms",
    )
