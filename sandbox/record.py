"""What a run leaves behind, independent of how it was executed.

Times are `day`: days since day 0 as floats. Everything here is plain data, so that reports,
comparisons, drills and dashboards read one thing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch

__all__ = [
    "AlertRecord",
    "Assignment",
    "IncidentRecord",
    "InterventionRecord",
    "LabRecord",
    "LiveState",
    "MetricTable",
    "ObjectiveResult",
    "QualityView",
    "RunRecord",
    "SweepRecord",
    "Trial",
    "VersionRecord",
]

Floats = NDArray[np.float64]

_SUMMARY = (
    "scenario", "title", "task", "design", "seed", "days", "start_date", "population", "complete",
    "events", "primary", "passed", "money", "counts", "notes",
)  # fmt: skip


class MetricTable:
    """A long table of (day, metric, series, value), appended during a run.

    `series` says which of several lines of one metric: ``oracle``/``observed``/``estimated``, a
    feature's name, a stage. It is ``""`` where there is one line only.
    """

    def __init__(self) -> None:
        self._points: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def add(self, day: float, metric: str, value: float, series: str = "") -> None:
        """Append one point."""
        self._points.setdefault((metric, series), []).append((day, float(value)))

    def extend(self, days: Floats, metric: str, values: Floats, series: str = "") -> None:
        """Append points to one line; both arrays have shape (n,)."""
        points = zip(days.tolist(), values.tolist(), strict=True)
        self._points.setdefault((metric, series), []).extend(points)

    def series(self, metric: str, series: str = "") -> tuple[Floats, Floats]:
        """Return (days, values) of one line; empty arrays where it was never written."""
        points = np.array(self._points.get((metric, series), []), dtype=np.float64).reshape(-1, 2)
        return points[:, 0], points[:, 1]

    def names(self, metric: str) -> tuple[str, ...]:
        """Return the series that a metric has, in order of first appearance."""
        return tuple(s for m, s in self._points if m == metric)

    def metrics(self) -> tuple[str, ...]:
        """Return the metrics that were written."""
        return tuple(dict.fromkeys(m for m, _ in self._points))

    def rows(self) -> Iterator[tuple[float, str, str, float]]:
        """Yield every point, line by line."""
        for (metric, series), points in self._points.items():
            for day, value in points:
                yield day, metric, series, value


@dataclass(frozen=True)
class AlertRecord:
    """One alert: monitor `kind` on `subject` crossed `threshold` with `value`."""

    day: float
    kind: str
    subject: str
    value: float
    threshold: float
    text: str


@dataclass(frozen=True)
class IncidentRecord:
    """What happened, and what it did: NaN/None where it cannot be said.

    `primary_*` are the task's primary oracle metric before onset, at its worst, and at the end.
    """

    name: str
    kind: str
    story: str
    start_day: float
    end_day: float | None
    primary_before: float | None
    primary_worst: float | None
    primary_end: float | None
    detected_day: float | None
    detected_by: str
    recovered_day: float | None
    hurt: bool
    """Whether the primary metric fell clearly below its former level."""
    lesson: str
    """One or two sentences computed from the run: harm, detection, what retraining bought."""


@dataclass(frozen=True)
class VersionRecord:
    """One trained model version and its fate."""

    version: int
    trigger: str
    trained_day: float
    train_from_day: float
    train_to_day: float
    rows: int
    positives: int
    offline: dict[str, float]
    """Validation metrics of this version (``pr_auc``, ``brier``, ...)."""
    offline_champion: dict[str, float]
    """The same for the champion of the time on the same rows; empty for the first."""
    offline_baseline: dict[str, float]
    gate_passed: bool
    reasons: tuple[str, ...]
    """Why the gate said what it said."""
    promoted_day: float | None = None
    retired_day: float | None = None
    rolled_back: bool = False
    bought: float | None = None
    """Primary oracle metric of this version minus that of the one it replaced, on the same later
    events; what the promotion was worth."""


@dataclass(frozen=True)
class InterventionRecord:
    """What a person on call did, and what came of it."""

    day: float
    text: str
    """As it was typed."""
    outcome: str


@dataclass(frozen=True)
class ObjectiveResult:
    """One line of the verdict."""

    name: str
    target: str
    measured: float | None
    shown: str
    """`measured` with its unit."""
    passed: bool | None
    """None where it could not be measured."""
    evidence: str
    """Metric and days it was read from."""


@dataclass(frozen=True)
class QualityView:
    """One view of the quality metric: its value now, its past, and the day that it speaks for."""

    value: float | None
    history: tuple[float, ...] = ()
    to_day: float | None = None
    """Last day that it covers, where that is not today."""


@dataclass(frozen=True)
class LiveState:
    """What a person watching a run sees, at one moment of simulated time."""

    day: float
    days: float
    events: int = 0
    wall_events_per_second: float = 0.0
    """For the eye; never recorded."""
    load: float | None = None
    """Events per second, full scale."""
    lag: float | None = None
    """Unread events."""
    latency_p99: float | None = None
    """Seconds."""
    metric: str = ""
    quality: Mapping[str, QualityView] = field(default_factory=dict)
    """By view: ``oracle``, ``observed``, ``estimated``."""
    alerts: tuple[tuple[float, str], ...] = ()
    """(day, text), oldest first."""
    versions: str = ""
    """Such as ``v3 champion since day 60   v4 in shadow``."""
    money: Mapping[str, float] = field(default_factory=dict)
    """USD so far by kind, as the task names it; ``total`` is shown first."""
    reviews_used: float | None = None
    review_capacity: float | None = None
    """Cases a day."""


@dataclass
class RunRecord:
    """A whole run. ``summary()`` is deterministic: no wall-clock value is in it."""

    scenario: str
    title: str
    task: str
    design: str
    seed: int
    days: float
    start_date: str
    population: float
    complete: bool
    events: int
    """Simulated events after day 0."""
    primary: str
    """The task's primary metric, for headings."""
    objectives: list[ObjectiveResult] = field(default_factory=list)
    incidents: list[IncidentRecord] = field(default_factory=list)
    alerts: list[AlertRecord] = field(default_factory=list)
    versions: list[VersionRecord] = field(default_factory=list)
    interventions: list[InterventionRecord] = field(default_factory=list)
    money: dict[str, float] = field(default_factory=dict)
    """USD in the simulated slice: ``missed``, ``false_declines``, ``reviews``, ``total``,
    ``no_model`` (what letting everything through would have cost)."""
    counts: dict[str, int] = field(default_factory=dict)
    """Events by fate: ``allow``, ``review``, ``block``, ``fallback``, ``dead_letter.<reason>``."""
    notes: list[str] = field(default_factory=list)
    """Plain sentences on what limits these numbers."""
    diagram: str = ""
    design_text: str = ""
    """The design as YAML, to show and to run again."""
    metrics: MetricTable = field(default_factory=MetricTable)
    histograms: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Named tables for plots: ``score_by_week``, ``calibration``, ``curves`` ..."""
    log: Batch | None = None
    """One row a decided event, for ``events.parquet``."""

    @property
    def passed(self) -> bool:
        """Whether no objective failed."""
        return all(result.passed is not False for result in self.objectives)

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds, in stable order; unknown numbers are None."""
        summary = {name: _plain(getattr(self, name)) for name in _SUMMARY}
        for name in ("objectives", "incidents", "alerts", "versions", "interventions"):
            summary[name] = [_plain(asdict(item)) for item in getattr(self, name)]
        return summary


