"""The compiled fold: exact sliding windows over one ring of events a key.

A key's ring holds its events in order of event time (ties in log order) in a block of the arena
whose capacity is a power of two. Each window is a pair of positions in the ring and integer
accumulators of what lies between; it slides to the time of the event at hand, nearly always
forwards, so that a fold costs O(windows) an event, amortised. An event that arrives out of order
is inserted where it belongs and the windows slide back to it.

All words of state are 64 bit; the ``*_f`` arrays see the same memory as floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.compiled import compiled, inlined, prefetch
from sandbox.pipeline.features import codes
from sandbox.pipeline.features.plan import Layout
from sandbox.pipeline.features.state import Events, LabelEvents, State

__all__ = ["fold", "reindex"]

_FIRST_CLASS = 3  # rings start with 2**3 entries
_HUGE = 9.0e15  # beyond it a float64 no longer holds minor units exactly


@compiled
def _probe(key: int, table: NDArray[np.int64]) -> int:
    """Return the slot of a key, or the free slot where it belongs."""
    last = len(table) - 1
    slot = ((key * 0x1E3779B97F4A7C15) >> 20) & last
    while table[slot, 0] != -1 and table[slot, 0] != key:
        slot = (slot + 1) & last
    return int(slot)


@inlined
def _find(key: int, dense: NDArray[np.int32], table: NDArray[np.int64]) -> int:
    """Return the row of a key, or -1."""
    if key < 0:
        return -1
    if key < codes.DENSE_LIMIT:
        return int(dense[key]) if key < len(dense) else -1
    slot = _probe(key, table)
    return int(table[slot, 1]) if table[slot, 0] == key else -1


@compiled
def _register(key: int, width: int, state: State) -> int:
    """Give a new key its row; return -1 (and say what is needed) where there is no room."""
    count = state.counters[codes.KEYS]
    if (count + 1) * width > len(state.rows) or 2 * (count + 1) > len(state.table):
        state.counters[codes.NEED] = codes.FULL_KEYS
        return -1
    if key < codes.DENSE_LIMIT and key >= len(state.dense):
        state.counters[codes.NEED] = codes.FULL_DENSE
        return -1
    # Last, so that where rings lie does not depend on when the rest ran out of room.
    ring = _allocate(_FIRST_CLASS, state.arena, state.free, state.counters)
    if ring < 0:
        state.counters[codes.NEED] = codes.FULL_ARENA
        return -1
    _enter(key, count, state.dense, state.table)
    row = count * width
    state.rows[row : row + width] = 0
    state.rows[row + codes.KEY] = key
    state.rows[row + codes.RING] = ring
    state.rows[row + codes.MASK] = (1 << _FIRST_CLASS) - 1
    for word in (codes.NEWEST, codes.POSITION, codes.EVICTED):
        state.rows_f[row + word] = -np.inf
    state.counters[codes.KEYS] = count + 1
    return int(count)


@compiled
def _enter(key: int, row: int, dense: NDArray[np.int32], table: NDArray[np.int64]) -> None:
    if key < codes.DENSE_LIMIT:
        dense[key] = row
    else:
        slot = _probe(key, table)
        table[slot, 0] = key
        table[slot, 1] = row


@compiled
def reindex(width: int, state: State) -> None:
    """Enter every row into fresh, empty indexes."""
    for row in range(state.counters[codes.KEYS]):
        _enter(state.rows[row * width + codes.KEY], row, state.dense, state.table)


@compiled
def _allocate(
    size: int, arena: NDArray[np.int64], free: NDArray[np.int64], counters: NDArray[np.int64]
) -> int:
    """Return the first word of a block of ``2**size`` entries; -1 where there is no room."""
    at = free[size]
    if at >= 0:
        free[size] = arena[at]
        return int(at)
    at = counters[codes.USED]
    words = free[codes.ENTRY_WORDS] << size
    if at + words > len(arena):
        return -1
    counters[codes.USED] = at + words
    return int(at)


@compiled
def _release(at: int, size: int, arena: NDArray[np.int64], free: NDArray[np.int64]) -> None:
    arena[at] = free[size]
    free[size] = at


@inlined
def _entry(row: int, place: int, plan: Layout, state: State) -> int:
    """Return the first word in the arena of the entry at a position of a key's ring."""
    ring, mask = state.rows[row + codes.RING], state.rows[row + codes.MASK]
    return int(ring + (place & mask) * plan.widths[0])


