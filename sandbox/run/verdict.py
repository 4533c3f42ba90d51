"""The verdict: each objective, its target, what was measured, and where that was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.capacity.estimate import Estimate
from sandbox.errors import UsageError, suggest
from sandbox.record import ObjectiveResult, RunRecord
from sandbox.run.shown import ShownClicks
from sandbox.spec.design import Design
from sandbox.spec.problems import Problem, first_of
from sandbox.spec.scenario import ObjectiveSpec, Scenario
from sandbox.spec.source import Source
from sandbox.spec.units import format_duration
from sandbox.task import Task

__all__ = ["Measures", "check_objectives", "check_rollback", "judge_objectives"]

DAY = 86400.0


@dataclass(frozen=True)
class Measures:
    """What the run measured besides its daily series."""

    latency_p99: float
    """Event-to-decision, 99th percentile of the whole run [s]."""
    answered: float
    """Share of events that the model answered in time."""
    good_blocked: float
    """Share of good events that were blocked."""
    net_loss_per_1000_events: float
    """USD."""
    capacity: Estimate | None = None
    """How full the design is at the usual peak, and its bill."""
    shown: ShownClicks | None = None
    """What was clicked of what was shown; of a ranking only."""


_RUN_MEASURES = (
    "event_to_decision_p99",
    "answered_in_time",
    "good_blocked",
    "net_loss_per_1000_events",
    "time_to_recover",
    "peak_capacity_used",
    "cost_per_month",
)


_SEEN_AT_ONCE = ("good_blocked", "event_to_decision_p99")
"""Objectives that an operator can watch without waiting for labels."""
_UNITS = {
    "event_to_decision_p99": ("s", "a duration such as 100ms"),
    "time_to_recover": ("s", "a duration such as 28d"),
    "net_loss_per_1000_events": ("USD", "an amount of money such as 300 USD"),
    "cost_per_month": ("USD", "an amount of money such as 2000 USD"),
}


def check_rollback(design: Design, source: Source) -> None:
    """Refuse a rollback that waits for what nobody can know within days of a promotion.

    Raises
    ------
    UsageError
        Naming the objective, and those that are seen at once.
    """
    found = [
        Problem(
            ("retraining", "rollback", "on", index),
            "nobody can see this within days of a promotion",
            name,
            f"one of {', '.join(_SEEN_AT_ONCE)}",
            "Quality and losses wait for labels; a `performance` alert watches them.",
        )
        for index, name in enumerate(design.retraining.rollback.on)
        if name not in _SEEN_AT_ONCE
    ]
    if found:
        raise first_of(found, source)


def check_objectives(scenario: Scenario, task: Task, where: str) -> None:
    """Refuse objectives that nothing measures, and bounds in a unit that is not theirs.

    Raises
    ------
    UsageError
        Naming the objective, and what would do.
    """
    known = (*task.metrics, *task.of_shown, *_RUN_MEASURES)
    for name in scenario.objectives:
        if name not in known:
            raise UsageError(
                "unknown objective",
                where=f"{where} objectives",
                got=name,
                expected=f"one of {', '.join(known)}",
                hint=suggest(name, known),
            )
        unit, expected = _UNITS.get(name, ("ratio", "a plain number or a share such as 60%"))
        spec = scenario.objectives[name]
        bound = spec.at_least if spec.at_least is not None else spec.at_most
        if getattr(bound, "unit", "") not in ("", unit):
            raise UsageError(
                "a bound of another kind",
                where=f"{where} objectives.{name}",
                got=str(bound),
                expected=expected,
            )


def judge_objectives(
    scenario: Scenario, task: Task, record: RunRecord, measures: Measures
) -> list[ObjectiveResult]:
    """Hold a finished record against the scenario's objectives, in their order."""
    whole = f"days 0-{record.days:.0f}"
    readers: Mapping[str, Callable[[], tuple[float | None, str]]] = {
        "event_to_decision_p99": lambda: (measures.latency_p99, f"latency histogram, {whole}"),
        "answered_in_time": lambda: (measures.answered, f"answered, {whole}"),
        "good_blocked": lambda: (measures.good_blocked, f"decisions, {whole}"),
        "net_loss_per_1000_events": lambda: (
            measures.net_loss_per_1000_events,
            f"cost ledger, {whole}",
        ),
        "time_to_recover": lambda: _time_to_recover(record),
        "uplift": lambda: _uplift(measures.shown),
        "coverage": lambda: _coverage(record),
        "peak_capacity_used": lambda: _capacity_used(measures.capacity),
        "cost_per_month": lambda: _cost(measures.capacity),
    }
    results = []
    for name, spec in scenario.objectives.items():
        reader = readers.get(name, lambda name=name, spec=spec: _windowed(record, name, spec, task))
        measured, evidence = reader()
        results.append(_result(name, spec, measured, evidence))
    return results


