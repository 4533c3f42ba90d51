"""Shell completion, as the shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def completions(words: str, here: Path) -> list[str]:
    asked = {"_SANDBOX_COMPLETE": "complete_bash", "COMP_WORDS": words}
    asked["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    done = subprocess.run(
        [sys.executable, "-m", "sandbox"],
        env={**os.environ, **asked},
        cwd=here,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("late-parcels", "late-trains"):
        (tmp_path / "scenarios" / name).mkdir(parents=True)
        (tmp_path / "scenarios" / name / "scenario.yaml").touch()
    return tmp_path


@pytest.mark.parametrize("command", ["show", "run", "check", "compare"])
def test_scenario_names_are_completed(command: str, here: Path) -> None:
    assert completions(f"sandbox {command} late-t", here) == ["late-trains"]


def test_commands_are_completed(here: Path) -> None:
    assert completions("sandbox comp", here) == ["compare"]


def test_nothing_fits(here: Path) -> None:
    assert completions("sandbox run zzz", here) == []
