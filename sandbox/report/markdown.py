"""Markdown by construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table"]


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    r"""Return the lines of a table; bars and line ends in cells do not break it.

    Examples
    --------
    >>> markdown_table(("a", "b"), [("1|2", "3")])
    ['| a | b |', '|---|---|', '| 1\\|2 | 3 |']
    """

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(c.replace("|", "\\|").split()) for c in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows)]
