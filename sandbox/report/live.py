"""What a run shows while it works: one calm block, or a plain line a simulated week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sandbox.record import LiveState, RunRecord
from sandbox.report.numbers import DASH, day, number, seconds, words

__all__ = [
    "LiveHeader",
    "LiveView",
    "QuietView",
    "RunView",
    "WeeklyView",
    "sparkline",
    "trend",
    "view_for",
]

BARS = "▁▂▃▄▅▆▇█"
SPARK = 10
WEEK = 7.0


@dataclass(frozen=True)
class LiveHeader:
    """What runs."""

    scenario: str
    design: str
    seed: int
    days: float


class RunView(Protocol):
    """Somebody who watches a run."""

    def start(self, header: LiveHeader) -> None:
        """Begin to show a run."""

    def update(self, state: LiveState) -> None:
        """Show a newer state; cheap enough to call on every simulated day."""

    def finish(self, record: RunRecord | None) -> None:
        """Stop showing; `record` is None when the run failed. May be called twice."""


class QuietView:
    """Shows nothing."""

    def start(self, header: LiveHeader) -> None:
        """Show nothing."""

    def update(self, state: LiveState) -> None:
        """Show nothing."""

    def finish(self, record: RunRecord | None) -> None:
        """Show nothing."""


class LiveView:
    """One block, redrawn in place; it goes away when the run ends and the verdict takes over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._header: LiveHeader | None = None
        self._state: LiveState | None = None
        self._live = Live(
            console=console, get_renderable=self._block, refresh_per_second=8, transient=True
        )

    def start(self, header: LiveHeader) -> None:
        """Begin to redraw, eight times a second."""
        self._header = header
        self._live.start()

    def update(self, state: LiveState) -> None:
        """Remember the state; the next redraw shows it."""
        self._state = state

    def finish(self, record: RunRecord | None) -> None:
        """Clear the block."""
        self._live.stop()

    def _block(self) -> Group:
        if self._header is None:
            return Group()
        return block(self._header, self._state, self._console.width)


