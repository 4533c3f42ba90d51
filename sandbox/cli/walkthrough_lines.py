"""An interview line by line: for pipes, for screen readers, and for small terminals."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sandbox.cli.tables import results_console, say
from sandbox.errors import OutputError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from sandbox.interview.prompts import Prompt, Tell
    from sandbox.interview.room import Room, Seat

__all__ = ["Clock", "hold_lines", "print_told", "say_prompt", "work_through"]

QUIT = ("quit", "exit", "q")
HELP = (
    "Answer, or: skip, hint, diagram, quit. A choice takes a number or a name. "
    "Everything is kept at once; the same command goes on."
)


class Clock:
    """The time on the clock: that of the answers so far, and what runs since.

    Parameters
    ----------
    spent
        What was on it before [s].
    now
        A clock that never goes back [s].
    """

    def __init__(self, spent: float, now: Callable[[], float] = time.monotonic) -> None:
        self._spent, self._now = spent, now
        self._since = now()

    def seconds(self) -> float:
        """Return what is on it [s]."""
        return self._spent + self._now() - self._since

    def set(self, spent: float) -> None:
        """Go on from another time: the machine's work does not count."""
        self._spent, self._since = spent, self._now()

    def shown(self, minutes: float) -> str:
        """Return it as ``12:31 of 45:00``."""
        spent = int(self.seconds())
        return f"{spent // 60:02d}:{spent % 60:02d} of {minutes:.0f}:00"


def hold_lines(room: Room, seat: Seat) -> None:
    """Read answers line by line until the interview or the input ends.

    Every answer is on disk as soon as it is given: leaving in any way loses nothing.
    """
    session, console = seat.session, results_console()
    clock = Clock(session.spent)
    print_told(console, _since_last_title(session.told))
    if sys.stdin.isatty():
        say(HELP)
    while not session.over:
        if session.waiting is not None:
            print_told(console, work_through(room, seat, say))
            clock.set(session.spent)
            continue
        assert session.prompt is not None
        say_prompt(session.prompt, clock.shown(session.setup.minutes))
        line = _line()
        if line is None or line.lower() in QUIT:
            return
        if not _command(seat, line, console):
            _give(room, seat, line, clock, console)


def print_told(console: Console, told: Sequence[Tell]) -> None:
    """Print what was said."""
    from sandbox.interview.diagram import terminal_flow

    for one in told:
        if one.kind == "title":
            console.print(f"\n== {one.text} ==")
        elif one.kind == "diagram":
            console.print(terminal_flow(one.text, console.width))
        else:
            console.print(f"{'' if one.kind == 'say' else '  '}{one.text}")


def say_prompt(prompt: Prompt, clock: str) -> None:
    """Print what is asked, with its options and the clock."""
    say(f"\n[{clock}] {prompt.ask}")
    for number, text in enumerate(prompt.options.values(), start=1):
        say(f"  {number}. {text}")


def work_through(room: Room, seat: Seat, tell: Callable[[str], None]) -> list[Tell]:
    """Let the machine do what is waiting, and return what is said then."""
    assert seat.session.waiting is not None
    tell(f"... {seat.session.waiting.about}; the clock stands still")
    return room.do_work(seat)


def _line() -> str | None:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except (EOFError, UnicodeDecodeError):
        return None


def _command(seat: Seat, line: str, console: Console) -> bool:
    """Carry out what is no answer; return whether it was."""
    from sandbox.interview.diagram import terminal_flow

    prompt = seat.session.prompt
    assert prompt is not None
    if line.lower() == "hint":
        none = "There are no hints here."
        say(none if seat.session.setup.exam or not prompt.hint else prompt.hint)
    elif line.lower() == "diagram":
        console.print(terminal_flow(seat.session.notes.assembly.mermaid(), console.width))
    elif line.lower() in ("help", "?"):
        say(HELP)
    else:
        return not line
    return True


def _give(room: Room, seat: Seat, line: str, clock: Clock, console: Console) -> None:
    try:
        told = room.give(seat, line, clock.seconds())
    except OutputError:
        raise
    except UsageError as error:
        say(f"error: {error.line()}")
        return
    print_told(console, told)


def _since_last_title(told: Sequence[Tell]) -> Sequence[Tell]:
    """Return what was said since the last heading but one, to find one's way back."""
    titles = [place for place, one in enumerate(told) if one.kind == "title"]
    return told[titles[-1] :] if len(titles) > 2 else told
