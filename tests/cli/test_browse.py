from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.cli.main import main
from sandbox.run.scaffold import write_scenario


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    write_scenario("late-parcels", task="binary", into=tmp_path)
    return tmp_path


def test_list_shows_own_and_shipped_scenarios(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--scenarios", str(mine), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"fraud", "late-parcels"} <= rows.keys()
    assert rows["late-parcels"]["folder"] == str(mine / "late-parcels")
    assert rows["late-parcels"]["incidents"] == 2
    assert main(["list", "--scenarios", str(mine)]) == 0
    assert "Late parcels" in capsys.readouterr().out


def test_a_broken_scenario_does_not_hide_the_others(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "broken").mkdir()
    (mine / "broken" / "scenario.yaml").write_text("title: [\n")
    assert main(["list", "--scenarios", str(mine), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert str(mine / "broken" / "scenario.yaml") in rows["broken"]["problem"]
    assert "late-parcels" in rows


def test_show_says_what_is_asked(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "late-parcels", "--scenarios", str(mine)]) == 0
    shown = capsys.readouterr().out
    for part in (
        "Late parcels (late-parcels, binary)",
        "172,800 a day, 40 days",
        "1,728 a day",
        "recall_at_capacity",
        "at least 0.45",
        "at most 500ms",
        "no-train",
        "by_road",
        "flowchart LR",
    ):
        assert part in shown


def test_show_as_json(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "late-parcels", "--scenarios", str(mine), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [knob["knob"] for knob in facts["knobs"]] == ["by_road", "label_delay"]
    assert facts["incidents"][0] == {
        "incident": "no-train",
        "kind": "concept drift",
        "day": 10.0,
        "in_timeline": True,
        "story": "The night train is cancelled. "
        "Express parcels go by road, and those that go far are late.",
    }


def test_an_unknown_name_gets_a_suggestion(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "late-parcel", "--scenarios", str(mine)]) == 2
    err = capsys.readouterr().err
    assert "got 'late-parcel'" in err and "Did you mean late-parcels?" in err
    assert err.count("\n") == 1
