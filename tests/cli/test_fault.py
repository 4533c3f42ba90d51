"""`sandbox fault`: what it says, and that asking it to end undoes what it did."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.adapters import docker
from sandbox.cli.main import main


class Told(list[str]):
    """What happened to the container, in order."""

    name = "sandbox-worker-1"
    meanwhile: Callable[[], object] = staticmethod(lambda: None)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Put a container that only remembers in the engine's place."""
    told = Told()

    @contextmanager
    def connected(environment: Mapping[str, str]) -> Iterator[Told]:
        yield told

    @contextmanager
    def troubled(container: Told, kind: str, share: float) -> Iterator[None]:
        container.append(f"{kind} {share:g}")
        threading.Timer(0.05, told.meanwhile).start()
        yield
        container.append("undone")

    def container_of(client: Told, project: str, service: str, number: int | None) -> Told:
        client.append(f"{project} {service} {number}")
        return client

    for name, stand_in in {
        "connected": connected, "troubled": troubled, "container_of": container_of
    }.items():  # fmt: skip
        monkeypatch.setattr(docker, name, stand_in)
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    return told


def test_it_says_what_it_does_and_undoes(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fault", "kill", "worker", "--for", "0.1s"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sandbox-worker-1: killed for 100ms; Ctrl-C ends it now."
    assert lines[1].startswith("sandbox-worker-1: started again after 0.")
    assert told == ["sandbox worker None", "kill 0.1", "undone"]


def test_json_is_one_object(
    told: Told, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "mine")
    assert main(["fault", "slow", "worker", "--to", "5%", "--for", "0", "--index", "2",
                 "--json"]) == 0  # fmt: skip
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said.pop("seconds") < 1
    assert said == {"fault": "slow", "service": "worker", "container": "sandbox-worker-1"}
    assert told == ["mine worker 2", "slow 0.05", "undone"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_it_undoes_and_leaves_with_130(
    told: Told, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    former = signal.getsignal(number)
    told.meanwhile = lambda: os.kill(os.getpid(), number)
    assert main(["fault", "pause", "kafka", "--for", "60s"]) == 130
    assert told[-1] == "undone"
    assert "unpaused after 0." in capsys.readouterr().out
    assert signal.getsignal(number) is former


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kill", "worker", "--for", "soon"], "--for: not a length of time; got 'soon'"),
        (["kill", "worker", "--for", "5%"], "--for: not a length of time; got '5%'"),
        (["kill", "worker", "--for=-3s"], "--for: not a length of time; got '-3s'"),
        (["kill", "worker", "--to", "5%"], "--to: goes with slow only; got 'kill --to 5%'"),
        (["slow", "worker", "--to", "0"], "--to: not a share; got '0'"),
        (["slow", "worker", "--to", "100%"], "--to: not a share; got '100%'"),
        (["burn", "worker"], "'burn' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_and_touches_nothing(
    told: Told, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fault", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert told == []
