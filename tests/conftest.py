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
from xdist.scheduler import LoadScopeScheduling

# Several test processes share few cores: more threads each would spend their time waiting.
os.environ.setdefault("OMP_THREAD_LIMIT", "1")

settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("quick")


BROKER = {
    "test_dashboards_live.py", "test_kafka_costs.py", "test_kafka_member.py", "test_processes.py",
    "test_reliability.py",
}  # fmt: skip
"""Files whose tests need a Kafka broker, one for all; they take their time by waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits for Kafka."""
    for item in items:
        needed = "kafka_broker" in getattr(item, "fixturenames", ())
        if needed and item.path.name not in BROKER:
            raise pytest.UsageError(f"{item.path.name}: name it in BROKER of {Path(__file__).name}")
    items.sort(key=lambda item: item.path.name not in BROKER)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Share tests between processes by module, so that what one prepares is prepared once."""
    config.option.loadscopereorder = False  # as they stand: what waits comes first
    return _ByModule(config, log)


class _ByModule(LoadScopeScheduling):
    """But for the drills, which prepare nothing and would keep a process busy to the end."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        if Path(file).name in BROKER:
            return "kafka"
        return nodeid if file == "tests/drills/test_contract.py" else file


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
