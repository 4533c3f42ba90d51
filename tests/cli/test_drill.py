"""The drill commands, from the shell's point of view."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from sandbox.cli.main import main
from tests.drills.conftest import DRILL


def drill(*arguments: str) -> int:
    return main(["drill", *arguments])


def test_a_drill_from_list_to_history(on_call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drill("list") == 0 and "parcels/grumbling" in capsys.readouterr().out
    assert drill("history") == 0 and "Nothing graded yet" in capsys.readouterr().out
    assert drill("start", "parcels/grumbling", "--seed", "2", "--quiet") == 0
    out = capsys.readouterr().out
    assert "Customers grumble." in out and "parcels-grumbling-2" in out and "no-train" not in out
    assert drill("look", "samples") == 0 and "Slipped through" in capsys.readouterr().out
    assert drill("look", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "quality"
    assert drill("advance", "1d", "--json") == 0
    assert json.loads(capsys.readouterr().out)["elapsed"] == 86400
    assert drill("do", "rule", "where=weight_kg > 400", "then=review") == 0
    assert "review where weight_kg > 400" in capsys.readouterr().out
    assert drill("diagnose") == 0 and "other_road" in capsys.readouterr().out
    assert drill("solution") == 2 and "not over" in capsys.readouterr().err
    assert drill("diagnose", "other_road") == 0
    assert drill("grade", "--quiet") == 0
    out = capsys.readouterr().out
    assert "Grumbling: passed" in out and "do rule 'where=weight_kg > 400' then=review" in out
    assert drill("grade", "--json") == 0 and json.loads(capsys.readouterr().out)["passed"]
    assert drill("solution") == 0 and "page who=depot" in capsys.readouterr().out
    assert drill("sessions") == 0 and "parcels-grumbling-2" in capsys.readouterr().out
    assert drill("history") == 0
    out = capsys.readouterr().out
    assert "diagnose" in out and "trend" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "parcels/grumblin"], "Did you mean parcels/grumbling"),
        (["start", "nowhere/x"], "unknown drill"),
        (["look"], "no session yet"),
        (["advance", "1d", "--session", "x"], "no such session"),
        (["solution", "--give-up"], "no session yet"),
        (["new", "parcels/Bad Name"], "not a name for a drill"),
        (["new", "parcels/grumbling"], "exists already"),
        (["check", "parcels/none"], "unknown drill"),
    ],
)
def test_mistakes_are_one_line(
    on_call: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert drill(*arguments) == 2
    out, err = capsys.readouterr()
    assert said in err and len(err.strip().splitlines()) == 1 and not out


def test_a_mistake_in_a_session_keeps_it(on_call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drill("start", "parcels/grumbling", "--quiet") == 0
    (file,) = (on_call / "data" / "ml-design-sandbox" / "drills").glob("*.json")
    before = file.read_bytes()
    assert drill("do", "promote", "now=yes", "--json") == 2
    assert drill("advance", "90min", "--json") == 2
    assert drill("diagnose", "weather", "--json") == 2
    assert file.read_bytes() == before
    file.write_bytes(before[:-30])
    capsys.readouterr()
    assert drill("look") == 2 and "not a session file" in capsys.readouterr().err


def test_play_reads_lines_from_a_pipe(
    on_call: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "look money\nadvance 6h\nnonsense\n\ndiagnose other_road\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    assert drill("play", "parcels/grumbling") == 0
    out = capsys.readouterr().out
    assert "losses reported" in out and "error: drill: unknown command" in out and "is kept" in out
    monkeypatch.setattr(sys, "stdin", io.StringIO("grade\nlook\n"))
    assert drill("play") == 0
    assert "Grumbling: passed" in capsys.readouterr().out


def test_a_new_drill_can_be_checked(on_call: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drill("new", "parcels/monday-morning") == 0
    assert "monday-morning.yaml" in capsys.readouterr().out
    assert drill("list") == 0 and "Monday morning" in capsys.readouterr().out
    assert drill("check", "parcels/grumbling", "--quiet") == 0
    assert "the solution passes" in capsys.readouterr().out
    broken = DRILL.replace("solution: [look samples,", "solution: [diagnose bad_data] #")
    (on_call / "scenarios/parcels/drills/grumbling.yaml").write_text(broken)
    assert drill("check", "parcels/grumbling", "--quiet") == 3
    assert "promises broken" in capsys.readouterr().err
