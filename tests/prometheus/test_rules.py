"""The rules: fresh, valid, about metrics that exist, and firing when they should."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import promql_parser
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sandbox.cli.app import app
from sandbox.live.metrics import LiveMetrics
from tests.prometheus.conftest import known_series, load, rules, sides, unknown

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "prometheus" / "rules"
CASES = sorted(Path(__file__).parent.glob("*.yml"))
PARTS = ("First look", "Likely causes", "What to do", "A false alarm")


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return load(ROOT / "prometheus")


def played(promtool: str, case: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [promtool, "test", "rules", str(case)], capture_output=True, text=True, timeout=120
    )


def test_what_is_checked_in_is_what_the_code_builds(build: ModuleType) -> None:
    built = build.files()
    assert {file.name for file in RULES.iterdir()} == set(built)
    for name, text in built.items():
        assert (RULES / name).read_text() == text, "run: python prometheus/build.py"
    assert build.files(60.0) != built


def test_prometheus_takes_rules_and_configuration(promtool: str) -> None:
    for kind, files in (("config", [ROOT / "prometheus" / "prometheus.yml"]),
                        ("rules", sorted(RULES.glob("*.yml")))):  # fmt: skip
        done = subprocess.run([promtool, "check", kind, *files], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_when_they_should_and_only_then(promtool: str, case: Path) -> None:
    done = played(promtool, case)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
@pytest.mark.parametrize(("answer", "side"), [("vector(0) > 1", "exp"), ("vector(1)", "got")])
def test_alerts_that_are_broken_are_found_out(
    promtool: str, case: Path, answer: str, side: str, tmp_path: Path
) -> None:
    """Alerts that never fire fail where one is expected; those that always do, everywhere else."""
    yaml = YAML()
    broken = yaml.load((RULES / case.name).read_text())
    names = set()
    for rule in broken["groups"][0]["rules"]:
        if "alert" in rule:
            rule["expr"] = answer
            names.add(rule["alert"])
    (tmp_path / "rules").mkdir()
    yaml.dump(broken, tmp_path / "rules" / case.name)
    text = case.read_text().replace("../../prometheus/rules", "rules")
    (tmp_path / case.name).write_text(text)
    done = played(promtool, tmp_path / case.name)
    assert done.returncode != 0
    sought = re.findall(rf"^\s*(?:{side}|alertname):.*", done.stdout + done.stderr, re.M)
    assert names == {name for name in names if any(name in line for line in sought)}


def test_every_expression_parses_and_names_what_exists() -> None:
    known = known_series(ROOT)
    assert len(rules(ROOT)) > 30
    for rule in rules(ROOT):
        assert unknown(rule["expr"], known) == [], rule
    assert unknown('sum(sandbox_lots{job!=""})', known) == ["sandbox_lots"]
    assert unknown('sandbox_knob_value{nob="x"}', known) == ["sandbox_knob_value: nob"]


def test_what_may_happen_but_once_is_counted_from_zero() -> None:
    """A series that begins at 1 has not risen, as Prometheus sees it."""
    fresh = LiveMetrics("s", "d").registry
    for rule in rules(ROOT):
        for metric, outcomes in re.findall(r'(\w+_total)\{[^}]*outcome=~?"([^"]+)"', rule["expr"]):
            for outcome in outcomes.split("|"):
                assert fresh.get_sample_value(metric, {"outcome": outcome}) == 0
    assert fresh.get_sample_value("sandbox_trainings_total", {"outcome": "failed"}) == 0
    assert fresh.get_sample_value("sandbox_dead_letters_total", {"reason": "null"}) == 0
    assert fresh.get_sample_value("sandbox_lost_messages_total") == 0


def test_what_was_pushed_by_simulated_runs_is_left_out() -> None:
    for rule in rules(ROOT):
        for metric, labels in re.findall(r"(sandbox_\w+)(\{[^}]*\})?", rule["expr"]):
            assert 'job!=""' in labels, metric


def test_sides_of_an_alert_are_what_it_compares() -> None:
    alert = promql_parser.parse("(a > 5 and on() b == 0) unless (rate(c[1m]) or vector(0))")
    assert [side.prettify() for side in sides(alert)] == [
        "a", "5", "b", "0", promql_parser.parse("rate(c[1m]) or vector(0)").prettify(),
    ]  # fmt: skip


def test_every_alert_says_what_to_do() -> None:
    runbooks = set()
    for rule in rules(ROOT):
        if "alert" not in rule:
            continue
        notes = rule["annotations"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert notes["summary"].endswith(".") and (ROOT / notes["runbook"]).is_file()
        assert notes["runbook_url"] == f"http://localhost:3000/d/runbook-{rule['alert']}"
        text = (ROOT / notes["runbook"]).read_text()
        assert f"`{rule['alert']}`" in text
        assert [part for part in PARTS if f"\n## {part}\n" not in text] == []
        runbooks.add(ROOT / notes["runbook"])
    assert runbooks == set((ROOT / "docs" / "runbooks").glob("*.md"))


def test_the_page_lists_every_alert() -> None:
    page = (ROOT / "docs" / "live-dashboards.md").read_text()
    listed = {}
    for rule in rules(ROOT):
        if "alert" in rule:
            book = rule["annotations"]["runbook"].removeprefix("docs/")
            severities = listed.setdefault((rule["alert"], book), [])
            severities.append(rule["labels"]["severity"])
    wanted = [
        f"| `{alert}` | {' or '.join(dict.fromkeys(severities))} | [{Path(book).stem}]({book}) |"
        for (alert, book), severities in listed.items()
    ]
    assert page.partition("\n## Alerts\n")[2].splitlines()[3:] == wanted


def test_the_page_says_how_long_the_windows_are(build: ModuleType) -> None:
    page = (ROOT / "docs" / "live-dashboards.md").read_text()
    for place, pace in enumerate(build.Windows(1440.0).paces):
        slow = build.Windows(60.0).paces[place]
        row = next(line for line in page.splitlines() if line.startswith(f"| {pace.name} |"))
        assert [cell.strip() for cell in row.split("|")[5:7]] == [
            f"{shown(one.long)}, {shown(one.short)}" for one in (pace, slow)
        ]


def shown(seconds: int) -> str:
    return f"{seconds} s" if seconds <= 60 else f"{seconds / 60:g} min"


def test_commands_of_runbooks_are_understood() -> None:
    """Each is parsed as it would be when typed, and not carried out."""
    commands = set()
    for file in (ROOT / "docs" / "runbooks").glob("*.md"):
        commands |= set(re.findall(r"`sandbox ([^`]+)`", file.read_text()))
    assert len(commands) > 10
    for command in commands:
        understood(shlex.split(command))
    for wrong in (["threshold", "--blok", "off"], ["retrian"]):
        with pytest.raises(typer.TyperException):
            understood(wrong)


def understood(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "resolve_command"):
        context = command.context_class(command)
        _, command, words = command.resolve_command(context, words)
    command.make_context("test", list(words))


def test_links_of_runbooks_lead_somewhere() -> None:
    folder = ROOT / "docs" / "runbooks"
    links = [
        (f.name, t)
        for f in folder.glob("*.md")
        for t in re.findall(r"\]\(([^)]+)\)", f.read_text())
    ]
    assert links and [link for link in links if not (folder / link[1]).is_file()] == []


def test_a_slow_clock_gives_the_windows_of_the_workbook(build: ModuleType) -> None:
    paces = build.Windows(1.0).paces
    assert [(p.burn, p.long, p.short) for p in paces] == [
        (14.4, 3600, 300), (6.0, 21600, 1800), (1.0, 259200, 21600),
    ]  # fmt: skip
    assert build.Windows(1.0).budget == 30 * 86400
    assert build.Windows(1440.0).budget == 30 * 60


@given(speed=st.floats(1.0, 1e5))
def test_windows_hold_enough_scrapes_at_any_speed(build: ModuleType, speed: float) -> None:
    windows = build.Windows(speed)
    for pace in windows.paces:
        assert pace.short >= 4 * build.SCRAPE and pace.long >= 2 * pace.short
    longs = [pace.long for pace in windows.paces]
    assert longs == sorted(set(longs)) and windows.budget > longs[-1]


def test_roles_are_looked_at_as_often_as_the_windows_assume(build: ModuleType) -> None:
    config = YAML(typ="safe").load((ROOT / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    ports = {"generator": 9101, "worker": 9102, "monitor": 9103, "trainer": 9104}
    assert set(jobs) == {*ports, "prometheus"}
    for role, port in ports.items():
        assert jobs[role]["scrape_interval"] == f"{build.SCRAPE}s"
        assert str(port) in str(jobs[role])
    assert jobs["worker"]["dns_sd_configs"][0]["names"] == ["worker"]
