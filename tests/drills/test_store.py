"""Sessions on disk: whole after every step, found out when changed, safe from others."""

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

from sandbox.drills.desk import Desk
from sandbox.drills.session import Step
from sandbox.drills.store import SessionStore
from sandbox.errors import OutputError, SandboxError, UsageError
from tests.drills.conftest import NAME


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "home")


def kept_steps(store: SessionStore) -> str:
    kept = store.create("a/b", 3, "print")
    steps = tuple(Step(6.0 * i, f"advance {i}d", "said", "digest") for i in range(1, 4))
    store.save(replace(kept, steps=steps))
    return kept.name


def test_what_was_kept_is_read_back(store: SessionStore) -> None:
    name = kept_steps(store)
    kept = store.load(name)
    assert (kept.name, kept.drill, kept.seed, len(kept.steps)) == ("a-b-3", "a/b", 3, 3)
    assert kept == store.latest() and not kept.over
    assert store.create("a/b", 3, "print").name == "a-b-3-2"
    assert store.names()[-1] == "a-b-3-2"


@pytest.mark.parametrize("spoil", ["step", "seed", "cut", "empty", "foreign", "result", "binary"])
def test_a_changed_file_is_found_out(store: SessionStore, tmp_path: Path, spoil: str) -> None:
    name = kept_steps(store)
    file = tmp_path / "home" / f"{name}.json"
    body = json.loads(file.read_text())
    if spoil == "step":
        body["steps"][1]["command"] = "do promote"
    if spoil == "seed":
        body["seed"] = 4
    if spoil == "result":
        body["result"] = {"score": 100}
    text = json.dumps(body)
    text = {"cut": text[:-20], "empty": "", "foreign": "[1, 2]"}.get(spoil, text)
    file.write_bytes(b"\xff\x00" if spoil == "binary" else text.encode())
    before = file.read_bytes()
    with pytest.raises(UsageError, match="not a session file"):
        store.load(name)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["../a-b-3", "nothing", "", "a/b"])
def test_a_session_that_is_not_there(store: SessionStore, name: str) -> None:
    kept_steps(store)
    with pytest.raises(UsageError, match="no such session"):
        store.load(name)


def test_no_session_yet(store: SessionStore) -> None:
    with pytest.raises(UsageError, match="no session yet"):
        store.latest()


def test_one_at_a_time(store: SessionStore) -> None:
    name = kept_steps(store)
    with (
        store.locked(name),
        pytest.raises(SandboxError, match="in use by another command"),
        store.locked(name),
    ):
        pass
    with store.locked(name):
        pass


def test_a_full_disk_keeps_the_former_step(
    store: SessionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = kept_steps(store)
    before = store.load(name)

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="no space left"):
        store.save(replace(before, steps=()))
    monkeypatch.undo()
    assert store.load(name) == before
    assert [file.name for file in (tmp_path / "home").glob(".*partial")] == []


def test_a_drill_that_changed_meanwhile_is_not_taken_up(
    roots: tuple[Path, ...], tmp_path: Path
) -> None:
    desk = Desk(tmp_path / "home", roots, lambda text: None)
    seat = desk.start(NAME, 1)
    desk.give(seat, "advance 6h")
    desk.store.save(replace(seat.kept, fingerprint="another"))
    with pytest.raises(UsageError, match="has changed since"):
        desk.open(None)


def test_several_drills_side_by_side_and_history(roots: tuple[Path, ...], tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home", roots, lambda text: None)
    first, second = desk.start(NAME, 1), desk.start(NAME, 2)
    desk.give(first, "advance 6h")
    assert desk.open(None).kept.name == first.kept.name, "the one used last"
    again = desk.open(second.kept.name)
    assert again.session.elapsed == 0
    desk.give(again, "diagnose other_road")
    desk.give(again, "grade")
    assert again.grade is not None
    (graded,) = desk.history()
    assert graded["session"] == second.kept.name and graded["passed"]
    pages = desk.pages(again.kept)
    markdown = (pages / "debrief.md").read_text()
    for words in ("The night train was cancelled.", "Your timeline",
                  "diagnose other_road", "wake all", "docs/monitoring.md"):  # fmt: skip
        assert words in markdown
    page = (pages / "debrief.html").read_text()
    assert "Losses summed up" in page and "default-src 'none'" in page.replace("&#x27;", "'")


def test_kill_during_a_step_goes_back_to_the_step_before(
    roots: tuple[Path, ...], tmp_path: Path
) -> None:
    """SIGKILL at any moment of `advance`: the session resumes from the last completed step."""
    desk = Desk(tmp_path / "home", roots, lambda text: None)
    seat = desk.start(NAME, 1)
    desk.give(seat, "advance 6h")
    digest = seat.session.duty.digest()
    script = (
        "import sys; from sandbox.cli.main import main; "
        f"print('go', flush=True); sys.exit(main(['drill', 'advance', '5d', '--home', "
        f"{str(tmp_path / 'home')!r}, '--scenarios', {str(roots[0])!r}]))"
    )
    for wait in (0.0, 0.7, 1.4, 2.1):
        with subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        seat = desk.open(None)
        if len(seat.session.steps) > 1:  # it was faster than the signal
            break
        assert seat.session.duty.digest() == digest
    with desk.store.locked(seat.kept.name):
        desk.give(seat, "hint")
    assert desk.open(None).session.steps[-1].command == "hint"
