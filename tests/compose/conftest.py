"""A Docker engine of the tests' own, `docker compose`, and stand-ins for images nobody can pull.

Skipped unless asked for (``make test-compose``) on a machine that has all it needs: it takes
minutes and root. What it builds is kept in the user's cache folder.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "standins"
POM = ROOT / "tests" / "live" / "pom.xml"
COMPOSE = "github.com/docker/compose/v2@v2.40.3"
"""The newest that speaks to Debian's engine."""
PORTS = ("KAFKA", "CONTROL", "MLFLOW", "PROMETHEUS", "GRAFANA", "KAFKA_UI")
INDEX_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout", "proxy")
NEEDED = {
    "dockerd": "docker.io", "docker": "docker.io", "debootstrap": "debootstrap", "go": "golang",
    "mvn": "maven", "java": "openjdk-17-jre-headless",
}  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """A running engine and the environment in which `docker` and `sandbox` find it."""

    environment: Mapping[str, str]

    def run(
        self, *command: str, timeout: float = 120.0, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with this engine; its failure is shown, not raised."""
        done = subprocess.run(
            ["nice", "-n", "5", *command], cwd=ROOT, text=True, timeout=timeout, check=False,
            capture_output=True, env={**self.environment, **(more or {})},
        )  # fmt: skip
        if done.returncode:
            print(f"$ {' '.join(command)}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}")
        return done

    def need(self, *command: str, timeout: float = 120.0) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.run(*command, timeout=timeout)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def sandbox(self, *arguments: str, timeout: float = 120.0) -> str:
        """Run a command of ours that must succeed."""
        return self.need(sys.executable, "-m", "sandbox", *arguments, timeout=timeout)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Start an engine with every image that docker-compose.yml names."""
    _skip_where_it_cannot_run()
    cache = _cache()
    with tempfile.TemporaryDirectory(prefix="sandbox-engine-") as name:
        folder = Path(name)
        plugins = folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        shutil.copy(_compose_program(cache), plugins / "docker-compose")
        environment = {
            **os.environ, **_free_ports(), "DOCKER_HOST": f"unix://{folder}/docker.sock",
            "DOCKER_CONFIG": str(folder / "config"), "DOCKER_BUILDKIT": "1",
            "COMPOSE_FILE": f"docker-compose.yml:{_index_secrets(folder)}",
        }  # fmt: skip
        with _Daemon(folder, cache / "engine"):
            one = Engine(environment)
            _build_images(one, folder, cache)
            yield one
            one.run("docker", "image", "prune", "--force")  # what these replaced


def _skip_where_it_cannot_run() -> None:
    if not os.environ.get("SANDBOX_TEST_COMPOSE"):
        pytest.skip("starts a Docker engine and takes minutes; make test-compose runs it")
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("an engine of one's own needs root")
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(dict.fromkeys(missing))}")
    if Path("/var/run/docker.sock").exists() and not _refused(Path("/var/run/docker.sock")):
        pytest.skip("an engine runs here already; two would fight over the firewall")


def _refused(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) != 0


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(home) if home else Path.home() / ".cache") / "ml-design-sandbox" / "compose"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _free_ports() -> dict[str, str]:
    """Return a free port for each service, so that nothing else is in the way."""
    probes = [socket.socket() for _ in PORTS]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    found = {
        f"{name}_PORT": str(probe.getsockname()[1])
        for name, probe in zip(PORTS, probes, strict=True)
    }
    for probe in probes:
        probe.close()
    return found


def _compose_program(cache: Path) -> Path:
    """Build `docker compose` with the versions that its own module pins."""
    program = cache / f"docker-compose-{COMPOSE.rpartition('@')[2]}"
    if not program.exists():
        module, _, version = COMPOSE.partition("@")
        _must("go", "mod", "download", "-json", COMPOSE, cwd=cache)
        source = _must("go", "env", "GOMODCACHE", cwd=cache).strip()
        label = f"-X {module}/internal.Version={version}"
        draft = program.with_suffix(".part")
        _must("go", "build", "-C", f"{source}/{COMPOSE}", "-trimpath", "-ldflags", f"-s -w {label}",
              "-o", str(draft), "./cmd", cwd=cache, timeout=900)  # fmt: skip
        draft.replace(program)
    return program


class _Daemon:
    """dockerd, with folders of its own, ended with all that it started."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder, self._log = folder, folder / "dockerd.log"
        self._command = [
            "dockerd", f"--data-root={data}", f"--exec-root={folder}/exec",
            f"--pidfile={folder}/pid", f"--host=unix://{folder}/docker.sock",
        ]  # fmt: skip

    def __enter__(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "5", *self._command], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while _refused(self._folder / "docker.sock"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                pytest.fail(f"dockerd did not start:\n{self._log.read_text()[-3000:]}")
            time.sleep(0.2)

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _build_images(engine: Engine, folder: Path, cache: Path) -> None:
    """Build what Compose would pull, then our own images."""
    versions = dict(
        line.split("=", 1)
        for line in (ROOT / ".env").read_text().splitlines()
        if line and not line.startswith("#")
    )
    base = f"python:{versions['PYTHON_VERSION']}"
    if engine.run("docker", "image", "inspect", base).returncode:
        _import_base(engine, folder, base)
    context = folder / "standins"
    shutil.copytree(STAND_INS, context)
    _must("mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
          f"-DoutputDirectory={context}/kafka/jars", timeout=300)  # fmt: skip
    engine.need("docker", "compose", f"--file={context}/docker-compose.yml",
                f"--env-file={ROOT}/.env", "build", timeout=1200)  # fmt: skip
    engine.need("docker", "compose", "build", timeout=1800)


def _import_base(engine: Engine, folder: Path, tag: str) -> None:
    """Make a stand-in for the Python image: Debian, with the Python that it ships."""
    root = folder / "root"
    include = "--include=python3,python3-venv,python3-pip,ca-certificates"
    _must("debootstrap", "--variant=minbase", include, "bookworm", str(root), timeout=600)
    with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            ["docker", "import", "--change", 'CMD ["python3"]', "-", tag],
            stdin=tar.stdout, check=True, env=dict(engine.environment), timeout=300,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    assert tar.returncode == 0
    shutil.rmtree(root)


def _index_secrets(folder: Path) -> Path:
    """Write what gives a build this machine's package index, and nothing of it to an image."""
    listed = _must(sys.executable, "-m", "pip", "config", "list").splitlines()
    found = {
        key.rpartition(".")[2]: value.strip("'\"")
        for key, _, value in (line.partition("=") for line in listed)
    }
    lines = [f"{key} = {found[key]}" for key in INDEX_SETTINGS if key in found]
    authority = folder / "authority.pem"
    authority.touch()
    if "cert" in found:
        shutil.copy(found["cert"], authority)
        lines.append("cert = /run/secrets/ca")
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    override = folder / "secrets.yml"
    override.write_text(
        "services:\n"
        + "".join(f"  {name}: {{build: {{secrets: [pip, ca]}}}}\n" for name in ("topics", "mlflow"))
        + f"secrets:\n  pip: {{file: {folder}/pip.conf}}\n  ca: {{file: {authority}}}\n"
    )
    return override


def _must(*command: str, cwd: Path | None = None, timeout: float = 120.0) -> str:
    done = subprocess.run(
        ["nice", "-n", "5", *command], capture_output=True, text=True, check=False, cwd=cwd,
        timeout=timeout,
    )  # fmt: skip
    words: Sequence[str] = (done.stdout + done.stderr).splitlines()[-20:]
    assert done.returncode == 0, "\n".join([" ".join(command), *words])
    return done.stdout
