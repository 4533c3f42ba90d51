"""The control plane: SimPy decides what changes when.

Order at equal times is by `Phase`, then by the order in which things were scheduled. A run relies
on it: incidents have begun and labels have arrived before the traffic of that moment is decided,
monitors see that traffic, and a training job sees the monitors' alerts.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Generator

import simpy
from simpy.events import EventPriority

__all__ = ["Callback", "ControlPlane", "Phase"]

Callback = Callable[[float], None]
"""Called with the time [s after day 0]."""

TICKS = 1024.0  # a second; on this grid sums and differences of times are exact


class Phase(enum.IntEnum):
    """What comes first at equal times. SimPy's own events (0 and 1) precede all of it."""

    RECOVERY = 10
    """Incidents end."""
    INCIDENT = 20
    """Incidents begin."""
    LABEL = 30
    """Labels become known."""
    TRAFFIC = 40
    """Events up to now are processed."""
    MONITOR = 50
    """Monitors look."""
    RETRAIN = 60
    """Training jobs start and end, versions are promoted."""
    STOP = 99
    """The run ends."""


class _Moment(simpy.Event):
    """Like `simpy.Timeout`, with a phase."""

    def __init__(self, env: simpy.Environment, delay: float, phase: Phase) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, EventPriority(phase), delay)


class ControlPlane:
    """Thin helpers over a SimPy environment.

    An exception in a callback leaves `run` as it was raised.

    Parameters
    ----------
    env
        ``simpy.Environment(initial_time=...)``, or a real-time one: the same code drives both.
        Its time is in seconds after day 0.

    Notes
    -----
    Times are put on a grid of 1/1024 s, on which SimPy's ``now + (time - now)`` is exact: what is
    due at the same time is processed at the same time.

    Examples
    --------
    >>> plane = ControlPlane(simpy.Environment(initial_time=-10.0))
    >>> plane.every(5.0, lambda now: print("traffic", now), Phase.TRAFFIC)
    >>> plane.at(0.0, lambda now: print("incident", now), Phase.INCIDENT)
    >>> plane.run(0.0)
    traffic -5.0
    incident 0.0
    traffic 0.0
    """

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.trainer = simpy.Resource(env, capacity=1)

    @property
    def now(self) -> float:
        """Seconds after day 0."""
        return float(self.env.now)

    @property
    def training(self) -> bool:
        """Whether a training job runs."""
        return self.trainer.count > 0

    def at(self, time: float, callback: Callback, phase: Phase) -> None:
        """Call once, at a time not in the past.

        Raises
        ------
        ValueError
            If the time is past or not finite.
        """
        self._moment(time, phase, callback)

    def every(
        self,
        period: float,
        callback: Callback,
        phase: Phase,
        *,
        start: float | None = None,
        until: float = math.inf,
    ) -> None:
        """Call at ``start``, ``start + period``, ... up to and including `until`.

        The first call is one period from now when `start` is absent.
        """
        if not period >= 1.0 / TICKS:
            raise ValueError(f"a period is at least 1/{TICKS:.0f} s, got {period}")
        first = self.now + period if start is None else start
        if first <= until:
            self._repeat(first, period, 0, until, callback, phase)

    def between(self, start: float, end: float, begin: Callback, finish: Callback) -> None:
        """Call `begin` at `start` and `finish` at `end`, which may be infinite.

        What began in the past begins now; what ended in the past never happens.
        """
        if end <= max(start, self.now):
            return
        self._moment(max(start, self.now), Phase.INCIDENT, begin)
        if math.isfinite(end):
            self._moment(end, Phase.RECOVERY, finish)

    def train_job(
        self, duration: float, on_done: Callback, on_start: Callback | None = None
    ) -> None:
        """Run a job of a duration [s] on the one trainer; jobs queue in the order they came."""
        self.env.process(self._train(duration, on_done, on_start))

    def run(self, until: float) -> None:
        """Go on until a time, everything due at that very time included."""
        self.env.run(until=self._moment(until, Phase.STOP))

    def _moment(self, time: float, phase: Phase, callback: Callback | None = None) -> simpy.Event:
        if not math.isfinite(time) or time < self.now:
            raise ValueError(f"cannot schedule at {time}, it is {self.now} now")
        due = max(math.floor(time * TICKS + 0.5) / TICKS, self.now)
        moment = _Moment(self.env, due - self.now, phase)
        if callback is not None and moment.callbacks is not None:
            moment.callbacks.append(lambda _: callback(self.now))
        return moment

    def _repeat(
        self,
        first: float,
        period: float,
        count: int,
        until: float,
        callback: Callback,
        phase: Phase,
    ) -> None:
        def due(now: float) -> None:
            if first + (count + 1) * period <= until:
                self._repeat(first, period, count + 1, until, callback, phase)
            callback(now)

        self._moment(first + count * period, phase, due)

    def _train(
        self, duration: float, on_done: Callback, on_start: Callback | None
    ) -> Generator[simpy.Event, None, None]:
        with self.trainer.request() as turn:
            yield turn
            yield self._moment(self.now, Phase.RETRAIN, on_start)
            yield self._moment(self.now + duration, Phase.RETRAIN, on_done)
