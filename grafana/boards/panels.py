"""Panels: lines, numbers, timelines and a heat map, all in one look."""

from __future__ import annotations

import string
from collections.abc import Sequence

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import (
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = [
    "BAD",
    "GOOD",
    "NONE",
    "SOURCE",
    "Panel",
    "Query",
    "heat",
    "lines",
    "number",
    "reads",
    "timeline",
]

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | heatmap.Panel
Query = tuple[str, str]
"""Expression and legend."""
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
COLOURS = {
    "oracle": "#0072B2", "observed": "#D55E00", "estimated": "#009E73", "baseline": "#999999",
    "missed": "#D55E00", "false_declines": "#CC79A7", "reviews": "#0072B2", "no_model": "#999999",
    "allow": "#009E73", "review": "#0072B2", "block": "#D55E00",
}  # fmt: skip
"""The report's colours, which the colour-blind can tell apart."""
NAMED = {"{{view}}", "{{kind}}", "{{decision}}"}
"""Legends that those names come in."""
GOOD, BAD, NONE = "#009E73", "#D55E00", "transparent"


def asks(queries: Sequence[Query], interval: str) -> list[prometheus.Dataquery]:
    """Return the queries of a panel."""
    built = []
    for letter, (expr, legend) in zip(string.ascii_uppercase, queries, strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter)
        query.datasource(SOURCE).range()
        built.append(query.interval(interval) if interval else query)
    return built


def lines(
    title: str, about: str, unit: str, *queries: Query, stack: bool = False, interval: str = ""
) -> timeseries.Panel:
    """Return a panel of lines.

    Parameters
    ----------
    queries
        Pairs of expression and legend.
    stack
        Whether the lines are parts of a whole.
    interval
        Least step of the queries.
    """
    built = timeseries.Panel().title(title).description(about).unit(unit).datasource(SOURCE)
    built.targets(asks(queries, interval)).line_width(2).span_nulls(False).legend(
        common_builders.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    if stack:
        whole = common_builders.StackingConfig().mode(StackingMode.NORMAL)
        built.fill_opacity(20).stacking(whole)
    for name, colour in COLOURS.items() if NAMED & {legend for _, legend in queries} else ():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
        built.override_by_name(name, [fixed])
    return built


def number(
    title: str, about: str, unit: str, query: Query, *, bad_from: float | None = None,
    name_only: bool = False,
) -> stat.Panel:  # fmt: skip
    """Return a panel of one number, or of the name of a series.

    Parameters
    ----------
    bad_from
        From which value on the number is shown as bad.
    """
    steps = [Threshold(None, GOOD if bad_from is not None else "text")]
    if bad_from is not None:
        steps.append(Threshold(bad_from, BAD))
    return (
        stat.Panel()
        .title(title)
        .description(about)
        .unit(unit)
        .datasource(SOURCE)
        .targets(asks([query], ""))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.NAME if name_only else BigValueTextMode.VALUE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def timeline(
    title: str, about: str, *queries: Query, shown: dict[str, tuple[str, str]],
    bad_below: float | None = None, interval: str = "",
) -> statetimeline.Panel:  # fmt: skip
    """Return a panel of states over time.

    Parameters
    ----------
    shown
        Text and colour of values that have some.
    bad_below
        Values from here on are good, others bad; one colour a line where it is absent.
    """
    texts = {value: ValueMappingResult(text, colour) for value, (text, colour) in shown.items()}
    built = (
        statetimeline.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .targets(asks(queries, interval))
        .mappings([ValueMap(texts)] if texts else [])
        .show_value(VisibilityMode.AUTO)
        .merge_values(True)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(False)
        )
    )
    if bad_below is None:
        mode = FieldColorModeId.PALETTE_CLASSIC
    else:
        mode = FieldColorModeId.THRESHOLDS
        steps = [Threshold(None, BAD), Threshold(bad_below, GOOD)]
        built.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    return built.color_scheme(dashboard.FieldColor().mode(mode))


def heat(title: str, about: str, unit: str, expr: str) -> heatmap.Panel:
    """Return a panel of a histogram over time; `expr` keeps the label ``le``."""
    query = prometheus.Dataquery().expr(expr).legend_format("{{le}}").ref_id("A")
    query.datasource(SOURCE).format(PromQueryFormat.HEATMAP).range()
    colour = (
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Oranges")
        .fill("dark-orange")
        .exponent(0.5)
        .steps(64)
        .reverse(False)
    )
    return (
        heatmap.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .with_target(query)
        .calculate(False)
        .color(colour)
        .y_axis(heatmap.YAxisConfig().unit(unit))
    )


def reads(panel: Panel, *alerts: str) -> Panel:
    """Link a panel to what its alerts' runbooks say."""
    return panel.links([
        dashboard.DashboardLink(f"Runbook: {alert}")
        .type(DashboardLinkType.LINK)
        .url(f"/d/runbook-{alert}")
        .target_blank(True)
        for alert in alerts
    ])  # fmt: skip