class WeeklyView:
    """A plain line a simulated week, for pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._week = 0
        self._alerts = 0

    def start(self, header: LiveHeader) -> None:
        """Say what runs."""
        self._say(_name(header) + f", {header.days:g} days")

    def update(self, state: LiveState) -> None:
        """Write a line when a week is over."""
        if state.day < (self._week + 1) * WEEK:
            return
        self._week = int(state.day // WEEK)
        self._say(week_line(state, state.alerts[self._alerts :]))
        self._alerts = len(state.alerts)

    def finish(self, record: RunRecord | None) -> None:
        """Leave the lines as they are."""

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def view_for(console: Console, *, quiet: bool = False) -> RunView:
    """Return the view that suits the console: a block on a terminal, lines in a pipe."""
    if quiet:
        return QuietView()
    return LiveView(console) if console.is_terminal else WeeklyView(console)


def sparkline(values: Sequence[float], low: float, high: float, width: int = SPARK) -> str:
    """Return `values` as bars from `low` to `high`; a blank stands for what is not finite.

    More values than `width` are averaged in groups, so that the whole past is shown.

    Examples
    --------
    >>> sparkline([0.1, 0.5, 0.9, float("nan"), 0.3], 0.1, 0.9)
    '▁▅█ ▃'
    """
    count = len(values)
    if count > width:
        cuts = [round(i * count / width) for i in range(width + 1)]
        values = [_mean(values[a:b]) for a, b in pairwise(cuts)]
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        BARS[min(max(round((v - low) * scale), 0), len(BARS) - 1)] if v == v else " "
        for v in values
    )


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if v == v]
    return sum(known) / len(known) if known else float("nan")


def block(header: LiveHeader, state: LiveState | None, width: int) -> Group:
    """Return the live block for a console of `width` columns."""
    if state is None:
        rows = [[Text(_name(header), style="bold"), Text("history and first model ...", "dim")]]
    else:
        rows = [_title(header, state), _stack(state), _quality(state), _alerts(state)]
        rows += [[_pair("model", state.versions)] if state.versions else [], _money(state)]
    return Group(*(line for row in rows for line in _flow(row, width)))


def _name(header: LiveHeader) -> str:
    design = header.design if "design" in header.design else f"{header.design} design"
    return f"{header.scenario} · {design} · seed {header.seed}"


def _title(header: LiveHeader, state: LiveState) -> list[Text]:
    done = min(max(state.day / state.days, 0.0), 1.0) if state.days else 1.0
    full = int(done * 24)
    bar = Text("━" * full, style="cyan") + Text("━" * (24 - full), style="bright_black")
    progress = Text(f"day {state.day:.0f} of {state.days:.0f}  ") + bar
    speed = Text(f"{number(state.wall_events_per_second)} events/s", style="dim")
    return [Text(_name(header), style="bold"), progress, speed]


def _stack(state: LiveState) -> list[Text]:
    load = None if state.load is None else f"{number(state.load)}/s"
    lag = None if state.lag is None else number(state.lag)
    p99 = None if state.latency_p99 is None else seconds(state.latency_p99)
    found = (("load", load), ("lag", lag), ("p99", p99))
    return [_pair(label, value) for label, value in found if value is not None]


def _quality(state: LiveState) -> list[Text]:
    known = [v for view in state.quality.values() for v in view.history if v == v]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    parts = [Text(words(state.metric), style="dim")]
    for name, view in state.quality.items():
        text = _pair(name, _short(view.value))
        bars = sparkline(view.history, low, high)
        text.append(f" {bars}" if bars else "", style="cyan")
        if view.to_day is not None:
            text.append(f" (to {day(view.to_day)})", style="dim")
        parts.append(text)
    return parts if len(parts) > 1 else []


def _alerts(state: LiveState) -> list[Text]:
    last = [Text(f"{day(when)} {text}", style="yellow") for when, text in state.alerts[-3:]]
    older = len(state.alerts) - len(last)
    head = Text("alerts", style="dim").append(f" {older} older" if older else "")
    return [head, *last] if last else [head.append(" none")]


def _money(state: LiveState) -> list[Text]:
    kinds = [k for k in state.money if k not in ("total", "no_model")]
    parts = [_pair("money  lost", f"{number(state.money.get('total'))} USD")] if kinds else []
    parts += [_pair(words(kind), number(state.money[kind])) for kind in kinds]
    if state.reviews_used is not None:
        limit = f" of {number(state.review_capacity)}" if state.review_capacity else ""
        parts.append(_pair("reviewed", f"{number(state.reviews_used)}{limit} a day"))
    return parts


def _pair(label: str, value: str) -> Text:
    return Text(f"{label} ", style="dim").append(value, style="not dim")


def _short(value: float | None) -> str:
    """Return a share as people say it: ``.71``."""
    if value is None or value != value:
        return DASH
    return f"{value:.2f}".removeprefix("0") if abs(value) < 1 else number(value)


def _flow(parts: list[Text], width: int) -> list[Text]:
    """Lay parts out in lines of at most `width` columns, breaking between parts only."""
    lines: list[Text] = []
    for part in parts:
        part.truncate(max(width - 2, 8), overflow="ellipsis")
        if lines and lines[-1].cell_len + 3 + part.cell_len <= width:
            lines[-1].append("   ").append_text(part)
        else:
            lines.append(Text("  " if lines else "").append_text(part))
    return lines


def week_line(state: LiveState, fresh: Sequence[tuple[float, str]]) -> str:
    """Return the line of one week; `fresh` are the alerts since the last one."""
    parts = [f"day {state.day:3.0f} of {state.days:.0f}"]
    views = [f"{name} {_short(view.value)}" for name, view in state.quality.items()]
    if views:
        parts.append(f"{words(state.metric)} " + " ".join(views))
    parts += [text.plain for text in _stack(state)[1:]]
    if "total" in state.money:
        parts.append(f"lost {number(state.money['total'])} USD")
    if state.versions:
        parts.append(" ".join(state.versions.split()))
    parts += [f"alert {day(when)} {text}" for when, text in fresh]
    return "  ".join(parts)


def trend(values: Sequence[float], width: int = 14) -> str:
    """Return values as bars from the lowest to the highest.

    Examples
    --------
    >>> trend([1.0, 2.0, 3.0])
    '▁▅█'
    """
    known = [v for v in values if v == v]
    if not known:
        return ""
    low, high = min(known), max(known)
    return sparkline(values, low, high if high > low else low + 1.0, width)
