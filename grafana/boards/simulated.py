"""Dashboards of simulated time: what ``--to-prometheus`` sends.

A run has most figures once a simulated day, which is further apart than Prometheus looks back, so
queries take the last value of the day before.
"""

from __future__ import annotations

from functools import partial

from boards.frame import Cell, frame, laid_out
from boards.panels import SOURCE, Query, lines, timeline
from boards.quality import BAD_EVENTS, VIEWS, measured, quality_panels, quality_variables
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import VariableRefresh

__all__ = ["capacity_dashboard", "run_dashboard"]

THESE = 'scenario="$scenario",design="$design",seed="$seed"'


def latest(metric: str, labels: str = "", offset: str = "") -> str:
    """Return the query for a daily series."""
    chosen = f"{THESE},{labels}" if labels else THESE
    return f"last_over_time(sandbox_{metric}{{{chosen}}}[25h]{offset})"


def a_day(metric: str) -> str:
    """Return the query for what a total grew by in a day."""
    return f"{latest(metric)} - {latest(metric, offset=' offset 1d')}"


def daily(title: str, about: str, unit: str, query: Query) -> Cell:
    """Return a panel of daily lines."""
    return Cell(lines(title, about, unit, query, interval="1h"))


def variable(name: str, within: str = "") -> dashboard.QueryVariable:
    """Return a choice of label values."""
    query = f"label_values(sandbox_event_to_decision_seconds{within}, {name})"
    return (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def choosing(title: str, uid: str, about: str, since: str) -> dashboard.Dashboard:
    """Return an empty dashboard that asks which run to show."""
    chosen = 'scenario="$scenario"'
    return (
        frame(title, uid, about, since)
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


def story() -> list[Cell]:
    """Return which model version decided when, and what was noticed."""
    about = "The version that decides. A new one was promoted through gate and shadow."
    version = latest("champion_version"), "version"
    return [
        Cell(timeline("Champion", about, version, shown={}, interval="1h")),
        daily("Alerts so far", "By monitor.", "short", (latest("alerts_total"), "{{kind}}")),
    ]


def quality() -> list[Cell]:
    """Return the views of quality, and the share of what is bad."""

    def asked(labels: str) -> str:
        return measured(partial(latest, labels=labels), "model_quality")

    drawn = partial(lines, interval="1h")
    about = f"{VIEWS} Baseline: $baseline, trained beside the champion."
    bad = drawn(*BAD_EVENTS, "percentunit", (latest("bad_ratio"), "{{view}}"))
    return quality_panels(drawn, asked, about, bad)


def money() -> list[Cell]:
    """Return what was lost and what was decided."""
    return [
        daily("Lost so far", "By kind. no_model: what $without_model would cost.", "currencyUSD",
              (latest("loss_usd_total", 'kind!="total"'), "{{kind}}")),
        daily("Decisions a day", "What the pipeline did with the sampled events.", "short",
              (a_day("decisions_total"), "{{decision}}")),
        daily("Reviews a day", "Worked by people, or beyond what they can work.", "short",
              (a_day("reviews_total"), "{{fate}}")),
        daily("Good ones blocked", "Share of the $good that were blocked.", "percentunit",
              (latest("good_blocked_ratio"), "blocked")),
    ]  # fmt: skip


def data() -> list[Cell]:
    """Return drift and data quality."""
    return [
        daily("Drift of inputs (PSI)", "Current day against the reference; 0.25 is a lot.",
              "short", (latest("feature_drift_ratio", 'test="psi"'), "{{column}}")),
        daily("Missing values", "Share of each column.", "percentunit",
              (latest("feature_missing_ratio"), "{{column}}")),
    ]  # fmt: skip


def stream() -> list[Cell]:
    """Return load and what it did to the stack; these are hourly, at full scale."""
    return [
        daily("Load", "At full scale.", "reqps", (latest("load_events_per_second"), "events")),
        daily("Event to decision", "From the queueing model.", "s",
              (latest("event_to_decision_seconds"), "p{{quantile}}")),
        daily("Lag", "Events that wait.", "short", (latest("consumer_lag_events"), "lag")),
        daily("Load over capacity", "Of the busiest worker of each stage.", "percentunit",
              (latest("worker_utilisation_ratio"), "{{stage}}")),
        daily("Answered in time", "By the model instead of the fallback.", "percentunit",
              (latest("answered_ratio"), "answered")),
    ]  # fmt: skip


def run_dashboard() -> dashboard.Dashboard:
    """Return the story of a simulated quarter."""
    built = choosing(
        "Simulated run", "sandbox-run", "What `sandbox run NAME --to-prometheus URL` sent.",
        "now-120d",
    ).annotation(alerts())  # fmt: skip
    for one in quality_variables(THESE):
        built.with_variable(one)
    rows = {"Story": story(), "Quality": quality(), "Money": money(), "Data": data(),
            "Stream": stream()}  # fmt: skip
    return laid_out(built, rows)


def capacity_dashboard() -> dashboard.Dashboard:
    """Return a trial of `sandbox capacity`, second by second."""
    built = choosing(
        "Capacity trial", "sandbox-capacity",
        "What `sandbox capacity NAME --fault ... --to-prometheus URL` sent.", "now-15m",
    )  # fmt: skip
    queries = {
        "Waiting": ("stage_lag_events", "short", "{{stage}}"),
        "Busy": ("worker_utilisation_ratio", "percentunit", "{{stage}}"),
        "Event to decision": ("event_to_decision_seconds", "s", "p{{quantile}}"),
    }
    cells = [
        Cell(lines(title, "Second by second.", unit, (f"sandbox_{metric}{{{THESE}}}", legend))
             .interval("1s"))
        for title, (metric, unit, legend) in queries.items()
    ]  # fmt: skip
    return laid_out(built, {"Trial": cells})
