"""Versions in MLflow: whole or not at all, by number and by alias, and nothing goes elsewhere."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sandbox.adapters.mlflow import MlflowRegistry
from sandbox.errors import SandboxError, UsageError

FILES = {"version.json": b"{}", "scorer/model.ubj": bytes(range(256)), "baseline/a.json": b"[]"}
NAMES = count()


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An SQLite file of which only the first user pays for its tables."""
    made = f"sqlite:///{tmp_path_factory.mktemp('registry')}/sub/registry.db"
    MlflowRegistry(made, "parcels").numbers()
    return made


@pytest.fixture
def name() -> str:
    return f"scenario-{next(NAMES)}"


@pytest.fixture
def registry(uri: str, name: str) -> MlflowRegistry:
    return MlflowRegistry(uri, name)


def test_versions_come_back_as_they_were(registry: MlflowRegistry, uri: str, name: str) -> None:
    assert registry.add(FILES, {"trigger": "by hand"}) == 1
    assert registry.add({"version.json": b"2"}, {}) == 2
    again = MlflowRegistry(uri, name)
    assert again.numbers() == (1, 2)
    assert again.files(1) == FILES
    assert again.files(2) == {"version.json": b"2"}


def test_aliases(registry: MlflowRegistry) -> None:
    registry.add(FILES, {})
    registry.add(FILES, {})
    assert registry.alias("champion") is None
    registry.point("champion", 1)
    registry.point("challenger", 2)
    registry.point("champion", 2)
    assert (registry.alias("champion"), registry.alias("challenger")) == (2, 2)
    registry.point("challenger", None)
    registry.point("challenger", None)
    assert registry.alias("challenger") is None
    with pytest.raises(SandboxError, match="not found"):
        registry.point("champion", 9)
    assert registry.alias("champion") == 2


def test_facts_are_tags(registry: MlflowRegistry, uri: str, name: str) -> None:
    from mlflow.tracking.client import MlflowClient

    registry.add(FILES, {"trigger": "on psi", "reasons": "x" * 9000})
    tags = MlflowClient(uri, uri).get_model_version(name, "1").tags
    assert tags["trigger"] == "on psi"
    assert tags["reasons"].startswith("xxx")


def test_scenarios_are_apart(uri: str) -> None:
    one, other = (MlflowRegistry(uri, f"scenario-{next(NAMES)}") for _ in range(2))
    one.add(FILES, {})
    assert other.numbers() == ()
    assert other.add({"a": b"b"}, {}) == 1


def test_half_a_version_is_never_seen(
    registry: MlflowRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking.client import MlflowClient

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("create_model_version", "set_terminated", "log_artifacts"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(MlflowClient, step, die)
            registry.add(FILES, {})
        assert registry.numbers() == ()
    assert registry.add(FILES, {}) == 1
    assert registry.files(1) == FILES


def test_an_unknown_version_is_one_line(registry: MlflowRegistry) -> None:
    with pytest.raises(SandboxError, match=r"version=7\) not found") as caught:
        registry.files(7)
    assert "\n" not in caught.value.line()


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "r.db").write_text("no database")
    with pytest.raises(SandboxError, match="file is not a database"):
        MlflowRegistry(f"sqlite:///{tmp_path}/r.db", "parcels").numbers()


def test_a_server_that_is_away_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(SandboxError, match="the registry says"):
        MlflowRegistry(url, "parcels").numbers()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("uri", ["", "mlruns", "sqlite:///", "postgresql://x", "file:///tmp"])
def test_other_registries_are_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="not a registry"):
        MlflowRegistry(uri, "parcels")


def test_nothing_is_sent_home_and_pandas_is_not_needed(uri: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["pandas"] = None
from sandbox.adapters.mlflow import MlflowRegistry
registry = MlflowRegistry({uri!r}, "parcels")
registry.files(registry.add({{"a": b"b"}}, {{}}))
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client())
"""
    keep = {k: v for k, v in os.environ.items() if "PYTEST" not in k and k != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**keep, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server, where the whole of MLflow is installed (the Compose image has it)."""
    pytest.importorskip("flask", reason="mlflow-skinny has no server")
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(shutil.which("mlflow")), "server", "--host=127.0.0.1", f"--port={port}", "--workers=1",
        f"--backend-store-uri=sqlite:///{folder}/m.db", f"--artifacts-destination={folder}/files",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=folder) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url
        process.terminate()


def test_a_server_keeps_the_files(server: str) -> None:
    registry = MlflowRegistry(server, "parcels")
    assert registry.add(FILES, {"trigger": "by hand"}) == 1
    registry.point("champion", 1)
    assert registry.alias("champion") == 1
    assert registry.files(1) == FILES
