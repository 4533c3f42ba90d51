"""Worlds that happened: events from a recording take the place of a generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.spec.base import Spec
from sandbox.world.contract import World

__all__ = ["EventSource", "RecordedWorld", "StreamedWorld"]


class RecordedWorld(World):
    """A recording, played back at its own times; the same under every seed.

    It has no knobs, since what happened cannot be turned. Data faults and stack faults still
    apply, and so does `label_delay` unless the recording says when each label came.

    Parameters
    ----------
    recording
        Events in order of time: the id column (ascending), `event_time` [s since epoch], the
        columns of the event schema and `label`. `mechanism` (all ordinary if absent) and
        `label_time` are optional.

    Raises
    ------
    ValueError
        If `event_time` or `label` is missing, or times are not finite or not in order.
    """

    Params: ClassVar[type[Spec]] = Spec

    def __init__(self, recording: Batch) -> None:
        for name in ("event_time", "label"):
            if name not in recording:
                raise ValueError(f"a recording needs the column {name}")
        times = recording["event_time"]
        if not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise ValueError("a recording must be in order of event_time")
        if "mechanism" not in recording:
            ordinary = np.zeros(len(recording), dtype=np.int8)
            recording = recording.with_columns(mechanism=ordinary)
        self._recording = recording
        self._times: NDArray[np.float64] = times

    @property
    def recording(self) -> Batch:
        """All of it, as it is played back."""
        return self._recording

    def arrivals(self, start: float, end: float) -> NDArray[np.float64]:
        """Return the recorded times in ``[start, end)`` [s since epoch]; empty outside."""
        first, stop = np.searchsorted(self._times, (start, end))
        return self._times[first:stop]

    def events(
        self,
        event_time: NDArray[np.float64],
        knobs: Mapping[str, NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> Batch:
        """Return the recorded events at the times that `arrivals` gave.

        Raises
        ------
        ValueError
            If those are other times: a recording cannot invent events.
        """
        first = int(np.searchsorted(self._times, event_time[0])) if len(event_time) else 0
        stop = first + len(event_time)
        if not np.array_equal(self._times[first:stop], event_time):
            raise ValueError("expected the times that `arrivals` returned")
        return self._recording.slice(first, stop)


class EventSource(Protocol):
    """Events that are read when their time comes."""

    def between(self, start: float, end: float) -> Batch:
        """Return the events of ``[start, end)`` [s since epoch] as `World.events` does."""
        ...


class StreamedWorld(World):
    """A recording too large to hold: each block is read when it is due.

    Parameters
    ----------
    source
        Gives the events of a span, the same whenever it is asked.
    """

    Params: ClassVar[type[Spec]] = Spec

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._block = Batch({})

    def arrivals(self, start: float, end: float) -> NDArray[np.float64]:
        """Return the recorded times in ``[start, end)`` [s since epoch]; empty outside."""
        self._block = self._source.between(start, end)
        times: NDArray[np.float64] = self._block["event_time"]
        return times

    def events(
        self,
        event_time: NDArray[np.float64],
        knobs: Mapping[str, NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> Batch:
        """Return the recorded events at the times that `arrivals` gave last.

        Raises
        ------
        ValueError
            If those are other times: a recording cannot invent events.
        """
        if not np.array_equal(self._block["event_time"], event_time):
            raise ValueError("expected the times that `arrivals` returned")
        return self._block
