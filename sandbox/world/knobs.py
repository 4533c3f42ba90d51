"""Drift: knobs turned over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError, suggest
from sandbox.spec.incidents import Drift, Incident
from sandbox.world.contract import Knob

__all__ = ["LABEL_DELAY", "KnobCurves"]

Floats = NDArray[np.float64]
LABEL_DELAY = Knob(
    "label_delay", "ratio", 1.0, 0.05, 20.0, "label_delay", "Label delays times this."
)
"""The knob that every world has."""
_SLOT = 6 * 3600.0
"""Gradual drift: how long old or new holds before the next draw [s]."""


@dataclass(frozen=True)
class _Turn:
    """One drift, ready to be evaluated."""

    drift: Drift
    knob: Knob
    draws: Floats
    """Uniform numbers, one a slot of the ramp; only gradual drift has them."""

    def weight(self, times: Floats) -> Floats:
        """Return how far the knob is turned: 0 is neutral, 1 is fully."""
        drift = self.drift
        since = times - drift.at
        on = since >= 0
        if drift.for_ is not None:
            on &= since < drift.for_
        return np.where(on, self._shape(np.maximum(since, 0.0)), 0.0)

    def _shape(self, since: Floats) -> Floats:
        drift = self.drift
        if drift.shape == "recurring":
            phase = since % float(drift.every or 1.0)
            return _ramp(phase, drift.ramp) * (phase < float(drift.every or 1.0) / 2)
        if drift.shape == "seasonal":
            return 0.5 - 0.5 * np.cos(2 * np.pi * since / float(drift.every or 1.0))
        level = _ramp(since, drift.ramp)
        if drift.shape == "incremental":
            return level * level * (3 - 2 * level)
        if drift.shape == "gradual":
            slot = np.minimum(level * len(self.draws), len(self.draws) - 1).astype(np.int64)
            chance = (slot + 0.5) / len(self.draws)
            return np.where(level >= 1, 1.0, (self.draws[slot] < chance) * 1.0)
        return level


def _ramp(since: Floats, ramp: float) -> Floats:
    return np.minimum(since / ramp, 1.0) if ramp > 0 else np.ones_like(since)


class KnobCurves:
    """The value of every knob over time, `label_delay` included.

    Drifts on one knob add their distances from the neutral value; the sum is clipped to the
    knob's range.

    Parameters
    ----------
    knobs
        What the world declares.
    incidents
        Active incidents by name; those without drift are ignored.
    rng
        Draws the alternation of gradual drift.

    Raises
    ------
    UsageError
        If a drift names an unknown knob, a value out of its range, or another kind than the
        knob's.
    """

    def __init__(
        self, knobs: Sequence[Knob], incidents: Mapping[str, Incident], rng: np.random.Generator
    ) -> None:
        known = {knob.name: knob for knob in (*knobs, LABEL_DELAY)}
        self._turns: dict[str, list[_Turn]] = {name: [] for name in known}
        self._knobs = known
        for name, incident in incidents.items():
            if incident.drift is None:
                continue
            drift = incident.drift
            knob = _checked(drift, known, where=f"incidents.{name}.drift")
            slots = max(8, round(drift.ramp / _SLOT)) if drift.shape == "gradual" else 0
            self._turns[drift.knob].append(_Turn(drift, knob, rng.random(slots)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the knobs, `label_delay` last."""
        return tuple(self._knobs)

    def values(self, times: Floats) -> dict[str, Floats]:
        """Return each knob's value at `times` [s since day 0], same shape."""
        out: dict[str, Floats] = {}
        for name, knob in self._knobs.items():
            value = np.full(np.shape(times), knob.neutral)
            for turn in self._turns[name]:
                value += turn.weight(times) * (turn.drift.to - knob.neutral)
            out[name] = np.clip(value, knob.low, knob.high) if self._turns[name] else value
        return out


def _checked(drift: Drift, known: Mapping[str, Knob], where: str) -> Knob:
    knob = known.get(drift.knob)
    if knob is None:
        raise UsageError(
            "unknown knob",
            where=f"{where}.knob",
            got=drift.knob,
            expected=f"one of {', '.join(known)}",
            hint=suggest(drift.knob, known),
        )
    if not knob.low <= drift.to <= knob.high:
        raise UsageError(
            f"{knob.name} out of range",
            where=f"{where}.to",
            got=drift.to,
            expected=f"{knob.low:g} to {knob.high:g} {knob.unit}",
        )
    if drift.kind != knob.kind:
        raise UsageError(
            f"{knob.name} drifts another way",
            where=f"{where}.kind",
            got=drift.kind,
            expected=knob.kind,
        )
    return knob
