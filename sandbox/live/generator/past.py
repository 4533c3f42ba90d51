"""Past: what the outside world has put into the log before, to go on from there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.event_log import Chunk, EventLog, Offsets
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.live.frames import NotAFrame, read_frame
from sandbox.live.generator.switchboard import Switch
from sandbox.live.messages import Happening, decode
from sandbox.live.progress import EventTimes
from sandbox.live.role import Setting

__all__ = ["Past", "everything"]

_TAIL = 500
"""Messages at the end of a partition in which the last event is looked for first."""
_SILENCE = 10
"""Polls of a second without an answer after which a log counts as silent."""


@dataclass
class Past:
    """What is there. Times are seconds since day 0."""

    mark: float = -np.inf
    """Largest processing time of an event. All events up to it are there, and no later one."""
    last_truth: int = -1
    """Largest id in the truth topic."""
    told: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """Ids of the labels that were sent, by source."""
    switches: list[Switch] = field(default_factory=list)
    """Commands that were carried out, in order."""
    commands_read: int = 0
    """Offset of the first command that was not answered."""
    worked: dict[float, list[int]] = field(default_factory=dict)
    """Cases that were worked, by the end of their day."""
    said: set[tuple[str, str, float]] = field(default_factory=set)
    """Happenings of incidents: kind, name and time."""

    @property
    def closed(self) -> float:
        """End of the last day that was worked."""
        return max(self.worked, default=0.0)

    @classmethod
    def read(cls, setting: Setting, role: str) -> Past:
        """Read what `role` has written.

        Raises
        ------
        SandboxError
            If the log does not answer.
        """
        topics, log = setting.topics, setting.log
        id, start = setting.prepared.scenario.event.id, setting.prepared.scenario.start_time
        past = cls(mark=_last_time(setting) - start)
        ends = log.ends(topics.places(topics.truth))
        last = {place: max(end - _TAIL, 0) for place, end in ends.items()}
        for frame in _frames(_values(log, topics.truth, last)):
            past.last_truth = max(past.last_truth, int(frame[id].max(initial=-1)))
        sources: dict[int, list[NDArray[np.int64]]] = {}
        for frame in _frames(_values(log, topics.labels)):
            for source in np.unique(frame["source"]).tolist():
                sources.setdefault(source, []).append(frame[id][frame["source"] == source])
        past.told = {source: np.concatenate(ids) for source, ids in sources.items()}
        for value in _values(log, topics.happenings):
            try:
                happening = decode(value, Happening)
            except msgspec.MsgspecError:
                continue
            if happening.role == role:
                past._hear(happening.kind, happening.ok, happening.facts)
        return past

    def _hear(self, kind: str, ok: bool, facts: Mapping[str, object]) -> None:
        match kind, facts:
            case (("incident" | "mended"), {"incident": str(name), "at": float(at)}):
                self.said.add((kind, name, at))
            case "clock", {"worked": list(ids), "day_end": float(end)}:
                self.worked[end] = ids
            case (("command" | "refused"), {"offset": int(offset)}):
                self.commands_read = max(self.commands_read, offset + 1)
        match facts:
            case {"action": str(action), "args": dict(args), "at": float(at)} if ok:
                self.switches.append(Switch(action, args, at))


def everything(log: EventLog, topic: str, start: Offsets | None = None) -> Iterator[Chunk]:
    """Yield all that is committed in a topic now.

    Raises
    ------
    SandboxError
        If the log does not answer.
    """
    reader, silent = log.reader([topic], start), 0
    try:
        while reader.lag() > 0:
            chunks = reader.poll(1.0)
            yield from chunks
            silent = 0 if chunks else silent + 1
            if silent == _SILENCE:
                raise SandboxError("the log does not answer", where=topic)
    finally:
        reader.close()


def _values(log: EventLog, topic: str, start: Offsets | None = None) -> Iterator[bytes]:
    for chunk in everything(log, topic, start):
        yield from chunk.values


def _frames(values: Iterable[bytes]) -> Iterator[Batch]:
    for value in values:
        with contextlib.suppress(NotAFrame):  # nobody but the outside world should write here
            yield read_frame(value)


def _last_time(setting: Setting) -> float:
    """Return the largest processing time in the events topic [s since epoch]; -inf: none."""
    log, topic = setting.log, setting.topics.events
    places, times = setting.topics.places(topic), EventTimes(setting)
    begins, ends, tail = log.begins(places), log.ends(places), _TAIL
    while True:
        start = {place: max(ends[place] - tail, begins[place]) for place in places}
        found = [t for value in _values(log, topic, start) for _, t in times.read(value)]
        if found or all(start[place] <= begins[place] for place in places):
            return max(found, default=-np.inf)
        tail *= 10
