"""Draw a parsed flowchart as SVG: layers from left to right (Sugiyama, Tagawa, Toda 1981)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from sandbox.report.diagram import Edge, Flow, Node, parse_flow
from sandbox.report.markup import Html, el

__all__ = ["diagram_html"]

CHAR, LINE, PAD = 7.1, 17.0, 14.0
GAP_X, GAP_Y, MARGIN = 40.0, 26.0, 12.0


@dataclass
class _Box:
    layer: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def diagram_html(source: str) -> Html:
    """Return the diagram as SVG with its source folded below, or the source alone."""
    flow = parse_flow(source)
    code = el("pre", el("code", source.strip()))
    if flow is None:
        return el("div", code, class_="scroll")
    folded = el("details", el("summary", "Source (mermaid)"), code)
    return Html(el("div", _svg(flow), class_="scroll diagram", tabindex="0") + folded)


def _svg(flow: Flow) -> Html:
    forward = _acyclic(flow)
    layers = _layers(flow, forward)
    boxes = {key: _measure(node, layers[key]) for key, node in flow.nodes.items()}
    chains = _chains(forward, layers, boxes)
    _order(boxes, chains)
    width, height = _place(boxes, _gaps(flow, chains, layers))
    arrows = [_edge(edge, chain, boxes) for edge, chain in _routes(flow, chains)]
    lines = Html("".join(line for line, _ in arrows))
    labels = Html("".join(label for _, label in arrows))
    nodes = Html("".join(_node(node, boxes[key]) for key, node in flow.nodes.items()))
    marker = Html(
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse" markerUnits="userSpaceOnUse">'
        '<path d="M0 0L8 4L0 8z" fill="var(--muted)"/></marker></defs>'
    )
    said = "Data flow: " + ", ".join(f"{e.source} to {e.target}" for e in flow.edges)
    return el("svg", marker, lines, nodes, labels, aria_label=said,
              viewBox=f"0 0 {width:.0f} {height:.0f}",
              width=f"{width:.0f}", height=f"{height:.0f}", role="img",
              style=f"max-width:100%;height:auto;min-width:{min(width, 820):.0f}px")  # fmt: skip


def _acyclic(flow: Flow) -> list[tuple[str, str]]:
    """Return the edges with those that close a cycle turned around."""
    out = defaultdict(list)
    for edge in flow.edges:
        out[edge.source].append(edge.target)
    state: dict[str, int] = {}
    back: set[tuple[str, str]] = set()

    def visit(key: str) -> None:
        state[key] = 1
        for target in out[key]:
            if state.get(target) == 1:
                back.add((key, target))
            elif target not in state:
                visit(target)
        state[key] = 2

    for key in flow.nodes:
        if key not in state:
            visit(key)
    pairs = [(e.source, e.target) for e in flow.edges]
    return [(b, a) if (a, b) in back else (a, b) for a, b in pairs if a != b]


def _layers(flow: Flow, edges: list[tuple[str, str]]) -> dict[str, int]:
    """Longest path from a source; sources move next to their first target."""
    layer = dict.fromkeys(flow.nodes, 0)
    for _ in flow.nodes:
        for a, b in edges:
            layer[b] = max(layer[b], layer[a] + 1)
    targets = {b for _, b in edges}
    for key in flow.nodes:
        after = [layer[b] for a, b in edges if a == key]
        if key not in targets and after:
            layer[key] = min(after) - 1
    return layer


def _measure(node: Node, layer: int) -> _Box:
    width = max(len(text) for text in node.lines) * CHAR + 2 * PAD
    extra = 2 * PAD if node.shape == "diamond" else 0.0
    return _Box(layer, max(width + extra, 64.0), len(node.lines) * LINE + PAD + extra / 2)


def _chains(
    edges: list[tuple[str, str]], layers: dict[str, int], boxes: dict[str, _Box]
) -> dict[tuple[str, str], list[str]]:
    """Give every long edge a dummy box in each layer that it crosses."""
    chains = {}
    for a, b in dict.fromkeys(edges):
        chain = [a]
        for layer in range(layers[a] + 1, layers[b]):
            key = f" {a}>{b}@{layer}"
            boxes[key] = _Box(layer, 0.0, 6.0)
            chain.append(key)
        chains[a, b] = [*chain, b]
    return chains


def _order(boxes: dict[str, _Box], chains: dict[tuple[str, str], list[str]]) -> None:
    """Order each layer by the mean place of its neighbours; `y` holds the rank meanwhile."""
    near: dict[str, list[str]] = defaultdict(list)
    for chain in chains.values():
        for a, b in pairwise(chain):
            near[a].append(b)
            near[b].append(a)
    columns: dict[int, list[str]] = defaultdict(list)
    for key, box in boxes.items():
        box.y = float(len(columns[box.layer]))
        columns[box.layer].append(key)
    for sweep in range(8):
        for layer in sorted(columns, reverse=bool(sweep % 2)):
            side = 1 if sweep % 2 else -1
            rank = {}
            for key in columns[layer]:
                beside = [boxes[n].y for n in near[key] if boxes[n].layer == layer + side]
                rank[key] = sum(beside) / len(beside) if beside else boxes[key].y
            columns[layer].sort(key=lambda k: rank[k])
            for place, key in enumerate(columns[layer]):
                boxes[key].y = float(place)


def _gaps(
    flow: Flow, chains: dict[tuple[str, str], list[str]], layers: dict[str, int]
) -> dict[int, float]:
    """Return the space after each layer: room for the longest label that sits there."""
    gaps: dict[int, float] = defaultdict(lambda: GAP_X)
    for edge, chain in _routes(flow, chains):
        layer = layers[chain[0]] - (layers[chain[0]] > layers[chain[-1]])
        gaps[layer] = max(gaps[layer], len(edge.label) * 6.4 + 34)
    return gaps


def _place(boxes: dict[str, _Box], gaps: dict[int, float]) -> tuple[float, float]:
    """Turn ranks into coordinates (centres); return the size of the drawing."""
    columns: dict[int, list[_Box]] = defaultdict(list)
    for box in boxes.values():
        columns[box.layer].append(box)
    heights = {n: sum(b.height for b in c) + GAP_Y * (len(c) - 1) for n, c in columns.items()}
    tall, left = max(heights.values()), MARGIN
    for layer in sorted(columns):
        column = sorted(columns[layer], key=lambda b: b.y)
        wide = max(b.width for b in column)
        top = MARGIN + (tall - heights[layer]) / 2
        for box in column:
            box.x, box.y = left + wide / 2, top + box.height / 2
            top += box.height + GAP_Y
        left += wide + gaps[layer]
    return left - gaps[max(columns)] + MARGIN, tall + 2 * MARGIN


def _routes(flow: Flow, chains: dict[tuple[str, str], list[str]]) -> list[tuple[Edge, list[str]]]:
    routes = []
    for edge in flow.edges:
        pair = (edge.source, edge.target)
        if pair in chains:
            routes.append((edge, chains[pair]))
        elif pair[::-1] in chains:
            routes.append((edge, chains[pair[::-1]][::-1]))
    return routes


def _edge(edge: Edge, chain: list[str], boxes: dict[str, _Box]) -> tuple[Html, Html]:
    """Return (path, label) of one arrow, curved through its dummy boxes."""
    points = []
    forward = boxes[chain[-1]].x >= boxes[chain[0]].x
    side = 1 if forward else -1
    for place, key in enumerate(chain):
        box = boxes[key]
        shift = side * box.width / 2 * (1 if place == 0 else -1 if place == len(chain) - 1 else 0)
        points.append((box.x + shift, box.y))
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        bend = (x1 - x0) / 2
        path += f"C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    line = el("path", d=path, class_=f"edge {edge.style}", marker_end="url(#tip)")
    if not edge.label:
        return line, Html("")
    middle = (len(points) - 1) // 2
    (x0, y0), (x1, y1) = points[middle : middle + 2]
    return line, el("text", edge.label, x=f"{(x0 + x1) / 2:.1f}", y=f"{(y0 + y1) / 2 - 4:.1f}",
                    class_="edge-label")  # fmt: skip


def _node(node: Node, box: _Box) -> Html:
    x, y, w, h = box.x - box.width / 2, box.y - box.height / 2, box.width, box.height
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{w:.1f}", "height": f"{h:.1f}"}
    shapes = [el("rect", **place, rx=f"{h / 2 if node.shape == 'round' else 6:.1f}", class_="node")]
    if node.shape == "diamond":
        tips = ((x, box.y), (box.x, y), (x + w, box.y), (box.x, y + h))
        corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in tips)
        shapes = [el("polygon", points=corners, class_="node")]
    elif node.shape == "double":
        for at in (x + 5, x + w - 5):
            shapes.append(el("line", x1=f"{at:.1f}", x2=f"{at:.1f}", y1=f"{y:.1f}",
                             y2=f"{y + h:.1f}", class_="node"))  # fmt: skip
    elif node.shape == "store":
        path = f"M{x:.1f} {y + 7:.1f}A{w / 2:.1f} 7 0 0 1 {x + w:.1f} {y + 7:.1f}V{y + h - 5:.1f}"
        path += f"A{w / 2:.1f} 7 0 0 1 {x:.1f} {y + h - 5:.1f}Z"
        rim = f"M{x:.1f} {y + 7:.1f}A{w / 2:.1f} 7 0 0 0 {x + w:.1f} {y + 7:.1f}"
        shapes = [el("path", d=path, class_="node"), el("path", d=rim, class_="node")]
    first = box.y - (len(node.lines) - 1) * LINE / 2 + 4 + (3 if node.shape == "store" else 0)
    texts = [
        el("text", text, x=f"{box.x:.1f}", y=f"{first + i * LINE:.1f}",
           class_="node-text" if i == 0 else "node-text minor")
        for i, text in enumerate(node.lines)
    ]  # fmt: skip
    return Html("".join([*shapes, *texts]))
