from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.cli.tables import say_json, say_table


def test_columns_are_aligned_and_empty_ones_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"name": "a", "days": 7, "problem": None, "in_time": True},
        {"name": "long-name", "days": 120, "problem": "", "in_time": False},
    ]
    say_table(("name", "days", "problem", "in_time"), rows)
    head, _, first, second = (
        line.rstrip() for line in capsys.readouterr().out.rstrip().split("\n")
    )
    assert head.split() == ["name", "days", "in", "time"]
    assert first.split() == ["a", "7", "yes"]
    assert second.split() == ["long-name", "120", "no"]
    assert first.index("7") == second.index("120") + 2


def test_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(("story",), [{"story": "[bold]not markup[/bold] :smile:"}])
    assert "[bold]not markup[/bold] :smile:" in capsys.readouterr().out


def test_a_piped_table_is_not_cut_at_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(("a", "b"), [{"a": "x" * 60, "b": "y" * 60}])
    assert "x" * 60 + "  " + "y" * 60 in capsys.readouterr().out.replace("   ", "  ")


def test_json_knows_paths_and_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    say_json({"folder": Path("runs/1"), "value": float("nan"), "rows": [1.5]})
    assert json.loads(capsys.readouterr().out) == {"folder": "runs/1", "value": None, "rows": [1.5]}
