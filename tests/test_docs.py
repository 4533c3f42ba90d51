from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from sandbox.capacity.faults import KINDS
from sandbox.cli.main import main
from sandbox.spec.cleaning import STEPS
from sandbox.task import TASKS, get_task
from sandbox.task.regression import COVERAGE, TOLERANCE

ROOT = Path(__file__).parent.parent
WALKED = [("fraud", 28), ("spam", 28), ("house-prices", 70), ("recommendations", 35)]
"""Scenarios with an interview, and the days that it runs a design for."""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_seeds_page_is_what_its_figures_give() -> None:
    seeds = load("seeds")
    rows = json.loads((ROOT / "docs" / "fraud-seeds.json").read_text())
    assert (ROOT / "docs" / "fraud-seeds.md").read_text() == seeds.render(rows)
    assert seeds.render([{**row, "lost": row["lost"] + 1} for row in rows]) != seeds.render(rows)


@pytest.mark.parametrize("name", ["house-prices", "recommendations", "spam"])
def test_the_seeds_page_of_a_scenario_is_what_its_figures_give(name: str) -> None:
    seeds = load("scenario_seeds")
    data, page = seeds.pages(name)
    rows = json.loads(data.read_text())
    assert page.read_text() == seeds.render(name, rows)
    assert seeds.render(name, [{**r, "lost": r["lost"] + 1} for r in rows]) != page.read_text()


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_the_readme_lists_every_scenario() -> None:
    text = (ROOT / "README.md").read_text()
    for file in (ROOT / "scenarios").glob("*/scenario.yaml"):
        assert f"`{file.parent.name}`" in text


def test_messages_about_recorded_events_are_what_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "recorded-events.md").read_text()
    sample = re.search(r"With this `mine.csv`:\n\n```\n(.*?)```", text, re.S)
    shown = re.findall(r"\$ sandbox (.*)\n(.*)\n", text.partition("<!-- messages -->")[2])
    assert sample and len(shown) == 3
    (tmp_path / "mine.csv").write_text(sample[1])
    monkeypatch.chdir(tmp_path)
    for command, message in shown:
        assert main(shlex.split(command)) == 2
        assert capsys.readouterr().err.strip() == message


def test_the_capacity_page_lists_every_fault_as_it_is() -> None:
    text = (ROOT / "docs" / "capacity.md").read_text()
    for name, kind in KINDS.items():
        assert f"| `{name}` | {kind.about} | {kind.default:g} |" in text
    assert text.count("$ sandbox ") == 4


def test_the_drills_page_is_what_its_figures_give() -> None:
    drills = load("drills")
    rows = json.loads(drills.DATA.read_text())
    page = drills.PAGE.read_text()
    parts = {"table": [*drills.table(rows), "", *drills.conclusions(rows)]}
    assert drills.filled(page, parts) == page
    worse = {"table": drills.table([{**row, "points": row["points"] + 1} for row in rows])}
    assert drills.filled(page, worse) != page
    assert "<!-- transcript -->\n```\n$ sandbox drill start" in page
    assert {row["drill"] for row in rows} == {
        f"fraud/{file.stem}"
        for file in (ROOT / "scenarios" / "fraud" / "drills").glob("*.yaml")
        if file.stem != "defaults"
    }


def test_the_drills_page_names_every_action_and_measure() -> None:
    from sandbox.spec.actions import ACTIONS
    from sandbox.spec.drill import MEASURES, Drill

    page = (ROOT / "docs" / "drills.md").read_text()
    assert [name for name in ACTIONS if f"`{name}" not in page] == []
    author = (ROOT / "docs" / "writing-a-drill.md").read_text()
    assert [name for name in MEASURES if f"`{name}`" not in author] == []
    keys = [field.alias or name for name, field in Drill.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in author] == []


def apply(diff: str, root: Path) -> None:
    """Apply a block without line numbers: its old lines stand in the file once."""
    head, *lines = diff.splitlines()
    file = root / head.removeprefix("--- ")
    old = "\n".join(line[1:] for line in lines if line[:1] in " -")
    new = "\n".join(line[1:] for line in lines if line[:1] in " +")
    text = file.read_text()
    assert text.count(old) == 1, f"{head}: {old}"
    file.write_text(text.replace(old, new))


def test_writing_a_scenario_can_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "writing-a-scenario.md").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    steps = re.findall(r"```(sh|diff)\n(.*?)```", text, re.S)
    assert len(steps) >= 8
    for kind, block in steps:
        if kind == "diff":
            apply(block, tmp_path)
            continue
        for command in block.splitlines():
            assert main(shlex.split(command)[1:]) == 0, f"{command}: {capsys.readouterr().err}"
    out = capsys.readouterr().out
    assert "late-parcels/grumbling-customers" in out and "net loss per 1000" in out.lower()
    assert "snow" in out, "the knob is among those that were checked"


def test_the_scenario_table_of_the_readme_is_what_the_command_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["list", "--markdown", "--scenarios", str(ROOT / "scenarios")]) == 0
    assert capsys.readouterr().out.strip() in (ROOT / "README.md").read_text()


def test_the_fraud_design_is_what_its_figures_give() -> None:
    essay = load("fraud_design")
    data = json.loads(essay.DATA.read_text())
    page = essay.PAGE.read_text()
    assert essay.filled(page, data) == page
    assert len(essay.FIGURE.findall(page)) > 30 and "?<!--/-->" not in page
    worse = {**data, "naive": {**data["naive"], "lost": data["naive"]["lost"] + 1}}
    assert essay.filled(page, worse) != page
    bare = essay.FIGURE.sub("", essay.TABLE.sub("", page))
    assert re.findall(r"(?<![A-Za-z0-9_/])\d+(?!\d)", bare.replace("p99", "")) in (["99"], [])


def test_the_page_of_tasks_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text()
    rows = [re.split(r" *\| *", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == list(TASKS)
    for name, _, metric, baseline, *_, cases in rows:
        task = get_task(name.strip("`"))
        assert metric == f"`{task.primary}`" and baseline == f"`{task.baseline}`", name
        assert cases == task.cases
    assert COVERAGE == 0.9 and "nine labels in ten" in page
    assert TOLERANCE == 0.1 and "more than a tenth" in page
    assert all(f"`{step}`" in page for step in STEPS)


@pytest.mark.parametrize(("scenario", "days"), WALKED)
def test_the_interview_page_says_what_the_code_does(scenario: str, days: int) -> None:
    page = (ROOT / "docs" / "interview.md").read_text()
    for level, bar in (("junior", 45), ("senior", 60), ("staff", 70)):
        assert str(bar) in page and level in page
    assert f"walkthrough {scenario}" in page
    text = (ROOT / "scenarios" / scenario / "walkthrough.yaml").read_text()
    assert "bars: {junior: 45, senior: 60, staff: 70}" in text and f"days: {days}" in text
    assert "28\nsimulated days" in page and "run for 70 days" in page and "run for 35 days" in page


@pytest.mark.parametrize("scenario", ["spam", "house-prices", "recommendations"])
def test_measured_figures_of_interviews_name_runs_that_can_be_done(scenario: str) -> None:
    from sandbox.interview.content import load_walkthrough

    bench = load("walkthrough_figures")
    commands = bench.measured(load_walkthrough(scenario, bench.ROOTS))
    assert sum(map(len, commands.values())) >= 10
    for command, figures in commands.items():
        known = {*bench.prepared(command).scenario.objectives, "money.total"}
        assert {one.source.rpartition(": ")[2] for one in figures.values()} <= known
