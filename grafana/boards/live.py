"""The dashboard of a live system: what happened, what it costs, whether the model is right."""

from __future__ import annotations

from functools import partial

from boards.asking import LIVE, counted, live, newest, or_none, per_second, quantile
from boards.frame import Cell, frame, graph, laid_out
from boards.live_stream import service_levels, serving, stream
from boards.panels import BAD, NONE, SOURCE, heat, lines, number, reads, timeline
from boards.quality import BAD_EVENTS, VIEWS, measured, quality_panels, quality_variables
from grafana_foundation_sdk.builders import dashboard

__all__ = ["live_dashboard"]

ON_OR_OFF = {"0": ("", NONE), "1": ("on", BAD)}
NO_MODEL, TOTAL = 'kind="no_model"', 'kind="total"'
MARKS = {
    "incidents": ("incident|mended", "#D55E00"),
    "faults": ("fault", "#CC0000"),
    "alerts": ("alert", "#E69F00"),
    "training": ("training", "#56B4E9"),
    "promotions": ("promotion|rollback", "#009E73"),
    "by hand": ("command|refused|threshold", "#999999"),
}
"""Marks on every graph: kinds of happenings, and their colour."""


def story() -> list[Cell]:
    """Return where the world stands, and what happened when."""
    lives = newest("live_info", by="scenario, design"), "{{scenario}} · {{design}}"
    cost = or_none(newest("loss_usd", TOTAL)), "cost"
    saved = or_none(f"({newest('loss_usd', NO_MODEL)} - {newest('loss_usd', TOTAL)})"), "saved"
    firing = 'count(ALERTS{alertstate="firing"}) or vector(0)', "firing"
    numbers = [
        number("Simulated date", "The date in the world; UTC.", "dateTimeAsIso",
               (f"{newest('simulated_time_seconds')} * 1000", "date")),
        number("Day", "Simulated days since day 0.", "short", (newest("simulated_day"), "day")),
        number("Speed", "Simulated seconds in a second.", "short",
               (newest("time_compression_ratio"), "speed")),
        number("Lives here", "Scenario and design.", "short", lives, name_only=True),
        number("Net cost", "Bad events let through, good ones blocked, and reviews, since "
               "day 0.", "currencyUSD", cost),
        number("Saved", "How much more $without_model would have cost.", "currencyUSD", saved),
        number("Alerts firing", "Of Prometheus; see the last row.", "short", firing, bad_from=1),
    ]  # fmt: skip
    widths = (5, 3, 3, 4, 3, 3, 3)
    return [Cell(one, width, 4) for one, width in zip(numbers, widths, strict=True)]


def history() -> list[Cell]:
    """Return states over time."""
    on = f"{newest('incident_active', by='incident')} == 1"
    return [
        Cell(timeline("Incidents", "What is wrong in the world. Only a simulator can show this.",
                      (or_none(on, "incident"), "{{incident}}"), shown=ON_OR_OFF), 12, 7),
        Cell(timeline("What happened", "Half a minute each; the marks on graphs have the words.",
                      (or_none(newest("happening_active", by="kind"), "kind"), "{{kind}}"),
                      shown=ON_OR_OFF), 12, 7),
        Cell(timeline("Versions", "Who decides, who scores in shadow, and what workers use.",
                      (newest("champion_version"), "champion"),
                      (newest("challenger_version"), "challenger"),
                      (or_none(newest("serving_version", by="part"), "part"), "workers: {{part}}"),
                      shown={"0": ("none", NONE)}), 12, 6),
        Cell(reads(timeline("Processes", "How many of each role answer.",
                            ("sandbox:roles_up:count", "{{job}}"), shown={}, bad_below=1),
                   "RoleDown"), 12, 6),
    ]  # fmt: skip


def business() -> list[Cell]:
    """Return money and decisions."""
    every = per_second("decisions_total")
    shares = [
        (or_none(f"{per_second('decisions_total', chosen)} / ({every} > 0)"), name)
        for name, chosen in (("review", 'decision="review"'), ("block", 'decision="block"'))
    ]
    lost = or_none(newest("loss_usd", 'kind!="total"', by="kind"), "kind")
    return [
        graph("Lost so far", "By kind. no_model: what $without_model would cost.",
              "currencyUSD", (lost, "{{kind}}")),
        graph("Decisions", "What the pipeline did with the events.", "eps",
              (per_second("decisions_total", by="decision"), "{{decision}}"), stack=True),
        graph("Acted on", "Share of events that were reviewed or blocked.", "percentunit",
              *shares),
        graph("Good ones blocked", "Share of the $good that were blocked, of the last day.",
              "percentunit", (newest("good_blocked_ratio"), "blocked")),
    ]  # fmt: skip


def reviews() -> list[Cell]:
    """Return the queue of people."""
    return [
        graph("Cases that wait", "Of the day; what is beyond the capacity at its end is dropped.",
              "short", (newest("review_queue_cases"), "waiting"),
              (newest("review_capacity_cases"), "capacity a day")),
        graph("Cases so far", "Worked by people, or beyond what they can work.", "short",
              (or_none(counted("reviews_total", by="fate"), "fate"), "{{fate}}")),
    ]  # fmt: skip


