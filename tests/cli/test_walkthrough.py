"""The command: in a pipe, from a file, as an exam, printed, checked; junk never breaks it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.main import main
from sandbox.cli.walkthrough_lines import Clock
from sandbox.interview import room as rooms
from tests.interview.conftest import found_nothing

ROOT = Path(__file__).parent.parent.parent
CANDIDATES = ROOT / "tests" / "interview" / "candidates" / "fraud"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's work is tested elsewhere; here it takes no time."""

    def stand_in(work: Any, *_: object) -> Mapping[str, Any]:
        return found_nothing(work)

    monkeypatch.setattr(rooms, "do_work", stand_in)


def held(tmp_path: Path, *arguments: str) -> int:
    return main(["walkthrough", *arguments, "--home", str(tmp_path / "home"),
                 "--scenarios", str(ROOT / "scenarios")])  # fmt: skip


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_an_answers_file_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("weak", "staff"):
        assert held(tmp_path, "fraud", "--answers", str(CANDIDATES / f"{name}.yaml"), "-q") == 0
    out = capsys.readouterr().out
    assert "very strong" in out and "debrief.html" in out
    assert held(tmp_path, "history") == 0
    out = capsys.readouterr().out
    assert "fraud-senior-2" in out and "Clarify and scope" in out and "trend" in out
    assert held(tmp_path, "history", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["passed"] for row in rows["held"]] == [False, True]
    assert rows["stages"][0]["times"] == 2
    pages = tmp_path / "home" / "fraud-senior-2"
    assert sorted(p.name for p in pages.iterdir()) == ["debrief.html", "debrief.md", "design.yaml"]


def test_json_is_the_result_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(CANDIDATES / "good.yaml")
    assert held(tmp_path, "fraud", "--answers", file, "--json", "--level", "staff") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["level"] == "staff" and set(result["stages"]) == {
        "clarify", "data_flow", "model", "production",
    }  # fmt: skip


def test_the_input_ends_and_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "How fast must we answer?\n\nblah\ndone\nseven\n3\n")
    assert held(tmp_path, "fraud") == 0
    out = capsys.readouterr().out
    assert "[00:00 of 45:00] Your question" in out and "100 ms" in out
    assert "error: self_clarify: no grade; got 'seven', expected 1 to 5." in out
    assert "fraud-senior is kept" in out
    typed(monkeypatch, "hint\ndiagram\nhelp\n173M\nquit\n")
    assert held(tmp_path, "fraud") == 0
    out = capsys.readouterr().out
    assert "Going on with fraud-senior, 4 answers in" in out
    assert "The mean rate times" in out and "Checkout ──payments──▶ Event log" in out
    assert "2 of 4" in out and "That is the right size." in out
    typed(monkeypatch, "")
    assert held(tmp_path, "fraud", "--session", "fraud-senior") == 0
    typed(monkeypatch, "")
    assert held(tmp_path, "fraud", "--new") == 0
    assert "fraud-senior-2 is kept" in capsys.readouterr().out


def test_an_exam_gives_no_hints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "hint\ndone\n1M\n")
    assert held(tmp_path, "fraud", "--exam", "--minutes", "30", "--plain") == 0
    out = capsys.readouterr().out
    assert "no hints" in out and "of 30:00" in out and "I get" not in out and "Noted." in out


@pytest.mark.parametrize("junk", ["\x00\x01\n" * 3, "\ud83d\n", "9" * 5000 + "\n", "skip\n" * 9])
def test_junk_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], junk: str
) -> None:
    typed(monkeypatch, junk)
    assert held(tmp_path, "fraud") == 0
    assert "Traceback" not in capsys.readouterr().err


def test_the_sheet_and_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert held(tmp_path, "fraud", "--print", "--level", "junior") == 0
    out = capsys.readouterr().out
    assert out.startswith("# Card fraud: study sheet, junior") and "## Sources" in out
    assert not (tmp_path / "home").exists()
    assert held(tmp_path, "check", "fraud", "--json") == 0
    assert all(row["kept"] for row in json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "unknown scenario"),
        (["fraud-handbook"], "has no interview"),
        (["fraud", "--level", "stuff"], "Did you mean staff?"),
        (["fraud", "--exam", "--study"], "cannot have both"),
        (["fraud", "--session", "mine"], "no such session"),
        (["fraud", "--answers", "nowhere.yaml"], "no such file"),
        (["check"], "which scenario"),
    ],
)
def test_mistakes_end_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert held(tmp_path, *arguments) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_a_wrong_answer_in_a_file_keeps_what_came_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("questions: [How fast?]\nanswers: {events_a_day: many}\n")
    assert held(tmp_path, "fraud", "--answers", str(file), "-q") == 2
    assert "events_a_day: not understood" in capsys.readouterr().err
    kept = json.loads((tmp_path / "home" / "fraud-senior.json").read_text())
    assert [step["prompt"] for step in kept["steps"]][:1] == ["question_1"]


def test_the_clock_stands_still_while_the_machine_works() -> None:
    now = [100.0]
    clock = Clock(60.0, lambda: now[0])
    now[0] = 115.0
    assert clock.seconds() == 75.0 and clock.shown(45) == "01:15 of 45:00"
    now[0] = 200.0
    clock.set(75.0)
    now[0] = 201.0
    assert clock.seconds() == 76.0
