"""The detector laboratory: how often sequential detectors cry wolf, and how late they are.

Each stream is 10,000 values of 0 and 1 at one rate, then 5,000 at another. A change reported in
the first part is a false alarm; the first one reported in the second part is the detection, and
its position there the delay. Every detector reads the same streams twice: as River ships it, and
as alerts use it (`sandbox.monitor.detectors`: a warm-up, a fresh start after a change, values in
daily updates).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError
from sandbox.monitor import DETECTORS, Detector, river_detector
from sandbox.record import LabRecord
from sandbox.run.detector_lesson import lesson

__all__ = ["SHIFTS", "Shift", "parse_shifts", "run_detector_lab"]

STATIONARY = 10_000
SHIFTED = 5_000
PER_UPDATE = 1_000
"""Values that an alert feeds at once: a day of the stream."""
SLOW = {"kswin": 5}
"""Half a millisecond a value and more: streams this many times shorter, and as many fewer."""

Floats = NDArray[np.float64]
Reader = Callable[[Floats], list[int]]


@dataclass(frozen=True)
class Shift:
    """The rate of ones before and after a change."""

    before: float
    after: float

    def __str__(self) -> str:
        return f"{self.before:g} -> {self.after:g}"


SHIFTS = (Shift(0.1, 0.2), Shift(0.1, 0.3), Shift(0.03, 0.06), Shift(0.01, 0.03))


@dataclass(frozen=True)
class _Outcome:
    """What one detector made of one stream."""

    false_alarms: int
    delay: float
    """Values after the change; infinity where it was missed."""


def parse_shifts(text: str) -> tuple[Shift, ...]:
    """Return the shifts of a list such as ``0.1,0.03:0.09``; a lone rate doubles.

    Raises
    ------
    UsageError
        For what is no rate between 0 and 1, or no shift.

    Examples
    --------
    >>> [str(shift) for shift in parse_shifts("0.1,0.03:0.09")]
    ['0.1 -> 0.2', '0.03 -> 0.09']
    """
    shifts: dict[Shift, None] = {}
    for item in text.split(","):
        before, colon, after = item.partition(":")
        try:
            rate = float(before)
            shift = Shift(rate, float(after) if colon else 2 * rate)
        except ValueError:
            shift = Shift(math.nan, math.nan)
        if not (0 < shift.before < 1 and 0 <= shift.after <= 1 and shift.before != shift.after):
            raise UsageError(
                "not a rate, nor two",
                where="--rates",
                got=item.strip(),
                expected="a rate above 0 that doubles to at most 1, or two such as 0.1:0.3",
            )
        shifts[shift] = None
    return tuple(shifts)


def run_detector_lab(
    shifts: Sequence[Shift],
    seeds: int,
    command: str,
    tell: Callable[[str], None] = lambda text: None,
    detectors: Sequence[str] = DETECTORS,
) -> LabRecord:
    """Let detectors read stationary and shifted streams.

    Parameters
    ----------
    shifts
        Rates before and after.
    seeds
        Streams of each shift; the slow ones of `SLOW` read fewer and shorter ones.
    command
        What was typed, for the record.
    tell
        Told of progress, in words.
    detectors
        Names.
    """
    rows: list[dict[str, str | float | None]] = []
    for name in detectors:
        tell(name)
        rows += [_row(name, settings, shift, seeds) for settings in _READERS for shift in shifts]
    return LabRecord(
        kind="detectors",
        title="Sequential detectors",
        command=command,
        facts=(
            f"Streams of 0 and 1: {STATIONARY:,} values at one rate, then {SHIFTED:,} at another, "
            f"{seeds} of each shift, the same for all detectors.",
            "False alarms are changes reported before there was one, in 10,000 values. Delay is "
            "the median number of values from the change to its first report; a stream in which "
            "it is never reported counts as longer than any.",
        ),
        lesson=lesson(rows),
        rows=tuple(rows),
        notes=_notes(detectors),
    )


def _notes(detectors: Sequence[str]) -> tuple[str, ...]:
    slow = [
        f"{name} is slow: it reads streams {times} times shorter, and {times} times fewer (at "
        "least one)."
        for name, times in SLOW.items()
        if name in detectors
    ]
    return (
        "river: as River ships it. sandbox: as alerts use it, with a warm-up of 100 values, a "
        f"fresh start after each change, and updates of {PER_UPDATE:,} values, of which a slow "
        "detector uses a part. An alert speaks at the end of the day on top of this delay.",
        *slow,
    )


def _row(name: str, settings: str, shift: Shift, seeds: int) -> dict[str, str | float | None]:
    part = SLOW.get(name, 1)
    outcomes = [
        _outcome(_READERS[settings](name), shift, seed, part)
        for seed in range(max(1, seeds // part))
    ]
    delay = float(np.median([o.delay for o in outcomes]))
    alarms = sum(o.false_alarms for o in outcomes) * part / len(outcomes)
    return {
        "detector": name,
        "settings": settings,
        "before": shift.before,
        "after": shift.after,
        "seeds": len(outcomes),
        "false_alarms": alarms * 10_000 / STATIONARY,
        "delay": delay if math.isfinite(delay) else None,
        "missed": float(np.mean([math.isinf(o.delay) for o in outcomes])),
    }


def _outcome(read: Reader, shift: Shift, seed: int, part: int) -> _Outcome:
    change = STATIONARY // part
    rates = np.repeat([shift.before, shift.after], [change, SHIFTED // part])
    # The plainest stream of a seed, so that anybody can draw the same one.
    luck = np.random.default_rng(seed).random(len(rates))
    found = read((luck < rates).astype(np.float64))
    after = [position for position in found if position >= change]
    delay = float(after[0] - change + 1) if after else math.inf
    return _Outcome(len(found) - len(after), delay)


def _by_river(name: str) -> Reader:
    detector = river_detector(name)

    def positions(values: Floats) -> Iterator[int]:
        for position, value in enumerate(values.tolist()):
            detector.update(value)
            if detector.drift_detected:
                yield position

    return lambda values: list(positions(values))


def _by_sandbox(name: str) -> Reader:
    detector = Detector(name)

    def positions(values: Floats) -> Iterator[int]:
        for start in range(0, len(values), PER_UPDATE):
            for change in detector.update(values[start : start + PER_UPDATE]):
                yield start + change.position

    return lambda values: list(positions(values))


_READERS: dict[str, Callable[[str], Reader]] = {"river": _by_river, "sandbox": _by_sandbox}
