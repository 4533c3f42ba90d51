"""Small integers that the plan and the compiled kernels agree on.

Numba's cache does not notice changes here: after one, touch the kernel files too.
"""

from __future__ import annotations

__all__ = [
    "APPLIED",
    "BEGIN",
    "COUNT",
    "DENSE_LIMIT",
    "ENTRY_WORDS",
    "EVICTED",
    "FULL_ARENA",
    "FULL_DENSE",
    "FULL_KEYS",
    "HEADER",
    "KEY",
    "KEYS",
    "KNOWN",
    "LABEL_AT",
    "MASK",
    "MEAN",
    "NEED",
    "NEWEST",
    "NO_EVENT",
    "POSITION",
    "POSITIVE",
    "RATIO",
    "RING",
    "SHARE",
    "SINCE_LAST",
    "SUM",
    "TAIL",
    "TOO_LATE",
    "TOTAL",
    "UNKNOWN_VALUE",
    "USED",
]

# Operations of an output column.
COUNT, SUM, MEAN, SHARE, RATIO, SINCE_LAST = range(6)

# What an accumulator of a window adds up: values, known values, positive values.
TOTAL, KNOWN, POSITIVE = range(3)

# Words at the head of a key's row, before its windows (start, end, accumulators ...).
# NEWEST (largest event time), POSITION (time the windows stand at) and EVICTED (largest event
# time that was dropped) are floats.
KEY, RING, MASK, BEGIN, TAIL, NEWEST, POSITION, EVICTED = range(8)
HEADER = 8

# Counters of a state: keys, arena words in use, next label, what ran out, labels applied, labels
# without an event, events beyond the allowed lateness.
KEYS, USED, LABEL_AT, NEED, APPLIED, NO_EVENT, TOO_LATE = range(7)

# What the fold ran out of.
FULL_KEYS, FULL_DENSE, FULL_ARENA = 1, 2, 3

# Place in `State.free` of the words of a ring entry; before it, the free lists.
ENTRY_WORDS = 63

# Keys below are found by direct address, others by hash.
DENSE_LIMIT = 1 << 22

# A missing value among int64 minor units.
UNKNOWN_VALUE = -(2**63)
