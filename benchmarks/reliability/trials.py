"""The trials: what is done to workers and broker while events flow, and what came of it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import numpy as np
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from numpy.typing import NDArray

from benchmarks.broker import Broker
from benchmarks.reliability.audit import Audit, Decisions, Gone, audit, without_gaps
from benchmarks.reliability.case import PARTITIONS, Case, load_prepared
from benchmarks.reliability.crew import Crew
from sandbox.adapters.event_log import Place
from sandbox.adapters.kafka_log import KafkaLog

__all__ = ["TRIALS", "Result", "Size"]

THREE = ("worker-1", "worker-2", "worker-3")
SESSION = 6.0
SETTLED = 5.0
_PATIENCE = 180.0


@dataclass(frozen=True)
class Size:
    """How much of a trial is played."""

    kills: int = 25
    events: int = 210_000
    """Of the trial of kills; the others send a fifth."""
    rate: float = 3500.0
    """Events a second while things break."""

    @property
    def few(self) -> int:
        """Events of the shorter trials."""
        return self.events // 5


@dataclass(frozen=True)
class Result:
    """What came of a trial."""

    name: str
    audit: Audit
    recoveries: tuple[float, ...]
    """From each blow until every partition decided again [s]."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """What else was counted."""


class Flow:
    """Sends events at a rate in one thread, and watches the decisions in another.

    It sends as many events as asked for, and goes on until somebody waits for the end. Use it in a
    ``with``.
    """

    def __init__(self, case: Case, address: str, events: int, rate: float) -> None:
        self.case, self._events, self._rate = case, events, rate
        self._log, self._watch_log = KafkaLog(address), KafkaLog(address)
        case.open(self._log)
        self.sent: list[NDArray[np.int64]] = []
        self.decisions = Decisions()
        self._stop, self._enough = threading.Event(), threading.Event()
        self._failed: list[BaseException] = []
        self._sender = threading.Thread(target=self._guarded, args=(self._send,))
        self._watcher = threading.Thread(target=self._guarded, args=(self._watch,))

    def __enter__(self) -> Flow:
        self._watcher.start()
        return self

    def begin(self) -> None:
        """Begin to send."""
        self._sender.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._sender.ident is not None:
            self._sender.join()
        self._watcher.join()
        self._log.close()
        self._watch_log.close()

    def wait(self) -> None:
        """Let the flow end; wait until as many decisions as events came."""
        self._enough.set()
        self._sender.join()
        wanted, deadline = self.number, time.monotonic() + _PATIENCE
        while self.decisions.number < wanted and not self._failed:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.decisions.number} decisions of {wanted} events")
            time.sleep(0.1)
        if self._failed:
            raise self._failed[0]

    def settle(self) -> None:
        """Let the flow end; wait until no more decisions come."""
        self._enough.set()
        self._sender.join()
        before = -1
        while self.decisions.number != before:
            before = self.decisions.number
            time.sleep(SETTLED)
        if self._failed:
            raise self._failed[0]

    @property
    def number(self) -> int:
        """Events sent so far."""
        return sum(map(len, self.sent))

    def recovered(self, moment: float) -> float:
        """Wait until every partition has decided after a moment; return how long it took [s]."""
        deadline = time.monotonic() + _PATIENCE
        while (took := self.decisions.after(moment, PARTITIONS)) is None:
            if self._failed:
                raise self._failed[0]
            if time.monotonic() > deadline:
                raise AssertionError("no decisions came any more")
            time.sleep(0.05)
        return took

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failed.append(error)
            raise

    def _send(self) -> None:
        writer = self._log.writer()
        began, number = time.monotonic(), 0
        for messages, ids in self.case.streams():
            if number >= self._events and self._enough.is_set():
                break
            for place, value in messages:
                writer.send(place, value)
            number += len(ids)
            self.sent.append(ids)
            if self._stop.wait(max(began + number / self._rate - time.monotonic(), 0.0)):
                break
        writer.flush()
        writer.close()

    def _watch(self) -> None:
        reader = self._watch_log.reader([self.case.topics.decisions])
        id_name = self.case.prepared.scenario.event.id
        while not self._stop.is_set():
            self.decisions.take(reader.poll(0.2), id_name)
        reader.close()


@dataclass
class Scene:
    """What a trial works with."""

    broker: Broker
    folder: Path
    size: Size

    def case(self, *settings: str) -> Case:
        """Return a case with topics of its own."""
        return Case(load_prepared(extra=settings), f"trial-{uuid4().hex[:8]}", self.folder)

    def crew(self, case: Case, *, separately: bool = False) -> Crew:
        """Return a crew that nobody belongs to yet."""
        return Crew(self.broker.address, case.prefix, self.folder, separately=separately)

    def flow(self, case: Case, events: int) -> Flow:
        """Return a flow at this scene's rate."""
        return Flow(case, self.broker.address, events, self.size.rate)

    @contextmanager
    def log(self) -> Iterator[KafkaLog]:
        """Yield the broker's log."""
        log = KafkaLog(self.broker.address)
        try:
            yield log
        finally:
            log.close()

    def close(
        self, name: str, case: Case, flow: Flow, crew: Crew, recoveries: list[float],
        *, states: bool = True, gone: Gone = MappingProxyType({}),
    ) -> Result:  # fmt: skip
        """End the workers in order, audit the log, and return what came of it."""
        crew.end(*crew.names)
        with self.log() as log:
            found = audit(case, log, np.concatenate(flow.sent), states=states, gone=gone)
        return Result(name, found, tuple(recoveries), dict(crew.counts))


