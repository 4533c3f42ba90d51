from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest

from sandbox.record import MetricTable, RunRecord
from sandbox.report.compare import compare_html, compare_sentence
from sandbox.report.html import report_html
from sandbox.report.theme import DARK, LIGHT, paint

SECTIONS = ("verdict", "timeline", "incidents", "quality", "money", "versions", "model", "drift",
            "data", "alerts", "stack", "design", "notes")  # fmt: skip
VOID = {"meta", "br", "hr", "img", "input", "link", "col"}
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<b>"


class Reader(HTMLParser):
    """Holds a document to being well-formed, and collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.words: list[str] = []
        self._script = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, found))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "script":
            self._script = found.get("id") or f"code {len(self.scripts)}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        elif self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts["figures"])
        return found


@pytest.fixture(scope="module")
def page(record: RunRecord) -> str:
    return report_html(record)


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def test_all_sections_are_there(reader: Reader) -> None:
    links = [a["href"] for tag, a in reader.tags if tag == "a"]
    assert links == [f"#{name}" for name in SECTIONS]
    assert set(SECTIONS) <= set(reader.ids) and len(set(reader.ids)) == len(reader.ids)


def test_reader_notices_a_broken_document() -> None:
    with pytest.raises(AssertionError):
        Reader("<div><p>x</div>")
    with pytest.raises(AssertionError):
        Reader("<div>")


def test_nothing_is_loaded_from_elsewhere(page: str, reader: Reader) -> None:
    for tag, attributes in reader.tags:
        for name in ("src", "srcset", "data", "action", "poster"):
            assert name not in attributes, (tag, attributes)
        href = attributes.get("href")
        assert href is None or href.startswith("#")
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style
    policy = [a["content"] for t, a in reader.tags
              if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert policy and str(policy[0]).startswith("default-src 'none'")


def test_plotly_is_inlined_once(page: str) -> None:
    assert page.count("plotly.js v") == 1 and 3e6 < len(page) < 7e6


def test_every_chart_has_a_place_a_title_and_a_caption(reader: Reader) -> None:
    places = {i.removeprefix("chart-") for i in reader.ids if i.startswith("chart-")}
    assert places == set(reader.figures) and len(places) >= 14
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("figure") == tags.count("figcaption") == len(places)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_plotly_accepts_every_figure(reader: Reader, palette: dict[str, str]) -> None:
    for name, figure in reader.figures.items():
        painted = paint(figure, palette)
        assert "$" not in re.sub(r"%\{[^}]*\}", "", json.dumps(painted)), name
        go.Figure(painted)  # raises on an unknown property or a bad value


def test_a_legend_entry_switches_a_trace_that_exists(reader: Reader) -> None:
    buttons = [a for tag, a in reader.tags if tag == "button"]
    assert len(buttons) > 20
    for button in buttons:
        traces = reader.figures[str(button["data-chart"])]["data"]
        assert any(t.get("legendgroup") == button["data-group"] for t in traces), button


def test_palettes_name_the_same_colours() -> None:
    assert list(LIGHT) == list(DARK)


def test_verdicts_have_symbol_and_word(reader: Reader) -> None:
    assert "✓ pass" in reader.text and "✗ fail" in reader.text
    assert "\N{EN DASH} not measured" in reader.text
    assert "Misses 2 of 5 measured objectives" in reader.text


def test_what_matters_is_said(reader: Reader) -> None:
    for words in ("Retraining bought back 0.35", "not needed: quality held", "gate refused",
                  "+0.351", "dead letter: duplicate", "1 outside any incident",
                  "One simulated customer stands for 4,000", "when: [every 28d, on performance]",
                  "ring did the most harm"):  # fmt: skip
        assert words in reader.text, words


def test_same_record_same_bytes(factory: Callable[..., RunRecord], page: str) -> None:
    assert report_html(factory()) == page
    assert report_html(factory(seed=8)) != page


def evil(record: RunRecord) -> RunRecord:
    table = MetricTable()
    for day, metric, series, value in record.metrics.rows():
        hostile = metric in ("psi", "missing", "invalid", "utilisation", "loss")
        table.add(day, metric, value, series + EVIL if hostile else series)
    return replace(
        record, scenario=EVIL, title=EVIL, design=EVIL, notes=[EVIL], design_text=EVIL,
        diagram=f"flowchart LR\n A[{EVIL}] -->|{EVIL}| B", metrics=table,
        incidents=[replace(i, name=EVIL, story=EVIL, lesson=EVIL, kind=EVIL, detected_by=EVIL)
                   for i in record.incidents],
        alerts=[replace(a, kind=EVIL, subject=EVIL, text=EVIL) for a in record.alerts],
        versions=[replace(v, trigger=EVIL, reasons=(EVIL,)) for v in record.versions],
        objectives=[replace(o, name=EVIL, target=EVIL, shown=EVIL, evidence=EVIL)
                    for o in record.objectives],
        counts={EVIL: 3}, money={**record.money, EVIL: 1.0},
    )  # fmt: skip


@pytest.mark.parametrize("render", [report_html, lambda r: compare_html([r, r])])
def test_hostile_text_stays_text(record: RunRecord, render: Callable[[RunRecord], str]) -> None:
    reader = Reader(render(evil(record)))
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("script") == 4 and "img" not in tags and "b" not in tags
    assert not any(name.startswith("on") for _, a in reader.tags for name in a)
    for figure in reader.figures.values():
        for text in _labels(figure):
            assert "<script" not in text and "<img" not in text


def _labels(node: Any) -> list[str]:
    """Return the strings that plotly reads as its little HTML: labels and hover texts."""
    shown = ("hovertext", "hovertemplate", "text", "ticktext")
    if isinstance(node, dict):
        found = [_strings(v) if k in shown else _labels(v) for k, v in node.items()]
        return [text for part in found for text in part]
    return [text for item in node for text in _labels(item)] if isinstance(node, list) else []


def _strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for value in values for text in _strings(value)]


def test_interrupted_run(partial: RunRecord) -> None:
    reader = Reader(report_html(partial))
    assert set(SECTIONS) <= set(reader.ids)
    assert "Partial run" in reader.text and "No objective was measured." in reader.text
    assert "The run recorded nothing for this part." in reader.text
    assert reader.figures["timeline"]["layout"]["xaxis"]["range"] == [0, 2.0]


def test_empty_record(partial: RunRecord) -> None:
    reader = Reader(report_html(replace(partial, metrics=MetricTable())))
    assert "figures" not in reader.scripts and "No incident was scheduled." in reader.text


def test_a_few_days(factory: Callable[..., RunRecord]) -> None:
    Reader(report_html(replace(factory(days=5), complete=False)))


def test_series_of_nan(partial: RunRecord) -> None:
    table = MetricTable()
    for metric in ("recall_at_capacity", "psi", "missing", "loss", "latency_p99", "decisions"):
        for series in ("oracle", "observed", "review"):
            table.add(0.0, metric, float("nan"), series)
    Reader(report_html(replace(partial, metrics=table)))


def test_another_task_with_other_metrics(partial: RunRecord) -> None:
    table = MetricTable()
    for day in range(30):
        for view in ("oracle", "observed"):
            table.add(day, "mean_absolute_error", 3.0 + day % 2, view)
            table.add(day, "coverage", 0.9, view)
    record = replace(partial, task="regression", primary="mean_absolute_error", metrics=table)
    reader = Reader(report_html(record))
    assert "Mean absolute error" in reader.text and "Coverage" in reader.text


def test_compare(record: RunRecord, never: RunRecord) -> None:
    text = compare_html([record, never])
    assert text == compare_html([record, never])
    reader = Reader(text)
    assert "never-retrain loses" in reader.text and "USD more" in reader.text
    assert "same world, same incidents" in reader.text and "when: never" in reader.text
    assert "not by the end" in reader.text and re.search("apart since day 6[3-6]", reader.text)
    for figure in reader.figures.values():
        go.Figure(paint(figure, DARK))


def test_compare_says_when_it_cannot_compare(record: RunRecord, never: RunRecord) -> None:
    reader = Reader(compare_html([record, replace(never, seed=8)]))
    assert "luck, not design" in reader.text and "same world" not in reader.text
    with pytest.raises(ValueError, match="two records"):
        compare_html([record])


def test_compare_designs_of_one_name(record: RunRecord) -> None:
    assert "reference (2)" in compare_sentence([record, record])


def test_compare_of_partial_runs(partial: RunRecord, record: RunRecord) -> None:
    Reader(compare_html([partial, record]))
    Reader(compare_html([partial, partial, partial]))
