"""The growing diagram in a terminal: chains of boxes, an arrow a line."""

from __future__ import annotations

from sandbox.report.diagram import parse_flow
from sandbox.report.numbers import clip

__all__ = ["terminal_flow"]

LEAST = 24


def terminal_flow(source: str, width: int) -> str:
    r"""Return a flowchart as text, an arrow a line, boxes in the order in which they are reached.

    Examples
    --------
    >>> print(terminal_flow("flowchart LR\n a[Shop] -->|orders| b[Log]\n b -.-> c[Desk]", 60))
    Shop ──orders──▶ Log
    Log  ┈┈▶ Desk
    """
    flow = parse_flow(source)
    if flow is None or not flow.edges:
        return "(nothing is drawn yet)"
    names = {key: " ".join(node.lines) for key, node in flow.nodes.items()}
    first = min(max(len(names[edge.source]) for edge in flow.edges), max(width // 2, LEAST))
    lines = []
    for edge in flow.edges:
        stroke = "┈┈" if edge.style == "dot" else "──"
        label = f"{edge.label}{stroke}" if edge.label else ""
        text = f"{names[edge.source]:<{first}} {stroke}{label}▶ {names[edge.target]}"
        lines.append(clip(text, max(width, LEAST)))
    return "\n".join(lines)
