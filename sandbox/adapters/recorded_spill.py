"""Events on disk by calendar day: written in any order, read back in order of time.

Only the day at hand is in memory, so a file may be larger than memory and need not be sorted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.files import output_errors
from sandbox.batch import Batch

__all__ = ["DayStore"]

DAY = 86400.0
BUFFERED = 500_000
"""Rows kept in memory before they are written."""
Columns = dict[str, NDArray[Any]]


class DayStore:
    """Rows with the columns `time`, `row` and `id`, by UTC day of `time`.

    Add everything, `close` once, then read days.

    Parameters
    ----------
    folder
        A folder to write in; whoever made it removes it.
    together
        A column whose equal values stand together among rows of one time; by number of row if None.
    """

    def __init__(self, folder: Path, together: str | None = None) -> None:
        with output_errors(folder):
            self._folder = Path(tempfile.mkdtemp(dir=folder))  # several stores may share a folder
        self._order = ("row", together, "time") if together else ("row", "time")
        self._parts: dict[int, list[Path]] = {}
        self._buffer: list[Columns] = []
        self._buffered = 0
        self._kept: dict[int, NDArray[np.bool_]] = {}
        self._first: dict[int, int] = {}
        self._open: tuple[int, Batch] | None = None

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Take rows; all calls bring the same columns."""
        self._buffer.append(dict(columns))
        self._buffered += len(columns["time"])
        if self._buffered >= BUFFERED:
            self._flush()

    def close(self) -> NDArray[np.int64]:
        """Write the rest, drop rows whose id came earlier in time; return their `row` numbers.

        Ids cost 16 bytes a row here, which bounds how many rows one store can take.
        """
        self._flush()
        days = sorted(self._parts)
        if not days:
            return np.zeros(0, dtype=np.int64)
        rows, ids = [], []
        for day in days:
            read = self._read(day)  # one day in memory at a time
            rows.append(read["row"])
            ids.append(read["id"])
        everything = np.concatenate(ids)
        kept = np.zeros(len(everything), dtype=np.bool_)
        kept[np.unique(everything, return_index=True)[1]] = True
        borders = np.cumsum([len(part) for part in ids])[:-1]
        count = 0
        for day, mine in zip(days, np.split(kept, borders), strict=True):
            self._kept[day], self._first[day] = mine, count
            count += int(mine.sum())
        return np.concatenate(rows)[~kept]

    def day(self, day: int) -> Batch:
        """Return a day's rows in order of time; `number` counts the rows of all days."""
        if self._open is None or self._open[0] != day:
            self._open = (day, self._load(day))
        return self._open[1]

    def _load(self, day: int) -> Batch:
        if day not in self._parts:
            return Batch({})
        columns = Batch(self._read(day)).take(self._kept[day])
        first = self._first[day]
        return columns.with_columns(number=np.arange(first, first + len(columns), dtype=np.int64))

    def _read(self, day: int) -> Columns:
        parts = []
        for path in self._parts[day]:
            with np.load(path, allow_pickle=False) as stored:
                parts.append({name: stored[name] for name in stored.files})
        whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.lexsort([whole[name] for name in self._order])
        return {name: values[order] for name, values in whole.items()}

    def _flush(self) -> None:
        if not self._buffer:
            return
        whole = {n: np.concatenate([part[n] for part in self._buffer]) for n in self._buffer[0]}
        self._buffer, self._buffered = [], 0
        day = np.floor(whole["time"] / DAY).astype(np.int64)
        order = np.argsort(day, kind="stable")
        days, begins = np.unique(day[order], return_index=True)
        for one, rows in zip(days.tolist(), np.split(order, begins)[1:], strict=True):
            parts = self._parts.setdefault(one, [])
            path = self._folder / f"day{one}-{len(parts)}.npz"
            with output_errors(path):
                mine: dict[str, Any] = {name: values[rows] for name, values in whole.items()}
                np.savez(path, **mine)
            parts.append(path)
