"""`sandbox up` and `down` in containers, with a `docker` that only remembers what it was told."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.compose import down_compose, up_compose
from sandbox.errors import SandboxError, UsageError

DOCKER = """\
#!{python}
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
words = sys.argv[1:]
seen = {{name: os.environ[name] for name in os.environ if name in {watched!r}}}
with open(folder / "calls", "a") as calls:
    print(json.dumps([words, seen, os.getcwd()]), file=calls)
for words_of, (code, out, error) in json.loads((folder / "answers").read_text()).items():
    if all(word in words for word in words_of.split()):
        print(out)
        print(error, file=sys.stderr)
        sys.exit(code)
"""
WATCHED = ("SCENARIO", "SPEED", "SEED", "WORKERS", "SCENARIOS", "DESIGN", "DESIGNS")
SERVICES = {
    "services": {
        "grafana": {
            "ports": [{"host_ip": "127.0.0.1", "published": "0"}],
            "labels": {"sandbox.address": "http://localhost:3000", "sandbox.for": "dashboards"},
        },
        "worker": {},
    }
}


class Docker:
    """The stand-in: its answers by words of the command, and the calls it got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, tuple[int, str, str]] = {"config": (0, json.dumps(SERVICES), "")}
        (folder / "docker").write_text(DOCKER.format(python=sys.executable, watched=WATCHED))
        (folder / "docker").chmod(0o755)
        self.answer("version", 0)

    def answer(self, words: str, code: int, out: str = "", error: str = "") -> None:
        self.answers[words] = (code, out, error)
        (self.folder / "answers").write_text(json.dumps(self.answers))

    def calls(self) -> list[tuple[list[str], dict[str, str], str]]:
        """Return words, settings and folder of each call."""
        return [tuple(json.loads(x)) for x in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in WATCHED:
        monkeypatch.delenv(name, raising=False)
    return Docker(folder)


def up(**more: Any) -> None:
    up_compose("fraud", **{"speed": 1440.0, "design": None, "seed": 7, **more})


def test_up_hands_over_the_settings_and_prints_addresses(
    docker: Docker, capsys: pytest.CaptureFixture[str]
) -> None:
    up(workers=3)
    words, seen, folder = docker.calls()[-1]
    assert words == ["compose", "up", "--detach", "--build", "--wait"]
    assert (Path(folder) / "docker-compose.yml").exists()
    scenarios = Path(seen.pop("SCENARIOS"))
    assert (scenarios / "fraud" / "scenario.yaml").exists()
    assert seen == {"SCENARIO": "fraud", "SPEED": "1440", "SEED": "7", "WORKERS": "3"}
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["grafana", "http://localhost:3000", "dashboards"] in rows


def test_a_design_and_scenarios_of_ones_own_are_mounted(docker: Docker, tmp_path: Path) -> None:
    import sandbox

    given = Path(sandbox.__file__).parents[1] / "scenarios" / "fraud"
    mine = tmp_path / "mine"
    shutil.copytree(given, mine / "fraud")
    design = tmp_path / "better.yaml"
    shutil.copy(given / "design.yaml", design)
    up(design=design, scenarios=[mine], tools=True)
    words, seen, _ = docker.calls()[-1]
    assert "--profile=tools" in words
    assert seen["SCENARIOS"] == str(mine)
    assert (seen["DESIGNS"], seen["DESIGN"]) == (str(tmp_path), "/designs/better.yaml")


def test_json_is_rows(docker: Docker, capsys: pytest.CaptureFixture[str]) -> None:
    up(as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"service": "grafana", "address": "http://localhost:3000", "for": "dashboards"}
    ]


def test_a_wrong_scenario_starts_nothing(docker: Docker) -> None:
    with pytest.raises(UsageError, match="unknown scenario"):
        up_compose("froud", speed=1440, design=None, seed=7)
    assert not (docker.folder / "calls").exists()


def test_what_is_not_ready_is_named(docker: Docker) -> None:
    rows = [
        {"Service": "kafka", "State": "running", "Health": "healthy", "ExitCode": 0},
        {"Service": "topics", "State": "exited", "Health": "", "ExitCode": 0},
        {"Service": "trainer", "State": "exited", "Health": "", "ExitCode": 3},
        {"Service": "worker", "State": "running", "Health": "unhealthy", "ExitCode": 0},
    ]
    docker.answer("up --wait", 1)
    docker.answer("ps --all", 0, "\n".join(map(json.dumps, rows)))
    with pytest.raises(SandboxError) as caught:
        up()
    assert caught.value.line() == (
        "up: not ready: trainer (exited 3), worker (unhealthy). "
        "`docker compose logs trainer worker` says why."
    )


def test_a_taken_port_is_named_unless_it_is_ours(docker: Docker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        services = json.loads(json.dumps(SERVICES))
        number = str(taken.getsockname()[1])
        services["services"]["grafana"]["ports"][0]["published"] = number
        docker.answer("config", 0, json.dumps(services))
        with pytest.raises(SandboxError, match=f"up: port {number} for grafana is not free"):
            up()
        docker.answer("ps --quiet", 0, "a1b2c3")
        up()


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("compose version", "docker: 'compose' is not a command", "`docker compose` is missing"),
        ("version", "Cannot connect to the daemon", "no Docker engine answers"),
        ("config", "bad\nservices.x: nonsense", "Compose refuses it: services.x: nonsense"),
    ],
)
def test_what_is_missing_is_one_line(docker: Docker, words: str, error: str, message: str) -> None:
    fine = {"compose version": (0, "", "")} if words == "version" else {}
    docker.answers = {**fine, words: (1, "", error), **docker.answers}
    docker.answer(words, 1, "", error)
    with pytest.raises(SandboxError) as caught:
        up()
    assert message in caught.value.line()
    assert error.splitlines()[-1] in caught.value.line()


def test_without_docker_it_says_what_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError) as caught:
        down_compose()
    assert caught.value.line() == (
        "down: Docker is not installed. Install it; `sandbox up NAME --embedded` does without."
    )


def test_outside_a_clone_another_projects_file_is_left_alone(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sandbox

    monkeypatch.setattr(sandbox, "__file__", str(tmp_path / "site" / "sandbox" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker-compose.yml").write_text("name: theirs\nservices: {}\n")
    with pytest.raises(UsageError, match=r"down: no docker-compose.yml of this project here"):
        down_compose()


@pytest.mark.parametrize("volumes", [False, True])
def test_down_keeps_volumes_unless_asked(
    docker: Docker, volumes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    down_compose(volumes=volumes, as_json=True)
    words, _, _ = docker.calls()[-1]
    assert "--profile=tools" in words and "down" in words
    assert ("--volumes" in words) == volumes
    assert json.loads(capsys.readouterr().out) == {"down": True, "volumes_removed": volumes}


def test_down_that_fails_says_so(docker: Docker) -> None:
    docker.answer("down", 1)
    with pytest.raises(SandboxError, match="down: docker compose failed"):
        down_compose()
