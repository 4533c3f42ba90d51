from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.cli.main import main


def files_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_new_scenario_passes_check_and_runs_within_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "late-parcels"]) == 0
    assert "sandbox check late-parcels\n" in capsys.readouterr().out
    written = {Path("scenarios/late-parcels") / name for name in FILES}
    assert files_below(tmp_path) == written

    assert main(["check", "late-parcels", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert len(checks) >= 3 and all(check["passed"] for check in checks)

    assert main(["run", "late-parcels", "--days", "20", "--out", "result", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["events"] > 10_000 and summary["complete"]
    assert [incident["name"] for incident in summary["incidents"]] == ["no-train"]
    outside = {path for path in files_below(tmp_path) - written if path.parts[0] != "result"}
    assert all("__pycache__" in path.parts for path in outside)


FILES = ("README.md", "world.py", "scenario.yaml", "design.yaml")


def test_check_fails_with_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "broken", "--into", str(tmp_path)]) == 0
    assert f"sandbox check broken --scenarios {tmp_path}" in capsys.readouterr().out
    world = tmp_path / "broken" / "world.py"
    world.write_text(world.read_text().replace('"parcel_id": np.arange(', '"id": np.arange('))
    assert main(["check", "broken", "--scenarios", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert "parcel_id" in out
    assert err.startswith("error: check broken: ") and err.count("\n") == 1


def test_new_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    assert main(["new", "mine", "--into", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert not list((tmp_path / "mine").iterdir())


def test_new_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine", "--into", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"name": "mine", "folder": str(tmp_path / "mine"), "files": sorted(FILES)}
