"""Alerts: from rules that are broken to records that somebody reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sandbox.errors import UsageError, suggest
from sandbox.monitor.detectors import DETECTORS, binary_only
from sandbox.monitor.drift import DISTANCES, SCORE
from sandbox.monitor.rules import (
    Baselines,
    InvalidRule,
    QualityRule,
    Reading,
    Rule,
    Signals,
    StreamRule,
    ThresholdRule,
)
from sandbox.monitor.streams import BINARY_STREAMS, STREAMS
from sandbox.record import AlertRecord
from sandbox.spec.design import AlertSpec
from sandbox.spec.features import CALENDAR
from sandbox.spec.units import format_duration

__all__ = ["AlertEngine", "AlertTask", "QualityWindow"]

_DAY = 86400.0
_TOLERANCE = 1e-9
_VIEWS = {"performance": "observed", "estimate": "estimated"}
_LISTED = 4


class AlertTask(Protocol):
    """The part of a task that alerts need."""

    @property
    def primary(self) -> str:
        """The metric that ``all`` stands for."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        ...

    def higher_is_better(self, metric: str) -> bool:
        """Return whether more of a metric is good."""
        ...


@dataclass(frozen=True)
class QualityWindow:
    """A quality measurement that an alert needs at every look."""

    view: str
    metrics: tuple[str, ...]
    window: float
    """Length [s]."""
    maturity: float
    """Age of mature labels [s]."""


@dataclass
class _Watch:
    spec: AlertSpec
    rule: Rule
    bad_since: dict[str, float] = field(default_factory=dict)
    last_alert: float = -math.inf


