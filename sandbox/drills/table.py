"""The form of what `look` shows: tables of texts, and facts in a line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Panel", "PanelTable"]


@dataclass(frozen=True)
class PanelTable:
    """A table; every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Panel:
    """One panel of `look`."""

    name: str
    tables: tuple[PanelTable, ...]
    facts: tuple[str, ...] = ()
