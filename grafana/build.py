"""Build the dashboards: ``python grafana/build.py`` writes ``grafana/dashboards/*.json``.

They show what ``--to-prometheus`` sends. A run has most figures once a simulated day, which is
further apart than Prometheus looks back, so queries take the last value of the day before.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, prometheus, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import DataSourceRef, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DynamicConfigValue,
    GridPos,
    VariableRefresh,
)

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
COLOURS = {
    "oracle": "#0072B2", "observed": "#D55E00", "estimated": "#009E73", "baseline": "#999999",
    "missed": "#D55E00", "false_declines": "#CC79A7", "reviews": "#0072B2", "no_model": "#999999",
    "allow": "#009E73", "review": "#0072B2", "block": "#D55E00",
}  # fmt: skip
"""The report's colours, which the colour-blind can tell apart."""
NAMED = {"{{view}}", "{{kind}}", "{{decision}}"}
"""Legends that those names come in."""
THESE = 'scenario="$scenario",design="$design",seed="$seed"'
PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 12, 8, 24


def latest(metric: str, labels: str = "", offset: str = "") -> str:
    """Return the query for a daily series."""
    chosen = f"{THESE},{labels}" if labels else THESE
    return f"last_over_time(sandbox_{metric}{{{chosen}}}[25h]{offset})"


def a_day(metric: str) -> str:
    """Return the query for what a total grew by in a day."""
    return f"{latest(metric)} - {latest(metric, offset=' offset 1d')}"


def panel(
    title: str, about: str, unit: str, *queries: tuple[str, str], stack: bool = False
) -> timeseries.Panel:
    """Return a panel of lines; `queries` are pairs of expression and legend."""
    built = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .unit(unit)
        .datasource(SOURCE)
        .line_width(2)
        .span_nulls(False)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if stack:
        built.fill_opacity(20).stacking(common_builders.StackingConfig().mode("normal"))
    for expr, legend in queries:
        built.with_target(prometheus.Dataquery().expr(expr).legend_format(legend).interval("1h"))
    legends = [legend for _, legend in queries]
    for name, colour in COLOURS.items() if NAMED.intersection(legends) else ():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
        built.override_by_name(name, [fixed])
    return built


def versions() -> statetimeline.Panel:
    """Return which model version decided when."""
    return (
        statetimeline.Panel()
        .title("Champion")
        .description("The version that decides. A new one was promoted through gate and shadow.")
        .datasource(SOURCE)
        .with_target(
            prometheus.Dataquery()
            .expr(latest("champion_version"))
            .legend_format("version")
            .interval("1h")
        )
    )


def variable(name: str, within: str = "") -> dashboard.QueryVariable:
    """Return a choice of label values."""
    query = f"label_values(sandbox_event_to_decision_seconds{within}, {name})"
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def frame(title: str, uid: str, about: str, since: str) -> dashboard.Dashboard:
    """Return an empty dashboard that asks which run to show."""
    chosen = 'scenario="$scenario"'
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["ml-design-sandbox"])
        .timezone("utc")
        .time(since, "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(variable("scenario"))
        .with_variable(variable("design", f"{{{chosen}}}"))
        .with_variable(variable("seed", f'{{{chosen},design="$design"}}'))
    )


def alerts() -> dashboard.AnnotationQuery:
    """Return marks where a monitor raised an alert."""
    return (
        dashboard.AnnotationQuery()
        .name("alerts")
        .datasource(SOURCE)
        .enable(True)
        .icon_color("#E69F00")
        .expr(f"({a_day('alerts_total')}) > 0")
        .step("1d")
        .title_format("{{kind}}")
    )


def quality() -> list[timeseries.Panel]:
    """Return the three views of quality, and what they cost."""
    about = (
        "Oracle: the simulator knows. Observed: labels that have arrived, about a window that "
        "ended a maturity ago. Estimated: no labels, blind to concept drift. Baseline: logistic "
        "regression, never used to decide."
    )
    return [
        panel(name, about, "percentunit",
              (latest("model_quality_ratio", f'metric="{metric}"'), "{{view}}"))
        for name, metric in (
            ("Recall at review capacity", "recall_at_capacity"), ("PR AUC", "pr_auc"),
        )
    ]  # fmt: skip


