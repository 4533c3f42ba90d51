from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbox.cli.main import main


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A scenario made here, and what makes a run of it short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    assert main(["new", "parcels", "--into", "."]) == 0
    settings = ("population=150", "history=20d", "model.champion.xgboost.trees=10",
                "model.training.window=10d", "retraining=never")  # fmt: skip
    return ["--scenarios", ".", "-q", *(w for s in settings for w in ("--set", s))]


def test_a_scenario_of_ones_own_plays_what_another_run_left(
    small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "parcels", "--days", "26", "--no-incidents", "--out", "first", *small]) == 0
    capsys.readouterr()
    again = ["run", "parcels", "--events", "first/events.parquet", "--json", "--out", "second"]
    assert main([*again, *small]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["days"] == 6 and told["complete"] and told["events"] > 1000
    assert os.listdir("scratch") == []  # nothing is left behind


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--map", "a=b"], "--map: nothing to map. Add --events FILE."),
        (["--pace", "9/day"], "--pace: nothing to play. Add --events FILE."),
        (["--positive", "spam"], "--positive: nothing to play. Add --events FILE."),
        (["--sessions", "1h"], "--sessions: nothing to play. Add --events FILE."),
        (["--events", "no.csv"], "no.csv: no such file"),
        (["--events", "no.csv", "--positive", ">=x"], "--positive: not a comparison; got '>=x'"),
        (["--events", "no.csv", "--sessions", "soon"], "--sessions: not a gap; got 'soon'"),
        (["--events", "no.csv", "--sessions", "30"], "--sessions: not a gap; got '30', expected a"),
        (["--events", "no.csv", "--sessions", "0min"], "--sessions: not a gap; got '0min'"),
        (["--events", "no.csv", "--sessions", "1h"], "--sessions: this scenario has no requests;"),
        (["--events", "no.csv", "--pace", "daily"], "--pace: not a pace; got 'daily'"),
        (["--events", "no.csv", "--pace", "0/day"], "--pace: not a pace; got '0/day'"),
        (["--events", "no.csv", "--pace", "3h"], "--pace: not a pace; got '3h'"),
        (["--events", "no.csv", "--time-unit", "min"], "--time-unit: unknown unit; got 'min'"),
    ],
)
@pytest.mark.parametrize("command", [["run"], ["train"], ["compare"]])
def test_mistakes_are_one_line(
    command: list[str], arguments: list[str], message: str, small: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    designs = ["parcels/design.yaml"] * 2 if command == ["compare"] else []
    capsys.readouterr()
    assert main([*command, "parcels", *designs, *arguments, *small]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert os.listdir("scratch") == []
