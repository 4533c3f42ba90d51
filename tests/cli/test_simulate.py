"""What the commands do around a run; the run itself is stood in for."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli import results
from sandbox.cli.main import main
from sandbox.errors import OutputError
from sandbox.record import ObjectiveResult, RunRecord


@dataclass(frozen=True)
class Asked:
    """What the command handed to `prepare`."""

    name: str
    options: dict[str, Any]

    @property
    def design_name(self) -> str:
        return Path(self.options["design"] or "reference").stem

    @property
    def seed(self) -> int:
        return int(self.options["seed"])

    @property
    def days(self) -> int:
        return self.options["days"] or 30


def record_of(prepared: Asked) -> RunRecord:
    objective = ObjectiveResult(
        name="recall_at_capacity",
        target="at least 0.5",
        measured=0.4,
        shown="0.4",
        passed=False,
        evidence="recall_at_capacity/oracle, day 30",
    )
    record = RunRecord(
        scenario=prepared.name,
        title="A test",
        task="binary",
        design=prepared.design_name,
        seed=prepared.seed,
        days=float(prepared.days),
        start_date="2026-01-05",
        population=1.0,
        complete=True,
        events=3,
        primary="recall_at_capacity",
        objectives=[objective],
        money={"missed": 10.0, "total": 10.0},
        design_text="features: [amount]\n",
    )
    for day in range(1, prepared.days + 1):
        record.metrics.add(day, "recall_at_capacity", 0.5, "oracle")
    return record


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Asked]:
    """Stand in for preparing and executing; return what was asked for."""
    calls: list[Asked] = []

    def prepare(name: str, **options: Any) -> Asked:
        calls.append(Asked(name, options))
        return calls[-1]

    monkeypatch.setattr("sandbox.run.setup.prepare", prepare)
    monkeypatch.setattr("sandbox.run.execution.execute", lambda p, *others: record_of(p))
    monkeypatch.chdir(tmp_path)
    return calls


def stopped(prepared: Asked, *others: object) -> RunRecord:
    return replace(record_of(prepared), complete=False, days=3.0)


def test_run_writes_results_and_says_the_verdict(
    asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "late", "--days", "20", "--seed", "3", "--set", "a=1", "--incident", "x@5"]
    assert main([*arguments, "--out", "here", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "here/report.html" in out and "recall" in out
    assert {path.name for path in Path("here").iterdir()} == {
        "summary.json", "metrics.parquet", "design.yaml", "report.html",
    }  # fmt: skip
    options = asked[0].options
    assert (options["days"], options["seed"]) == (20, 3)
    assert (tuple(options["overrides"]), options["incidents"]) == (("a=1",), ("x@5",))


def test_json_is_all_there_is_on_standard_output(
    asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "late", "--no-incidents", "--json"]) == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert err == "" and summary["passed"] is False
    assert (Path(summary["folder"]) / "summary.json").exists()
    assert asked[0].options["incidents"] == ()


def test_the_timeline_is_the_default(asked: list[Asked]) -> None:
    assert main(["run", "late", "-q"]) == 0
    assert asked[0].options["incidents"] is None


def test_progress_goes_to_standard_error(
    asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "late"]) == 0
    assert "late · reference design · seed 7, 30 days" in capsys.readouterr().err


def test_strict_minds_failed_objectives(
    asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "late", "-q", "--strict"]) == 3
    assert "objectives failed: recall_at_capacity" in capsys.readouterr().err
    assert list(Path("runs").iterdir()), "the results are written all the same"


def test_a_stopped_run_is_kept_and_ends_with_130(
    asked: list[Asked], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sandbox.run.execution.execute", stopped)
    assert main(["run", "late", "-q", "--out", "here"]) == 130
    out, err = capsys.readouterr()
    assert "Partial run" in out and err == "error: interrupted.\n"
    assert json.loads(Path("here/summary.json").read_text())["complete"] is False


@pytest.mark.parametrize("command", [["run", "late"], ["compare", "late", "a.yaml", "b.yaml"]])
def test_a_taken_folder_is_refused_before_anything_runs(
    command: list[str], asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("here").mkdir()
    Path("here/mine.txt").write_text("mine")
    assert main([*command, "--out", "here"]) == 4
    assert "--out here: exists already" in capsys.readouterr().err
    assert not asked and [path.name for path in Path("here").iterdir()] == ["mine.txt"]


def test_compare_meets_one_world_and_lays_the_runs_side_by_side(
    asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "late", "a.yaml", "deep/b.yaml", "--out", "both", "-q"]) == 0
    assert "both/compare.html" in capsys.readouterr().out
    assert sorted(p.name for p in Path("both").iterdir()) == ["1-a", "2-b", "compare.html"]
    assert (Path("both") / "2-b" / "report.html").exists()
    first, second = ({**call.options, "design": None} for call in asked)
    assert first == second


def test_compare_as_json(asked: list[Asked], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "late", "a.yaml", "b.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [run["design"] for run in told["runs"]] == ["a", "b"]
    assert told["sentence"].startswith("Against a: b loses")
    assert Path(told["folder"]).is_dir()


def test_compare_needs_two(asked: list[Asked], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "late", "a.yaml"]) == 2
    assert "too few designs" in capsys.readouterr().err


def test_a_comparison_stopped_in_its_first_run_keeps_that_run(
    asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.run.execution.execute", stopped)
    assert main(["compare", "late", "a.yaml", "b.yaml", "--out", "one", "-q"]) == 130
    assert (Path("one") / "report.html").exists()
    assert not (Path("one") / "compare.html").exists()


def test_a_report_that_cannot_be_written_leaves_nothing(
    asked: list[Asked], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device", "compare.html")

    monkeypatch.setattr("sandbox.report.compare.compare_html", full)
    assert main(["compare", "late", "a.yaml", "b.yaml", "--out", "both", "-q"]) == 4
    assert "no space left" in capsys.readouterr().err
    assert not list(Path().iterdir())


def test_a_full_disk_takes_the_files_and_not_the_verdict(
    asked: list[Asked], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OutputError("no space left on the disk", where="here")

    monkeypatch.setattr("sandbox.run.output.write_run", full)
    assert main(["run", "fraud"]) == 4
    said = capsys.readouterr()
    assert "recall at capacity" in said.out and "Written" not in said.out
    assert "no space left on the disk" in said.err
    assert main(["run", "fraud", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["folder"] is None


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(
    asked: list[Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("x")
    assert main(["run", "fraud", "--out", "file/run"]) == 4
    assert asked == [] and "is a file, not a directory" in capsys.readouterr().err


def test_slugs_are_file_names() -> None:
    assert results._slug("../../etc: x") == "etc-x"
