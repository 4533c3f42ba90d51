"""The form of what `look` shows: tables of texts, and facts in a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.report.live import sparkline

__all__ = ["Panel", "PanelTable", "trend"]


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
