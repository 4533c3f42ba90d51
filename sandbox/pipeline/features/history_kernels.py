"""Compiled passes over a whole log, sorted by key and event time.

The log is sorted by (key, event time, log order). A *place* is a position in that order and
``log[place]`` the position in the log; ``first[place]`` is the first place of the same key. An
event has *seen* those earlier in the log. Within a key both orders agree unless events came out of
order; ``newest[place]``, the largest log position up to a place, says how far they disagree, and
every correction walks only that far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.compiled import compiled, inlined, prefetch

__all__ = [
    "arrange",
    "count_pairs",
    "divide",
    "key_ends",
    "label_changes",
    "list_pairs",
    "match",
    "scatter",
    "seen_before",
    "slide",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@compiled
def arrange(
    codes: Ints, event_time: Floats, filled: Ints, starts: Ints,
    log: Ints, t: Floats, first: Ints, newest: Ints,
) -> None:  # fmt: skip
    """Group by key code (negative: left out) and sort each group by time, stably, by insertion.

    `filled` counts from `starts`, the first place of each key, upwards.
    """
    for i in range(len(codes)):
        code = codes[i]
        if code < 0:
            continue
        place, now = filled[code], event_time[i]
        filled[code] = place + 1
        first[place] = starts[code]
        while place > starts[code] and t[place - 1] > now:
            t[place], log[place] = t[place - 1], log[place - 1]
            place -= 1
        t[place], log[place] = now, i
    for place in range(len(log)):
        newest[place] = log[place]
        if place > first[place] and newest[place - 1] > newest[place]:
            newest[place] = newest[place - 1]


@compiled
def key_ends(log: Ints, first: Ints, last: Ints, oldest: Ints) -> None:
    """Fill, by place, the end of its key and the smallest log position from there to that end."""
    for place in range(len(log) - 1, -1, -1):
        last[place], oldest[place] = place + 1, log[place]
        if place + 1 < len(log) and first[place + 1] == first[place]:
            last[place] = last[place + 1]
            oldest[place] = min(oldest[place + 1], log[place])


@compiled
def count_pairs(log: Ints, first: Ints, newest: Ints) -> int:
    """Return how many pairs (earlier in time, later in the log) there are within keys."""
    return list_pairs(log, first, newest, log[:0], log[:0])


@compiled
def list_pairs(log: Ints, first: Ints, newest: Ints, late: Ints, ahead: Ints) -> int:
    """List the places of pairs: `late` happened before `ahead` but was logged after it."""
    count = 0
    for place in range(len(log)):
        other = place - 1
        while other >= first[place] and newest[other] > log[place]:
            if log[other] > log[place]:
                if count < len(late):
                    late[count], ahead[count] = other, place
                count += 1
            other -= 1
    return count


@compiled
def slide(
    t: Floats, first: Ints, delay: float, over: float, parts: Ints, count: Ints, totals: Ints
) -> None:
    """Fill how many places each event's window holds and what they add up, by two pointers.

    `parts` and `totals` have shape (k, n). Events of equal time that come later in the log stay
    out.
    """
    low = high = 0
    kinds = len(parts)
    for place in range(len(t)):
        if first[place] == place:
            low = high = place
            for k in range(kinds):
                totals[k, place] = 0
        else:
            for k in range(kinds):
                totals[k, place] = totals[k, place - 1]
        newest = t[place] - delay
        oldest = newest - over
        while high <= place and t[high] <= newest:
            for k in range(kinds):
                totals[k, place] += parts[k, high]
            high += 1
        while low < high and t[low] <= oldest:
            for k in range(kinds):
                totals[k, place] -= parts[k, low]
            low += 1
        count[place] = high - low


@compiled
def divide(total: Ints, count: Ints, scale: float, otherwise: float, out: Singles) -> None:
    """Fill ``total / count / scale``; `otherwise` where the count is 0."""
    for place in range(len(total)):
        known = count[place]
        out[place] = total[place] / known / scale if known > 0 else otherwise


@compiled
def seen_before(t: Floats, log: Ints, first: Ints, gap: Floats) -> None:
    """Fill the time since the key's nearest earlier event that was seen; NaN without one."""
    for place in range(len(t)):
        other = place - 1
        while other >= first[place] and log[other] > log[place]:
            other -= 1
        gap[place] = t[place] - t[other] if other >= first[place] else np.nan


@compiled
def match(
    ids: Ints, order: Ints, keys: Ints, event_time: Floats,
    label_ids: Ints, label_keys: Ints, label_times: Floats, at: Ints, found: Ints,
) -> None:  # fmt: skip
    """Fill the log position of each label's event; -1 where id, key and time do not agree.

    `order` sorts `ids`; `at` is where each label's id would be in it.
    """
    for i in range(len(at)):
        place = at[i]
        found[i] = -1
        while place < len(order) and ids[order[place]] == label_ids[i]:
            event = order[place]
            if keys[event] == label_keys[i] and event_time[event] == label_times[i]:
                found[i] = event
                break
            place += 1


@inlined
def _first_reaching(t: Floats, low: int, high: int, delay: float, over: float, goal: float) -> int:
    """Return the first place in [low, high) with ``t - delay - over >= goal``."""
    while low < high:
        middle = (low + high) >> 1
        if t[middle] - delay - over < goal:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def label_changes(
    events: Ints, known_from: Ints, change: Ints, delay: float, over: float,
    t: Floats, log: Ints, newest: Ints, last: Ints, oldest: Ints, difference: Ints,
) -> None:  # fmt: skip
    """Add each label's `change` to the events whose window holds it and that know it.

    Those are a range of places, marked at its ends in `difference` (to be summed up afterwards):
    the window holds `events[i]` (a place), and the log has reached `known_from[i]`. `oldest` is
    the smallest log position from a place to the end of its key, `last` the end of its key.
    """
    for i in range(len(events)):
        place, known = events[i], known_from[i]
        enters = _first_reaching(t, place, last[place], delay, 0.0, t[place])
        leaves = _first_reaching(t, enters, last[place], delay, over, t[place])
        low, high = enters, leaves
        while low < high:
            middle = (low + high) >> 1
            if oldest[middle] < known:
                low = middle + 1
            else:
                high = middle
        difference[low] += change[i]
        difference[leaves] -= change[i]
        other = low - 1
        while other >= enters and newest[other] >= known:
            if log[other] >= known:
                difference[other] += change[i]
                difference[other + 1] -= change[i]
            other -= 1


@compiled
def scatter(values: Singles, log: Ints, columns: Ints, out: Singles, width: int) -> None:
    """Write rows by place into rows of `width` by log position; `out` is the matrix laid flat."""
    ahead = 24  # rows; memory takes about as long as they do
    for place in range(len(log)):
        if place + ahead < len(log):
            prefetch(out, log[place + ahead] * width + columns[0])
        row = log[place] * width
        for c in range(len(columns)):
            out[row + columns[c]] = values[place, c]
