"""Checks across parts: of a scenario in itself, and of a design against a scenario."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.errors import suggest
from sandbox.spec.columns import (
    category_problems,
    clean_problems,
    fault_problems,
    feature_problems,
    key_problems,
    number_problems,
)
from sandbox.spec.design import (
    ALERT_KINDS,
    DETECTOR_KINDS,
    QUALITY_KINDS,
    STREAMS,
    AlertSpec,
    Design,
)
from sandbox.spec.problems import Problem, first_of
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source
from sandbox.spec.units import format_duration

__all__ = ["check_design", "check_scenario"]


def check_scenario(scenario: Scenario, source: Source) -> None:
    """Check what a scenario says about its own columns.

    Raises
    ------
    UsageError
        For the first cost, fault field or ``where`` that does not fit the event schema.
    """
    found = list(_cost_problems(scenario))
    for name, incident in scenario.incidents.items():
        if incident.fault is not None:
            place = ("incidents", name, "fault")
            found += fault_problems(place, incident.fault, scenario.event)
    if found:
        raise first_of(found, source)


def _cost_problems(scenario: Scenario) -> Iterator[Problem]:
    for name in ("missed", "false_decline"):
        for column in getattr(scenario.costs, name).per:
            yield from number_problems(("costs", name, "per", column), column, scenario.event)


def check_design(
    design: Design, source: Source, scenario: Scenario, *, metrics: Sequence[str] = ()
) -> None:
    """Hold a design against the scenario that it is meant for.

    Parameters
    ----------
    design, source
        The design and where it was written.
    scenario
        The question.
    metrics
        Metrics of the scenario's task; their names are not checked when there are none.

    Raises
    ------
    UsageError
        For the first thing that cannot work, at its line and key.
    """
    found: list[Problem] = []
    if design.ingest.key is not None:
        found += key_problems(("ingest", "key"), design.ingest.key, scenario.event)
    for p in feature_problems(design.features, scenario.event):
        found.append(Problem(("features", *p.place), p.what, p.got, p.expected, p.hint))
    for p in clean_problems(design.clean, scenario.event):
        found.append(Problem(("clean", *p.place), p.what, p.got, p.expected, p.hint))
    found += _training_problems(design, scenario)
    for index, alert in enumerate(design.monitoring.alerts):
        found += _alert_problems(index, alert, design, scenario, metrics)
    found += _monitoring_problems(design)
    found += _retraining_problems(design, scenario, metrics)
    if found:
        raise first_of(sorted(found, key=lambda p: source.line(p.place)), source)


def _training_problems(design: Design, scenario: Scenario) -> Iterator[Problem]:
    training, names = design.model.training, design.feature_names
    for position, name in enumerate(design.model.without):
        if name not in names:
            yield Problem(
                ("model", "without", position), "unknown feature", name,
                f"one of {', '.join(names)}", suggest(name, names),
            )  # fmt: skip
    needed = training.window + training.validation + training.label_maturity
    if needed > scenario.history:
        yield Problem(
            ("model", "training"),
            "the first model would need more past than there is",
            format_duration(needed),
            f"window + validation + label_maturity <= {format_duration(scenario.history)}",
            "Shorten training.window.",
        )
    for index, feature in enumerate(design.features):
        for position, window in enumerate(feature.over):
            reach = window + feature.delay
            if reach > scenario.history:
                yield Problem(
                    ("features", index, "over", position),
                    "this window starts before the world does",
                    format_duration(reach),
                    f"window + delay <= {format_duration(scenario.history)}",
                )


def _alert_problems(
    index: int, alert: AlertSpec, design: Design, scenario: Scenario, metrics: Sequence[str]
) -> Iterator[Problem]:
    if alert.kind in QUALITY_KINDS and not metrics:
        return
    what, known = "feature", ["all", *design.feature_names]
    if alert.kind in QUALITY_KINDS:
        what, known = "metric", ["all", *metrics]
    elif alert.kind in DETECTOR_KINDS:
        what, known = "stream", list(STREAMS)
    elif alert.kind == "invalid":
        what, known = "subject", ["all"]
    elif alert.kind == "missing":
        known = list(dict.fromkeys([*known, *scenario.event.columns]))
    else:
        known.append("score")
    for position, name in enumerate(alert.of):
        if name not in known:
            place = ("monitoring", "alerts", index, "of", position)
            expected = f"one of {', '.join(known)}"
            yield Problem(place, f"unknown {what}", name, expected, suggest(name, known))


def _monitoring_problems(design: Design) -> Iterator[Problem]:
    monitoring = design.monitoring
    if monitoring.current > monitoring.reference:
        yield Problem(
            ("monitoring", "current"),
            "current data outlast the reference",
            format_duration(monitoring.current),
            f"at most monitoring.reference, {format_duration(monitoring.reference)}",
        )


def _retraining_problems(
    design: Design, scenario: Scenario, metrics: Sequence[str]
) -> Iterator[Problem]:
    retraining = design.retraining
    raised = [alert.kind for alert in design.monitoring.alerts]
    for index, trigger in enumerate(retraining.when):
        if trigger.on is not None and not any(trigger.fires_on(kind) for kind in raised):
            kind = trigger.on if trigger.on in ALERT_KINDS else "such"
            yield Problem(
                ("retraining", "when", index), "nothing ever triggers this", f"on {trigger.on}",
                f"an alert under monitoring.alerts ({', '.join(raised) or 'none there'})",
                f"Add {'a ' if kind != 'such' else ''}{kind} alert{'' if kind != 'such' else 's'}.",
            )  # fmt: skip
    gate = retraining.gate
    if gate is not None:
        for index, name in enumerate(gate.slices):
            place = ("retraining", "gate", "slices", index)
            yield from category_problems(place, name, scenario.event)
        if gate.metric is not None and metrics and gate.metric not in metrics:
            yield Problem(
                ("retraining", "gate", "metric"), "unknown metric", gate.metric,
                f"one of {', '.join(metrics)}", suggest(gate.metric, metrics),
            )  # fmt: skip
    known = list(scenario.objectives)
    for index, name in enumerate(retraining.rollback.on):
        if name not in known:
            yield Problem(
                ("retraining", "rollback", "on", index), "unknown objective", name,
                f"one of {', '.join(known) or 'none: the scenario has no objectives'}",
                suggest(name, known),
            )  # fmt: skip
