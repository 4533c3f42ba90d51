"""When a signal is bad: one rule for each kind of monitor.

A rule looks at the signals of one moment and says which subjects break it. How long that must
last, and how often to say so, is the alert engine's affair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.monitor.detectors import Change, Detector, binary_only
from sandbox.monitor.quality import QualityPoint
from sandbox.monitor.streams import SUCCESS_STREAMS

__all__ = [
    "Baseline",
    "InvalidRule",
    "QualityRule",
    "Reading",
    "Rule",
    "Signals",
    "StreamRule",
    "ThresholdRule",
]

Baselines = Mapping[tuple[str, str], "Baseline"]
_NOISE = 2.0
_DAY = 86400.0
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Signals:
    """What the monitors measured at one moment; what was not measured is simply not there."""

    distances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """``{psi | ks | js: {feature or score: distance}}``."""
    missing: Mapping[str, float] = field(default_factory=dict)
    """Missing share of a feature or column beyond that of the reference."""
    invalid: Mapping[str, float] = field(default_factory=dict)
    """Share of arrived events refused, by reason."""
    quality: Sequence[QualityPoint] = ()
    """Points of the windows that the alerts ask for (`AlertEngine.quality_windows`)."""
    streams: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """New values of each stream since the last look, in order."""


@dataclass(frozen=True)
class Baseline:
    """What a quality metric is held against."""

    value: float
    standard_error: float = 0.0


@dataclass(frozen=True)
class Reading:
    """One subject that breaks a rule."""

    subject: str
    value: float
    threshold: float
    severity: float
    """Larger is worse; comparable within one rule."""
    text: str
    """``<subject> is ...``, without the kind."""


class Rule(Protocol):
    """Says which subjects are bad now."""

    @property
    def momentary(self) -> bool:
        """Whether a break is an event in time, not a state that can last."""
        ...

    def read(self, signals: Signals) -> list[Reading]:
        """Return the subjects that break the rule."""
        ...

    def reset(self, day: float, baselines: Baselines) -> None:
        """Forget what was learnt from the former champion."""
        ...


class ThresholdRule:
    """Distances or missing shares above a threshold.

    Parameters
    ----------
    kind
        ``psi``, ``ks``, ``js`` or ``missing``.
    subjects
        The features or columns watched.
    act
        Threshold; values above it break the rule, NaN never does.
    """

    momentary = False

    def __init__(self, kind: str, subjects: Sequence[str], act: float) -> None:
        self._kind, self._subjects, self._act = kind, tuple(subjects), act

    def read(self, signals: Signals) -> list[Reading]:
        """Return the subjects above the threshold."""
        of_kind = signals.distances.get(self._kind, {})
        values = signals.missing if self._kind == "missing" else of_kind
        found = [(name, values.get(name, math.nan)) for name in self._subjects]
        return [
            Reading(name, value, self._act, value, f"{name} {self._shown(value)}")
            for name, value in found
            if value > self._act
        ]

    def reset(self, day: float, baselines: Baselines) -> None:
        """Do nothing: distances come with their reference."""

    def _shown(self, value: float) -> str:
        return f"{value:.1%}" if self._kind == "missing" else f"{value:.2f}"


class InvalidRule:
    """The share of events refused for any reason; the most frequent reason is the subject."""

    momentary = False

    def __init__(self, act: float) -> None:
        self._act = act

    def read(self, signals: Signals) -> list[Reading]:
        """Return the worst reason where all together are above the threshold."""
        share = sum(signals.invalid.values())
        if not share > self._act:
            return []
        worst = max(signals.invalid, key=lambda reason: signals.invalid[reason])
        text = f"{worst} {signals.invalid[worst]:.1%} of events, {share:.1%} refused in all"
        return [Reading(worst, share, self._act, share, text)]

    def reset(self, day: float, baselines: Baselines) -> None:
        """Do nothing: the share needs no reference."""


class QualityRule:
    """A quality metric that has become worse by a share of its baseline.

    Only windows wholly after the champion's promotion count. The baseline of a metric is its value
    over the first full window; until that is there, the value given to `reset` (validation), and
    where none was given the rule is silent. A first window that itself breaks the rule is not
    taken as a baseline.

    The rule is broken when the loss exceeds both `drop` times the baseline and two standard errors
    of the difference (binomial, from the few positives; see `QualityPoint.standard_error`). For
    metrics of which less is better no standard error is known and the share alone decides.

    Parameters
    ----------
    view
        ``observed`` or ``estimated``.
    metrics
        Their names, and whether more of each is better.
    drop
        Share of the baseline.
    window, maturity
        Which points to look at [s].
    """

    momentary = False

    def __init__(
        self, view: str, metrics: Mapping[str, bool], *, drop: float, window: float, maturity: float
    ) -> None:
        self._view, self._better, self._drop = view, dict(metrics), drop
        self._window = window / _DAY
        self._maturity = maturity / _DAY if view == "observed" else 0.0
        self.reset(-math.inf, {})

    def reset(self, day: float, baselines: Baselines) -> None:
        """Start over with a champion promoted on `day`."""
        self._since = day
        given = {metric: baselines.get((self._view, metric)) for metric in self._better}
        self._baselines = {metric: baseline for metric, baseline in given.items() if baseline}
        self._waiting = set(self._better)

    def read(self, signals: Signals) -> list[Reading]:
        """Return the metrics that dropped."""
        readings = []
        for point in signals.quality:
            if not self._concerns(point):
                continue
            reading = self._judge(point)
            if reading:
                readings.append(reading)
            elif point.full and point.metric in self._waiting:
                self._waiting.discard(point.metric)
                self._baselines[point.metric] = Baseline(point.value, point.standard_error)
        return readings

    def _concerns(self, point: QualityPoint) -> bool:
        return (
            point.view == self._view
            and point.metric in self._better
            and math.isclose(point.window, self._window)
            and math.isclose(point.maturity, self._maturity)
            and point.from_day >= self._since - _TOLERANCE
            and not math.isnan(point.value)
        )

    def _judge(self, point: QualityPoint) -> Reading | None:
        baseline = self._baselines.get(point.metric)
        if baseline is None or baseline.value == 0:
            return None
        better = self._better[point.metric]
        loss = baseline.value - point.value if better else point.value - baseline.value
        noise = _NOISE * math.hypot(point.standard_error, baseline.standard_error) if better else 0
        allowed = max(self._drop * abs(baseline.value), noise)
        if loss <= allowed + _TOLERANCE:
            return None
        threshold = baseline.value - allowed if better else baseline.value + allowed
        share = loss / abs(baseline.value)
        text = (
            f"{self._view} {point.metric} of day {point.from_day:.0f} to {point.to_day:.0f} is "
            f"{point.value:.3g}, {share:.0%} worse than {baseline.value:.3g}"
        )
        return Reading(point.metric, point.value, threshold, share, text)


class StreamRule:
    """A sequential detector on each of some streams.

    Parameters
    ----------
    detector
        Name of the detector.
    streams
        Names of the streams.
    """

    momentary = True

    def __init__(self, detector: str, streams: Sequence[str]) -> None:
        self._detectors = {name: Detector(detector) for name in streams}
        self._flipped = {s for s in streams if binary_only(detector) and s in SUCCESS_STREAMS}

    def reset(self, day: float, baselines: Baselines) -> None:
        """Start all detectors anew: a new champion moves its own streams."""
        for detector in self._detectors.values():
            detector.reset()

    def read(self, signals: Signals) -> list[Reading]:
        """Return the streams that changed; `threshold` is the mean before."""
        readings = []
        for name, detector in self._detectors.items():
            values = np.asarray(signals.streams.get(name, ()), dtype=np.float64)
            changes = detector.update(1.0 - values if name in self._flipped else values)
            if changes:
                readings.append(self._reading(name, changes[-1]))
        return readings

    def _reading(self, name: str, change: Change) -> Reading:
        before, after = change.before, change.after
        if name in self._flipped:
            before, after = 1.0 - before, 1.0 - after
        word = "rose" if after > before else "fell"
        text = f"{name} {word} from {before:.3g} to {after:.3g} (mean before, newest values)"
        return Reading(name, after, before, abs(after - before), text)
