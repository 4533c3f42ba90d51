"""A case: topics of its own, a champion that decides, and messages to send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.registry import FolderRegistry
from sandbox.adapters.event_log import EventLog, Place
from sandbox.batch import Batch
from sandbox.live.frames import frame_of
from sandbox.live.messages import ServingState, encode
from sandbox.live.metrics import LiveMetrics
from sandbox.live.role import Setting
from sandbox.live.topics import Topics, partition_of
from sandbox.model import ModelVersion
from sandbox.pipeline.codec import EventCodec
from sandbox.run.execution import VirtualRun
from sandbox.run.setup import Prepared, prepare
from sandbox.run.traffic import BLOCK, Block, Traffic

__all__ = ["PARTITIONS", "POISON", "Case", "Message", "load_prepared"]

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PARTITIONS = 6
STEP = 300
"""Events that are sent at once."""
POISON = (b"", b"{", b"no event", b'{"transaction_id": 1e99}', b"\x82\xa1a\x01", b'{"amount": 1}')
SETTINGS = (
    f"ingest.partitions={PARTITIONS}",
    "pipeline.budget=600s",  # what is late is still answered by the model: scores can be compared
)
SHORTER = {
    "fraud": ("history=45d", "model.training.window=21d"),
    "recommendations": ("population=518400",),
}
"""What makes the past of a scenario shorter, so that its champion is trained in seconds."""
Message = tuple[Place, bytes]
Ids = NDArray[np.int64]


def load_prepared(
    scenario: str = "fraud", seed: int = 7, extra: tuple[str, ...] = ()
) -> Prepared:  # fmt: skip
    """Return a scenario with its reference design: two stages, of which one or both need labels."""
    return prepare(
        scenario, design=None, seed=seed, days=120, incidents=[], roots=[SCENARIOS],
        overrides=(*SETTINGS, *SHORTER[scenario], *extra),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One trial's world.

    Parameters
    ----------
    prefix
        Of its topics.
    folder
        Where workers keep states and find the champion.
    """

    prepared: Prepared
    prefix: str
    folder: Path
    messy: bool = False
    """Whether events come out of order, late and twice, and others are no events."""

    @property
    def topics(self) -> Topics:
        """Topics of this trial alone."""
        plan = self.prepared.plan
        return Topics(self.prefix, plan.stages, self.prepared.design.ingest.partitions)

    @property
    def state(self) -> Path:
        """Where workers keep their states."""
        return self.folder / self.prefix / "state"

    @property
    def models(self) -> Path:
        """Where workers find the champion of the scenario, the same for all its trials."""
        return self.folder / f"registry-{self.prepared.name}"

    @property
    def _registry(self) -> FolderRegistry:
        return FolderRegistry(self.models)

    def setting(self, log: EventLog, name: str) -> Setting:
        """Return what a worker of this trial works with."""
        metrics = LiveMetrics("trial", self.prepared.design_name)
        return Setting(
            self.prepared, self.topics, log, self._registry, metrics, name, self.state, 1.0,
            time.time,
        )  # fmt: skip

    def open(self, log: EventLog) -> None:
        """Create the topics, and say who decides."""
        if not self._registry.numbers():
            self._registry.add(_champion(self.prepared).files(), {})
        log.create(self.topics.all())
        writer = log.writer()
        writer.send(Place(self.topics.serving, 0), encode(ServingState(champion=1)))
        writer.close()

    def blocks(self) -> Iterator[Block]:
        """Yield what happens from day 0 on, without end."""
        traffic = Traffic(self.prepared)
        for index in count():
            yield traffic.block(index)

    def streams(self) -> Iterator[tuple[list[Message], Ids]]:
        """Yield messages in order of time without end, with the ids of the events among them.

        Events go one by one as JSON, labels as frames into the stages that need them, when due.
        """
        labels: list[Batch] = []
        rng = np.random.default_rng(self.prepared.seed)
        for block in self.blocks():
            labels.append(_known(block.truth))
            now = self.prepared.scenario.start_time + block.start
            first = self._labels(labels, now, now + BLOCK)
            last = len(block.observed)
            for start in range(0, last, STEP):
                observed = block.observed.slice(start, min(start + STEP, last))
                ids = observed[self.prepared.scenario.event.id]
                yield first + self._events(observed, rng), ids
                first = []

    def _events(self, observed: Batch, rng: np.random.Generator) -> list[Message]:
        """Return events as messages, in a mess where the case is messy."""
        topics = self.topics
        if self.messy:
            observed = _untimely(observed, rng)
        place = partition_of(observed[topics.stages[0]], topics.partitions)
        found = EventCodec(self.prepared.scenario.event).encode(observed)
        places = topics.places(topics.events)
        messages = [(places[at], value) for at, value in zip(place, found, strict=True)]
        if not self.messy:
            return messages
        twice = [messages[at] for at in rng.integers(0, len(messages), len(messages) // 20)]
        poison = [(places[at], value) for at, value in enumerate(POISON[: len(places)])]
        return messages + twice + poison

    def _labels(self, labels: list[Batch], start: float, end: float) -> list[Message]:
        known = Batch.concat(labels)
        due = known.take((known["label_time"] >= start) & (known["label_time"] < end))
        found = []
        for stage in self.prepared.plan.stage_plans:
            if not stage.has_labels or not len(due):
                continue
            due = due.sort("label_time")
            at = partition_of(due[stage.key], self.topics.partitions)
            for number in np.unique(at):
                place = Place(self.topics.stage(stage.key), int(number))
                found.append((place, frame_of(due.take(at == number))))
        return found


def _known(truth: Batch) -> Batch:
    """Return the labels that will ever be known."""
    return truth.take(np.isfinite(truth["label_time"])).drop("mechanism")


def _untimely(observed: Batch, rng: np.random.Generator) -> Batch:
    """Return events shuffled, one in fifty of them an hour or more late."""
    observed = observed.take(rng.permutation(len(observed)))
    late = rng.random(len(observed)) < 0.02
    delay = np.where(late, rng.uniform(3600.0, 7200.0, len(observed)), 0.0)
    return observed.with_columns(event_time=observed["event_time"] - delay)


def _champion(prepared: Prepared) -> ModelVersion:
    """Train the version that a run begins with."""
    run = VirtualRun(prepared, None, lambda: False)
    run.begin()
    run.go_on(BLOCK)
    lifecycle = run.lifecycle
    return replace(lifecycle.model(lifecycle.champion), number=1)
