"""What tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.run.scaffold import write_scenario
from tests.drills.conftest import write_drills


@pytest.fixture
def on_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the scenario ``parcels`` and its drill, and a home of its own."""
    write_drills(write_scenario("parcels", task="binary", into=tmp_path / "scenarios"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path