@inlined
def _add(
    sign: int, entry: int, total: int, first: int, last: int, plan: Layout, state: State
) -> None:
    """Add an entry to the accumulators of a window, or take it away."""
    for slot in range(first, last):
        value = state.arena[entry + plan.slots[slot, 0]]
        if value != codes.UNKNOWN_VALUE:
            kind = plan.slots[slot, 1]
            if kind == codes.TOTAL:
                state.rows[total] += sign * value
            elif kind == codes.KNOWN or value > 0:
                state.rows[total] += sign
        total += 1


@inlined
def _slide(row: int, t: float, plan: Layout, state: State) -> None:
    """Move all windows of a key to time `t`, forwards or back."""
    rows, times = state.rows, state.arena_f
    width, ring, mask = plan.widths[0], rows[row + codes.RING], rows[row + codes.MASK]
    begin, tail = rows[row + codes.BEGIN], rows[row + codes.TAIL]
    forwards = t >= state.rows_f[row + codes.POSITION]
    state.rows_f[row + codes.POSITION] = t
    for w in range(len(plan.places)):
        at = row + plan.places[w, 0]
        first, last = plan.places[w, 1], plan.places[w, 2]
        newest = t - plan.edges[w, 0]
        oldest = newest - plan.edges[w, 1]
        start, end = rows[at], rows[at + 1]
        if forwards:
            while end < tail and times[ring + (end & mask) * width] <= newest:
                _add(1, ring + (end & mask) * width, at + 2, first, last, plan, state)
                end += 1
            while start < end and times[ring + (start & mask) * width] <= oldest:
                _add(-1, ring + (start & mask) * width, at + 2, first, last, plan, state)
                start += 1
        else:
            while start > begin and times[ring + ((start - 1) & mask) * width] > oldest:
                start -= 1
                _add(1, ring + (start & mask) * width, at + 2, first, last, plan, state)
            while end > start and times[ring + ((end - 1) & mask) * width] > newest:
                end -= 1
                _add(-1, ring + (end & mask) * width, at + 2, first, last, plan, state)
        rows[at], rows[at + 1] = start, end


@compiled
def _make_room(row: int, plan: Layout, state: State) -> bool:
    """Forget what no event can ask for any more; move to a larger block if that is not enough."""
    rows, times, width = state.rows, state.arena_f, plan.widths[0]
    ring, mask, tail = rows[row + codes.RING], rows[row + codes.MASK], rows[row + codes.TAIL]
    _slide(row, state.rows_f[row + codes.NEWEST], plan, state)
    horizon = state.rows_f[row + codes.NEWEST] - plan.spans[1]
    begin, evicted = rows[row + codes.BEGIN], state.rows_f[row + codes.EVICTED]
    while begin < tail and times[ring + (begin & mask) * width] <= horizon:
        evicted = times[ring + (begin & mask) * width]
        begin += 1
    larger, size = -1, 0
    if 4 * (tail - begin) > 3 * (mask + 1):
        while (1 << size) <= mask:
            size += 1
        larger = _allocate(size + 1, state.arena, state.free, state.counters)
        if larger < 0:  # as if nobody had asked: the same is decided again where there is room
            state.counters[codes.NEED] = codes.FULL_ARENA
            return False
    rows[row + codes.BEGIN], state.rows_f[row + codes.EVICTED] = begin, evicted
    if larger < 0:
        return True
    for place in range(begin, tail):
        old = ring + (place & mask) * width
        new = larger + (place & (2 * mask + 1)) * width
        for word in range(width):
            state.arena[new + word] = state.arena[old + word]
    _release(ring, size, state.arena, state.free)
    rows[row + codes.RING], rows[row + codes.MASK] = larger, 2 * mask + 1
    return True


