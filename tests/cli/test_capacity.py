"""What `capacity`, `calibrate`, `twin` and `sweep` do around the work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.capacity import calibrate as calibration
from sandbox.capacity import twin as twin_module
from sandbox.cli.main import main
from sandbox.errors import OutputError
from sandbox.run.scaffold import write_scenario


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the scenario ``parcels``, and a home of its own."""
    write_scenario("parcels", task="binary", into=tmp_path / "scenarios")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


def test_a_study_leaves_a_page_and_numbers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["capacity", "parcels", "--tps", "2000", "--fault", "outage@6s/3s"]
    assert main([*arguments, "--seconds", "30", "--quiet"]) == 0
    out = capsys.readouterr().out
    for words in ("keeps the objective", "First bottleneck", "p99.9", "total", "backlog was gone"):
        assert words in out
    folder = here / "runs" / "parcels-capacity-001"
    assert {file.name for file in folder.iterdir()} == {"capacity.html", "capacity.json"}
    assert json.loads((folder / "capacity.json").read_text())["keeps_up"] is True


def test_strict_fails_where_the_objective_is_missed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capacity", "parcels", "--tps", "3000000", "--strict", "--json"]) == 3
    out, err = capsys.readouterr()
    assert "Never catches up" in json.loads(out)["verdict"][0]
    assert "objective is missed" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tps", "-5"], "--tps: not a load; got '-5'"),
        (["--tps", "soon"], "--tps: not a load"),
        (["--tps", "0"], "--tps: not a load"),
        (["--peak", "0.5"], "--peak: not a peak"),
        (["--peak", "nan"], "--peak: not a peak"),
        (["--fault", "quake"], "--fault: unknown fault; got 'quake'"),
        (["--set", "pipeline.workers=0"], "pipeline.workers: out of range; got 0"),
        (["--prices", "none.yaml"], "none.yaml"),
        (["--profile", "none.yaml"], "none.yaml"),
        (["--to-prometheus", "here"], "--to-prometheus: not a URL"),
    ],
)
def test_absurd_input_is_one_line(
    here: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["capacity", "parcels", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err
    assert not (here / "runs").exists() or not any((here / "runs").iterdir())


def test_calibration_is_kept_and_used(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration, "REPEATS", 2)
    monkeypatch.setattr(calibration, "SHIFT", 0.1)
    monkeypatch.setattr(calibration, "HISTORY", 1_000)
    assert main(["calibrate", "parcels", "--quiet"]) == 0
    assert (here / "data" / "ml-design-sandbox" / "profile.json").is_file()
    assert "decode" in capsys.readouterr().out
    assert main(["capacity", "parcels", "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["asked"]["profile_name"] == "of this machine"
    (here / "data" / "ml-design-sandbox" / "profile.json").write_text("decode: 3\n")
    assert main(["capacity", "parcels", "--quiet"]) == 2
    assert "profile.json:1" in capsys.readouterr().err


def test_twin_prints_predicted_beside_measured(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calibration, "REPEATS", 2)
    monkeypatch.setattr(calibration, "SHIFT", 0.1)
    monkeypatch.setattr(calibration, "HISTORY", 1_000)
    monkeypatch.setattr(twin_module, "ROUNDS", 1)
    assert main(["twin", "parcels", "--seconds", "0.2", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "predicted" in out and "measured" in out and "80%" in out
    found = json.loads((here / "runs" / "parcels-twin-001" / "twin.json").read_text())
    assert len(found["points"]) == 3


def test_a_sweep_prints_what_is_worth_having_and_is_not_played_twice(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = [
        "population=150",
        "history=20d",
        "model.training.window=10d",
        "model.champion.xgboost.trees=5",
    ]
    settings = [part for text in quick for part in ("--set", text)]
    command = ["sweep", "parcels", "--over", "pipeline.workers=1,2", "--days", "8", "--jobs", "1",
               "--no-incidents", *settings]  # fmt: skip
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "★" in out and "2 of 2" in err
    (folder,) = (here / "runs").iterdir()
    before = {file: file.stat().st_mtime_ns for file in (folder / "trials").iterdir()}
    page = (folder / "sweep.html").read_text()
    assert main([*command, "--quiet"]) == 0
    assert {file.name for file in before} == {file.name for file in (folder / "trials").iterdir()}
    assert (folder / "sweep.html").read_text() == page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--over", "pipeline.workers"], "--over: not a range of values"),
        (["--over", "pipeline.worker=1"], "pipeline.worker"),
        (["--over", "pipeline.workers=1,0"], "pipeline.workers: out of range; got 0"),
        (["--over", "pipeline.workers=1", "--pareto", "speed"], "--pareto: not an objective"),
        ([], "missing option '--over'"),
    ],
)
def test_a_wrong_sweep_is_one_line(
    here: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "parcels", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and said in err


@pytest.mark.parametrize("command", ["capacity", "sweep"])
def test_a_full_disk_takes_the_files_and_not_what_was_found(
    command: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, text: str) -> None:
        raise OutputError("cannot be written", where=str(path), got="No space left on device")

    monkeypatch.setattr("sandbox.adapters.files.write_text", full)
    over = ["--over", "pipeline.workers=1", "--days", "8", "--jobs", "1", "--no-incidents"]
    quick = ["population=150", "history=20d", "model.training.window=10d"]
    settings = [part for text in quick for part in ("--set", text)]
    more = [*over, *settings] if command == "sweep" else ["--tps", "2000"]
    assert main([command, "parcels", "--quiet", *more]) == 4
    out, err = capsys.readouterr()
    assert "No space left" in err and err.count("\n") == 1
    assert "parcels" in out and "Written to" not in out
