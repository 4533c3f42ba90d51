"""``--events FILE``: a user's own history, opened for as long as a command needs it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.errors import UsageError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.adapters.recorded_file import EventsFile

__all__ = ["Events", "EventsMap", "Pace", "Positive", "Sessions", "TimeUnit", "recorded_events"]

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

Events = Annotated[
    Path | None,
    typer.Option(
        "--events",
        metavar="FILE",
        help="Play your own events (.parquet, .csv) instead of the scenario's world.",
    ),
]
EventsMap = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="COLUMN=FIELD", help="Which column of FILE holds a field (repeatable)."
    ),
]
TimeUnit = Annotated[
    str,
    typer.Option("--time-unit", metavar="UNIT", help="Unit of times that are numbers: s, ms, us."),
]
Pace = Annotated[
    str | None,
    typer.Option(
        "--pace", metavar="RATE", help="FILE has no times: play its rows in order, such as 500/day."
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        "--positive", metavar="TEXT", help="Label in FILE that means 1: a word, or such as '>=4'."
    ),
]
Sessions = Annotated[
    str | None,
    typer.Option(
        "--sessions", metavar="GAP",
        help="FILE has no requests: a user's rows without a longer gap, such as 30min, are one.",
    ),
]  # fmt: skip


@contextmanager
def recorded_events(
    path: Path | None,
    columns: Sequence[str],
    unit: str,
    pace: str | None,
    positive: str | None,
    sessions: str | None,
    *,
    quiet: bool,
) -> Iterator[EventsFile | None]:
    """Yield the events to play, None for the scenario's own; temporary files end with the block.

    Raises
    ------
    UsageError
        For other options without a file, an unknown unit, or a pace, a comparison or a gap that is
        none.
    """
    if unit not in _UNITS:
        raise UsageError(
            "unknown unit", where="--time-unit", got=unit, expected=f"one of {', '.join(_UNITS)}",
            hint=suggest(unit, _UNITS),
        )  # fmt: skip
    if path is None:
        if columns:
            raise UsageError("nothing to map", where="--map", hint="Add --events FILE.")
        options = {"--pace": pace, "--positive": positive, "--sessions": sessions}
        for option in (name for name, given in options.items() if given is not None):
            raise UsageError("nothing to play", where=option, hint="Add --events FILE.")
        yield None
        return
    from sandbox.adapters.recorded_file import EventsFile
    from sandbox.adapters.recorded_positive import parse_positive

    rate = None if pace is None else _rate(pace)
    label = None if positive is None else parse_positive(positive)
    gap = None if sessions is None else _gap(sessions)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-events-"))
        told = _progress(stack, path, quiet=quiet)
        of, scale, scratch = tuple(columns), _UNITS[unit], Path(folder)
        yield EventsFile(path, of, scale, scratch, told, rate, label, gap)


def _rate(text: str) -> float:
    """Return rows a second."""
    from sandbox.spec.units import parse_quantity

    try:
        rate = parse_quantity(text)
    except ValueError:
        rate = None
    if rate is None or rate.unit not in ("/s", "") or not rate > 0:
        raise UsageError("not a pace", where="--pace", got=text, expected="a rate such as 500/day")
    return float(rate)


def _gap(text: str) -> float:
    """Return seconds. A plain number is refused: it could be minutes as well."""
    from sandbox.spec.units import parse_quantity

    try:
        gap = parse_quantity(text)
    except ValueError:
        gap = None
    if gap is None or gap.unit != "s" or not gap > 0:
        raise UsageError(
            "not a gap", where="--sessions", got=text, expected="a duration such as 30min"
        )
    return float(gap)


def _progress(stack: ExitStack, path: Path, *, quiet: bool) -> Callable[[float], None]:
    """Return what to tell the share that is read; a bar on a terminal until all of it is."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return lambda share: None
    bar = stack.enter_context(Progress(console=console, transient=True))
    task = bar.add_task(f"reading {path.name}", total=1.0)

    def told(share: float) -> None:
        bar.update(task, completed=share)
        if share >= 1.0:
            bar.stop()

    return told