@inlined
def _insert(row: int, t: float, plan: Layout, state: State) -> int:
    """Open an entry at the place of time `t`; return its position in the ring."""
    rows, width = state.rows, plan.widths[0]
    ring, mask, place = rows[row + codes.RING], rows[row + codes.MASK], rows[row + codes.TAIL]
    rows[row + codes.TAIL] = place + 1
    if t >= state.rows_f[row + codes.NEWEST]:
        state.rows_f[row + codes.NEWEST] = t
        return int(place)
    if t < state.rows_f[row + codes.NEWEST] - plan.spans[0]:
        state.counters[codes.TOO_LATE] += 1
    begin = rows[row + codes.BEGIN]
    while place > begin and state.arena_f[ring + ((place - 1) & mask) * width] > t:
        new, old = ring + (place & mask) * width, ring + ((place - 1) & mask) * width
        for word in range(width):
            state.arena[new + word] = state.arena[old + word]
        place -= 1
    return int(place)


@compiled
def _admit(row: int, entry: int, t: float, plan: Layout, state: State) -> None:
    """Tell the windows about an entry that was inserted before the newest one."""
    position = state.rows_f[row + codes.POSITION]
    for w in range(len(plan.places)):
        at = row + plan.places[w, 0]
        newest = position - plan.edges[w, 0]
        if t <= newest - plan.edges[w, 1]:
            state.rows[at] += 1
            state.rows[at + 1] += 1
        elif t <= newest:
            state.rows[at + 1] += 1
            _add(1, entry, at + 2, plan.places[w, 1], plan.places[w, 2], plan, state)


@inlined
def _write(entry: int, i: int, plan: Layout, events: Events, state: State) -> None:
    """Fill an entry from event `i`."""
    state.arena_f[entry] = events.numbers[0, i]
    columns = plan.widths[2]
    for column in range(columns):
        minor = np.rint(events.numbers[2 + column, i] * plan.scales[column])
        value = np.int64(minor) if abs(minor) < _HUGE else codes.UNKNOWN_VALUE
        state.arena[entry + 1 + column] = value
    if plan.widths[3]:
        state.arena[entry + 1 + columns] = codes.UNKNOWN_VALUE
        state.arena[entry + 2 + columns] = events.words[1, i]


@compiled
def _locate(row: int, t: float, event: int, plan: Layout, state: State) -> int:
    """Return the position of the entry with this time and id, or -1."""
    rows, width = state.rows, plan.widths[0]
    low, high = rows[row + codes.BEGIN], rows[row + codes.TAIL]
    while low < high:
        middle = (low + high) >> 1
        if state.arena_f[_entry(row, middle, plan, state)] < t:
            low = middle + 1
        else:
            high = middle
    while low < rows[row + codes.TAIL]:
        entry = _entry(row, low, plan, state)
        if state.arena_f[entry] != t:
            return -1
        if state.arena[entry + width - 1] == event:
            return int(low)
        low += 1
    return -1


@compiled
def _label(i: int, plan: Layout, labels: LabelEvents, state: State) -> None:
    """Write label `i` into its entry and into the windows that hold it."""
    key = _find(labels.words[0, i], state.dense, state.table)
    scaled = np.rint(labels.numbers[2, i] * plan.scales[plan.widths[2]])
    if key < 0 or not abs(scaled) < _HUGE:
        state.counters[codes.NO_EVENT] += 1
        return
    row, t = key * plan.widths[1], labels.numbers[0, i]
    place = _locate(row, t, labels.words[1, i], plan, state)
    if place < 0:
        state.counters[codes.NO_EVENT] += t > state.rows_f[row + codes.EVICTED]
        return
    state.counters[codes.APPLIED] += 1
    entry = _entry(row, place, plan, state)
    for step in range(2):
        for w in range(len(plan.places)):
            at = row + plan.places[w, 0]
            if state.rows[at] <= place < state.rows[at + 1]:
                total, first, last = at + 2, plan.places[w, 1], plan.places[w, 2]
                _add(2 * step - 1, entry, total, first, last, plan, state)
        if step == 0:
            state.arena[entry + 1 + plan.widths[2]] = np.int64(scaled)