class AlertEngine:
    """Turns signals into alerts.

    A subject must break its rule at every look for the duration `for`, counted from the first look
    that found it broken (as in Prometheus). All subjects of one alert specification that have done
    so make one alert: the worst is its subject, the text lists the others. Then the specification
    is silent for `cooldown`; when it is still broken afterwards, it alerts again.

    ``all`` stands for every feature that is not a clock reading (hour of day, weekend and so on
    say when it is, not how things are), for the task's primary metric, or for every reason.

    Parameters
    ----------
    specs
        The alerts of a design.
    feature_names
        Columns of the feature matrix.
    task
        Knows the metrics.
    columns
        Event columns whose missing shares are signalled beside the features'.

    Raises
    ------
    UsageError
        If a specification names a feature, metric or stream that does not exist, or a detector of
        0/1 errors on another stream.
    """

    def __init__(
        self,
        specs: Sequence[AlertSpec],
        feature_names: Sequence[str],
        task: AlertTask,
        *,
        columns: Sequence[str] = (),
    ) -> None:
        known = _Known(tuple(feature_names), tuple(columns), task)
        self._task = task
        self._watches = []
        for index, spec in enumerate(specs):
            where = f"monitoring.alerts[{index}].{spec.kind}"
            self._watches.append(_Watch(spec, known.rule(spec, where)))

    @property
    def quality_windows(self) -> tuple[QualityWindow, ...]:
        """The quality measurements that alerts need, each once."""
        windows = [
            QualityWindow(
                _VIEWS[spec.kind],
                _metrics(spec, self._task),
                spec.window,
                spec.maturity if spec.kind == "performance" else 0.0,
            )
            for spec in (watch.spec for watch in self._watches)
            if spec.kind in _VIEWS
        ]
        return tuple(dict.fromkeys(windows))

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that alerts need, each once."""
        of = (watch.spec.of for watch in self._watches if watch.spec.kind in DETECTORS)
        return tuple(dict.fromkeys(name for names in of for name in names))

    def evaluate(self, day: float, signals: Signals) -> list[AlertRecord]:
        """Look at the signals of `day` and return the alerts they raise, in order of the specs.

        Looks must come in order of time.
        """
        alerts = []
        for watch in self._watches:
            readings = watch.rule.read(signals)
            lasting = self._lasting(watch, day, readings)
            rested = day - watch.last_alert >= watch.spec.cooldown / _DAY - _TOLERANCE
            if lasting and rested:
                watch.last_alert = day
                alerts.append(_record(day, watch.spec, lasting))
        return alerts

    def reset_reference(self, day: float, baselines: Baselines | None = None) -> None:
        """Start over after a promotion on `day`: pending alerts, baselines and detectors.

        Cool-downs go on.

        Parameters
        ----------
        day
            Day of the promotion.
        baselines
            Validation values of the new champion by (view, metric), held against until its own
            first window is there. They must describe the same kind of rows: where decisions hide
            labels, an ``observed`` one must leave out rows that the champion would have hidden.
        """
        for watch in self._watches:
            watch.bad_since.clear()
            watch.rule.reset(day, baselines or {})

    @staticmethod
    def _lasting(watch: _Watch, day: float, readings: Sequence[Reading]) -> list[Reading]:
        if watch.rule.momentary:
            return list(readings)
        watch.bad_since = {r.subject: watch.bad_since.get(r.subject, day) for r in readings}
        due = day - watch.spec.for_ / _DAY + _TOLERANCE
        return [r for r in readings if watch.bad_since[r.subject] <= due]


@dataclass(frozen=True)
class _Known:
    """Checks names against what exists and builds rules."""

    features: tuple[str, ...]
    columns: tuple[str, ...]
    task: AlertTask

    def rule(self, spec: AlertSpec, where: str) -> Rule:
        if spec.kind in DISTANCES:
            subjects = self._subjects(spec, (*self.features, SCORE), where)
            return ThresholdRule(spec.kind, subjects, spec.act)
        if spec.kind == "missing":
            names = tuple(dict.fromkeys((*self.features, *self.columns)))
            return ThresholdRule(spec.kind, self._subjects(spec, names, where), spec.act)
        if spec.kind == "invalid":
            _check(spec.of, ("all",), "reason", where)
            return InvalidRule(spec.act)
        if spec.kind in _VIEWS:
            return self._quality(spec, where)
        if spec.kind in DETECTORS:
            return self._stream(spec, where)
        raise ValueError(f"no rule for monitor {spec.kind!r}")

    def _subjects(self, spec: AlertSpec, known: Sequence[str], where: str) -> Sequence[str]:
        _check(spec.of, ("all", *known), "feature", where)
        if "all" not in spec.of:
            return spec.of
        every = [name for name in known if name not in (*CALENDAR, SCORE)]
        return tuple(dict.fromkeys((*every, *(name for name in spec.of if name != "all"))))

    def _quality(self, spec: AlertSpec, where: str) -> Rule:
        _check(spec.of, ("all", *self.task.metrics), "metric", where)
        return QualityRule(
            _VIEWS[spec.kind],
            {name: self.task.higher_is_better(name) for name in _metrics(spec, self.task)},
            drop=spec.drop,
            window=spec.window,
            maturity=spec.maturity,
        )

    def _stream(self, spec: AlertSpec, where: str) -> Rule:
        streams = BINARY_STREAMS if binary_only(spec.kind) else STREAMS
        _check(spec.of, streams, "stream", where)
        return StreamRule(spec.kind, spec.of)


def _metrics(spec: AlertSpec, task: AlertTask) -> tuple[str, ...]:
    named = (task.primary if name == "all" else name for name in spec.of)
    return tuple(dict.fromkeys(named))


def _check(names: Iterable[str], known: Sequence[str], what: str, where: str) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                f"unknown {what}",
                where=f"{where}.of",
                got=name,
                expected=f"one of {', '.join(known)}",
                hint=suggest(name, known),
            )


def _record(day: float, spec: AlertSpec, readings: Sequence[Reading]) -> AlertRecord:
    ordered = sorted(readings, key=lambda r: -r.severity)
    worst, others = ordered[0], ordered[1:]
    text = f"{spec.kind}: {worst.text}"
    if spec.kind in (*DISTANCES, "missing"):
        limit = f"{spec.act:.1%}" if spec.kind == "missing" else f"{spec.act:g}"
        text += f", over {limit}"
    if spec.for_:
        text += f" for {format_duration(spec.for_)}"
    if others:
        text += "; also " + ", ".join(r.text for r in others[:_LISTED])
        text += f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
    return AlertRecord(day, spec.kind, worst.subject, worst.value, worst.threshold, text)
