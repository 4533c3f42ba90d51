"""When a signal is bad: one rule for each kind of monitor.

A rule looks at the signals of one moment and says which subjects break it. How long that must
last, and how often to say so, is the alert engine's affair.
"""

from __future__ import annotations

import math
from collections import deque
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
_FIRST_LOOKS = 7
_LEVEL_LOOKS = 56
"""Looks that make the usual level; monitors look once a day."""


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
    """A quality metric that has become worse by a share of its usual level.

    The usual level is the mean over the looks of the last eight weeks at which the rule held; a
    look that breaks it does not lower the level. It belongs to the system, not to one version of
    the model: a promotion does not erase it, so what labels say about the former champion's last
    weeks is still heard. Until a week of full windows has been seen the rule is silent, unless
    `reset` was given a value (validation) to begin with.

    The rule is broken when the loss exceeds both `drop` times the level and two standard errors
    (binomial, from the few positives; see `QualityPoint.standard_error`). For metrics of which
    less is better no standard error is known and the share alone decides.

    Parameters
    ----------
    view
        ``observed`` or ``estimated``.
    metrics
        Their names, and whether more of each is better.
    drop
        Share of the level.
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
        self._usual: dict[str, deque[float]] = {
            metric: deque(maxlen=_LEVEL_LOOKS) for metric in self._better
        }
        self._given: dict[str, Baseline] = {}

    def reset(self, day: float, baselines: Baselines) -> None:
        """Take validation values to begin with; what was observed stays."""
        given = {metric: baselines.get((self._view, metric)) for metric in self._better}
        self._given |= {metric: baseline for metric, baseline in given.items() if baseline}

    def read(self, signals: Signals) -> list[Reading]:
        """Return the metrics that dropped."""
        readings = []
        for point in signals.quality:
            if not self._concerns(point):
                continue
            reading = self._judge(point)
            if reading:
                readings.append(reading)
            elif point.full:
                self._usual[point.metric].append(point.value)
        return readings

    def _concerns(self, point: QualityPoint) -> bool:
        return (
            point.view == self._view
            and point.metric in self._better
            and math.isclose(point.window, self._window)
            and math.isclose(point.maturity, self._maturity)
            and not math.isnan(point.value)
        )

    def _level(self, metric: str) -> Baseline | None:
        usual = self._usual[metric]
        if len(usual) >= _FIRST_LOOKS:
            return Baseline(sum(usual) / len(usual))
        return self._given.get(metric)

    def _judge(self, point: QualityPoint) -> Reading | None:
        level = self._level(point.metric)
        if level is None or level.value == 0:
            return None
        better = self._better[point.metric]
        loss = level.value - point.value if better else point.value - level.value
        noise = _NOISE * math.hypot(point.standard_error, level.standard_error) if better else 0
        allowed = max(self._drop * abs(level.value), noise)
        if loss <= allowed + _TOLERANCE:
            return None
        threshold = level.value - allowed if better else level.value + allowed
        share = loss / abs(level.value)
        text = (
            f"{self._view} {point.metric} of day {point.from_day:.0f} to {point.to_day:.0f} is "
            f"{point.value:.3g}, {share:.0%} worse than {level.value:.3g}"
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
