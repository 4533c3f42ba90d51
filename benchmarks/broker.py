"""A real Kafka broker on loopback, from Maven Central: started, killed, started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

__all__ = ["POM", "Broker", "a_broker", "free_port", "missing_programs"]

POM = Path(__file__).parent.parent / "tests" / "live" / "pom.xml"
# What docker-compose.yml tells its broker, where it matters to clients.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""
_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
"""An id of a cluster is 16 bytes in base64; any will do."""
_PATIENCE = 60.0


def missing_programs() -> list[str]:
    """Return what a broker needs and this machine has not."""
    return [program for program in ("java", "mvn") if shutil.which(program) is None]


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Broker:
    """One broker with its data in a folder.

    Parameters
    ----------
    folder
        For jars, settings, data and what it prints.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._log: BinaryIO = (folder / "broker.log").open("ab")
        copy = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
                f"-DoutputDirectory={folder}/jars"]  # fmt: skip
        subprocess.run(copy, check=True, timeout=300)
        self._settings.write_text(
            SETTINGS.format(port=self.port, controller=free_port(), folder=folder)
        )
        self._java("kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(self._settings))

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the broker."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [*self._virtual_machine(), "kafka.Kafka", str(self._settings)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError(f"the broker did not start, see {self._folder}/broker.log")

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kill it, and close its log."""
        self.kill()
        self._log.close()

    def _java(self, *arguments: str) -> None:
        subprocess.run(
            [*self._virtual_machine(), *arguments], check=True, timeout=_PATIENCE,
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def _virtual_machine(self) -> list[str]:
        return ["java", "-Xmx512m", "-cp", f"{self._folder}/jars/*"]


@contextmanager
def a_broker(folder: Path | None = None) -> Iterator[Broker]:
    """Yield a broker that listens, and end it; its folder goes with it if none was given."""
    with TemporaryDirectory(prefix="kafka-") as own:
        broker = Broker(folder or Path(own))
        try:
            broker.start()
            yield broker
        finally:
            broker.close()


def skip_reason() -> tuple[str, bool]:
    """Return why there can be no broker (empty if there can), and whether that is a failure."""
    missing = missing_programs()
    reason = f"{' and '.join(missing)} not installed; a real broker needs them" if missing else ""
    return reason, bool(os.environ.get("CI"))