@inlined
def _value(c: int, row: int, place: int, plan: Layout, state: State) -> float:
    """Return output `c` for the event at `place`."""
    rows, scale = state.rows, plan.output_scales[c]
    operation, window = plan.outputs[c, 0], row + plan.outputs[c, 1]
    if operation == codes.SINCE_LAST:
        before = state.rows_f[row + codes.EVICTED]
        if place > rows[row + codes.BEGIN]:
            before = state.arena_f[_entry(row, place - 1, plan, state)]
        now = state.arena_f[_entry(row, place, plan, state)]
        return now - before if before > -np.inf else np.nan
    count = rows[window + 1] - rows[window]
    if operation == codes.COUNT:
        return float(count)
    total, known = rows[row + plan.outputs[c, 2]], rows[row + plan.outputs[c, 3]]
    if operation == codes.SUM:
        return float(total / scale)
    if operation == codes.MEAN:
        return float(total / known / scale) if known > 0 else np.nan
    if operation == codes.SHARE:
        return float(total / count) if count > 0 else 0.0
    own = state.arena[_entry(row, place, plan, state) + plan.outputs[c, 4]]
    if own == codes.UNKNOWN_VALUE or known < 2 or total == own:
        return np.nan
    return float(own / scale / ((total - own) / (known - 1) / scale))


@inlined
def _look_ahead(i: int, events: Events, plan: Layout, state: State) -> None:
    """Fetch into the cache what the next events will touch: their rows, later their rings.

    State is larger than the cache and keys come in any order: waiting for memory would take half
    of the time.
    """
    n = events.words.shape[1]
    if i + 6 < n:
        row = _find(events.words[0, i + 6], state.dense, state.table) * plan.widths[1]
        if row >= 0:
            for line in range(0, 24, 8):
                prefetch(state.rows, row + line)
    if i + 3 < n:
        row = _find(events.words[0, i + 3], state.dense, state.table) * plan.widths[1]
        if row >= 0:
            tail = state.rows[row + codes.TAIL]
            prefetch(state.arena, _entry(row, tail, plan, state))
            for w in range(len(plan.places)):
                at = row + plan.places[w, 0]
                prefetch(state.arena, _entry(row, state.rows[at], plan, state))
                prefetch(state.arena, _entry(row, state.rows[at + 1], plan, state))


@inlined
def _place_event(i: int, events: Events, plan: Layout, state: State) -> tuple[int, int]:
    """Take event `i` into its ring; return its row and position, or -1 where room ran out."""
    t, key = events.numbers[0, i], events.words[0, i]
    row = _find(key, state.dense, state.table)
    if row < 0:
        row = _register(key, plan.widths[1], state)
    row *= plan.widths[1]
    if row < 0:
        return -1, -1
    kept = state.rows[row + codes.TAIL] - state.rows[row + codes.BEGIN]
    if kept > state.rows[row + codes.MASK] and not _make_room(row, plan, state):
        return -1, -1
    in_order = t >= state.rows_f[row + codes.NEWEST]
    place = _insert(row, t, plan, state)
    entry = _entry(row, place, plan, state)
    _write(entry, i, plan, events, state)
    if not in_order:
        _admit(row, entry, t, plan, state)
    return row, place


@compiled
def fold(
    first: int, events: Events, labels: LabelEvents, plan: Layout, state: State,
    columns: NDArray[np.int64], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Fold events `first` to the end into `state` and write their features into `out`.

    Returns
    -------
    int
        The number of events, or the event at which room ran out: the counter NEED says of what.
        The caller makes room and calls again from there.
    """
    n, pending, due = events.words.shape[1], labels.words.shape[1], state.counters[codes.LABEL_AT]
    for i in range(first, n):
        _look_ahead(i, events, plan, state)
        while due < pending and labels.numbers[1, due] <= events.numbers[1, i]:
            _label(due, plan, labels, state)
            due += 1
            state.counters[codes.LABEL_AT] = due
        if events.words[0, i] < 0:
            for c in range(len(columns)):
                out[i, columns[c]] = np.nan
            continue
        row, place = _place_event(i, events, plan, state)
        if row < 0:
            return i
        _slide(row, events.numbers[0, i], plan, state)
        for c in range(len(columns)):
            out[i, columns[c]] = _value(c, row, place, plan, state)
    return int(n)
