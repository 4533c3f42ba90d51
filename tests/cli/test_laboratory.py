"""What the laboratory commands do around a measurement; the measurement is stood in for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.main import main
from sandbox.record import LabRecord
from sandbox.run.detector_lab import SHIFTS, Shift

ROW: dict[str, str | float | None] = {
    "detector": "adwin", "settings": "sandbox", "before": 0.1, "after": 0.2, "seeds": 5.0,
    "false_alarms": 0.0, "delay": 303.0, "missed": 0.0,
}  # fmt: skip


def record_of(command: str) -> LabRecord:
    return LabRecord("detectors", "A test", command, ("A fact.",), ("A lesson.",), (ROW,))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Stand in for the measurements; return what was asked of them."""
    calls: list[Any] = []

    def imbalance(prepared: Any, strategies: Any, command: str, tell: Any) -> LabRecord:
        calls.append((prepared, strategies))
        tell("fold 1 of 3")
        return record_of(command)

    def detectors(shifts: Any, seeds: int, command: str, tell: Any) -> LabRecord:
        calls.append((shifts, seeds))
        tell("adwin")
        return record_of(command)

    monkeypatch.setattr("sandbox.run.setup.prepare", lambda name, **more: (name, more))
    monkeypatch.setattr("sandbox.run.imbalance_lab.run_imbalance_lab", imbalance)
    monkeypatch.setattr("sandbox.run.detector_lab.run_detector_lab", detectors)
    monkeypatch.chdir(tmp_path)
    return calls


def test_train_writes_a_page_and_says_the_lesson(
    asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "late", "--strategies", "smote,weight", "--design", "mine.yaml"]
    arguments += ["--seed", "3", "--set", "a=1 s", "--out", "here"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "A lesson." in out and "303" in out and "here/laboratory.html" in out
    assert err == "fold 1 of 3\n"
    files = {path.name: path for path in Path("here").iterdir()}
    assert set(files) == {"laboratory.html", "laboratory.json", "laboratory.md"}
    command = (
        "sandbox train late --strategies smote,weight --seed 3 --design mine.yaml --set 'a=1 s'"
    )
    assert json.loads(files["laboratory.json"].read_text())["command"] == command
    ((prepared, strategies),) = asked
    assert strategies == ("none", "weight", "smote")
    assert prepared[0] == "late" and prepared[1]["incidents"] == ()
    assert (prepared[1]["seed"], prepared[1]["overrides"]) == (3, ["a=1 s"])


def test_all_strategies_are_the_default(asked: list[Any]) -> None:
    assert main(["train", "late", "-q"]) == 0
    assert len(asked[0][1]) == 5
    assert [path.name for path in Path("runs").iterdir()] == ["late-train-seed7-001"]


def test_detectors_read_the_usual_shifts_or_those_asked_for(
    asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detectors", "-q"]) == 0
    assert main(["detectors", "-q", "--rates", "0.2,0.1:0.4", "--seeds", "2"]) == 0
    assert asked == [(SHIFTS, 5), ((Shift(0.2, 0.4), Shift(0.1, 0.4)), 2)]
    assert capsys.readouterr().err == ""
    assert len(list(Path("runs").glob("detectors-00[12]"))) == 2


def test_json_is_all_there_is_on_standard_output(
    asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detectors", "--json", "--out", "here"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == "" and told["rows"] == [ROW] and told["folder"] == "here"
    assert json.loads(Path("here/laboratory.json").read_text()) == {
        name: value for name, value in told.items() if name != "folder"
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "late", "--strategies", "smot"], "--strategies: unknown strategy; got 'smot'"),
        (["train"], "missing argument 'NAME'"),
        (["detectors", "--rates", "0.1:x"], "--rates: not a rate"),
        (["detectors", "--seeds", "0"], "invalid value for '--seeds'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], expected: str, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert expected in err and err.count("\n") == 1
    assert not asked and not list(Path().iterdir())


@pytest.mark.parametrize("command", [["train", "late"], ["detectors"]])
def test_a_taken_folder_is_refused_before_anything_is_measured(
    command: list[str], asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("here").mkdir()
    Path("here/mine.txt").write_text("mine")
    assert main([*command, "--out", "here"]) == 4
    assert "--out here: exists already" in capsys.readouterr().err
    assert not asked


def test_a_page_that_cannot_be_written_leaves_nothing(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device", "laboratory.html")

    monkeypatch.setattr("sandbox.report.laboratory.laboratory_html", full)
    assert main(["detectors", "-q"]) == 4
    assert "no space left" in capsys.readouterr().err
    assert not list(Path("runs").iterdir())


def test_an_unknown_scenario_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "no-such"]) == 2
    assert "no-such" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["recommendations", "house-prices"])
def test_a_task_without_anything_rare_has_no_strategies(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scenarios = Path(__file__).parents[2] / "scenarios"
    assert main(["train", name, "--scenarios", str(scenarios)]) == 2
    err = capsys.readouterr().err
    assert "nothing is rare in task" in err and err.count("\n") == 1
