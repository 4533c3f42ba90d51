"""Progress: up to which time every event that was sent has its decision."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from sandbox.adapters.event_log import Chunk
from sandbox.batch import Batch
from sandbox.live.frames import NotAFrame, is_frame, read_frame
from sandbox.live.role import Setting

__all__ = ["EventTimes", "Progress"]

GIVE_UP = 60.0
"""An event is not waited for when events that came this much later [s] are decided."""

_TIME = "processing_time"
_REMEMBER = 2 * 86400.0
"""Decided ids are remembered for at least this long [s]: an event may come again."""


class EventTimes:
    """Reads ids and processing times [s since epoch] from messages of the events topic.

    Parameters
    ----------
    setting
        What the role works with.
    """

    def __init__(self, setting: Setting) -> None:
        self._id = setting.prepared.scenario.event.id
        fields = [(self._id, int), (_TIME, float)]
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Sent", fields))

    def read(self, value: bytes) -> list[tuple[int, float]]:
        """Return them for the events of a message; nothing for one that holds none."""
        try:
            if not is_frame(value):
                event = self._decoder.decode(value)
                return [(getattr(event, self._id), getattr(event, _TIME))]
            frame: Batch = read_frame(value)
        except (NotAFrame, msgspec.DecodeError):
            return []
        if "label_time" in frame or _TIME not in frame:
            return []
        return list(zip(frame[self._id].tolist(), frame[_TIME].tolist(), strict=True))


class Progress:
    """Compares the events that were sent with those that are decided.

    Time stands at the first event without a decision, in whichever partition. Where decisions
    come from several partitions at their own pace, nothing less says that all of them are there.

    Parameters
    ----------
    setting
        What the role works with.
    """

    def __init__(self, setting: Setting) -> None:
        self._id, self._clock = setting.prepared.scenario.event.id, setting.now
        self._times = EventTimes(setting)
        self._open: dict[int, tuple[float, float]] = {}
        self._done: tuple[set[int], set[int]] = (set(), set())
        self._turned = -np.inf
        self._seen = dict.fromkeys(range(setting.topics.partitions), -np.inf)
        self._reached = self._decided_read = -np.inf
        self.complete_to = -np.inf
        """Every event up to it is decided [s since epoch]."""
        self.given_up = 0
        """Events that are not waited for any more."""

    @property
    def newest(self) -> float:
        """Largest processing time of any event sent [s since epoch]."""
        return max(self._seen.values())

    @property
    def open(self) -> int:
        """Events that wait for their decision."""
        return len(self._open)

    def sent(self, chunk: Chunk) -> None:
        """Take messages of the events topic. An event that comes again is waited for once."""
        now = self._clock()
        for value in chunk.values:
            for id, time in self._times.read(value):
                if id in self._done[0] or id in self._done[1]:
                    self._decided_read = now
                else:
                    self._open.setdefault(id, (time, now))
                last = self._seen[chunk.place.partition]
                self._seen[chunk.place.partition] = max(last, time)

    def decided(self, ids: Iterable[int]) -> None:
        """Take ids that have their decision, or never get one."""
        for id in ids:
            found = self._open.pop(id, None)
            self._done[0].add(id)
            if found is not None:
                self._decided_read = max(self._decided_read, found[1])

    def look(self, everything: bool) -> None:
        """Move on; `everything` says that all messages of the log were read."""
        if everything:
            self._give_up()
        first = min((time for time, _ in self._open.values()), default=np.inf)
        # A transaction may show in one partition a moment before it shows in another: what was
        # reached when all had been read the last time is safe.
        safe = self._reached if everything else min(self._seen.values())
        if first < np.inf:
            safe = min(safe, np.nextafter(first, -np.inf))
        self.complete_to = max(self.complete_to, safe)
        self._reached = self.newest if everything else -np.inf
        if self.complete_to > self._turned + _REMEMBER:
            self._done, self._turned = (set(), self._done[0]), self.complete_to

    def _give_up(self) -> None:
        lost = [i for i, (_, read) in self._open.items() if read < self._decided_read - GIVE_UP]
        for id in lost:
            del self._open[id]
        self.given_up += len(lost)
