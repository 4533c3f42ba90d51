"""``sandbox drill play``: a drill on a dashboard with keys, or line by line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sandbox.cli.keys import raw_keys
from sandbox.cli.tables import say
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.drills.desk import Desk, Seat

__all__ = ["play_lines", "play_screen"]

LEAST = (60, 16)
"""Columns and lines below which the screen cannot be read."""


def play_screen(desk: Desk, seat: Seat) -> None:
    """Show the dashboard until the learner leaves, or the drill is graded.

    Every step is on disk as soon as it is done: leaving in any way loses nothing.
    """
    from rich.console import Console
    from rich.text import Text

    from sandbox.drills.dashboard import Screen

    console = Console(highlight=False, markup=False, emoji=False)
    screen = Screen(seat.session, lambda line: desk.give(seat, line).said)
    with raw_keys() as read, console.screen(hide_cursor=True) as shown:
        while not screen.leaving:
            if console.width < LEAST[0] or console.height < LEAST[1]:
                small = f"{console.width} x {console.height}: at least {LEAST[0]} x {LEAST[1]}"
                shown.update(Text(f"The window is too small ({small}). q leaves."))
            else:
                shown.update(screen.render(console))
            for key in read():
                if key == "gone":  # the terminal
                    screen.leaving = True
                screen.press(key)


def play_lines(desk: Desk, seat: Seat) -> None:
    """Read commands line by line, for pipes and screen readers, until the input ends."""
    from sandbox.cli.tables import results_console
    from sandbox.drills.view import print_panels, status_line

    prompt = sys.stdin.isatty()
    if prompt:
        say("Commands: look [PANEL], advance 6h, do ACTION ..., diagnose CAUSE, hint, grade, quit.")
    while not seat.session.over:
        try:
            line = input("> " if prompt else "").strip()
        except EOFError:
            break
        if line in ("quit", "q", "exit"):
            break
        if not line:
            continue
        try:
            step = desk.give(seat, line)
        except SandboxError as error:
            say(f"error: {error.line()}")
            continue
        if step.command.startswith("look"):
            print_panels(seat.session, step.command.removeprefix("look").strip(), results_console())
        else:
            say(step.said)
        say(status_line(seat.session))
