"""What a stage remembers, as plain arrays, and what the fold reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.features import codes
from sandbox.pipeline.features.plan import Layout

__all__ = [
    "Events",
    "LabelEvents",
    "State",
    "empty_state",
    "grown",
    "key_table",
    "make_state",
    "no_labels",
]

_KEYS = 256  # keys and ring entries that a new state has room for
_ENTRIES = 1 << 12


class Events(NamedTuple):
    """A batch as the fold reads it."""

    words: NDArray[np.int64]
    """(2, n): key, id."""
    numbers: NDArray[np.float64]
    """(2 + columns, n): event time, processing time, values."""


class LabelEvents(NamedTuple):
    """Labels in order of label time."""

    words: NDArray[np.int64]
    """(2, m): key, id of the labelled event."""
    numbers: NDArray[np.float64]
    """(3, m): event time, label time, label."""


class State(NamedTuple):
    """Everything a stage remembers; the ``*_f`` arrays are the same memory as floats."""

    dense: NDArray[np.int32]
    """Row of each small key; -1 where unseen."""
    table: NDArray[np.int64]
    """(slots, 2): key and row of large keys, open addressing; key -1 where free."""
    rows: NDArray[np.int64]
    """A row a key: header, then start, end and accumulators of each window."""
    rows_f: NDArray[np.float64]
    arena: NDArray[np.int64]
    """Ring entries: event time, values in minor units, label and id where labels are kept."""
    arena_f: NDArray[np.float64]
    free: NDArray[np.int64]
    """First free block of each power of two of entries; -1 where none."""
    counters: NDArray[np.int64]


def no_labels() -> LabelEvents:
    """Return an empty set of labels."""
    return LabelEvents(np.empty((2, 0), dtype=np.int64), np.empty((3, 0)))


def empty_state(layout: Layout) -> State:
    """Return the state before the first event."""
    free = np.full(codes.ENTRY_WORDS + 1, -1, dtype=np.int64)
    free[codes.ENTRY_WORDS] = layout.widths[0]
    return make_state(
        dense=np.full(1024, -1, dtype=np.int32),
        table=key_table(_KEYS),
        rows=np.zeros(_KEYS * layout.widths[1], dtype=np.int64),
        arena=np.zeros(_ENTRIES * layout.widths[0], dtype=np.int64),
        free=free,
        counters=np.zeros(codes.TOO_LATE + 1, dtype=np.int64),
    )


def make_state(
    dense: NDArray[np.int32],
    table: NDArray[np.int64],
    rows: NDArray[np.int64],
    arena: NDArray[np.int64],
    free: NDArray[np.int64],
    counters: NDArray[np.int64],
) -> State:
    """Put a state together from the arrays that own memory."""
    floats = rows.view(np.float64), arena.view(np.float64)
    return State(dense, table, rows, floats[0], arena, floats[1], free, counters)


def key_table(keys: int) -> NDArray[np.int64]:
    """Return an empty hash table that stays at most half full with this many keys."""
    return np.full((1 << max(2 * keys, 2).bit_length(), 2), -1, dtype=np.int64)


def grown(state: State, layout: Layout, keys: NDArray[np.int64]) -> State:
    """Make room for what the fold ran out of on a batch with these keys.

    The key indexes of the result are empty unless only the arena grew: enter the rows again.
    """
    need = int(state.counters[codes.NEED])
    state.counters[codes.NEED] = 0
    dense, table, rows, arena = state.dense, state.table, state.rows, state.arena
    if need == codes.FULL_ARENA:
        arena = np.zeros(2 * len(arena) + _ENTRIES * layout.widths[0], dtype=np.int64)
        arena[: len(state.arena)] = state.arena
    elif need == codes.FULL_DENSE:
        largest = int(keys[keys < codes.DENSE_LIMIT].max())
        size = min(max(2 * len(dense), largest + 1), codes.DENSE_LIMIT)
        dense, table = np.full(size, -1, dtype=np.int32), np.full_like(table, -1)
    else:
        rows = np.zeros(2 * len(rows) + _KEYS * layout.widths[1], dtype=np.int64)
        rows[: len(state.rows)] = state.rows
        dense = np.full_like(dense, -1)
        table = key_table(len(rows) // int(layout.widths[1]))
    return make_state(dense, table, rows, arena, state.free, state.counters)
