"""Interviews on disk: whole after every answer, taken up after a kill, found out when changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.errors import OutputError, UsageError
from sandbox.interview.notes import Setup
from sandbox.interview.room import Room


@pytest.fixture
def room(roots: tuple[Path, ...], tmp_path: Path) -> Room:
    return Room(tmp_path / "home", roots, lambda text: None)


def test_an_interview_is_taken_up_where_it_was(room: Room) -> None:
    seat = room.start("fraud", Setup("staff"))
    room.give(seat, "How fast must we answer?", 10.0)
    room.give(seat, "done", 20.0)
    kept = room.store.latest("fraud")
    assert kept is not None and kept.setup.level == "staff"
    again = room.open(kept)
    assert again.session.notes.asked == ["latency"] and again.session.spent == 20.0
    assert again.session.prompt == seat.session.prompt
    assert room.store.latest("other") is None


def test_several_side_by_side_and_history_of_none(room: Room) -> None:
    first = room.start("fraud", Setup())
    second = room.start("fraud", Setup())
    assert (first.kept.name, second.kept.name) == ("fraud-senior", "fraud-senior-2")
    assert room.history() == []


def test_a_changed_file_is_found_out(room: Room, tmp_path: Path) -> None:
    seat = room.start("fraud", Setup())
    room.give(seat, "How fast must we answer?", 10.0)
    file = tmp_path / "home" / "fraud-senior.json"
    body = json.loads(file.read_text())
    body["steps"][0]["text"] = "What does it cost?"
    file.write_text(json.dumps(body))
    with pytest.raises(UsageError, match="not a session file"):
        room.store.load("fraud-senior")


def test_an_interview_that_changed_meanwhile(room: Room) -> None:
    seat = room.start("fraud", Setup())
    with pytest.raises(UsageError, match="has changed since"):
        room.open(replace(seat.kept, fingerprint="another"))


def test_a_full_disk_keeps_the_former_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    seat = room.start("fraud", Setup())
    room.give(seat, "How fast must we answer?", 10.0)
    before = room.store.load(seat.kept.name)

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="no space left"):
        room.give(seat, "done", 20.0)
    monkeypatch.undo()
    assert room.store.load(seat.kept.name) == before


def test_kill_and_interrupt_lose_nothing(roots: tuple[Path, ...], tmp_path: Path) -> None:
    """SIGKILL, then SIGINT, while it waits for the next answer; both times all is there."""
    home = tmp_path / "home"
    arguments = ["walkthrough", "fraud", "--home", str(home), "--scenarios", str(roots[0])]
    # Whoever runs the tests in the background may have left SIGINT ignored, which is inherited.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        f"from sandbox.cli.main import main; sys.exit(main({arguments!r}))"
    )
    room = Room(home, roots, lambda text: None)
    for count, sent in ((1, signal.SIGKILL), (2, signal.SIGINT)):
        with subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(["How fast must we answer?\n", "How rare is fraud?\n"][count - 1])
            process.stdin.flush()
            kept = wait_for(room, count)
            process.send_signal(sent)
            out, err = process.communicate(timeout=60)
        assert kept is not None and len(kept.steps) == count
        if sent == signal.SIGINT:
            assert process.returncode == 130 and "Traceback" not in err
            assert "is kept" in out and "Going on with fraud-senior, 1 answers in" in out
    assert room.open(room.store.load("fraud-senior")).session.notes.asked == [
        "latency", "base_rate",
    ]  # fmt: skip


def wait_for(room: Room, count: int):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if "fraud-senior" in room.store.names():
            kept = room.store.load("fraud-senior")
            if len(kept.steps) == count:
                return kept
        time.sleep(0.1)
    return None
