"""An interview on the whole screen of a terminal, with keys and a clock that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cli.keys import raw_keys
from sandbox.cli.walkthrough_lines import Clock, work_through

if TYPE_CHECKING:
    from sandbox.interview.prompts import Tell
    from sandbox.interview.room import Room, Seat

__all__ = ["hold_screen"]

LEAST = (40, 10)
"""Columns and lines below which the screen cannot be read."""
TICK = 1.0
"""How often the clock is shown anew [s]."""


def hold_screen(room: Room, seat: Seat) -> None:
    """Show the interview until the candidate leaves, or it is over.

    Every answer is on disk as soon as it is given: leaving in any way loses nothing.
    """
    from rich.console import Console
    from rich.text import Text

    from sandbox.interview.prompts import Tell
    from sandbox.interview.screen import Screen

    session = seat.session
    clock = Clock(session.spent)

    def give(text: str) -> list[Tell]:
        return room.give(seat, text, clock.seconds())

    console = Console(highlight=False, markup=False, emoji=False)
    screen = Screen(session, give)
    with raw_keys(TICK) as read, console.screen(hide_cursor=True) as shown:
        while not screen.leaving and not session.over:
            if console.width < LEAST[0] or console.height < LEAST[1]:
                small = f"{console.width} x {console.height}, at least {LEAST[0]} x {LEAST[1]}"
                shown.update(Text(f"The window is too small: {small}."))
            else:
                shown.update(screen.render(console, clock.shown(session.setup.minutes)))
            if session.waiting is not None:
                screen.told.append(Tell(f"... {session.waiting.about}; the clock stands still"))
                shown.update(screen.render(console, clock.shown(session.setup.minutes)))
                screen.told += work_through(room, seat, lambda text: None)
                clock.set(session.spent)
                continue
            for key in read():
                screen.press(key)
                if session.over or session.waiting is not None:
                    break
