"""The dashboard: keys, typing, sizes."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from sandbox.drills.dashboard import Screen
from sandbox.drills.session import Session


@pytest.fixture
def screen(begin: Callable[..., Session]) -> Screen:
    session = begin()
    return Screen(session, lambda line: session.give(line).said)


def drawn(screen: Screen, width: int = 110, height: int = 34) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, legacy_windows=False)
    console.print(screen.render(console))
    return out.getvalue().splitlines()


def keys(screen: Screen, text: str) -> None:
    for key in text:
        screen.press("enter" if key == "\n" else key)


@pytest.mark.parametrize(("width", "height"), [(160, 50), (110, 34), (80, 24), (60, 16)])
def test_the_screen_fits_the_window(screen: Screen, width: int, height: int) -> None:
    for key in "1234567":
        screen.press(key)
        lines = drawn(screen, width, height)
        assert len(lines) <= height + 6 and max(map(len, lines)) <= width
    assert any("panel" in line for line in drawn(screen))


def test_keys_act_and_every_act_is_a_step(screen: Screen) -> None:
    keys(screen, "3aAh")
    commands = [step.command for step in screen.session.steps]
    assert commands == ["look data", "advance 6h", "advance 1d", "hint"]
    assert "Look at single parcels." in "\n".join(drawn(screen))


def test_commands_are_typed_and_mistakes_shown(screen: Screen) -> None:
    keys(screen, "dthreshold block=x")
    for _ in range(1):
        screen.press("backspace")
    keys(screen, "9\n")
    assert "not a threshold" in "\n".join(drawn(screen, 140))
    keys(screen, "dthreshold block=0.9\n")
    keys(screen, "cother_road\n:look money\n")
    assert [s.command for s in screen.session.steps][-3:] == [
        "do threshold block=0.9", "diagnose other_road", "look money",
    ]  # fmt: skip
    assert screen.panel == "money"
    keys(screen, "dpromo")
    screen.press("escape")
    assert screen.typed is None and not screen.leaving
    screen.press("resized")
    screen.press("q")
    assert screen.leaving


def test_the_panel_scrolls_and_stops(screen: Screen) -> None:
    screen.press("7")
    top = drawn(screen, 110, 24)
    for _ in range(200):
        screen.press("down")
    bottom = drawn(screen, 110, 24)
    assert top != bottom and screen.top < 100
    for _ in range(300):
        screen.press("up")
    assert drawn(screen, 110, 24) == top


def test_grading_ends_it(screen: Screen) -> None:
    keys(screen, "g")
    assert screen.leaving and screen.session.over