def quality() -> list[Cell]:
    """Return whether the model is right, and by which labels."""

    def asked(labels: str) -> str:
        return or_none(measured(partial(newest, labels=labels, by="view"), "model_quality"), "view")

    delays = [
        (or_none(quantile(q, "label_delay_seconds", window="5m")), f"p{q * 100:g}")
        for q in (0.5, 0.95)
    ]
    title, about = BAD_EVENTS
    bad = lines(title, f"{about} {VIEWS}", "percentunit",
                (or_none(newest("bad_ratio", by="view"), "view"), "{{view}}"))  # fmt: skip
    return [
        *quality_panels(lines, asked, VIEWS, bad, "QualityAlert"),
        graph("Labels", "Labels that came, by source.", "eps",
              (or_none(per_second("labels_sent_total", by="source"), "source"), "{{source}}"),
              alerts=["LabelFeedSilent"]),
        graph("Label delay", "Simulated time from an event to its label.", "s", *delays),
    ]  # fmt: skip


def training() -> list[Cell]:
    """Return what was trained, and how it fared."""
    return [
        graph("Gate", "The gate's metric, of both on the slice that neither learned from.", "short",
              (or_none(measured(partial(newest, by="who"), "offline_quality"), "who"), "{{who}}"),
              alerts=["TrainingFailed"], width=6),
        graph("Shadow", "Mean distance between the challenger's and the champion's scores, and "
              "the share of events that the challenger decides.", "percentunit",
              (newest("shadow_gap_ratio"), "distance"), (newest("canary_ratio"), "canary"),
              width=6),
        graph("Training jobs and promotions", "So far.", "short",
              (or_none(counted("trainings_total", by="outcome"), "outcome"), "{{outcome}}"),
              (or_none(counted("promotions_total", by="way"), "way"), "promoted: {{way}}"),
              width=6),
        graph("Last training job", "How long it took, and from how many rows.", "short",
              (newest("training_seconds"), "seconds"), (newest("training_rows"), "rows"), width=6),
    ]  # fmt: skip


def data() -> list[Cell]:
    """Return drift and data quality."""
    psi = or_none(newest("feature_drift_ratio", 'test="psi"', by="column"), "column")
    missing = or_none(newest("feature_missing_ratio", by="column"), "column")
    scores = f"sum by (le) (rate({live('score_ratio_bucket')}[$__rate_interval]))"
    said = timeline("Alerts of the monitor", "For a simulated day each.",
                    ("sandbox:drift_alert:max", "{{kind}} {{subject}}"),
                    ("sandbox:quality_alert:max", "{{kind}} {{subject}}"),
                    shown=ON_OR_OFF)  # fmt: skip
    return [
        graph("Drift of inputs (PSI)", "Current day against the reference; 0.25 is a lot.",
              "short", (psi, "{{column}}"), alerts=["DriftAlert"]),
        Cell(heat("Scores", "What decisions go by: the champion's scores, or how far off they may "
                  "be. A shift here reaches decisions.", "short", scores)),
        Cell(reads(said, "DriftAlert", "QualityAlert")),
        graph("Alerts so far", "By monitor.", "short",
              (or_none(counted("alerts_total", by="kind"), "kind"), "{{kind}}")),
        graph("Missing values", "Share of each column, of the last day.", "percentunit",
              (missing, "{{column}}"), width=8),
        graph("Refused", "Share of events that break the schema, of the last day.", "percentunit",
              (or_none(newest("invalid_ratio", by="reason"), "reason"), "{{reason}}"),
              alerts=["DeadLetters"], width=8),
        graph("Knobs of the world", "What drift turns, each in its own unit.", "short",
              (or_none(newest("knob_value", by="knob"), "knob"), "{{knob}}"), width=8),
    ]  # fmt: skip


def marks() -> list[dashboard.AnnotationQuery]:
    """Return what is marked on every graph."""
    return [
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(colour)
        .expr(or_none(newest("happening_active", f'kind=~"{kinds}"', by="kind, what")))
        .step("5s")
        .title_format("{{kind}}")
        .text_format("{{what}}")
        for name, (kinds, colour) in MARKS.items()
    ]


def live_dashboard() -> dashboard.Dashboard:
    """Return the dashboard that opens first."""
    built = frame(
        "Live", "sandbox-live",
        "A live system: read it from the top when something is wrong. docs/live-dashboards.md",
        "now-15m",
    ).refresh("5s")  # fmt: skip
    for variable in quality_variables(LIVE):
        built.with_variable(variable)
    for mark in marks():
        built.annotation(mark)
    rows = {
        "Story": [*story(), *history()], "Business": business(), "Review queue": reviews(),
        "Quality": [*quality(), *training()], "Drift and data": data(), "Stream": stream(),
        "Serving": serving(), "Service levels": service_levels(),
    }  # fmt: skip
    return laid_out(built, rows)
