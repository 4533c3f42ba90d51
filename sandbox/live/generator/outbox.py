"""Outbox: what the outside world puts into the log, moment by moment, all of it or nothing."""

from __future__ import annotations

import numpy as np

from sandbox.adapters.event_log import Fenced, Place, Transactor
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.live.frames import frames_of
from sandbox.live.generator.past import everything
from sandbox.live.messages import Happening, encode
from sandbox.live.role import Setting
from sandbox.live.topics import partition_of
from sandbox.pipeline.codec import EventCodec

__all__ = ["Outbox"]

_TAIL = 1000
"""Messages at the end of a partition among which a transaction's own are looked for."""


class Outbox:
    """Collects messages and commits them together.

    Where the log does not answer, the messages stay, and the next `commit` looks whether it took
    them after all before it sends them again: nothing is lost, nothing doubled.

    Parameters
    ----------
    setting
        What the role works with. Its transactions go by the scenario's name, so that there is one
        outside world: who opens an outbox later takes over from whoever did before.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting, self._topics = setting, setting.topics
        self._id = setting.prepared.scenario.event.id
        self._codec = EventCodec(setting.prepared.scenario.event)
        stages = setting.prepared.plan.stage_plans
        self._learning = [stage.key for stage in stages if stage.has_labels]
        self._transactor: Transactor | None = None
        self._messages: list[tuple[Place, bytes]] = []
        self._unsure = False

    @property
    def full(self) -> bool:
        """Whether messages wait for the log: nothing more should come before they are gone."""
        return bool(self._messages)

    def events(self, events: Batch) -> None:
        """Add events one by one, as producers send them; in order of `processing_time`."""
        if len(events):
            key, missing = self._topics.stages[0], np.full(len(events), -1)
            keys = events[key] if key in events.names else missing
            numbers = partition_of(keys, self._topics.partitions).tolist()
            places = [Place(self._topics.events, number) for number in numbers]
            self._messages += zip(places, self._codec.encode(events), strict=True)

    def history(self, events: Batch) -> None:
        """Add events of the history, a frame a partition."""
        self._frames(self._topics.events, events, self._topics.stages[0])

    def truth(self, truth: Batch) -> None:
        """Add what only the simulator knows."""
        if len(truth):
            self._messages += [(Place(self._topics.truth, 0), one) for one in frames_of(truth)]

    def labels(self, labels: Batch) -> None:
        """Add labels that are due, also for the stages that learn from them."""
        if not len(labels):
            return
        told = labels.select((self._id, "event_time", "label", "label_time", "source"))
        self._messages += [(Place(self._topics.labels, 0), one) for one in frames_of(told)]
        for key in self._learning:
            whole = told.with_columns(**{key: labels[key]}, is_label=np.full(len(told), True))
            self._frames(self._topics.stage(key), whole, key)

    def say(self, happening: Happening) -> None:
        """Add a happening."""
        self._messages.append((Place(self._topics.happenings, 0), encode(happening)))

    def commit(self) -> None:
        """Hand everything over.

        Raises
        ------
        SandboxError
            If the log does not answer; the messages stay.
        Fenced
            If there is another outside world now.
        """
        if self._transactor is None:
            self._transactor = self._setting.log.transactor(f"{self._topics.scenario}.outside")
        if not self._messages:
            return
        if self._unsure and self._is_there(*self._messages[-1]):
            self._messages, self._unsure = [], False
            return
        self._unsure = True
        try:
            self._transactor.begin()
            for place, message in self._messages:
                self._transactor.send(place, message)
            self._transactor.commit({})
        except (SandboxError, Fenced):
            self._transactor.close()
            self._transactor = None
            raise
        self._messages, self._unsure = [], False

    def close(self) -> None:
        """Give up the connection; what was not committed is undone."""
        if self._transactor is not None:
            self._transactor.close()

    def _is_there(self, place: Place, message: bytes) -> bool:
        ends = self._setting.log.ends(self._topics.places(place.topic))
        start = {**ends, place: max(ends[place] - _TAIL, 0)}
        chunks = everything(self._setting.log, place.topic, start)
        return any(message in chunk.values for chunk in chunks)

    def _frames(self, topic: str, batch: Batch, key: str) -> None:
        if not len(batch):
            return
        places = partition_of(batch[key], self._topics.partitions)
        for number in np.unique(places).tolist():
            to = Place(topic, number)
            self._messages += [(to, one) for one in frames_of(batch.take(places == number))]
