"""What commands print: a table for people, or the same rows as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["results_console", "say", "say_json", "say_table"]

PIPED_WIDTH = 160


def results_console() -> Console:
    """Return the console for results: standard output; wide where it is no terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def say(text: str = "") -> None:
    """Print text as it is."""
    print(text)


def say_json(value: object) -> None:
    """Print a value as indented JSON."""
    from sandbox.adapters.files import json_bytes

    say(json_bytes(value).decode().rstrip())


def say_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows under the named columns; columns that are empty in every row are left out.

    The last column wraps; the others keep their words whole. Headings are the column names with
    spaces for underscores.
    """
    from rich import box
    from rich.table import Table

    used = [name for name in columns if any(_shown(row.get(name)) for row in rows)]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in used:
        numeric = all(type(row.get(name)) in (int, float, type(None)) for row in rows)
        table.add_column(
            name.replace("_", " "),
            no_wrap=name != used[-1],
            overflow="fold",
            justify="right" if numeric else "left",
        )
    for row in rows:
        table.add_row(*(_shown(row.get(name)) for name in used))
    results_console().print(table)


def _shown(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
