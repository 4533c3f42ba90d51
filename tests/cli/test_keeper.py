"""The keeper: the same answers as without it, and gone when it should be."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.cli import keeper_link
from sandbox.cli.keeper import serve
from sandbox.cli.main import main

Start = Callable[[float], "subprocess.Popen[bytes]"]


@pytest.fixture
def room(on_call: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for the socket, apart from the user's, and with a short name as sockets need."""
    monkeypatch.delenv(keeper_link.OFF, raising=False)
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield on_call


@pytest.fixture
def start(room: Path) -> Iterator[Start]:
    """Return what starts a keeper that ends after so many idle seconds."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(idle: float) -> subprocess.Popen[bytes]:
        code = f"from sandbox.cli.keeper import serve; serve({idle})"
        running.append(subprocess.Popen([sys.executable, "-c", code]))
        deadline = time.monotonic() + 60
        while keeper_link.exchange({"key": keeper_link.agreement(), "arguments": []}) is None:
            assert time.monotonic() < deadline and running[-1].poll() is None
            time.sleep(0.05)
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def test_it_answers_as_the_command_does(
    room: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keeper_link.ask(["drill", "sessions"]) is None, "nobody is there yet"
    start(60.0)
    assert keeper_link.ask(["drill", "start", "parcels/grumbling", "--quiet"]) == 0
    assert "Customers grumble." in capsys.readouterr().out
    assert keeper_link.ask(["drill", "advance", "1d"]) == 0
    out, err = capsys.readouterr()
    assert "1d passed" in out and not err, "it was not played again"
    assert keeper_link.ask(["drill", "do", "promote", "now=1"]) == 2
    assert "takes no settings" in capsys.readouterr().err
    assert keeper_link.ask(["drill", "look", "money"]) == 0
    theirs = capsys.readouterr().out
    assert main(["drill", "look", "money"]) == 0
    out, err = capsys.readouterr()
    assert out == theirs and "taking it up again, 2 steps" in err
    assert keeper_link.ask(["drill", "advance", "6h"]) == 0
    assert "taking it up again, 3 steps" in capsys.readouterr().err, "the file had gone on"
    assert keeper_link.ask(["drill", "advance", "6h"]) == 0
    assert not capsys.readouterr().err


def test_it_ends_when_nobody_asks(start: Start) -> None:
    process = start(0.3)
    assert process.wait(timeout=30) == 0
    assert not keeper_link.socket_place().exists()


def test_it_ends_when_the_package_changed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    process = start(60.0)
    monkeypatch.setattr(keeper_link, "agreement", lambda: "another version")
    assert keeper_link.ask(["drill", "sessions"]) is None
    assert process.wait(timeout=30) == 0


def test_nonsense_does_not_end_it(start: Start) -> None:
    start(60.0)
    import socket

    for words in (b"", b"hello\n", b"[]\n", b'{"arguments": []}\n'):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(keeper_link.socket_place()))
            client.sendall(words)
    assert keeper_link.ask(["drill", "sessions"]) == 0


def test_it_can_be_left_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    start(60.0)
    monkeypatch.setenv(keeper_link.OFF, "1")
    assert keeper_link.ask(["drill", "sessions"]) is None


def test_no_folder_of_others_is_used(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keeper_link.socket_place().parent
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o755)
    assert not keeper_link.socket_place().parent.exists()
    folder.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{folder}/{'x' * 90}")
    Path(f"{folder}/{'x' * 90}").mkdir()
    assert not keeper_link.socket_place().parent.exists()
    serve(0.1)
    assert keeper_link.ask(["drill", "sessions"]) is None


def test_nobody_at_a_terminal_wakes_none(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: begun.append(a))
    keeper_link.wake()
    assert not begun
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    keeper_link.wake()
    assert len(begun) == 1
    monkeypatch.setenv(keeper_link.OFF, "1")
    keeper_link.wake()
    assert len(begun) == 1
