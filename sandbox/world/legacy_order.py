"""The order in which pandas' default sort leaves equal values, on any machine.

pandas sorts times with NumPy's ``argsort(kind="quicksort")``: an introsort, which is not stable.
For integers NumPy nowadays takes other algorithms on CPUs that have the instructions, so there the
order of ties depends on the machine; for times it may do so one day. Published data sets depend on
it wherever rows are sampled by position.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.world.legacy_random import compiled

__all__ = ["quicksort_order"]

_SMALL = 15


@compiled
def quicksort_order(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row numbers that sort `values`, shape (n,), ties as the classic introsort does.

    Median of three, the larger part later, insertion sort for parts of up to 16 rows (Musser,
    "Introspective sorting and selection algorithms", 1997, as in NumPy's ``npysort``). Without the
    switch to heapsort: ties differ from NumPy's on data built to defeat a quicksort.

    Examples
    --------
    >>> quicksort_order(np.array([5, 3, 4]))
    array([1, 2, 0])
    """
    order = np.arange(len(values))
    waiting = [(0, len(values) - 1)]
    while waiting:
        low, high = waiting.pop()
        while high - low > _SMALL:
            middle = _partition(values, order, low, high)
            if middle - low < high - middle:
                waiting.append((middle + 1, high))
                high = middle - 1
            else:
                waiting.append((low, middle - 1))
                low = middle + 1
        for i in range(low + 1, high + 1):
            row, j = order[i], i
            while j > low and values[row] < values[order[j - 1]]:
                order[j] = order[j - 1]
                j -= 1
            order[j] = row
    return order


@compiled
def _partition(values: NDArray[np.int64], order: NDArray[np.int64], low: int, high: int) -> int:
    """Put a pivot in its place, nothing greater before it and nothing less after it."""
    middle = low + ((high - low) >> 1)
    if values[order[middle]] < values[order[low]]:
        order[middle], order[low] = order[low], order[middle]
    if values[order[high]] < values[order[middle]]:
        order[high], order[middle] = order[middle], order[high]
    if values[order[middle]] < values[order[low]]:
        order[middle], order[low] = order[low], order[middle]
    pivot = values[order[middle]]
    i, j = low, high - 1
    order[middle], order[j] = order[j], order[middle]
    while True:
        i += 1
        while values[order[i]] < pivot:
            i += 1
        j -= 1
        while pivot < values[order[j]]:
            j -= 1
        if i >= j:
            break
        order[i], order[j] = order[j], order[i]
    order[i], order[high - 1] = order[high - 1], order[i]
    return i