@dataclass(frozen=True)
class LabRecord:
    """What a laboratory measured, as plain data: JSON gives back the same."""

    kind: str
    """``imbalance`` or ``detectors``."""
    title: str
    command: str
    """What was typed, so that the same can be measured again."""
    facts: tuple[str, ...]
    """What was measured, and on what: sentences."""
    lesson: tuple[str, ...]
    """What the numbers say: sentences, written from `rows`."""
    rows: tuple[dict[str, str | float | None], ...]
    notes: tuple[str, ...] = ()
    """What limits the numbers."""
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Named tables for plots."""

    def summary(self) -> dict[str, Any]:
        """Return everything but the curves, as JSON knows it."""
        return {name: value for name, value in _plain(asdict(self)).items() if name != "curves"}


Assignment = tuple[tuple[str, str], ...]
"""A value for each key that a sweep goes over."""


@dataclass(frozen=True)
class Trial:
    """One design of a sweep and its verdict."""

    assignment: Assignment
    measured: dict[str, float | None] = field(default_factory=dict)
    """By objective."""
    shown: dict[str, str] = field(default_factory=dict)
    """The same with units."""
    passed: dict[str, bool | None] = field(default_factory=dict)
    refused: str = ""
    """Why it could not run, if it could not."""

    @property
    def name(self) -> str:
        """A file name for it."""
        return hashlib.sha256(repr(self.assignment).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class SweepRecord:
    """All finished trials of a sweep."""

    scenario: str
    design: str
    seed: int
    over: tuple[str, ...]
    """Keys that were swept over."""
    trials: tuple[Trial, ...]
    axes: tuple[str, ...]
    """Objectives that trials are held against each other by."""
    best: tuple[int, ...]
    """Trials that no other one beats on every axis."""
    targets: dict[str, str]
    """By objective, in words."""
    at_least: dict[str, bool]
    """Whether more is better, by objective."""
    complete: bool

    def summary(self) -> dict[str, Any]:
        """Return what goes into ``sweep.json``."""
        return {str(key): value for key, value in _plain(asdict(self)).items()}


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: no NumPy types, no NaN or infinity (null instead)."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
