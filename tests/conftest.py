"""Settings for all tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Several test processes share few cores: more threads each would spend their time waiting.
os.environ.setdefault("OMP_THREAD_LIMIT", "1")

settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together where several processes share them.

    A module does, so that what it prepares is prepared once; but for the drills, which prepare
    nothing and would keep one process busy to the end. All that needs a Kafka broker shares one,
    and begins first: it takes its time by waiting.
    """
    for item in items:
        kafka = "kafka_broker" in getattr(item, "fixturenames", ())
        if item.path.name != "test_contract.py" or item.path.parent.name != "drills":
            item.add_marker(pytest.mark.xdist_group("kafka" if kafka else f"{item.path}"))
    items.sort(key=lambda item: "kafka_broker" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the clone."""
    return Path(__file__).parent.parent


@pytest.fixture
def prometheus(tmp_path: Path, project: Path) -> Iterator[str]:
    """Return the URL of a Prometheus with the configuration that Compose gives it."""
    binary = shutil.which("prometheus")
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Prometheus; see .ci/run")
        pytest.skip("Prometheus is not installed (Debian: apt install prometheus)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [
        binary, f"--config.file={project}/prometheus/prometheus.yml",
        "--storage.tsdb.path=data", "--log.level=error",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path) as process:
        try:
            _wait_for(f"{url}/-/ready")
            yield url
        finally:
            process.terminate()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Prometheus did not start")
