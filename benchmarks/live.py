"""Events a second and latency of a live worker on a real broker, beside Quix Streams.

    python benchmarks/live.py [--smoke] [--write]

One worker does all there is to do: read events one by one as JSON, check them, fold the features of
two keyed stages with a repartition between them, score, decide, and write decisions with their
features, exactly once. Quix Streams computes the same features on the same broker in the same run,
in an environment of its own. What is counted and timed is what a reader of committed messages gets.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import kafka
import numpy as np
from numpy.typing import NDArray

from benchmarks.broker import Broker, a_broker
from benchmarks.reliability.case import Case, load_prepared
from benchmarks.reliability.crew import Crew
from benchmarks.sheet import ROOT, Row, machine, publish, table
from sandbox.adapters.event_log import Chunk
from sandbox.adapters.kafka_log import KafkaLog
from sandbox.live.frames import read_frame
from sandbox.pipeline.codec import EventCodec

PEER = Path(__file__).with_name("quix_peer.py")
PEER_VERSION = "quixstreams==3.28.1"
PEER_HOME = Path(__file__).parents[1] / ".venv-quix"
WARM = 0.2
"""Share of the events that come before the clock starts: processes start, kernels load."""
SECONDS = 20.0
"""How long the half load lasts."""
QUANTILES = (0.5, 0.99)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    events: int
    peer_events: int
    seconds: float


FULL, SMOKE = Size(200_000, 40_000, SECONDS), Size(12_000, 3_000, 4.0)


class Watch:
    """Counts what a reader of committed messages gets, with the time at which it got it."""

    def __init__(self, address: str, topic: str, rows: Callable[[Chunk], NDArray[np.float64]]):
        self._log = KafkaLog(address)
        self._reader, self._rows = self._log.reader([topic]), rows
        self.got: list[tuple[float, NDArray[np.float64]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def number(self) -> int:
        return sum(len(rows) for _, rows in self.got)

    def wait(self, number: int, patience: float = 300.0) -> None:
        deadline = time.monotonic() + patience
        while self.number < number:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.number} of {number} came")
            time.sleep(0.02)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._reader.close()
        self._log.close()

    def took(self, number: int) -> tuple[int, float]:
        """Return how many came after the warm-up, and in what time [s]."""
        counts = np.cumsum([len(rows) for _, rows in self.got])
        times = np.array([at for at, _ in self.got])
        begin = int(np.searchsorted(counts, WARM * number))
        end = int(np.searchsorted(counts, number))
        return int(counts[end] - counts[begin]), float(times[end] - times[begin])

    def _watch(self) -> None:
        while not self._stop.is_set():
            for chunk in self._reader.poll(0.1):
                self.got.append((time.time(), self._rows(chunk)))


def sent_times(chunk: Chunk) -> NDArray[np.float64]:
    """Return when each decided event was sent [s since epoch]."""
    return np.concatenate([read_frame(value)["sent"] for value in chunk.values])


def drained(broker: Broker, folder: Path, events: int, workers: int) -> tuple[int, float]:
    """Return events and seconds of workers that find a full log."""
    case = Case(load_prepared(), f"drain-{uuid4().hex[:8]}", folder)
    log = KafkaLog(broker.address)
    case.open(log)
    fill(case, log, events)
    watch = Watch(broker.address, case.topics.decisions, sent_times)
    names = [f"worker-{n + 1}" for n in range(workers)]
    with Crew(broker.address, case.prefix, folder) as crew:
        crew.start(*names, wait=False)
        watch.wait(events)
        crew.end(*names)
    watch.close()
    log.close()
    return watch.took(events)


def fill(case: Case, log: KafkaLog, events: int) -> int:
    """Send events as fast as the log takes them; return how many."""
    writer, sent = log.writer(), 0
    for messages, ids in case.streams():
        for place, value in messages:
            writer.send(place, value)
        sent += len(ids)
        if sent >= events:
            break
    writer.close()
    return sent


def latencies(
    broker: Broker, folder: Path, rate: float, seconds: float
) -> tuple[NDArray[np.float64], float]:
    """Return the time from event to decision [s] at a steady rate, and the rate reached."""
    case = Case(load_prepared(), f"steady-{uuid4().hex[:8]}", folder)
    log = KafkaLog(broker.address)
    case.open(log)
    watch = Watch(broker.address, case.topics.decisions, sent_times)
    with Crew(broker.address, case.prefix, folder) as crew:
        crew.start("worker-1")
        command = [sys.executable, "-m", "benchmarks.reliability.sender", broker.address,
                   case.prefix, str(folder), f"{rate}", f"{seconds * (1 + WARM)}"]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        sent, reached = (float(word) for word in done.stdout.split())
        watch.wait(round(sent))
        crew.end("worker-1")
    watch.close()
    log.close()
    waits = np.concatenate([at - rows for at, rows in watch.got])
    return waits[round(len(waits) * WARM) :], reached


@contextmanager
def a_peer(broker: Broker, source: str, output: str, folder: Path) -> Iterator[None]:
    """Run Quix Streams in an environment of its own."""
    python = PEER_HOME / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER_HOME)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet",
                   "--disable-pip-version-check", PEER_VERSION]  # fmt: skip
        subprocess.run(install, check=True)
    group = f"quix-{uuid4().hex[:8]}"
    command = [str(python), str(PEER), broker.address, source, output, group, str(folder / group)]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.kill()


def peer_drained(broker: Broker, folder: Path, events: int) -> tuple[int, float]:
    """Return events and seconds of Quix Streams on a full log, keyed as it needs it."""
    case = Case(load_prepared(), f"peer-{uuid4().hex[:8]}", folder)
    log = KafkaLog(broker.address)
    source, output = f"{case.prefix}.in", f"{case.prefix}.out"
    log.create({source: case.topics.partitions, output: case.topics.partitions})
    producer = kafka.KafkaProducer(bootstrap_servers=broker.address, linger_ms=5)
    codec, key = EventCodec(case.prepared.scenario.event), case.prepared.plan.stages[0]
    sent = 0
    for block in case.blocks():
        for value, owner in zip(
            codec.encode(block.observed), block.observed[key].tolist(), strict=True
        ):
            producer.send(source, value, key=str(owner).encode())
        sent += len(block.observed)
        if sent >= events:
            break
    producer.close()
    watch = Watch(broker.address, output, lambda chunk: np.array(chunk.sent))
    with a_peer(broker, source, output, folder):
        watch.wait(events, 600.0)
    watch.close()
    log.close()
    return watch.took(events)


def main() -> int:
    """Measure, print and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    size = SMOKE if asked.smoke else FULL
    with a_broker() as broker, TemporaryDirectory() as name:
        folder = Path(name)
        one = drained(broker, folder, size.events, 1)
        two = drained(broker, folder, size.events, 2)
        peer = peer_drained(broker, folder, size.peer_events)
        half = 0.5 * one[0] / one[1]
        waits, reached = latencies(broker, folder, half, size.seconds)
    rows = [
        Row("sandbox, 1 worker", *one), Row("sandbox, 2 workers", *two),
        Row("Quix Streams, 1 process", *peer, note="no schema check, no labels, no model"),
    ]  # fmt: skip
    p50, p99 = np.quantile(waits, QUANTILES) * 1e3
    said = (
        f"At {reached:,.0f} events/s, half of what one worker can do, a reader has the decision "
        f"{p50:.0f} ms (median) and {p99:.0f} ms (p99) after the event was sent "
        f"({len(waits):,} events)."
    )
    lines = ["## A live worker on a real broker", "", *table(rows, "Quix Streams, 1 process"), "",
             said, "", machine()]  # fmt: skip
    publish("live", lines, write=asked.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
