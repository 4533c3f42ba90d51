"""A real Kafka broker on loopback, from Maven Central; skipped without Java, never in CI."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

POM = Path(__file__).parent / "pom.xml"
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return ``HOST:PORT`` of a broker with an empty log."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing:
        reason = f"{' and '.join(missing)} not installed; a real broker needs them"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("kafka")
    copy = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
            f"-DoutputDirectory={folder}/jars"]  # fmt: skip
    subprocess.run(copy, check=True, timeout=300)
    port = _free_port()
    settings = folder / "server.properties"
    settings.write_text(SETTINGS.format(port=port, controller=_free_port(), folder=folder))
    java = ["java", "-Xmx512m", "-cp", f"{folder}/jars/*"]
    # A cluster id is 16 bytes in base64; any will do.
    storage = ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"]
    with (folder / "broker.log").open("wb") as log:
        subprocess.run(
            [*java, *storage, str(settings)], check=True, timeout=60, stdout=log, stderr=log
        )
        command = [*java, "kafka.Kafka", str(settings)]
        with subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                _wait_for(port, process)
                yield f"127.0.0.1:{port}"
            finally:
                process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the broker did not start")
