"""A chart: a plotly figure as plain data, with its title, caption and legend in HTML.

Figures are dicts rather than ``plotly.graph_objects``: nothing heavy is imported to draw them, the
bytes are the same for the same record, and a test holds every one to plotly's own schema.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.record import RunRecord
from sandbox.report.markup import Html, el
from sandbox.report.theme import incident_colour

__all__ = ["Chart", "Key", "axis", "bands", "chart_json", "line", "plain", "render",
           "script_json", "span"]  # fmt: skip

Figure = dict[str, Any]
DASHES = {"solid": "", "dash": "6 4", "dot": "2 3", "dashdot": "7 3 2 3"}


@dataclass(frozen=True)
class Key:
    """One entry of a legend; `group` is the ``legendgroup`` that it switches on and off."""

    label: str
    colour: str
    kind: str = "line"
    """``line``, ``area``, ``mark`` or ``hollow``."""
    dash: str = "solid"
    group: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure and the words around it."""

    name: str
    title: str
    caption: str
    data: list[Figure]
    layout: Figure
    legend: tuple[Key, ...] = ()
    height: int = 280
    min_width: int = 0
    """Below this width [px] the chart scrolls in its container instead of shrinking."""


def axis(title: str = "", **more: Any) -> Figure:
    """Return a calm axis."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 12}},
        "gridcolor": "$grid", "linecolor": "$line", "tickcolor": "$line", "zeroline": False,
        "automargin": True, "fixedrange": True, **more,
    }  # fmt: skip


def line(x: Sequence[float] | NDArray[Any], y: Sequence[float] | NDArray[Any], name: str,
         colour: str, **more: Any) -> Figure:  # fmt: skip
    """Return a line trace; `dash` and `width` go to the line, the rest to the trace."""
    stroke = {
        "color": f"${colour}",
        "width": more.pop("width", 1.8),
        "dash": more.pop("dash", None),
    }
    trace = {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": stroke,
             "legendgroup": name, "hovertemplate": "%{y:.3~g}"}  # fmt: skip
    return {**trace, **more}


def span(record: RunRecord) -> float:
    """Return the last day that the record has anything to say about."""
    last = max((point[0] for point in record.metrics.rows()), default=0.0)
    return max(record.days if record.complete else last, last, 1.0)


def bands(record: RunRecord) -> list[Figure]:
    """Return one shaded band for each incident and one thin line for each promotion."""
    end = span(record)
    shapes: list[Figure] = []
    for incident in record.incidents:
        tint, colour = incident_colour(incident.kind)
        stop = end if incident.end_day is None else min(incident.end_day, end)
        shapes.append(
            {"type": "rect", "xref": "x", "yref": "paper", "x0": incident.start_day,
             "x1": max(stop, incident.start_day + end / 400), "y0": 0, "y1": 1,
             "fillcolor": f"${tint}", "line": {"width": 0}, "layer": "below",
             "opacity": 0.55 if incident.end_day is None else 1}
        )  # fmt: skip
        shapes.append(_upright(incident.start_day, colour, "solid"))
    for version in record.versions:
        if version.promoted_day is not None and 0 < version.promoted_day <= end:
            shapes.append(_upright(version.promoted_day, "muted", "dot"))
    return shapes


def _upright(day: float, colour: str, dash: str) -> Figure:
    stroke = {"color": f"${colour}", "width": 1, "dash": dash}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": day, "x1": day, "y0": 0, "y1": 1,
            "layer": "below", "opacity": 0.7, "line": stroke}  # fmt: skip


def plain(value: Any) -> Any:
    """Return JSON-ready data: floats with six digits, None for what is not finite."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def chart_json(charts: Sequence[Chart]) -> Html:
    """Return the figures of all charts, safe inside a ``<script>`` element."""
    figures = {c.name: {"data": c.data, "layout": c.layout} for c in charts}
    return Html(script_json(plain(figures)))


def script_json(value: Any) -> str:
    """Return JSON in which no ``<`` can close the script around it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _swatch(key: Key) -> Html:
    colour = f"var(--{key.colour})"
    shapes = {
        "line": f'<line x1="0" y1="5" x2="22" y2="5" stroke="{colour}" stroke-width="2.4" '
        f'stroke-dasharray="{DASHES[key.dash]}"/>',
        "area": f'<rect x="3" y="0" width="16" height="10" rx="2" fill="{colour}"/>',
        "mark": f'<path d="M6 1h10l-5 8z" fill="{colour}"/>',
        "hollow": f'<path d="M6 1h10l-5 8z" fill="none" stroke="{colour}" stroke-width="1.6"/>',
    }
    return Html(f'<svg width="22" height="10" aria-hidden="true">{shapes[key.kind]}</svg>')


def _legend(chart: Chart) -> Html:
    items = [
        el("button", _swatch(key), key.label, type="button", data_chart=chart.name,
           data_group=key.group, aria_pressed="true", title="Show or hide")
        if key.group else el("span", _swatch(key), key.label)
        for key in chart.legend
    ]  # fmt: skip
    return el("div", *items, class_="legend") if items else Html("")


def render(chart: Chart) -> Html:
    """Return the HTML around one chart; the script fills the plot in."""
    style = f"height:{chart.height}px" + (
        f";min-width:{chart.min_width}px" if chart.min_width else ""
    )
    plot = el("div", id=f"chart-{chart.name}", class_="plot", style=style, role="img",
              aria_label=f"{chart.title}. {chart.caption}")  # fmt: skip
    return el(
        "figure",
        el("h3", chart.title),
        el("figcaption", chart.caption),
        _legend(chart),
        el("div", plot, class_="scroll" if chart.min_width else None),
        class_="chart",
    )
