"""What a record says, in sentences and numbers: for captions, the headline and the terminal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.record import AlertRecord, IncidentRecord, ObjectiveResult, RunRecord
from sandbox.report.numbers import (
    DASH,
    day,
    days_between,
    join,
    money,
    number,
    quality,
    share,
    words,
)

__all__ = [
    "VIEWS",
    "Tile",
    "alerts_outside",
    "incident_facts",
    "key_numbers",
    "known",
    "quality_metrics",
    "result_word",
    "tail_mean",
    "verdict_sentence",
]

VIEWS = ("oracle", "observed", "estimated", "baseline")
WEEK = 7.0
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tile:
    """One number worth reading first."""

    label: str
    value: str
    note: str = ""


def result_word(result: ObjectiveResult) -> tuple[str, str, str]:
    """Return (symbol, word, colour token) of one objective."""
    if result.passed is None:
        return DASH, "not measured", "muted"
    return ("✓", "pass", "good") if result.passed else ("✗", "fail", "bad")


def verdict_sentence(record: RunRecord) -> str:
    """Return the verdict in one sentence."""
    results = record.objectives
    if not results:
        return "No objective was measured."
    failed = [r for r in results if r.passed is False]
    unknown = sum(r.passed is None for r in results)
    measured = len(results) - unknown
    if not measured:
        return f"None of the {len(results)} objectives could be measured."
    rest = f"; {unknown} could not be measured" if unknown else ""
    plural = "objective" if measured == 1 else "objectives"
    if not failed:
        every = "the one measured" if measured == 1 else f"all {measured} measured"
        return f"Passes {every} {plural}{rest}."
    names = join([f"{words(r.name)} ({r.shown}, target {r.target})" for r in failed])
    return f"Misses {len(failed)} of {measured} measured {plural}: {names}{rest}."


def quality_metrics(record: RunRecord) -> list[str]:
    """Return the primary metric first, then every metric that has an oracle and another view."""
    table = record.metrics
    found = [
        m
        for m in table.metrics()
        if "oracle" in table.names(m) and set(table.names(m)) & {"observed", "estimated"}
    ]
    first = [record.primary] if record.primary in table.metrics() else []
    return first + [m for m in found if m != record.primary]


def known(record: RunRecord, metric: str, series: str = "") -> tuple[Floats, Floats]:
    """Return (days, values) of one line without what is not finite."""
    days, values = record.metrics.series(metric, series)
    keep = np.isfinite(values)
    return days[keep], values[keep]


def tail_mean(days: Floats, values: Floats, window: float = WEEK) -> float | None:
    """Return the mean of the last `window` days, None without any value."""
    if not len(days):
        return None
    return float(values[days > days[-1] - window].mean())


def key_numbers(record: RunRecord) -> list[Tile]:
    """Return what a reader looks at first."""
    tiles = []
    last = tail_mean(*known(record, record.primary, "oracle"))
    if last is not None:
        before = [i.primary_before for i in record.incidents if i.primary_before is not None]
        note = (
            f"{quality(before[0])} before the first incident" if before else "last 7 days, oracle"
        )
        tiles.append(Tile(words(record.primary) + " at the end", quality(last), note))
    total, without = record.money.get("total"), record.money.get("no_model")
    if total is not None:
        saved = f"{share(1 - total / without)} less than with no model" if without else ""
        tiles.append(Tile("lost", money(total), saved))
    if record.incidents:
        seen = sum(i.detected_day is not None for i in record.incidents)
        hurt = [i for i in record.incidents if i.hurt]
        back = sum(i.recovered_day is not None for i in hurt)
        note = f"{len(hurt)} hurt quality, {back} recovered"
        tiles.append(Tile("incidents detected", f"{seen} of {len(record.incidents)}", note))
    outside = len(alerts_outside(record))
    tiles.append(Tile("alerts", str(len(record.alerts)), f"{outside} outside any incident"))
    promoted = sum(v.promoted_day is not None for v in record.versions)
    if record.versions:
        note = f"{promoted} promoted of {len(record.versions)} trained"
        tiles.append(Tile("model versions live", str(promoted), note))
    tiles.append(
        Tile("events", number(float(record.events)), f"each stands for {record.population:,g}")
    )
    return tiles


def alerts_outside(record: RunRecord) -> list[AlertRecord]:
    """Return the alerts that fell inside no incident."""

    def inside(alert: AlertRecord, incident: IncidentRecord) -> bool:
        end = float("inf") if incident.end_day is None else incident.end_day
        # a daily monitor speaks the day after what it saw
        return incident.start_day <= alert.day <= max(end, incident.start_day) + 1

    return [a for a in record.alerts if not any(inside(a, i) for i in record.incidents)]


def incident_facts(incident: IncidentRecord, primary: str) -> list[tuple[str, str]]:
    """Return (label, text) pairs: what it did, who noticed and when, when it was over."""
    span = day(incident.start_day)
    span += " to the end" if incident.end_day is None else f" to {day(incident.end_day)}"
    facts = [("when", span)]
    if incident.primary_before is not None:
        levels = (incident.primary_before, incident.primary_worst, incident.primary_end)
        path = " → ".join(quality(v) for v in levels)
        facts.append((words(primary), f"{path} (before → worst → end)"))
    if incident.detected_day is None:
        facts.append(("detected", "never"))
    else:
        facts.append(
            ("detected",
             f"{day(incident.detected_day)} by {incident.detected_by}, "
             f"{_after(incident.start_day, incident.detected_day)}")
        )  # fmt: skip
    if not incident.hurt:
        facts.append(("recovered", "not needed: quality held"))
    elif incident.recovered_day is not None:
        took = _after(incident.start_day, incident.recovered_day)
        facts.append(("recovered", f"{day(incident.recovered_day)}, {took}"))
    else:
        facts.append(("recovered", "not by the end"))
    return facts


def _after(start: float, end: float) -> str:
    return days_between(start, end) + (" after onset" if end != start else "")
