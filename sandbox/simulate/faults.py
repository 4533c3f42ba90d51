"""What is wrong with the stack when: a timeline of regimes."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sandbox.spec.incidents import StackFault

__all__ = ["Extra", "Force", "Regime", "Timeline"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Extra:
    """Workers beyond those of the design; below zero: fewer."""

    workers: int


Force = StackFault | Extra | float
Change = tuple[float, str, Force | None]


@dataclass(frozen=True)
class Regime:
    """The state of the stack between two changes; neutral by default."""

    lost: int = 0
    """Workers gone; below zero: workers added."""
    load: float = 1.0
    """Factor on the arrival rate."""
    scoring: float = 1.0
    """Factor on the cost of the last stage."""
    hop: float = 1.0
    """Factor on the time of a hop."""
    background: float = 0.0
    """Share of every worker's CPU that something else takes."""
    hot: float = 0.0
    """Share of all events that one key brings."""
    retries: float = 0.0
    """How often an unanswered event is sent again."""
    resumes: float = -np.inf
    """When consumers make progress again [s after day 0]."""


class Timeline:
    """Changes of regime in time order; changes at one time act in the order they were told.

    Parameters
    ----------
    rebalance
        No progress for this long [s] after the number of workers changed.
    """

    def __init__(self, rebalance: float) -> None:
        self._rebalance = rebalance
        self._changes: list[Change] = []
        self._starts: list[float] = []
        self._regimes: list[Regime] = [Regime()]

    def change(self, at: float, name: str, value: Force | None) -> None:
        """From `at` on, `name` stands for a fault, more workers, a share of CPU, or nothing."""
        bisect.insort(self._changes, (at, name, value), key=lambda change: change[0])
        self._rebuild()

    def active(self, at: float) -> dict[str, Force]:
        """Return what is in force at a time, by name."""
        told: dict[str, Force | None] = {}
        for time, name, value in self._changes:
            if time <= at:
                told[name] = value
        return {name: value for name, value in told.items() if value is not None}

    def regimes(self, start: float, end: float) -> list[tuple[float, float, Regime]]:
        """Return (from, to, regime) pieces that cover ``[start, end)``."""
        first = bisect.bisect_right(self._starts, start)
        last = max(first, bisect.bisect_left(self._starts, end))
        edges = [start, *self._starts[first:last], end]
        pieces = zip(pairwise(edges), self._regimes[first : last + 1], strict=True)
        return [(low, high, regime) for (low, high), regime in pieces if high > low]

    def load_factor(self, times: Floats) -> Floats:
        """Return the factor on the arrival rate at each time [s after day 0]."""
        factors = np.array([regime.load for regime in self._regimes])
        return factors[np.searchsorted(self._starts, times, side="right")]

    def _rebuild(self) -> None:
        self._starts, self._regimes = [], [Regime()]
        for time in sorted({change[0] for change in self._changes}):
            regime = _combine(self.active(time).values())
            resumes = self._regimes[-1].resumes
            if regime.lost != self._regimes[-1].lost:
                resumes = time + self._rebalance
            self._starts.append(time)
            self._regimes.append(replace(regime, resumes=resumes))
        # The end of a rebalance is a change of its own, unless another one comes first.
        for resumes in sorted({regime.resumes for regime in self._regimes[1:]} - {-np.inf}):
            place = bisect.bisect_right(self._starts, resumes)
            if self._regimes[place].resumes == resumes and resumes not in self._starts:
                self._starts.insert(place, resumes)
                self._regimes.insert(place + 1, self._regimes[place])


def _combine(values: Iterable[Force]) -> Regime:
    """Fold what is in force into one regime: factors multiply, losses and shares add."""
    lost, load, scoring, hop, spare, hot, retries = 0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0
    for value in values:
        if isinstance(value, float):
            spare *= 1.0 - value
        elif isinstance(value, Extra):
            lost -= value.workers
        elif value.kind == "hot_key":
            hot = min(hot + value.share, 0.95)
        elif value.kind == "retry_storm":
            retries += value.factor
        elif value.kind == "load_spike":
            load *= value.factor
        elif value.kind == "worker_loss":
            lost += value.workers
        elif value.kind == "slow_model":
            scoring *= value.factor
        else:
            hop *= value.factor
    return Regime(lost, load, scoring, hop, 1.0 - spare, hot, retries)
