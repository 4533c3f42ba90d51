"""When events happen: a non-homogeneous Poisson process, sampled in bulk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sandbox.spec.incidents import StackFault
from sandbox.spec.scenario import Load, LoadEvent

__all__ = ["LoadCurve", "sample_arrivals"]

Floats = NDArray[np.float64]
DAY = 86400.0
WEEK = 7 * DAY
YEAR = 365 * DAY
BIN = 300.0
"""Width of the bins in which the rate counts as constant [s]."""
_MONDAY = 4 * DAY
"""The first Monday after the epoch, which was a Thursday."""
_BEFORE, _AFTER = 2 * YEAR, 11 * YEAR
"""Span around day 0 for which bursts are drawn; fixed, so a longer run begins like a short one."""


class LoadCurve:
    """Arrival rate over time at full scale.

    The rate is the mean times a daily cosine, a weekend factor, planned peaks, growth, bursts and
    load spikes. Over a week at day 0 without the last four the mean is exactly `load.mean`.

    Parameters
    ----------
    load
        The curve as the scenario describes it.
    start_time
        Day 0 [s since epoch].
    rng
        Draws the times of bursts.
    spikes
        Load spikes of the stack's incidents; other stack faults are ignored.
    """

    def __init__(
        self,
        load: Load,
        start_time: float,
        rng: np.random.Generator,
        spikes: Sequence[StackFault] = (),
    ) -> None:
        self._load = load
        self._start = start_time
        self._spikes = tuple(s for s in spikes if s.kind == "load_spike")
        self._bursts = _burst_starts(load, start_time, rng)
        swing = max(load.daily.ratio, 1e-9)
        self._amplitude = (swing - 1) / (swing + 1)
        weekend = load.weekly.weekend
        self._weekday_level = 7 / (5 + 2 * weekend)
        self._weekend_level = weekend * self._weekday_level

    def rate(self, times: Floats) -> Floats:
        """Return the rate [events/s] at `times` [s since epoch], any order, same shape."""
        angle = (2 * np.pi / DAY) * (times - self._load.daily.peak)
        day_of_week = np.floor((times - _MONDAY) / DAY) % 7
        since = times - self._start
        rate = self._load.mean * (1 + self._amplitude * np.cos(angle))
        rate *= np.where(day_of_week >= 5, self._weekend_level, self._weekday_level)
        rate *= (1 + self._load.growth) ** (since / YEAR)
        for event in self._load.events:
            rate *= np.where(_during(event, since), event.ratio, 1.0)
        for spike in self._spikes:
            end = np.inf if spike.for_ is None else spike.at + spike.for_
            rate *= np.where((since >= spike.at) & (since < end), spike.factor, 1.0)
        return rate * np.where(self._in_burst(times), self._load.bursts.ratio, 1.0)

    def _in_burst(self, times: Floats) -> NDArray[np.bool_]:
        begun = np.searchsorted(self._bursts, times, side="right")
        over = np.searchsorted(self._bursts + self._load.bursts.for_, times, side="right")
        return np.asarray(begun > over)


def _burst_starts(load: Load, start_time: float, rng: np.random.Generator) -> Floats:
    span = _BEFORE + _AFTER
    count = rng.poisson(load.bursts.per_week * span / WEEK)
    return start_time - _BEFORE + np.sort(rng.random(count)) * span


def _during(event: LoadEvent, since: Floats) -> NDArray[np.bool_]:
    """Return where a planned peak is on. Without `at`, a recurring one goes back into history."""
    after = since - (event.at or 0.0)
    if event.every is None:
        return np.asarray((after >= 0) & (after < event.for_))
    on = (after % event.every) < event.for_
    return np.asarray(on if event.at is None else on & (after >= 0))


def sample_arrivals(
    curve: LoadCurve, start: float, end: float, population: float, rng: np.random.Generator
) -> Floats:
    """Return sorted arrival times in ``[start, end)`` [s since epoch].

    The rate is held constant over bins of five minutes: a Poisson count in each, then uniform
    times within (the order statistics of a homogeneous process; Ross, *Introduction to
    Probability Models*, section 5.3).

    Parameters
    ----------
    curve
        Rate at full scale.
    start, end
        Bounds [s since epoch].
    population
        One simulated entity stands for this many; the rate is divided by it.
    rng
        Randomness of this block.

    Raises
    ------
    ValueError
        If `end` is before `start` or the population is not positive.
    """
    if end < start or population <= 0:
        raise ValueError("expected start <= end and population > 0")
    edges = np.arange(start, end, BIN)
    widths = np.minimum(BIN, end - edges)
    counts = rng.poisson(curve.rate(edges + widths / 2) * widths / population)
    into = rng.random(int(counts.sum())) * np.repeat(widths, counts)
    # Rounding may carry a time onto `end`, which belongs to the next block.
    times = np.minimum(np.repeat(edges, counts) + into, np.nextafter(end, start))
    return np.sort(times)
