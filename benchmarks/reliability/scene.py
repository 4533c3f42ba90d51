"""What a trial works with: events that flow, workers that are hurt, an audit in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from benchmarks.broker import Broker
from benchmarks.reliability.audit import Audit, Decisions, Gone, audit
from benchmarks.reliability.case import PARTITIONS, Case, load_prepared
from benchmarks.reliability.crew import Crew
from sandbox.adapters.kafka_log import KafkaLog

__all__ = ["Flow", "Result", "Scene", "Size"]

SETTLED = 5.0
_PATIENCE = 300.0


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

    def case(self, *settings: str, scenario: str = "fraud") -> Case:
        """Return a case with topics of its own."""
        prepared = load_prepared(scenario, extra=settings)
        return Case(prepared, f"trial-{uuid4().hex[:8]}", self.folder)

    def crew(self, case: Case, *, separately: bool = False) -> Crew:
        """Return a crew that nobody belongs to yet."""
        return Crew(
            self.broker.address, case.prefix, self.folder, separately=separately,
            scenario=case.prepared.name,
        )  # fmt: skip

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