def kills(scene: Scene, *, separately: bool = False) -> Result:
    """Kill workers in turn, start each again."""
    case, recoveries = scene.case(), list[float]()
    name = "killed, offsets apart from outputs" if separately else "workers killed"
    with (
        scene.flow(case, scene.size.events) as flow,
        scene.crew(case, separately=separately) as crew,
    ):
        crew.start(*THREE)
        flow.begin()
        for number in range(scene.size.kills):
            victim = THREE[number % len(THREE)]
            moment = time.monotonic()
            crew.kill(victim)
            crew.start(victim, wait=False)
            recoveries.append(flow.recovered(moment))
            crew.wait_for(victim)
        if not separately:
            flow.wait()
        else:
            flow.settle()
        return scene.close(name, case, flow, crew, recoveries, states=not separately)


def separate(scene: Scene) -> Result:
    """The same with the mistake that transactions prevent: it must show."""
    fewer = Size(min(scene.size.kills, 8), scene.size.events // 2, scene.size.rate)
    return kills(Scene(scene.broker, scene.folder, fewer), separately=True)


def outlived(scene: Scene) -> Result:
    """Pause a worker past its session; others take its partitions; let it go on."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        moment = time.monotonic()
        crew.pause(THREE[0])
        time.sleep(SESSION + 2.0)
        recoveries.append(flow.recovered(moment))
        crew.resume(THREE[0])
        flow.wait()
        return scene.close("paused past its session", case, flow, crew, recoveries)


def replaced(scene: Scene) -> Result:
    """Pause a worker past its session, start another of its name, let the first go on."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        moment = time.monotonic()
        crew.pause(THREE[0])
        crew.rename(THREE[0], "paused")
        time.sleep(SESSION + 2.0)
        crew.start(THREE[0])
        recoveries.append(flow.recovered(moment))
        crew.resume("paused")
        refused = crew.ended("paused", "another process is worker-1 now")
        flow.wait()
        result = scene.close("paused, replaced, resumed", case, flow, crew, recoveries)
        return Result(result.name, result.audit, result.recoveries, {"refused": float(refused)})


def broker_killed(scene: Scene) -> Result:
    """Kill the broker while batches are under way, and start it again on its data."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        moment = time.monotonic()
        scene.broker.kill()
        time.sleep(2.0)
        scene.broker.start()
        recoveries.append(flow.recovered(moment))
        flow.wait()
        return scene.close("broker killed and restarted", case, flow, crew, recoveries)


def broker_absent(scene: Scene) -> Result:
    """Start workers before there is a broker."""
    case = scene.case()
    with scene.log() as log:
        case.open(log)
    scene.broker.kill()
    with scene.crew(case) as crew:
        crew.start(*THREE, wait=False)
        time.sleep(8.0)
        moment = time.monotonic()
        scene.broker.start()
        with scene.flow(case, scene.size.few) as flow:
            flow.begin()
            recoveries = [flow.recovered(moment)]
            flow.wait()
            return scene.close("no broker at start", case, flow, crew, recoveries)


def scaled(scene: Scene) -> Result:
    """Add two workers under load, then take two away."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(THREE[0])
        flow.begin()
        for name in THREE[1:]:
            moment = time.monotonic()
            crew.start(name)
            recoveries.append(flow.recovered(moment))
        for name in THREE[:2]:
            moment = time.monotonic()
            crew.end(name)
            recoveries.append(flow.recovered(moment))
        flow.wait()
        return scene.close("workers added and removed", case, flow, crew, recoveries)


def state_lost(scene: Scene) -> Result:
    """End all workers, delete what they kept on disk, go on with fewer of them."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        time.sleep(2.0)
        crew.end(*THREE)
        shutil.rmtree(case.state)
        moment = time.monotonic()
        crew.start(*THREE[:2])
        recoveries.append(flow.recovered(moment))
        flow.wait()
        return scene.close("state deleted, fewer workers", case, flow, crew, recoveries)


def messy(scene: Scene) -> Result:
    """Send events out of order, late, twice, and messages that are no events."""
    case = replace(scene.case(), messy=True)
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.wait()
        return scene.close("out of order, late, doubled, poison", case, flow, crew, [])


def retention(scene: Scene) -> Result:
    """Have retention take messages that nobody read."""
    case = scene.case()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        crew.end(*THREE)
        time.sleep(3.0)
        gone, taken = _forget_half(scene.broker.address, case)
        moment = time.monotonic()
        crew.start(*THREE)
        recoveries = [flow.recovered(moment)]
        flow.settle()
        name = "retention took unread messages"
        crew.end(*crew.names)
        with scene.log() as log:
            gone = without_gaps(case, log, gone)
        result = scene.close(name, case, flow, crew, recoveries, gone=gone)
        facts = {"taken": float(taken), "reported": crew.counts.get("lost_messages_total", 0.0)}
        return Result(result.name, result.audit, result.recoveries, facts)


def _forget_half(address: str, case: Case) -> tuple[Gone, int]:
    """Delete what the first stage has read and half of what it has not.

    Returns what it has read, and how many messages it will never read.
    """
    topic, group = case.topics.events, case.topics.group(case.topics.stages[0])
    admin = KafkaAdminClient(bootstrap_servers=address)
    log = KafkaLog(address)
    try:
        found = admin.list_group_offsets(group)[group]
        committed = {Place(at.topic, at.partition): one.offset for at, one in found.items()}
        places = case.topics.places(topic)
        read = {p: list(log.between(p, 0, committed.get(p, 0))) for p in places}
        ends = log.ends(places)
        until = {p: (committed.get(p, 0) + end + 1) // 2 for p, end in ends.items()}
        admin.delete_records({TopicPartition(*place): at for place, at in until.items()})
        return read, sum(at - committed.get(place, 0) for place, at in until.items())
    finally:
        log.close()
        admin.close()


TRIALS: Mapping[str, Callable[[Scene], Result]] = {
    "kills": kills,
    "separate": separate,
    "outlived": outlived,
    "replaced": replaced,
    "broker-killed": broker_killed,
    "broker-absent": broker_absent,
    "scaled": scaled,
    "state-lost": state_lost,
    "messy": messy,
    "retention": retention,
}
