"""The state of a live system for people: a table, a live table, and one calm line."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.cli.tables import results_console

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["follow", "line_of", "print_status", "watch_status"]

Status = Mapping[str, Any]
EVERY = 1.0
"""Time between two looks [s]."""
CALM = 10.0
"""Time between two lines where there is no terminal [s]."""
_SHOWN = 8
_OWN = ("clock",)
"""Kinds of happenings that are no news."""


def print_status(status: Status) -> None:
    """Print a table."""
    results_console().print(_page(status))


def watch_status(look: Callable[[], Status], stop: threading.Event) -> None:
    """Show the table again and again until told to stop; one after another where piped."""
    from rich.live import Live

    console = results_console()
    if not console.is_terminal:
        while not stop.is_set():
            console.print(line_of(look()))
            stop.wait(CALM)
        return
    with Live(_page(look()), console=console, auto_refresh=False, screen=True) as screen:
        while not stop.wait(EVERY):
            screen.update(_page(look()), refresh=True)


def follow(
    look: Callable[[], Status],
    watch: Callable[[Callable[[], bool]], None],
    stop: threading.Event,
) -> None:
    """Show one line, redrawn in place, and news above it; plain lines where piped.

    Parameters
    ----------
    look
        Gives the status.
    watch
        Calls what it is given until that says False; raises where the system has died.
    """
    from rich.live import Live
    from rich.text import Text

    console, news, told_at = results_console(), _News(), 0.0
    if not console.is_terminal:

        def plain() -> bool:
            nonlocal told_at
            status = look()
            for text in news.of(status):
                print(text, flush=True)
            if time.monotonic() - told_at > CALM:
                told_at = time.monotonic()
                print(line_of(status), flush=True)
            return not stop.wait(EVERY)

        watch(plain)
        return
    with Live(console=console, auto_refresh=False, transient=True) as line:

        def redraw() -> bool:
            status = look()
            for text in news.of(status):
                console.print(text)
            line.update(Text(line_of(status), overflow="ellipsis", no_wrap=True), refresh=True)
            return not stop.wait(EVERY)

        watch(redraw)
    sys.stdout.flush()


def line_of(status: Status) -> str:
    """Return a status in one line.

    Examples
    --------
    >>> line_of({"day": 3.25, "serving": {"champion": 2}, "events": 1200,
    ...          "quality": {"pr_auc": {"oracle": 0.7123}}, "incidents": {"ring": "drift"}})
    'day 3.2 · v2 · 1,200 events · pr_auc oracle 0.712 · incidents: ring'
    """
    parts = [_day(status), _serving(status), f"{status.get('events', 0):,} events"]
    for metric, views in list((status.get("quality") or {}).items())[:1]:
        shown = [f"{view} {value:.3f}" for view, value in views.items() if value is not None]
        parts += [f"{metric} {' '.join(shown)}"] if shown else []
    incidents = status.get("incidents") or {}
    parts += [f"incidents: {', '.join(incidents)}"] if incidents else []
    waits = _waits(status)
    parts += [f"waits: {waits}"] if waits else []
    return " · ".join(parts)


class _News:
    """Happenings that were not told yet."""

    def __init__(self) -> None:
        self._next = 0
        self._last: list[Mapping[str, Any]] = []

    def of(self, status: Status) -> list[str]:
        """Return what has happened since the last time, a line each."""
        new = [one for one in status.get("happenings", ()) if one["offset"] >= self._next]
        if new:
            self._next = new[-1]["offset"] + 1
        found = _worth([*self._last, *new])[len(self._last) :]
        self._last = found[-1:] or self._last
        return [_told(one) for one in found]


def _worth(happenings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out what is no news: the clock, and answers that repeat what happened."""
    found: list[Mapping[str, Any]] = []
    for one in happenings:
        repeats = one["kind"] == "command" and found and found[-1]["what"] == one["what"]
        if one["kind"] not in _OWN and not repeats:
            found.append(one)
    return found


def _told(one: Mapping[str, Any]) -> str:
    who = f" ({one['who']})" if one.get("who") else ""
    return f"day {one['day']:.1f}  {one['kind']}{who}: {one['what']}"


def _day(status: Status) -> str:
    day = status.get("day")
    return "before day 0" if day is None else f"day {day:.1f}"


def _serving(status: Status) -> str:
    serving = status.get("serving") or {}
    if not serving.get("champion"):
        return "no model yet"
    text = f"v{serving['champion']}"
    if serving.get("challenger"):
        canary = serving.get("canary") or 0.0
        part = f"canary {canary:.0%}" if canary else "shadow"
        text += f", v{serving['challenger']} in {part}"
    return text


def _waits(status: Status) -> str:
    waits = status.get("waits_for") or ""
    if isinstance(waits, Mapping):
        return "; ".join(f"{name} {why}" for name, why in waits.items())
    return str(waits)


def _page(status: Status) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    lines = [
        f"{status.get('scenario', '')} · {status.get('design', '')} · "
        f"{status.get('speed', 0):g} times as fast",
        line_of(status),
    ]
    parts: list[Any] = [Text(lines[0], style="bold"), Text(lines[1]), Text()]
    parts += [_quality(status), *_arms(status), _money(status), Text()]
    news = _worth(status.get("happenings", ()))[-_SHOWN:]
    parts += [
        Text(_told(one), style="" if one.get("ok", True) else "yellow", overflow="ellipsis")
        for one in news
    ]
    return Group(*parts)


def _quality(status: Status) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    quality = status.get("quality") or {}
    if not quality:
        return Text("quality: nothing yet; labels come late")
    views = sorted({view for values in quality.values() for view in values})
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("quality")
    for view in views:
        table.add_column(view, justify="right")
    for metric, values in quality.items():
        cells = [values.get(view) for view in views]
        table.add_row(metric, *("" if v is None else f"{v:.3f}" for v in cells))
    return table


def _arms(status: Status) -> list[RenderableType]:
    """Return what a ranking's test says: clicks of what the model and the baseline have shown."""
    from rich.text import Text

    shown = status.get("shown") or {}
    arms = [(name, shown.get(name), shown.get(f"{name}_clicked")) for name in ("model", "control")]
    said = [f"{name} {clicked / n:.1%} of {n:,}" for name, n, clicked in arms if n]
    if not said:
        return []
    if shown.get("uplift") is not None:
        low, high = shown["low"], shown["high"]
        said.append(f"uplift {shown['uplift']:+.1%} ({low:+.1%} to {high:+.1%})")
    return [Text(f"clicks: {' · '.join(said)}")]


def _money(status: Status) -> RenderableType:
    from rich.text import Text

    from sandbox.task import get_task

    booked = [(kind, v) for kind, v in (status.get("money") or {}).items() if v is not None]
    shown = [f"{get_task(status['task']).name_loss(kind)} {v:,.0f} USD" for kind, v in booked]
    alerts = len(status.get("alerts") or ())
    return Text(" · ".join([*shown, f"{alerts} alert{'' if alerts == 1 else 's'}"]))
