"""A worker in a process of its own, as ``sandbox role worker`` runs it, in a trial's topics.

It says ``ready`` once it holds partitions, and what it counted when it ends.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import kafka
from kafka.errors import KafkaError

from benchmarks.reliability.case import Case, load_prepared
from sandbox.adapters.event_log import Fenced, Member, Offsets, Place
from sandbox.adapters.kafka_log import KafkaLog, wait_for_broker
from sandbox.live.worker.worker import Worker

SNAPSHOT_EVERY = 2.0
COMMIT_EVERY = 0.5


class SeparateLog(KafkaLog):
    """The mistake that transactions prevent: outputs first, offsets afterwards."""

    def transactor(self, name: str) -> SeparateTransactor:
        """Return one that commits in two steps."""
        return SeparateTransactor(self)


class SeparateTransactor:
    """Writes outputs at once; commits offsets once in a while, as automatic commits do."""

    def __init__(self, log: KafkaLog) -> None:
        self._writer, self._committed = log.writer(), time.monotonic()

    def begin(self) -> None:
        """Nothing begins."""

    def send(self, place: Place, value: bytes) -> None:
        """Send it; nobody can take it back."""
        self._writer.send(place, value)

    def commit(self, progress: Mapping[Member, Offsets]) -> None:
        """Wait for the outputs, then commit the offsets where it is time."""
        self._writer.flush()
        if time.monotonic() - self._committed < COMMIT_EVERY:
            return
        self._committed = time.monotonic()
        for member, offsets in progress.items():
            try:
                member._consumer.commit({  # type: ignore[attr-defined]
                    kafka.TopicPartition(*place): kafka.structs.OffsetAndMetadata(offset, "", -1)
                    for place, offset in offsets.items()
                })  # fmt: skip
            except KafkaError as error:
                raise Fenced(f"offsets: {error}", replaced=False) from None

    def abort(self) -> None:
        """What is out is out."""

    def close(self) -> None:
        """Close the writer."""
        self._writer.close()


def main() -> int:
    """Work until told to end."""
    parser = argparse.ArgumentParser()
    for name in ("address", "prefix", "folder", "name"):
        parser.add_argument(name)
    parser.add_argument("--scenario", default="fraud")
    parser.add_argument("--separately", action="store_true")
    asked = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    case = Case(load_prepared(asked.scenario), asked.prefix, Path(asked.folder))
    wait_for_broker(asked.address, 120.0, stop.is_set)
    log = (SeparateLog if asked.separately else KafkaLog)(asked.address)
    setting = case.setting(log, asked.name)
    worker, said = Worker(setting, snapshot_every=SNAPSHOT_EVERY), False
    try:
        while not stop.is_set():
            worker.step(0.2)
            if not said and worker.ready():
                print("ready", flush=True)
                said = True
    finally:
        worker.close()
        log.close()
    print(json.dumps(_counts(setting.metrics.registry)), flush=True)
    return 0


def _counts(registry: object) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in registry.collect():  # type: ignore[attr-defined]
        for sample in metric.samples:
            if sample.name in _TOLD:
                name = "_".join([sample.name.removeprefix("sandbox_"), *sample.labels.values()])
                found[name] = sample.value
    return found


_TOLD = (
    "sandbox_transactions_total", "sandbox_replayed_events_total", "sandbox_restore_seconds_sum",
    "sandbox_restore_seconds_count", "sandbox_lost_messages_total", "sandbox_rebalances_total",
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
