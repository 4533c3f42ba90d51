"""The dashboard of `drill play`: the state of a session as one screen, and the keys that act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sandbox.drills.duty import Duty
from sandbox.drills.panels import panel
from sandbox.drills.session import Session
from sandbox.drills.view import render_panel, render_status
from sandbox.errors import SandboxError
from sandbox.report.live import trend
from sandbox.report.numbers import clip, number, seconds, share
from sandbox.report.numbers import quality as shown
from sandbox.run.setup import DAY
from sandbox.spec.drill import PANELS
from sandbox.spec.features import CALENDAR

__all__ = ["KEYS", "Screen"]

KEYS = (
    "1-7 panel", "a 6h on", "A a day on", "d do ...", "c diagnose ...", "h hint", "g grade",
    "up/down scroll", "q leave",
)  # fmt: skip
PROMPTS = {"d": "do ", "c": "diagnose ", ":": ""}
AT_ONCE = {"a": "advance 6h", "A": "advance 1d", "h": "hint", "g": "grade"}
SCROLL = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}
DAYS = 14
MOST_SAID = 6


@dataclass
class Screen:
    """What is shown, and what keys do to it; it knows neither terminal nor clock.

    Parameters
    ----------
    session
        Shown.
    give
        Carries out a command and returns its answer; may raise `SandboxError`.
    """

    session: Session
    give: Callable[[str], str]
    panel: str = "quality"
    typed: str | None = None
    """The command being typed; None: keys act at once."""
    said: list[Text] = field(default_factory=list)
    top: int = 0
    """First line of the panel that is shown."""
    leaving: bool = False

    def press(self, key: str) -> None:
        """React to a key: a character, or ``enter``, ``escape``, ``backspace``, ``up`` ..."""
        if self.typed is not None:
            self._type(key)
        elif key in ("q", "escape"):
            self.leaving = True
        elif key.isdigit() and 1 <= int(key) <= len(PANELS):
            self._show(PANELS[int(key) - 1])
        elif key in AT_ONCE:
            self._carry_out(AT_ONCE[key])
        elif key in PROMPTS:
            self.typed = PROMPTS[key]
        elif key in SCROLL:
            self.top = max(self.top + SCROLL[key], 0)

    def render(self, console: Console) -> RenderableType:
        """Return the screen for the console's present size."""
        said = self.said[-MOST_SAID:]
        head: list[RenderableType] = [render_status(self.session), Text(), _tiles(self.session)]
        head += [_tabs(self.panel), Text()]
        foot: list[RenderableType] = [*said, self._prompt(console.width)]
        room = console.height - sum(_height(console, part) for part in (*head, *foot)) - 1
        lines = _lines(console, render_panel(panel(self.session.duty, self.panel)))
        self.top = min(self.top, max(len(lines) - max(room, 1), 0))
        body = lines[self.top : self.top + max(room, 1)]
        padding = [Text()] * max(room - len(body), 0)
        return Group(*head, *body, *padding, *foot)

    def _type(self, key: str) -> None:
        assert self.typed is not None
        if key == "escape":
            self.typed = None
        elif key == "enter":
            line, self.typed = self.typed.strip(), None
            if line:
                self._carry_out(line)
        elif key == "backspace":
            self.typed = self.typed[:-1]
        elif len(key) == 1 and key.isprintable():
            self.typed += key

    def _show(self, name: str) -> None:
        self.panel, self.top = name, 0
        self._carry_out(f"look {name}", quiet=True)

    def _carry_out(self, line: str, *, quiet: bool = False) -> None:
        try:
            said = self.give(line)
        except SandboxError as error:
            self.said.append(Text(error.line(), style="red"))
            return
        if line.startswith("look ") and not quiet:
            self.panel, self.top = line.removeprefix("look "), 0
        elif not quiet:
            answer = said.splitlines()
            self.said += [Text(f"> {line}: {answer[0]}"), *map(Text, answer[1:])]
        self.leaving = self.session.over

    def _prompt(self, width: int) -> Text:
        if self.typed is not None:
            return Text("> " + self.typed[-(width - 4) :] + "█", style="bold")
        return Text(clip("   ".join(KEYS), width), style="dim")


def _tabs(chosen: str) -> Text:
    line = Text()
    for place, name in enumerate(PANELS, start=1):
        style = "reverse" if name == chosen else "dim"
        line.append(f" {place} {name} ", style=style).append(" ")
    return line


def _tiles(session: Session) -> Table:
    """Return the vital signs: what is known, over two weeks."""
    duty = session.duty
    task = duty.prepared.task
    grid = Table.grid(padding=(0, 3))
    cells = [
        _tile("observed quality", *_daily(duty, task.primary, "observed"), shown),
        _tile("estimated quality", *_daily(duty, task.primary, "estimated"), shown),
        _tile("refused a day", *_daily(duty, "decisions", "block"), number),
        _tile("to review a day", *_daily(duty, "decisions", "review"), number),
        _tile("answered in time", *_daily(duty, "answered", ""), share),
        _tile("p99", *_daily(duty, "latency_p99", ""), seconds),
        _tile("load/s", *_daily(duty, "load", ""), number),
        _tile("largest PSI", *_largest(duty, "psi"), number),
    ]
    for start in range(0, len(cells), 4):
        grid.add_row(*cells[start : start + 4])
    return grid


def _tile(name: str, trend_of: Sequence[float], now: float, show: Callable[[float], str]) -> Text:
    tile = Text(f"{name}  ", style="dim")
    tile.append(show(now), style="not dim").append(" " + trend(trend_of), style="cyan")
    return tile


def _daily(duty: Duty, metric: str, series: str) -> tuple[list[float], float]:
    """Return the last two weeks of a series by day, and its newest value."""
    days, values = duty.metrics.series(metric, series)
    if not len(days):
        return [], float("nan")
    last = int(np.ceil(days[-1]))
    by_day = []
    for day in range(last - DAYS, last):
        mine = values[(days > day) & (days <= day + 1)]
        by_day.append(float(np.nanmean(mine)) if np.isfinite(mine).any() else float("nan"))
    return by_day, float(values[-1])


def _largest(duty: Duty, metric: str) -> tuple[list[float], float]:
    subjects = (name for name in duty.metrics.names(metric) if name not in CALENDAR)
    found = [duty.metrics.series(metric, subject) for subject in subjects]
    if not found:
        return [], float("nan")
    days = sorted({day for ds, _ in found for day in ds if day > duty.now / DAY - DAYS})
    most = [max(vs[ds == day].max(initial=0.0) for ds, vs in found) for day in days]
    return most, most[-1] if most else float("nan")


def _lines(console: Console, part: RenderableType) -> list[Text]:
    """Return what is rendered, line by line."""
    options = console.options.update(width=console.width)
    return [
        Text.assemble(*((s.text, s.style or "") for s in line))
        for line in console.render_lines(part, options, pad=False)
    ]


def _height(console: Console, part: RenderableType) -> int:
    return len(console.render_lines(part, console.options, pad=False))