def _windowed(
    record: RunRecord, metric: str, spec: ObjectiveSpec, task: Task
) -> tuple[float | None, str]:
    days, values = record.metrics.series(metric, "oracle")
    finite = np.isfinite(values)
    days, values = days[finite], values[finite]
    if not len(values):
        return None, f"{metric}/oracle: no complete window"
    window = format_duration(spec.window)
    if spec.must_hold == "at_end":
        return float(values[-1]), f"{metric}/oracle, {window} to day {days[-1]:.0f}"
    if spec.must_hold == "always":
        worst = int(np.argmin(values) if spec.at_least is not None else np.argmax(values))
        return float(values[worst]), f"{metric}/oracle, worst {window}, to day {days[worst]:.0f}"
    return float(values.mean()), f"{metric}/oracle, mean of {window} windows, days 0-{days[-1]:.0f}"


def _time_to_recover(record: RunRecord) -> tuple[float | None, str]:
    if not record.incidents:
        return None, "no incident began"
    worst, evidence = 0.0, "no incident hurt"
    for incident in record.incidents:
        if not incident.hurt:
            continue
        begin, back = incident.start_day, incident.recovered_day
        if back is None:
            return float("inf"), f"{incident.name} from day {begin:.0f}: never"
        if (back - begin) * DAY > worst:
            worst = (back - begin) * DAY
            evidence = f"{incident.name}, day {begin:.0f} to {back:.0f}"
    return worst, evidence


def _uplift(shown: ShownClicks | None) -> tuple[float | None, str]:
    if shown is None or not shown.control:
        return None, "no control group: decision.control"
    value, low, high = shown.uplift()
    return value, (
        f"A/B test against the baseline, 90 % interval {low:+.1%} to {high:+.1%}, "
        f"{shown.control:,} shown in the control group"
    )


def _coverage(record: RunRecord) -> tuple[float | None, str]:
    days, values = record.metrics.series("coverage", "oracle")
    if not len(values):
        return None, "no candidates"
    return float(values.mean()), f"coverage/oracle, mean of days 0-{days[-1]:.0f}"


def _capacity_used(found: Estimate | None) -> tuple[float | None, str]:
    if found is None:
        return None, "not reckoned"
    return found.used, f"{found.bottleneck} at {found.peak:,.0f} events/s"


def _cost(found: Estimate | None) -> tuple[float | None, str]:
    return (None, "not reckoned") if found is None else (found.cost, "bill of sandbox capacity")


def _result(
    name: str, spec: ObjectiveSpec, measured: float | None, evidence: str
) -> ObjectiveResult:
    low = spec.at_least is not None
    bound = spec.bound
    passed = None
    if measured is not None and not np.isnan(measured):
        passed = bool(measured >= bound) if low else bool(measured <= bound)
    target = f"{'at least' if low else 'at most'} {spec.at_least if low else spec.at_most}"
    unit = getattr(spec.at_least if low else spec.at_most, "unit", "")
    finite = measured if measured is not None and np.isfinite(measured) else None
    return ObjectiveResult(
        name=name,
        target=target,
        measured=finite,
        shown=_shown(measured, unit, bound),
        passed=passed,
        evidence=evidence,
    )


def _shown(value: float | None, unit: str, bound: float) -> str:
    if value is None or np.isnan(value):
        return "not measured"
    if np.isinf(value):
        return "never"
    if unit == "s":
        return format_duration(float(f"{value:.3g}") if value < 1 else round(value))
    if unit == "ratio":
        return f"{value:.{3 if bound < 0.01 or bound > 0.99 else 1}%}"
    if unit == "USD":
        return f"{value:,.0f} USD"
    return f"{value:.3g}"
