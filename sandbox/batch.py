"""Batch: named columns of one length. It is how floors hand events to each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["Batch", "is_missing", "missing_value"]

Array = NDArray[Any]


class Batch:
    """An immutable set of equally long one-dimensional (or row-major 2-D) columns.

    Columns are NumPy arrays, marked read-only, never copied on the way in.

    Raises
    ------
    ValueError
        If columns differ in length. This is a programming error, not a user's.

    Examples
    --------
    >>> batch = Batch({"event_time": [1.0, 2.0], "amount": [5.0, 7.5]})
    >>> len(batch), batch.names
    (2, ('event_time', 'amount'))
    >>> batch.take(batch["amount"] > 6)["event_time"]
    array([2.])
    """

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: Mapping[str, ArrayLike]) -> None:
        self._columns: dict[str, Array] = {}
        self._rows = -1
        for name, values in columns.items():
            column = np.asarray(values).view()
            if column.ndim == 0:
                raise ValueError(f"column {name!r} has no length")
            if self._rows not in (-1, len(column)):
                raise ValueError(f"column {name!r} has {len(column)} rows, others {self._rows}")
            column.flags.writeable = False
            self._rows = len(column)
            self._columns[name] = column
        self._rows = max(self._rows, 0)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self._columns)

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> Array:
        return self._columns[name]

    def __repr__(self) -> str:
        return f"Batch({self._rows} rows: {', '.join(self._columns)})"

    def select(self, names: Iterable[str]) -> Batch:
        """Return the named columns, in the order asked for."""
        return _unchecked({name: self._columns[name] for name in names})

    def drop(self, *names: str) -> Batch:
        """Return all columns but the named ones."""
        return _unchecked({k: v for k, v in self._columns.items() if k not in names})

    def with_columns(self, **columns: ArrayLike) -> Batch:
        """Return a batch with columns added or replaced."""
        return Batch({**self._columns, **columns})

    def take(self, rows: Array) -> Batch:
        """Return the rows picked by an index array or a boolean mask."""
        if rows.dtype == np.bool_ and len(rows) == self._rows:
            rows = np.flatnonzero(rows)  # once, not again for every column
        return _unchecked({name: column[rows] for name, column in self._columns.items()})

    def slice(self, start: int, stop: int) -> Batch:
        """Return rows ``start`` to ``stop - 1`` without copying."""
        return _unchecked({name: column[start:stop] for name, column in self._columns.items()})

    def sort(self, by: str) -> Batch:
        """Return rows in stable ascending order of one column."""
        order = np.argsort(self._columns[by], kind="stable")
        return self.take(order)

    @staticmethod
    def concat(batches: Sequence[Batch]) -> Batch:
        """Stack batches with the same columns, in the order of the first one's.

        Batches without columns are skipped; an empty sequence gives an empty batch.

        Raises
        ------
        ValueError
            If columns differ.
        """
        full = [batch for batch in batches if batch.names]
        if not full:
            return Batch({})
        names = full[0].names
        for batch in full:
            if set(batch.names) != set(names):
                raise ValueError(f"columns {batch.names} are not {names}")
        return Batch({name: np.concatenate([b[name] for b in full]) for name in names})


def missing_value(kind: DTypeLike) -> float | int | bytes:
    """Return what stands for a missing value: NaN, -1, or no bytes of text."""
    letter = np.dtype(kind).kind
    if letter == "f":
        return np.nan
    return b"" if letter == "S" else -1


def is_missing(values: Array) -> NDArray[np.bool_]:
    """Return which values are missing.

    Examples
    --------
    >>> is_missing(np.array([b"hello", b""])).tolist(), is_missing(np.array([3, -1])).tolist()
    ([False, True], [False, True])
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    missing: NDArray[np.bool_] = values == b"" if values.dtype.kind == "S" else values < 0
    return missing


def _unchecked(columns: dict[str, Array]) -> Batch:
    """Return a batch of columns that come from one batch, and so agree: no time is lost on it."""
    batch = Batch.__new__(Batch)
    for column in columns.values():
        column.setflags(write=False)
    batch._columns, batch._rows = columns, len(next(iter(columns.values()), ()))
    return batch
