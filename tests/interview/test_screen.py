"""The screen: every size, every key, and what was typed is never lost to a resize."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sandbox.interview.content import Loaded
from sandbox.interview.notes import Setup
from sandbox.interview.screen import Screen
from sandbox.interview.session import Session
from tests.interview.conftest import found_nothing


@pytest.fixture
def screen(loaded: Loaded) -> Screen:
    session = Session(loaded, Setup(), found_nothing)
    return Screen(session, lambda text: session.give(text, session.spent + 1))


def shown(screen: Screen, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, legacy_windows=False)
    console.print(screen.render(console, "01:02 of 45:00"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip("\n").splitlines()


def press(screen: Screen, text: str) -> None:
    for key in text:
        screen.press(key)
    screen.press("enter")


@pytest.mark.parametrize("size", [(80, 24), (50, 12), (40, 10), (200, 60)])
def test_it_fits_every_window(screen: Screen, size: tuple[int, int]) -> None:
    press(screen, "done")
    for answer in ("3", "173M", "3200/s", "5.8k/s", "864k"):
        lines = shown(screen, *size)
        assert len(lines) <= size[1] and max(map(len, lines)) <= size[0]
        assert "01:02 of 45:00" in lines[0] and any(line.startswith("> ") for line in lines)
        press(screen, answer)
    lines = shown(screen, *size)
    assert screen.session.prompt is not None and screen.session.prompt.kind == "choice"
    assert len(lines) <= size[1] and any("▸" in line for line in lines)


def test_keys_choose_and_answer(screen: Screen) -> None:
    for answer in ("done", "3", "173M", "3200/s", "5.8k/s", "864k"):
        press(screen, answer)
    screen.press("down")
    screen.press("down")
    screen.press("up")
    screen.press("enter")
    assert screen.session.notes.chosen["path"] == "collect"


def test_typing_survives_a_resize_and_time(screen: Screen) -> None:
    for key in ("H", "o", "w", "resized", "tick", "unknown", " ", "x", "backspace", "f"):
        screen.press(key)
    assert screen.typed == "How f"
    assert any("How f" in line for line in shown(screen, 50, 12))
    screen.press("escape")
    assert screen.typed == ""


def test_junk_is_said_and_nothing_is_kept(screen: Screen) -> None:
    press(screen, "done")
    before = list(screen.session.answers)
    press(screen, "seven")
    assert screen.session.answers == before and screen.told[-1].kind == "error"
    press(screen, "")
    assert screen.session.answers == before


def test_hint_diagram_scrolling_and_leaving(screen: Screen) -> None:
    press(screen, "hint")
    assert "worth asking" in screen.told[-1].text
    press(screen, "diagram")
    assert any("Checkout" in line for line in shown(screen, 60, 30))
    newest = shown(screen, 40, 10)
    screen.press("pageup")
    assert shown(screen, 40, 10) != newest
    screen.press("pagedown")
    assert shown(screen, 40, 10) == newest
    assert not screen.leaving
    press(screen, "quit")
    assert screen.leaving


def test_a_terminal_that_is_gone(screen: Screen) -> None:
    screen.press("gone")
    assert screen.leaving
