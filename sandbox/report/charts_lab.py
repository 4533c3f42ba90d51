"""Charts of the laboratories: precision by recall, reliability, differences, delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sandbox.record import LabRecord
from sandbox.report.chart import Chart, Figure, Key, axis, line
from sandbox.report.charts_quality import VERSION_COLOURS, VERSION_DASHES, reliability
from sandbox.report.markup import safe_label
from sandbox.task import BinaryTask

__all__ = ["detector_charts", "imbalance_charts"]

Row = Mapping[str, str | float | None]
_RELIABILITY = (
    ("raw", "Reliability of raw scores"),
    ("closed_form", "Reliability after the closed form"),
    ("isotonic", "Reliability after isotonic calibration"),
)

_EMPTY: Mapping[str, list[float]] = {"mean_score": [], "share_positive": [], "count": []}
_SYMBOLS = ("circle", "square", "diamond", "triangle-up")


def imbalance_charts(record: LabRecord) -> list[Chart]:
    """Return precision by recall, differences in PR-AUC, and reliability by correction."""
    charts = [_precision(record), _differences(record.rows)]
    names = [n.removeprefix("precision ") for n in record.curves if n.startswith("precision ")]
    for kind, title in _RELIABILITY:
        # An empty curve is not drawn, but keeps the colours of the others the same on all charts.
        found = {name: record.curves.get(f"{kind} {name}", _EMPTY) for name in names}
        chart = reliability(found, BinaryTask())
        if chart is not None:
            charts.append(replace(chart, name=f"reliability-{kind}", title=title))
    return charts


def _precision(record: LabRecord) -> Chart:
    traces, keys = [], []
    found = [n for n in record.curves if n.startswith("precision ")]
    for order, full in enumerate(found):
        name, curve = full.removeprefix("precision "), record.curves[full]
        colour = VERSION_COLOURS[order % len(VERSION_COLOURS)]
        dash = VERSION_DASHES[order % len(VERSION_DASHES)]
        hover = f"{safe_label(name)}: recall %{{x:.2f}}, precision %{{y:.2f}}<extra></extra>"
        traces.append(
            line(curve["recall"], curve["precision"], name, colour, dash=dash, hovertemplate=hover)
        )
        keys.append(Key(name, colour, dash=dash, group=name))
    layout = {
        "xaxis": axis("recall", range=[0, 1]),
        "yaxis": axis("precision", range=[0, 1.02]),
        "hovermode": "closest",
    }
    caption = (
        "Newest fold. Lines that cross and lie on each other rank about equally well; corrections "
        "of the level do not move them."
    )
    return Chart("precision", "Precision by recall", caption, traces, layout, tuple(keys), 340)


def _differences(rows: Sequence[Row]) -> Chart:
    found = [r for r in rows if r["difference"] is not None]
    names = [f"{r['strategy']}, {r['model']}".replace("_", " ") for r in found]
    dots: Figure = {
        "type": "scatter", "mode": "markers", "x": [r["difference"] for r in found], "y": names,
        "marker": {"color": "$oracle", "size": 9},
        "error_x": {"type": "data", "array": [r["noise"] for r in found], "color": "$oracle"},
        "hovertemplate": "%{y}: %{x:+.3f}<extra></extra>",
    }  # fmt: skip
    layout = {
        "xaxis": axis("PR AUC minus that of none", zeroline=True, zerolinecolor="$muted"),
        "yaxis": axis(autorange="reversed"),
        "hovermode": "closest",
    }
    caption = "Mean over the folds; bars are the noise. A bar across 0 is no difference."
    height = 120 + 36 * len(found)
    return Chart("differences", "Ranking against none", caption, [dots], layout, height=height)


def detector_charts(record: LabRecord) -> list[Chart]:
    """Return delays by shift and false alarms by rate, of both settings."""
    shifts = list(dict.fromkeys((r["before"], r["after"]) for r in record.rows))
    delays = {
        f"{before:g} to {after:g}": [
            r for r in record.rows if (r["before"], r["after"]) == (before, after)
        ]
        for before, after in shifts
    }
    alarms: dict[str, Sequence[Row]] = {}
    for before, after in shifts:
        alarms.setdefault(f"rate {before:g}", delays[f"{before:g} to {after:g}"])
    return [
        _dots(
            "delays", "Delay", "values until the change is reported", delays, "delay",
            "Median, on a log scale. A detector without a mark missed half of the streams.",
            log=True,
        ),
        _dots(
            "alarms", "False alarms", "in 10,000 stationary values", alarms, "false_alarms",
            "A detector that often cries wolf is soon right by accident: read its delay with this.",
        ),
    ]  # fmt: skip


def _dots(
    name: str,
    title: str,
    label: str,
    groups: Mapping[str, Sequence[Row]],
    key: str,
    caption: str,
    *,
    log: bool = False,
) -> Chart:
    traces: list[Figure] = []
    keys: list[Key] = []
    for order, (group, rows) in enumerate(groups.items()):
        colour = VERSION_COLOURS[order % len(VERSION_COLOURS)]
        keys.append(Key(group, colour, "area", group=group))
        for settings, form in (("sandbox", ""), ("river", "-open")):
            mine = [r for r in rows if r["settings"] == settings]
            traces.append({
                "type": "scatter", "mode": "markers", "legendgroup": group,
                "x": [r[key] for r in mine], "y": [r["detector"] for r in mine],
                "marker": {"color": f"${colour}", "size": 11,
                           "symbol": _SYMBOLS[order % len(_SYMBOLS)] + form},
                "cliponaxis": False,
                "hovertemplate": f"%{{y}} ({settings}), {safe_label(group)}: %{{x:.3~s}}"
                "<extra></extra>",
            })  # fmt: skip
    names = list(dict.fromkeys(str(r["detector"]) for rows in groups.values() for r in rows))
    scale = {"type": "log", "dtick": "D2", "tickformat": ",d"} if log else {"rangemode": "tozero"}
    layout = {
        "xaxis": axis(label, **scale),
        "yaxis": axis(categoryorder="array", categoryarray=names[::-1]),
        "hovermode": "closest",
    }
    caption += " Filled: as the sandbox uses it; hollow: River's defaults."
    return Chart(name, title, caption, traces, layout, tuple(keys), 120 + 32 * len(names))
