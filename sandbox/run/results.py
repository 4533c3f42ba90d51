"""From a finished (or interrupted) run to its record: what a report shows and a summary states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.recorded import Recording
from sandbox.batch import Batch
from sandbox.capacity.estimate import Estimate, estimate
from sandbox.capacity.files import REFERENCE, load_prices, load_profile
from sandbox.record import RunRecord, VersionRecord
from sandbox.run.incidents import incident_records
from sandbox.run.setup import DAY, Prepared
from sandbox.run.system import RunSystem
from sandbox.run.verdict import Measures, judge_objectives

__all__ = ["finish_record"]

BOUGHT_WINDOW = 14 * DAY
"""Time after a promotion over which a version is held against the one it replaced [s]."""


def finish_record(run: RunSystem, *, days: float, complete: bool) -> RunRecord:
    """Collect the record of a run that has come to its end on day `days`."""
    prepared, scenario = run.prepared, run.prepared.scenario
    record = RunRecord(
        scenario=prepared.name,
        title=scenario.title,
        task=scenario.task,
        design=prepared.design_name,
        seed=prepared.seed,
        days=days,
        start_date=scenario.start.isoformat(),
        population=scenario.population,
        complete=complete,
        events=run.service.events,
        primary=prepared.task.primary,
        alerts=list(run.alerts),
        interventions=list(run.interventions),
        money=run.service.ledger.totals.as_dict(),
        counts=dict(run.service.counts),
        notes=_notes(prepared, complete),
        diagram=scenario.diagram,
        design_text=prepared.design_text,
        metrics=run.metrics,
    )
    _count_refused(run, record)
    _daily_money(run, record)
    _baseline_quality(run, record)
    record.versions = [_with_worth(run, version, days) for version in run.lifecycle.records]
    record.incidents = incident_records(prepared.incidents, record, window=run.watch.window / DAY)
    record.histograms = _histograms(run)
    record.objectives = judge_objectives(scenario, prepared.task, record, _measures(run))
    record.log = _events(run)
    return record


def _notes(prepared: Prepared, complete: bool) -> list[str]:
    scenario = prepared.scenario
    notes = [
        f"Quality and money come from a sample of whole keys: one simulated entity stands for "
        f"{scenario.population:,.0f}. Load, lag and latency are at full scale.",
        "The world does not react to decisions, so that two designs meet the same events.",
        "Latency comes from a queueing model with reference service times, not from a measurement "
        "of this machine.",
    ]
    if prepared.recording is not None:
        notes[1] = "The events are recorded: they do not react to decisions."
        notes.insert(0, _played(prepared.recording))
    if not complete:
        notes.insert(0, "This run was stopped early; objectives speak about its days only.")
    return notes


def _played(recording: Recording) -> str:
    """Say what was played of a file, and what was refused."""
    refused = "; ".join(
        f"{count:,} {reason} ({recording.examples[reason]})"
        if reason in recording.examples
        else f"{count:,} {reason}"
        for reason, count in sorted(recording.refused.items())
    )
    played = f"{recording.events:,} recorded events played, history included"
    return f"{played}; refused before: {refused}." if refused else f"{played}; none refused."


def _count_refused(run: RunSystem, record: RunRecord) -> None:
    """Add the rows of a file that never became events to the dead letters."""
    if run.prepared.recording is None:
        return
    for reason, count in sorted(run.prepared.recording.refused.items()):
        name = f"dead_letter.{reason}"
        record.counts[name] = record.counts.get(name, 0) + count


def _daily_money(run: RunSystem, record: RunRecord) -> None:
    total = None
    for day, money in run.service.ledger.rows():
        total = money if total is None else total + money
        for kind, value in total.as_dict().items():
            record.metrics.add(day + 1.0, "loss", value, kind)


def _measures(run: RunSystem) -> Measures:
    return Measures(
        latency_p99=run.stack.latency_p99(),
        answered=run.stack.answered_share(),
        good_blocked=run.service.good_blocked(),
        net_loss_per_1000_events=run.service.ledger.totals.total / max(run.service.events, 1) * 1e3,
        capacity=_capacity(run.prepared),
        shown=run.service.shown(),
    )


def _capacity(prepared: Prepared) -> Estimate:
    """Reckon with the shipped profile and prices, so that a verdict is the same everywhere."""
    profile, _ = load_profile(REFERENCE, None)
    prices = load_prices(None)
    return estimate(prepared.design, prepared.plan, profile, prices, prepared.scenario.load)


def _with_worth(run: RunSystem, version: VersionRecord, days: float) -> VersionRecord:
    """Hold a promoted version against the one it replaced, on the same later events."""
    if version.promoted_day is None:
        return version
    former = run.lifecycle.replaced_by(version.version)
    end = min(version.promoted_day + BOUGHT_WINDOW / DAY, days)
    if former is None or end - version.promoted_day < 2:
        return version
    start = run.prepared.scenario.start_time
    log = run.service.log
    rows = log.rows_between(start + version.promoted_day * DAY, start + end * DAY)
    valid = log.column("dead")[rows] == 0
    label = log.column("label")[rows][valid]
    day = np.floor((log.column("event_time")[rows][valid] - start) / DAY).astype(np.int64)
    task, groups = run.prepared.task, log.groups(rows)
    group = None if groups is None else groups[valid]
    now, then = (
        task.measure(
            [task.primary], label, score, day=day, capacity=run.watch.capacity, group=group
        )[task.primary]
        for score in (
            _scores(run, version.version, rows, valid),
            former.predict(log.features[rows][valid]),
        )
    )  # fmt: skip
    return replace(version, bought=float(now - then))


def _scores(
    run: RunSystem, number: int, rows: slice, valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return a version's scores of the valid rows: those it served are in the log already."""
    log = run.service.log
    scores = log.column("score")[rows].copy()
    others = valid & ((log.column("version")[rows] != number) | log.column("fallback")[rows])
    if others.any():
        scores[others] = run.lifecycle.model(number).predict(log.features[rows][others])
    return scores[valid]


