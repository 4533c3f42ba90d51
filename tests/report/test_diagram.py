from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.report.diagram import Edge, parse_flow
from sandbox.report.diagram_svg import diagram_html

FLOW = """flowchart LR
  %% a comment
  A[Events<br/>2000/s] -->|by key| B[[Stage]] & C([Other])
  B -.->|late| D{{Model}}
  C ==> D
  D -- "score" --> E[(Log)]
  E --> A
  classDef x fill:#f00
"""


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    found = re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in found]


def test_parse() -> None:
    flow = parse_flow(FLOW)
    assert flow is not None
    assert flow.nodes["A"].lines == ("Events", "2000/s")
    assert {k: n.shape for k, n in flow.nodes.items()} == {
        "A": "box", "B": "double", "C": "round", "D": "diamond", "E": "store",
    }  # fmt: skip
    assert flow.edges == [
        Edge("A", "B", "by key"), Edge("A", "C", "by key"), Edge("B", "D", "late", "dot"),
        Edge("C", "D", "", "thick"), Edge("D", "E", "score"), Edge("E", "A"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "source", ["sequenceDiagram\n A->>B: x", "flowchart LR\n A -->", "flowchart LR\n A[x", ""]
)
def test_what_it_cannot_read_is_shown_as_source(source: str) -> None:
    assert parse_flow(source) is None
    assert "<svg" not in diagram_html(source) and "<pre>" in diagram_html(source)


def test_drawing_holds_every_label_and_no_box_overlaps() -> None:
    svg = diagram_html(FLOW)
    for text in ("Events", "2000/s", "by key", "late", "score", "Log"):
        assert f">{text}</text>" in svg
    assert svg.count("marker-end") == 6
    found = boxes(svg)
    assert len(found) == 3
    for i, (x, y, w, h) in enumerate(found):
        for a, b, c, d in found[i + 1 :]:
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y


def test_boxes_stay_inside_the_drawing() -> None:
    svg = diagram_html(FLOW)
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert size is not None
    for x, y, w, h in boxes(svg):
        assert x >= 0 and y >= 0 and x + w <= float(size[1]) and y + h <= float(size[2])


class Balanced(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.depth = 0
        self.feed(text)
        self.close()
        assert self.depth == 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.depth += 1

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass


edges = st.lists(
    st.tuples(st.sampled_from("ABCDEF"), st.sampled_from("ABCDEF")), min_size=1, max_size=14
)


@given(edges)
def test_any_graph_is_drawn(pairs: list[tuple[str, str]]) -> None:
    source = "flowchart LR\n" + "\n".join(f"{a}[Node {a}] --> {b}" for a, b in pairs)
    svg = diagram_html(source)
    Balanced(svg)
    assert "<svg" in svg and "nan" not in svg


@given(st.text(max_size=60))
def test_no_source_breaks_the_page(text: str) -> None:
    Balanced(diagram_html("flowchart LR\n" + text))
