from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.cli.places import scenario_names, scenario_roots
from sandbox.errors import UsageError


def scenario(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "scenario.yaml").write_text("title: x\n")
    return folder


def test_own_folders_come_first_and_none_comes_twice(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    scenario(mine, "late")
    scenario(tmp_path / "scenarios", "here")
    monkeypatch.chdir(tmp_path)
    roots = [root.resolve() for root in scenario_roots([mine, mine])]
    assert roots[:3] == [mine, tmp_path / "scenarios", project / "scenarios"]
    monkeypatch.chdir(project)
    assert scenario_roots() == (Path("scenarios"),)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--scenarios: no such folder"):
        scenario_roots([tmp_path / "absent"])


def test_names_are_sorted_folders_with_a_scenario(tmp_path: Path) -> None:
    scenario(tmp_path, "b")
    scenario(tmp_path, "a")
    (tmp_path / "empty").mkdir()
    assert scenario_names([tmp_path, tmp_path]) == ["a", "b"]