def _baseline_quality(run: RunSystem, record: RunRecord) -> None:
    """Write the oracle's quality of the baseline model trained beside each champion."""
    log, task, start = run.service.log, run.prepared.task, run.prepared.scenario.start_time
    rows = run.service.live_rows()
    valid = log.column("dead")[rows] == 0
    score = np.zeros(rows.stop - rows.start)
    served = log.column("version")[rows]
    for number in np.unique(served[valid]):
        mine = valid & (served == number)
        score[mine] = run.lifecycle.model(int(number)).predict_baseline(log.features[rows][mine])
    label, group = log.column("label")[rows], log.groups(rows)
    day = np.floor((log.column("event_time")[rows] - start) / DAY).astype(np.int64)
    metrics = tuple(dict.fromkeys((task.primary, task.gate_metric)))
    width = round(run.watch.window / DAY)
    for last in range(width, int(record.days) + 1):
        low, high = np.searchsorted(day, [last - width, last])
        window = slice(int(low), int(high))
        values = task.measure(
            metrics,
            label[window],
            score[window],
            day=day[window],
            capacity=run.watch.capacity,
            group=None if group is None else group[window],
        )
        for metric, value in values.items():
            record.metrics.add(float(last), metric, value, "baseline")


def _histograms(run: RunSystem) -> dict[str, dict[str, list[float]]]:
    log, start = run.service.log, run.prepared.scenario.start_time
    rows = run.service.live_rows()
    valid = log.column("dead")[rows] == 0
    score, label = log.column("score")[rows][valid], log.column("label")[rows][valid]
    version = log.column("version")[rows][valid]
    week = np.floor((log.column("event_time")[rows][valid] - start) / (7 * DAY)).astype(np.int64)
    task = run.prepared.task
    edges = task.score_edges()
    by_week: dict[str, list[float]] = {"edges": edges.tolist()}
    order = np.argsort(week, kind="stable")
    numbers, begins = np.unique(week[order], return_index=True)
    for number, mine in zip(numbers, np.split(score[order], begins)[1:], strict=True):
        counts, _ = np.histogram(mine, bins=edges)
        by_week[f"week {number}"] = counts.astype(float).tolist()
    tables: dict[str, dict[str, list[float]]] = {"score_by_week": by_week}
    for number in np.unique(version):
        mine = version == number
        mean, share, count = task.reliability(label[mine], score[mine])
        tables[f"calibration v{number}"] = {
            "mean_score": mean.tolist(),
            "share_positive": share.tolist(),
            "count": count.astype(float).tolist(),
        }
    return tables


def _events(run: RunSystem) -> Batch:
    log, rows = run.service.log, run.service.live_rows()
    schema = run.prepared.scenario.event
    names = (
        schema.id, "event_time", "processing_time", *schema.columns, "score",
        *(["spread"] if "spread" in log else []), "decision",
        "explored", "worked", "fallback", "dead", "version", "label", "label_time", "mechanism",
    )  # fmt: skip
    columns: Mapping[str, NDArray[np.generic]] = {n: log.column(n)[rows] for n in names}
    features = {
        f"feature.{name}": log.features[rows][:, i]
        for i, name in enumerate(run.prepared.plan.names)
    }
    return Batch({**columns, **features})
