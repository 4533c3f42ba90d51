"""Runs and studies as Prometheus time series, ending at a time one says."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from sandbox.adapters.remote_write import Line
from sandbox.capacity.study import CapacityRecord
from sandbox.record import RunRecord
from sandbox.simulate.histogram import quantiles
from sandbox.task import Task, get_task

__all__ = ["run_lines", "study_lines"]

DAY = 86400.0
_NAMES: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "lag": ("consumer_lag_events", "", {}),
    "latency_p50": ("event_to_decision_seconds", "", {"quantile": "0.5"}),
    "latency_p99": ("event_to_decision_seconds", "", {"quantile": "0.99"}),
    "utilisation": ("worker_utilisation_ratio", "stage", {}),
    "load": ("load_events_per_second", "", {}),
    "answered": ("answered_ratio", "", {}),
    "psi": ("feature_drift_ratio", "column", {"test": "psi"}),
    "ks": ("feature_drift_ratio", "column", {"test": "ks"}),
    "js": ("feature_drift_ratio", "column", {"test": "js"}),
    "missing": ("feature_missing_ratio", "column", {}),
    "decisions": ("decisions_total", "decision", {}),
    "reviews": ("reviews_total", "fate", {}),
    "invalid": ("invalid_ratio", "reason", {}),
    "hottest_partition": ("hottest_partition_ratio", "", {}),
    "workers": ("workers", "", {}),
    "good_blocked": ("good_blocked_ratio", "", {}),
    "loss": ("loss_usd_total", "kind", {}),
}
"""From a run's metric: name, label of its series, more labels. What is not here, `_named` knows."""
_ADDED_UP = ("decisions", "reviews")
"""Metrics that a run counts by the day, and Prometheus from the beginning."""


def run_lines(record: RunRecord, end: float) -> Iterator[Line]:
    """Yield a run's series; its last day ends at `end` [s since epoch]."""
    common = {"scenario": record.scenario, "design": record.design, "seed": str(record.seed)}
    begin, task = end - record.days * DAY, get_task(record.task)
    yield _line("task_info", {**common, **task.words()}, *_every_day(record, begin))
    for metric in record.metrics.metrics():
        named = _named(metric, task)
        if named is None:
            continue
        name, label, more = named
        for series in record.metrics.names(metric):
            days, values = record.metrics.series(metric, series)
            if metric in _ADDED_UP:
                values = np.cumsum(values)
            labels = {**common, **more, **({label: series} if label else {})}
            yield _line(name, labels, begin + days * DAY, values)
    yield from _alerts(record, common, begin)
    yield from _versions(record, common, begin)


def _named(metric: str, task: Task) -> tuple[str, str, Mapping[str, str]] | None:
    """Return the name of a run's metric as `_NAMES` has it; None for one that is not sent."""
    if metric == task.bad_rate:
        return "bad_ratio", "view", {}
    if metric in task.in_label_unit:
        return "model_quality_value", "view", {"metric": metric}
    if metric in task.metrics or metric in task.of_shown:
        return "model_quality_ratio", "view", {"metric": metric}
    return _NAMES.get(metric)


def _every_day(record: RunRecord, begin: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (times, ones): what is always so, with a sample a day."""
    steps = np.arange(1.0, record.days + 1.0)
    return begin + steps * DAY, np.ones(len(steps))


def _alerts(record: RunRecord, common: Mapping[str, str], begin: float) -> Iterator[Line]:
    found: dict[str, list[float]] = defaultdict(list)
    for alert in record.alerts:
        found[alert.kind].append(alert.day)
    for kind, days in found.items():
        steps = np.arange(1.0, record.days + 1.0)
        counts = np.searchsorted(np.sort(days), steps, side="right").astype(np.float64)
        yield _line("alerts_total", {**common, "kind": kind}, begin + steps * DAY, counts)


def _versions(record: RunRecord, common: Mapping[str, str], begin: float) -> Iterator[Line]:
    promoted = sorted((v.promoted_day, v.version) for v in record.versions
                      if v.promoted_day is not None)  # fmt: skip
    if not promoted:
        return
    steps = np.arange(1.0, record.days + 1.0)
    place = np.searchsorted([day for day, _ in promoted], steps, side="right") - 1
    numbers = np.array([float(version) for _, version in promoted])[np.maximum(place, 0)]
    yield _line("champion_version", common, begin + steps * DAY, numbers)


def study_lines(record: CapacityRecord, end: float) -> Iterator[Line]:
    """Yield what was played of a study, second by second; it ends at `end` [s since epoch]."""
    played = record.played
    if played is None or not len(played.lag_time):
        return
    common = {"scenario": record.asked.scenario, "design": record.asked.design_name,
              "seed": str(record.asked.seed)}  # fmt: skip
    begin = end - float(played.lag_time[-1])
    seconds = np.flatnonzero(np.diff(np.floor(played.lag_time), prepend=0.0) >= 1.0)
    for place, row in enumerate(record.stages):
        labels = {**common, "stage": row.name}
        times = begin + played.lag_time[seconds]
        yield _line("stage_lag_events", labels, times, played.lag[place, seconds])
        yield _line("worker_utilisation_ratio", labels, times, played.busy[place, seconds])
    for share in (0.5, 0.99):
        values = np.array([quantiles(counts, (share,))[0] for counts in played.histogram])
        labels = {**common, "quantile": f"{share:g}"}
        yield _line("event_to_decision_seconds", labels, begin + played.time, values)


def _line(name: str, labels: Mapping[str, str], times: np.ndarray, values: np.ndarray) -> Line:
    """Return a series in order of time, without what is not a number."""
    pairs = [(t, v) for t, v in zip(times.tolist(), values.tolist(), strict=True) if v == v]
    pairs.sort()
    last = [next(same) for _, same in itertools.groupby(pairs, key=lambda pair: round(pair[0], 3))]
    return Line(f"sandbox_{name}", labels, last)
