"""HTML by construction: text is escaped unless it is already `Html`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["Html", "bullets", "el", "join_html", "safe_label", "table"]

_VOID = frozenset({"meta", "br", "hr", "img", "input", "link", "col"})


class Html(str):
    """Text that is HTML already; everything else is escaped on its way in."""

    __slots__ = ()


def join_html(parts: Iterable[str]) -> Html:
    """Concatenate parts, escaping those that are plain text."""
    return Html("".join(p if isinstance(p, Html) else html.escape(p) for p in parts))


def el(tag: str, *children: str, **attributes: str | None) -> Html:
    """Return one element.

    Parameters
    ----------
    children
        `Html` goes in as it is, plain text is escaped.
    attributes
        ``class_`` and ``data_x`` stand for ``class`` and ``data-x``; None leaves one out.

    Examples
    --------
    >>> el("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Html(f"<{tag}{shown}>")
    return Html(f"<{tag}{shown}>{join_html(children)}</{tag}>")


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: Sequence[int] = (),
    class_: str | None = None,
) -> Html:
    """Return a table in a container that scrolls by itself; `numeric` columns align right."""

    def cell(tag: str, column: int, content: str) -> Html:
        scope = "col" if tag == "th" else None
        return el(tag, content, class_="num" if column in numeric else None, scope=scope)

    header = el("tr", *(cell("th", i, name) for i, name in enumerate(head)))
    body = [el("tr", *(cell("td", i, c) for i, c in enumerate(row))) for row in rows]
    inner = el("table", el("thead", header), el("tbody", *body), class_=class_)
    return el("div", inner, class_="scroll", tabindex="0")


def bullets(texts: Iterable[str]) -> Html:
    """Return a list, an entry a text."""
    return el("ul", *(el("li", text) for text in texts))


def safe_label(text: str) -> str:
    """Escape text for plotly, which reads a little HTML in labels."""
    return html.escape(text, quote=False)