def money() -> list[timeseries.Panel]:
    """Return what was lost and what was decided."""
    return [
        panel("Lost so far", "Missed positives, refused negatives, reviews.", "currencyUSD",
              (latest("loss_usd_total"), "{{kind}}"), stack=True),
        panel("Decisions a day", "What the pipeline did with the sampled events.", "short",
              (a_day("decisions_total"), "{{decision}}")),
        panel("Reviews a day", "Worked by people, or beyond what they can work.", "short",
              (a_day("reviews_total"), "{{fate}}")),
        panel("Negatives refused", "Good ones that were blocked.", "percentunit",
              (latest("negatives_blocked_ratio"), "refused")),
    ]  # fmt: skip


def data() -> list[timeseries.Panel]:
    """Return drift and data quality."""
    return [
        panel("Drift of inputs (PSI)", "Current day against the reference; 0.25 is a lot.",
              "short", (latest("feature_drift_ratio", 'test="psi"'), "{{column}}")),
        panel("Missing values", "Share of each column.", "percentunit",
              (latest("feature_missing_ratio"), "{{column}}")),
        panel("Positives", "Share of events that are positive.", "percentunit",
              (latest("positive_ratio"), "{{view}}")),
    ]  # fmt: skip


def stream() -> list[timeseries.Panel]:
    """Return load and what it did to the stack; these are hourly, at full scale."""
    return [
        panel("Load", "At full scale.", "reqps", (latest("load_events_per_second"), "events")),
        panel("Event to decision", "From the queueing model.", "s",
              (latest("event_to_decision_seconds"), "p{{quantile}}")),
        panel("Lag", "Events that wait.", "short", (latest("consumer_lag_events"), "lag")),
        panel("Load over capacity", "Of the busiest worker of each stage.", "percentunit",
              (latest("worker_utilisation_ratio"), "{{stage}}")),
        panel("Answered in time", "By the model instead of the fallback.", "percentunit",
              (latest("answered_ratio"), "answered")),
    ]  # fmt: skip


def run_dashboard() -> dashboard.Dashboard:
    """Return the story of a simulated quarter."""
    built = frame(
        "Simulated run", "sandbox-run", "What `sandbox run NAME --to-prometheus URL` sent.",
        "now-120d",
    ).annotation(alerts())  # fmt: skip
    top = panel("Alerts so far", "By monitor.", "short", (latest("alerts_total"), "{{kind}}"))
    rows = {"Story": [versions(), top], "Quality": quality(), "Money": money(),
            "Data": data(), "Stream": stream()}  # fmt: skip
    return laid_out(built, rows)


def capacity_dashboard() -> dashboard.Dashboard:
    """Return a trial of `sandbox capacity`, second by second."""
    built = frame(
        "Capacity trial", "sandbox-capacity",
        "What `sandbox capacity NAME --fault ... --to-prometheus URL` sent.", "now-15m",
    )  # fmt: skip
    queries = {
        "Waiting": ("stage_lag_events", "short", "{{stage}}"),
        "Busy": ("worker_utilisation_ratio", "percentunit", "{{stage}}"),
        "Event to decision": ("event_to_decision_seconds", "s", "p{{quantile}}"),
    }
    panels = [
        panel(title, "Second by second.", unit, (f"sandbox_{metric}{{{THESE}}}", legend))
        for title, (metric, unit, legend) in queries.items()
    ]
    for one in panels:
        one.interval("1s")
    return laid_out(built, {"Trial": panels})


def laid_out(
    built: dashboard.Dashboard, rows: dict[str, list[timeseries.Panel]]
) -> dashboard.Dashboard:
    """Put rows of panels one below the other, two side by side."""
    top, number = 0, 1
    for title, panels in rows.items():
        row = dashboard.Row(title).id(number)
        built.with_row(row.grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=top)))
        top, number = top + 1, number + 1
        for place, one in enumerate(panels):
            across = place % 2 * PANEL_WIDTH
            cells = GridPos(h=PANEL_HEIGHT, w=PANEL_WIDTH, x=across, y=top)
            built.with_panel(one.id(number).grid_pos(cells))
            number += 1
            if place % 2 or place == len(panels) - 1:
                top += PANEL_HEIGHT
    return built


def files() -> dict[str, str]:
    """Return every dashboard as JSON, by file name."""
    made = {"run.json": run_dashboard(), "capacity.json": capacity_dashboard()}
    encode = JSONEncoder(sort_keys=True, indent=2).encode
    return {name: encode(built.build()) + "\n" for name, built in made.items()}


def main() -> int:
    """Write them."""
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
