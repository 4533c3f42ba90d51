"""The part of admission that depends on earlier events: duplicates and lateness, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.compiled import compiled, inlined

__all__ = ["KEEP", "NEVER", "admit", "rebuild"]

KEEP = 86400.0
"""How long [s of processing time] an id is remembered."""

NEVER = -np.inf
"""Processing time of a free slot."""


@inlined
def _slot(event: int, ids: NDArray[np.int64], seen: NDArray[np.float64]) -> int:
    """Return where an id is, or the free slot where it belongs.

    Blocks of 64 ids are scattered, ids within a block stay together: ids mostly increase, and
    neighbours then share cache lines.
    """
    last = len(ids) - 1
    slot = (((((event >> 6) * 0x1E3779B97F4A7C15) >> 20) << 6) | (event & 63)) & last
    while seen[slot] != NEVER and ids[slot] != event:
        slot = (slot + 1) & last
    return slot


@compiled
def admit(
    events: NDArray[np.int64], times: NDArray[np.float64], reasons: NDArray[np.int8],
    duplicate: int, late: int, lateness: float,
    ids: NDArray[np.int64], seen: NDArray[np.float64], marks: NDArray[np.float64],
) -> None:  # fmt: skip
    """Mark duplicate and late events in `reasons`, in log order.

    Parameters
    ----------
    times
        (2, n): event time, processing time.
    reasons
        0 for events that are valid so far; others are left alone.
    ids, seen
        Hash table of ids and when each was seen; large enough for all of `events`.
    marks
        Watermark base (largest accepted event time) and slots in use.
    """
    for i in range(len(events)):
        if reasons[i] != 0:
            continue
        slot = _slot(events[i], ids, seen)
        if times[1, i] - seen[slot] <= KEEP:
            reasons[i] = duplicate
            continue
        marks[1] += seen[slot] == NEVER
        ids[slot], seen[slot] = events[i], times[1, i]
        if times[0, i] < marks[0] - lateness:
            reasons[i] = late
        elif times[0, i] > marks[0]:
            marks[0] = times[0, i]


@compiled
def rebuild(
    ids: NDArray[np.int64], seen: NDArray[np.float64], now: float,
    new_ids: NDArray[np.int64], new_seen: NDArray[np.float64],
) -> int:  # fmt: skip
    """Enter ids that are still remembered at `now` into an empty table; return how many."""
    count = 0
    for old in range(len(ids)):
        if seen[old] != NEVER and now - seen[old] <= KEEP:
            slot = _slot(ids[old], new_ids, new_seen)
            new_ids[slot], new_seen[slot] = ids[old], seen[old]
            count += 1
    return count
