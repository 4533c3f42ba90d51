"""Sealed folders: whole after every step, changed files found out, one process at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.adapters.sealed import SealedFolder
from sandbox.errors import SandboxError, UsageError

BODY = {"of": "x", "steps": [{"a": 1}, {"a": 2}], "result": None}


@pytest.fixture
def folder(tmp_path: Path) -> SealedFolder:
    return SealedFolder(tmp_path / "home", "sandbox game start NAME", "`game play`")


def test_what_is_kept_is_read_back(folder: SealedFolder) -> None:
    assert folder.names() == [] and folder.free_name("A b/c-1") == "a-b-c-1"
    folder.write("a-b-c-1", BODY)
    assert folder.free_name("A b/c-1") == "a-b-c-1-2"
    assert folder.read("a-b-c-1") == BODY and folder.latest() == "a-b-c-1"


@pytest.mark.parametrize("key", ["of", "steps", "result", "format", "seal"])
def test_a_change_anywhere_is_found_out(folder: SealedFolder, key: str) -> None:
    folder.write("one", BODY)
    body = json.loads(folder.file("one").read_text())
    body[key] = [{"a": 1}, {"a": 3}] if key == "steps" else "other"
    folder.file("one").write_text(json.dumps(body))
    with pytest.raises(UsageError, match="not a session file"):
        folder.read("one")


def test_what_is_not_there(folder: SealedFolder) -> None:
    with pytest.raises(UsageError, match=r"game: no session yet.*sandbox game start NAME"):
        folder.latest()
    folder.write("one", BODY)
    with pytest.raises(UsageError, match=r"got 'on'.*Did you mean one"):
        folder.read("on")


def test_one_process_at_a_time(folder: SealedFolder) -> None:
    with (
        folder.locked("one"),
        pytest.raises(SandboxError, match="quit `game play`"),
        folder.locked("one"),
    ):
        pass
