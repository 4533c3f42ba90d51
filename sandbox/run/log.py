"""The decision log: one row for every answered event, with the features it was answered on.

Training data are made from this log joined with the labels known by then, so training and serving
cannot skew (Google's Rules of ML, rule 29).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.task import Task

__all__ = ["Columns", "DecisionLog"]

Array = NDArray[Any]

_BASE: dict[str, type] = {
    "event_time": np.float64,
    "processing_time": np.float64,
    "score": np.float64,
    "decision": np.int8,
    "explored": np.bool_,
    "worked": np.bool_,
    "fallback": np.bool_,
    "ruled": np.bool_,
    "dead": np.int8,
    "version": np.int16,
    "label": np.float64,
    "label_time": np.float64,
    "hidden": np.bool_,
    "fed": np.bool_,
    "mechanism": np.int8,
    "cost_missed": np.float64,
    "cost_false_decline": np.float64,
}


class Columns:
    """Append-only columns that grow; views of them are writable."""

    def __init__(self, kinds: Mapping[str, Any], expected_rows: int) -> None:
        self._room = max(expected_rows, 1024)
        self._rows = 0
        self._columns: dict[str, Array] = {
            name: np.empty(self._room, dtype=kind) for name, kind in kinds.items()
        }

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def append(self, columns: Mapping[str, Array], rows: int) -> slice:
        """Append `rows` rows and return where they stand."""
        start, stop = self._rows, self._rows + rows
        while stop > self._room:
            self._room *= 2
            for name, column in self._columns.items():
                grown = np.empty(self._room, dtype=column.dtype)
                grown[:start] = column[:start]
                self._columns[name] = grown
        for name, column in self._columns.items():
            column[start:stop] = columns[name]
        self._rows = stop
        return slice(start, stop)

    def forget(self, rows: int) -> None:
        """Let go of the first rows; those after them move up."""
        kept = self._rows - rows
        self._room = max(2 * kept, 1024)
        for name, column in self._columns.items():
            fewer = np.empty(self._room, dtype=column.dtype)
            fewer[:kept] = column[rows : self._rows]
            self._columns[name] = fewer
        self._rows = kept

    def column(self, name: str) -> Array:
        """Return a writable view of one column."""
        return self._columns[name][: self._rows]

    def view(self, names: Iterable[str], rows: slice | Array) -> Batch:
        """Return columns of some rows, without copying where `rows` is a slice."""
        return Batch({name: self.column(name)[rows] for name in names})


class DecisionLog(Columns):
    """The log in order of arrival (ascending `processing_time`).

    ``label_time`` is when the truth of a row becomes known (infinity: never); ``hidden`` marks
    rows whose decision keeps it hidden for ever. ``dead`` is a dead-letter reason, 0 for valid
    rows; ``fed`` rows whose label the features have met. Costs are the true ones [USD].

    Parameters
    ----------
    extra
        Name and dtype of further columns: the id, keys and event fields.
    width
        Number of features.
    expected_rows
        Room to reserve; the log grows past it when it must.
    task
        Says what a bad event is. Where its models say how far off they may be, there is a column
        ``spread``; where there are requests, ``control`` marks those that the baseline ranked.
    request
        Column that names the request of a candidate; of a ranking only.
    """

    def __init__(
        self, extra: Mapping[str, Any], width: int, expected_rows: int, task: Task,
        request: str | None = None,
    ) -> None:  # fmt: skip
        wide: dict[str, type] = {"spread": np.float64} if task.has_spread else {}
        wide |= {"control": np.bool_} if task.has_groups else {}
        super().__init__({**_BASE, **wide, **extra}, expected_rows)
        self._task, self._request = task, request
        self._features: NDArray[np.float32] = np.empty((self._room, width), dtype=np.float32)

    @property
    def features(self) -> NDArray[np.float32]:
        """The logged features, shape (rows, features)."""
        return self._features[: len(self)]

    def groups(self, rows: slice | Array) -> Array | None:
        """Return the request of each row; None where events are no candidates."""
        return None if self._request is None else self.column(self._request)[rows]

    def bad(self, rows: slice | Array) -> NDArray[np.bool_]:
        """Return which rows had better not go through, truly; see `Task.is_bad`."""
        return self._task.is_bad(self.column("label")[rows], self.column("score")[rows])

    def log(self, columns: Mapping[str, Array], features: NDArray[np.float32]) -> slice:
        """Append rows with their features and return where they stand."""
        rows = self.append(columns, len(features))
        if self._room > len(self._features):
            grown = np.empty((self._room, features.shape[1]), dtype=np.float32)
            grown[: rows.start] = self._features[: rows.start]
            self._features = grown
        self._features[rows] = features
        return rows

    def forget(self, rows: int) -> None:
        """See `Columns.forget`."""
        features = self.features[rows:]
        super().forget(rows)
        self._features = np.empty((self._room, features.shape[1]), dtype=np.float32)
        self._features[: len(features)] = features

    def rows_between(self, start: float, end: float) -> slice:
        """Return the rows with ``start <= processing_time < end``."""
        low, high = np.searchsorted(self.column("processing_time"), [start, end], side="left")
        return slice(int(low), int(high))

    def known_label(self, rows: slice | Array, now: float, absence: float | None) -> Array:
        """Return labels as known at `now`: NaN, or the value that absence stands for, elsewhere."""
        known = self.column("label_time")[rows] <= now
        missing = np.nan if absence is None else absence
        return np.where(known, self.column("label")[rows], missing)
