"""A small part of mermaid's flowcharts, parsed: nodes, edges, labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Edge", "Flow", "Node", "parse_flow"]

_SHAPES = (
    ("([", "])", "round"), ("[[", "]]", "double"), ("[(", ")]", "store"), ("((", "))", "round"),
    ("{{", "}}", "diamond"), ("[/", "/]", "box"), ("[", "]", "box"), ("(", ")", "round"),
    ("{", "}", "diamond"), (">", "]", "box"),
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][\w]*")
_ARROW = re.compile(
    r"\s*(?P<arrow><?(?:--+>|-\.+->|==+>|--+[ox]?(?=\s|[A-Za-z_|])|-\.+-(?=\s)|==+(?=\s)))"
    r"\s*(?:\|(?P<label>[^|]*)\|)?\s*"
)
_WORDED = re.compile(
    r"\s*(?P<open>--|-\.|==)\s+(?P<label>[^-=.|>][^|>]*?)\s*(?P<close>--+>|\.+->|==+>)\s*"
)
_SKIP = re.compile(r"^(?:%%|classDef|class |style |linkStyle|click |subgraph|end\b|direction )")


@dataclass(frozen=True)
class Node:
    """One box: its lines of text and its shape."""

    key: str
    lines: tuple[str, ...]
    shape: str = "box"


@dataclass(frozen=True)
class Edge:
    """One arrow; `style` is ``solid``, ``dot`` or ``thick``."""

    source: str
    target: str
    label: str = ""
    style: str = "solid"


@dataclass
class Flow:
    """A parsed flowchart."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)


class _Reader:
    """Reads one statement from left to right."""

    def __init__(self, text: str, flow: Flow) -> None:
        self.text, self.at, self.flow = text, 0, flow

    def statement(self) -> bool:
        """Read ``A --> B & C --> D``; return whether the whole text was understood."""
        left = self._group()
        while left and self.at < len(self.text):
            arrow = self._arrow()
            right = self._group() if arrow else []
            if not arrow or not right:
                return False
            label, style = arrow
            self.flow.edges += [Edge(a, b, label, style) for a in left for b in right]
            left = right
        return bool(left)

    def _group(self) -> list[str]:
        keys = [self._node()]
        while keys[-1] and self.text[self.at :].lstrip().startswith("&"):
            self.at = self.text.index("&", self.at) + 1
            keys.append(self._node())
        return keys if all(keys) else []

    def _node(self) -> str:
        self.at += len(self.text[self.at :]) - len(self.text[self.at :].lstrip())
        match = _NAME.match(self.text, self.at)
        if match is None:
            return ""
        key, self.at = match[0], match.end()
        for opening, closing, shape in _SHAPES:
            if self.text.startswith(opening, self.at):
                end = self.text.find(closing, self.at + len(opening))
                if end < 0:
                    return ""
                inner = self.text[self.at + len(opening) : end]
                self.flow.nodes[key] = Node(key, _lines(inner), shape)
                self.at = end + len(closing)
                break
        self.flow.nodes.setdefault(key, Node(key, (key,)))
        self.text = self.text[: self.at] + re.sub(r"^:::\w+", "", self.text[self.at :])
        return key

    def _arrow(self) -> tuple[str, str] | None:
        match = _WORDED.match(self.text, self.at)
        if match is None:
            match = _ARROW.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        head = match["open"] if "open" in match.groupdict() else match["arrow"]
        style = "dot" if "." in head else "thick" if "=" in head else "solid"
        return _clean(match["label"] or ""), style


def _clean(text: str) -> str:
    return text.strip().strip('"').strip()


def _lines(text: str) -> tuple[str, ...]:
    parts = re.split(r"<br\s*/?>|\\n", _clean(text))
    return tuple(re.sub(r"</?[bi]>", "", p).strip() for p in parts) or ("",)


def parse_flow(source: str) -> Flow | None:
    """Parse ``flowchart`` or ``graph`` source; None for what this reader does not understand.

    Styling lines and the borders of subgraphs are skipped.

    Examples
    --------
    >>> flow = parse_flow("flowchart LR; A[Events] -->|keyed| B{Model}")
    >>> flow.edges[0].label, flow.nodes["B"].shape
    ('keyed', 'diamond')
    """
    statements = [s.strip() for s in re.split(r"[\n;]", source)]
    statements = [s for s in statements if s and not s.startswith("```")]
    if not statements or not re.match(r"^(?:flowchart|graph)\b", statements[0]):
        return None
    flow = Flow()
    for text in statements[1:]:
        if not _SKIP.match(text) and not _Reader(text, flow).statement():
            return None
    return flow if flow.nodes else None
