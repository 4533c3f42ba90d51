from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sandbox.record import LiveState, QualityView, RunRecord
from sandbox.report.compare import compare_sentence
from sandbox.report.live import (
    LiveHeader,
    LiveView,
    QuietView,
    WeeklyView,
    block,
    sparkline,
    view_for,
)
from sandbox.report.terminal import (
    print_comparison,
    print_files,
    print_incidents,
    print_verdict,
)

HEADER = LiveHeader("fraud", "reference", 7, 120.0)


def state(day: float = 63.0, alerts: int = 5) -> LiveState:
    return LiveState(
        day=day, days=120.0, events=500_000, wall_events_per_second=212_000.0,
        load=2100.0, lag=400.0, latency_p99=0.038, metric="pr_auc",
        quality={
            "oracle": QualityView(0.71, (0.7, 0.4, float("nan"), 0.71)),
            "observed": QualityView(0.69, (0.69,), day - 11),
            "estimated": QualityView(0.74),
        },
        alerts=tuple((40.0 + i, "psi([bold]amount)") for i in range(alerts)),
        versions="v3 champion since day 60   v4 in shadow",
        money={"missed": 15_000.0, "reviews": 3_200.0, "total": 18_200.0, "no_model": 90_000.0},
        reviews_used=98.0, review_capacity=100.0,
    )  # fmt: skip


def shown(width: int, draw: object, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        no_color=not colour,
        legacy_windows=False,
    )
    assert callable(draw)
    draw(console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_block_fits(width: int) -> None:
    text = shown(width, lambda c: c.print(block(HEADER, state(), width)))
    assert max(map(len, text.splitlines())) <= width
    assert "day 63 of 120" in text and "212k events/s" in text and "[bold]amount" in text
    assert "oracle .71" in text and "observed .69" in text and "(to day 52)" in text
    assert "18.2k USD" in text and "98 of 100 a day" in text and "2 older" in text


def test_block_before_the_first_day_and_without_values() -> None:
    assert "first model" in shown(80, lambda c: c.print(block(HEADER, None, 80)))
    bare = replace(state(), quality={}, alerts=(), money={}, versions="", load=None)
    text = shown(80, lambda c: c.print(block(HEADER, bare, 80)))
    assert "alerts none" in text and "oracle" not in text and "load" not in text


def test_live_view_draws_and_cleans_up() -> None:
    def draw(console: Console) -> None:
        view = LiveView(console)
        view.start(HEADER)
        view.update(state())
        view.finish(None)
        view.finish(None)

    text = shown(80, draw, colour=True)
    assert "day 63 of 120" in text and "\x1b[2K" in text


def test_weekly_lines_are_plain_and_one_a_week() -> None:
    def draw(console: Console) -> None:
        view = WeeklyView(console)
        view.start(HEADER)
        for day in range(1, 31):
            view.update(state(float(day), alerts=day // 10))
        view.finish(None)

    lines = shown(60, draw).splitlines()
    assert len(lines) == 1 + 4 and "\x1b" not in "".join(lines)
    assert [re.sub(r"\D+", " ", line.split("of")[0]).strip() for line in lines[1:]] == [
        "7", "14", "21", "28",
    ]  # fmt: skip
    assert [line.count("alert day") for line in lines[1:]] == [0, 1, 1, 0]
    assert "PR AUC oracle .71 observed .69 estimated .74" in lines[1]


def test_the_view_suits_the_console() -> None:
    assert isinstance(view_for(Console(file=io.StringIO(), force_terminal=True)), LiveView)
    assert isinstance(view_for(Console(file=io.StringIO())), WeeklyView)
    quiet = view_for(Console(file=io.StringIO()), quiet=True)
    assert isinstance(quiet, QuietView)
    quiet.start(HEADER)
    quiet.update(state())
    quiet.finish(None)


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch, record: RunRecord) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    print_verdict(record, Console(file=file, force_terminal=True, width=80))
    assert not re.search(r"\x1b\[[0-9;]*3\d", file.getvalue())
    monkeypatch.delenv("NO_COLOR")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system="standard")
    print_verdict(record, console)
    assert re.search(r"\x1b\[[0-9;]*3\d", file.getvalue())


@pytest.mark.parametrize("width", [40, 60, 100])
def test_verdict_fits(record: RunRecord, width: int) -> None:
    text = shown(width, lambda c: print_verdict(record, c))
    assert max(map(len, text.splitlines())) <= width
    assert "✓ pass" in text and "✗ fail" in text and "not measured" in text
    assert ("evidence" in text) == (width >= 96)
    assert "bought" in text and "Partial" not in text


def test_verdict_of_a_partial_run(partial: RunRecord) -> None:
    text = shown(80, lambda c: print_verdict(partial, c))
    assert "Partial run" in text and "No objective was measured." in text


def test_incidents(record: RunRecord) -> None:
    text = shown(100, lambda c: print_incidents(record, c))
    assert "ring" in text and "10 days after onset" in text and "quality held" in text
    assert "detected never" in text


def test_files_are_not_wrapped() -> None:
    folder = Path("/tmp") / ("long" * 30)
    text = shown(40, lambda c: print_files(folder, ["report.html"], c))
    assert str(folder / "report.html") in text


def test_comparison(record: RunRecord, never: RunRecord) -> None:
    records = [record, never]
    text = shown(80, lambda c: print_comparison(records, compare_sentence(records), c))
    assert "never-retrain" in text and "money: missed" in text and "✗ fail" in text


def test_sparkline_has_a_width() -> None:
    assert len(sparkline([0.0] * 100, 0.0, 1.0)) == 10
    assert sparkline([], 0.0, 1.0) == "" and sparkline([1.0], 1.0, 1.0) == "▁"


@pytest.mark.parametrize(
    ("task", "missed", "declined"),
    [
        ("binary", "missed", "false declines"),
        ("regression", "wrong estimates given", "right estimates withheld"),
        ("ranking", "shown and passed over", "hidden and wanted"),
    ],
)
def test_money_is_named_as_the_task_does(
    record: RunRecord, task: str, missed: str, declined: str
) -> None:
    told = replace(record, task=task, money={"missed": 10.0, "false_declines": 5.0, "total": 15.0})
    text = shown(200, lambda console: print_verdict(told, console))
    assert f"({missed} 10 USD, {declined} 5 USD)" in " ".join(text.split())
