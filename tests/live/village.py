"""A small live system in memory: a scenario, a log, a registry, and a clerk who decides by rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.event_log import Offsets, Place
from sandbox.adapters.memory_log import Member, MemoryLog
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.live.frames import frame_of, is_frame, read_frame
from sandbox.live.messages import Command, Happening, ServingState, encode
from sandbox.live.metrics import LiveMetrics
from sandbox.live.role import Role, Setting
from sandbox.live.topics import Topics, partition_of
from sandbox.pipeline.codec import EventCodec
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import DAY, Prepared, prepare

PARTITIONS = 3
SPEED = 4 * DAY
"""A day takes a quarter of a second."""
SMALL = (
    "population=1000", "model.champion.xgboost.trees=10", "retraining=never",
    f"ingest.partitions={PARTITIONS}", "labels.missing_when=[block]",
    "decision.review.capacity=20/day",
)  # fmt: skip
Rule = Callable[[Batch], NDArray[np.int8]]


def small(root: Path, *overrides: str, incidents: Sequence[str] = (), seed: int = 7) -> Prepared:
    """Prepare a scenario of some 170 events a day."""
    if not (root / "parcels").exists():
        write_scenario("parcels", task="binary", into=root)
    return prepare(
        "parcels", design=None, seed=seed, days=10, overrides=(*SMALL, *overrides),
        incidents=incidents, roots=(root,),
    )  # fmt: skip


class Shelf:
    """See `Registry`."""

    def __init__(self) -> None:
        self._versions: dict[int, dict[str, bytes]] = {}
        self._aliases: dict[str, int] = {}
        self.asked: list[int] = []

    def add(self, files: Mapping[str, bytes], facts: Mapping[str, str]) -> int:
        self._versions[len(self._versions) + 1] = dict(files)
        return len(self._versions)

    def files(self, number: int) -> dict[str, bytes]:
        self.asked.append(number)
        if number not in self._versions:
            raise SandboxError("no such version", got=number)
        return self._versions[number]

    def numbers(self) -> tuple[int, ...]:
        return tuple(self._versions)

    def alias(self, name: str) -> int | None:
        return self._aliases.get(name)

    def point(self, name: str, number: int | None) -> None:
        self._aliases.pop(name, None)
        if number is not None:
            self._aliases[name] = number


class MoodyLog(MemoryLog):
    """A log that fails when told to, before or after it took a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.mood = ""

    def commit(
        self, name: str, epoch: int, messages: Sequence[tuple[Place, bytes]],
        progress: Mapping[Member, Offsets],
    ) -> None:  # fmt: skip
        if self.mood == "before":
            raise SandboxError("the log does not answer")
        super().commit(name, epoch, messages, progress)
        if self.mood == "after":
            raise SandboxError("the log does not answer")


class Village:
    """All that roles need, and ways to look at what they do."""

    def __init__(self, prepared: Prepared, folder: Path, speed: float = SPEED) -> None:
        self.prepared, self.speed, self._folder = prepared, speed, folder
        self.topics = Topics.of(prepared.name, prepared.plan, PARTITIONS)
        self.log, self.shelf = MoodyLog(), Shelf()
        self.log.create(self.topics.all())
        self.clock = time.time
        self._writer = self.log.writer()

    def setting(self, name: str) -> Setting:
        metrics = LiveMetrics(self.topics.scenario, "test")
        return Setting(
            self.prepared, self.topics, self.log, self.shelf, metrics, name, self._folder,
            self.speed, lambda: self.clock(),
        )  # fmt: skip

    def post(self, topic: str, message: bytes, partition: int = 0) -> None:
        self._writer.send(Place(topic, partition), message)

    def serve(self, **state: Any) -> None:
        self.post(self.topics.serving, encode(ServingState(**{"champion": 1, **state})))

    def ask(self, action: str, **args: Any) -> str:
        id = f"c{np.random.default_rng().integers(1 << 40)}"
        self.post(self.topics.control, encode(Command(id, "ada", action, args)))
        return id

    def tell(self, kind: str, what: str = "", role: str = "trainer", **facts: Any) -> None:
        self.post(self.topics.happenings, encode(Happening(kind, what, role, facts=facts)))

    def messages(self, topic: str) -> list[bytes]:
        chunks = self.log.reader([topic]).poll(0.0, 1 << 30)
        return [value for chunk in chunks for value in chunk.values]

    def frames(self, topic: str) -> Batch:
        """Return the frames of a topic; of one that has events and labels, the labels."""
        frames = [read_frame(v) for v in self.messages(topic) if is_frame(v)]
        labels = [frame for frame in frames if "is_label" in frame]
        return Batch.concat(labels or frames)

    def happenings(self, kind: str = "") -> list[Happening]:
        said = [
            msgspec.json.decode(m, type=Happening) for m in self.messages(self.topics.happenings)
        ]
        return [one for one in said if kind in ("", one.kind)]

    def events(self, *, live: bool = True) -> Batch:
        """Return the events sent one by one, or those of the history."""
        messages = self.messages(self.topics.events)
        if live:
            codec = EventCodec(self.prepared.scenario.event)
            return codec.decode([m for m in messages if not is_frame(m)])
        frames = [read_frame(m) for m in messages if is_frame(m)]
        return Batch.concat([frame for frame in frames if "label_time" not in frame])


class Clerk:
    """Decides by a rule, at once and in order."""

    def __init__(self, village: Village, rule: Rule) -> None:
        self._village, self._rule = village, rule
        self._reader = village.log.reader([village.topics.events])
        self._codec = EventCodec(village.prepared.scenario.event)

    def step(self, patience: float) -> None:
        for chunk in self._reader.poll(0.0):
            frames = [read_frame(v) for v in chunk.values if is_frame(v)]
            plain = [v for v in chunk.values if not is_frame(v)]
            batches = [f for f in frames if "label_time" not in f]
            batches += [self._codec.decode(plain)] if plain else []
            for batch in batches:
                decide(self._village, batch, self._rule(batch), chunk.place.partition)


def decide(
    village: Village, events: Batch, decision: NDArray[np.int8], partition: int = 0, **more: Any
) -> None:
    """Put decisions on events into the log."""
    n, width = len(events), len(village.prepared.plan.names)
    row = {
        "score": decision / 2.0, "decision": decision.astype(np.int8),
        "explored": np.zeros(n, np.bool_), "fallback": np.zeros(n, np.bool_),
        "ruled": np.zeros(n, np.bool_), "dead": np.zeros(n, np.int8),
        "version": np.ones(n, np.int16), "challenger_score": np.full(n, np.nan),
        "sent": np.full(n, village.clock()), "features": np.zeros((n, width), np.float32),
    }  # fmt: skip
    rows = events.with_columns(**{**row, **more})
    village.post(village.topics.decisions, frame_of(rows), partition)


def send(village: Village, events: Batch) -> None:
    """Put events into the log one by one."""
    key = village.topics.stages[0]
    places = partition_of(events[key], PARTITIONS).tolist()
    messages = EventCodec(village.prepared.scenario.event).encode(events)
    for place, message in zip(places, messages, strict=True):
        village.post(village.topics.events, message, place)


def until(done: Callable[[], bool], *roles: Role | Clerk, seconds: float = 20.0) -> None:
    """Let roles work until something is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to that"
        for role in roles:
            role.step(0.0)
