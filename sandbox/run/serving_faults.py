"""Serving faults: a deployment that tells the model, or the log, other features than there are."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.pipeline.decide import uniforms
from sandbox.pipeline.pipeline import Told
from sandbox.run.log import DecisionLog
from sandbox.run.setup import Prepared
from sandbox.spec.incidents import ServingFault

__all__ = ["ServingFaults"]

Matrix = NDArray[np.float32]
_LUCK = 2
"""Offset of the random numbers that say which keys are hit."""


@dataclass
class _Active:
    fault: ServingFault
    columns: NDArray[np.int64]
    end: float
    frozen: tuple[NDArray[np.int64], Matrix] | None = None
    """Keys in ascending order and their features at onset, once a stale fault has begun."""


class ServingFaults:
    """The serving faults of a run, told apart from the features themselves, which stay right.

    Parameters
    ----------
    prepared
        Incidents, features and seed.
    log
        Where a stale fault finds the features of its onset.

    Raises
    ------
    UsageError
        If a fault names no feature, or a column that is no key.
    """

    def __init__(self, prepared: Prepared, log: DecisionLog) -> None:
        self._log, self._seed, self._id = log, prepared.seed, prepared.scenario.event.id
        # A key without a past: it counts at most the event itself, everything else is unknown.
        empty = {
            name: float(not feature.delay) if feature.operation == "count" else np.nan
            for feature in prepared.design.features
            for name in feature.names
        }
        self._newborn = np.array([empty[name] for name in prepared.plan.inputs], dtype=np.float32)
        self._active: dict[str, _Active] = {}
        for name, incident in prepared.incidents.items():
            if incident.serving is not None:
                place = f"incidents.{name}.serving"
                columns = _columns(incident.serving, prepared.plan.inputs, place)
                _check_key(incident.serving, prepared, place)
                self._active[name] = _Active(incident.serving, columns, incident.end)

    def end(self, name: str, at: float) -> None:
        """Let a fault end at `at` [s since day 0]."""
        if name in self._active:
            self._active[name].end = min(self._active[name].end, at)

    def at(self, start: float) -> Told | None:
        """Return what acts on the block that begins at `start` [s since day 0]; None: nothing."""
        now = [a for a in self._active.values() if a.fault.at <= start < a.end]
        return partial(self._tell, now) if now else None

    def _tell(
        self, active: list[_Active], events: Batch, features: Matrix
    ) -> tuple[Matrix, Matrix]:
        logged, seen = features, features.copy()
        for one in active:
            rows = np.flatnonzero(self._hit(one.fault, events))
            values = self._wrong(one, events, seen, rows)
            place = np.ix_(rows, one.columns)
            seen[place] = values
            if one.fault.logged:
                logged = logged.copy() if logged is features else logged
                logged[place] = values
        return logged, seen

    def _hit(self, fault: ServingFault, events: Batch) -> NDArray[np.bool_]:
        keys: NDArray[Any] = events[fault.by or self._id]
        return uniforms(keys.astype(np.int64), self._seed + _LUCK) < fault.share

    def _wrong(
        self, one: _Active, events: Batch, features: Matrix, rows: NDArray[np.int64]
    ) -> Matrix:
        now = features[np.ix_(rows, one.columns)]
        if one.fault.kind == "scale":
            return now * np.float32(one.fault.factor)
        if one.fault.kind == "blank":
            return np.broadcast_to(self._newborn[one.columns], now.shape)
        keys, known = self._at_onset(one)
        mine = events[one.fault.by or self._id][rows]
        at = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
        met = keys[at] == mine
        return np.where(met[:, None], known[at], now)

    def _at_onset(self, one: _Active) -> tuple[NDArray[np.int64], Matrix]:
        """Return each key's newest features when the fault began."""
        if one.frozen is None:
            values = self._log.column(one.fault.by or self._id)
            keys, last = np.unique(values[::-1], return_index=True)
            rows = len(values) - 1 - last
            one.frozen = (keys, self._log.features[np.ix_(rows, one.columns)])
        return one.frozen


def _columns(fault: ServingFault, names: tuple[str, ...], where: str) -> NDArray[np.int64]:
    found = []
    for pattern in fault.features:
        mine = [i for i, name in enumerate(names) if fnmatchcase(name, pattern)]
        if not mine:
            raise UsageError(
                "no such feature", where=f"{where}.features", got=pattern,
                expected=f"names or patterns of {', '.join(names)}",
            )  # fmt: skip
        found += mine
    return np.unique(np.array(found, dtype=np.int64))


def _check_key(fault: ServingFault, prepared: Prepared, where: str) -> None:
    columns = prepared.scenario.event.columns
    keys = [name for name, column in columns.items() if column.type == "key"]
    if fault.by is not None and fault.by not in keys:
        raise UsageError(
            "not a key", where=f"{where}.by", got=fault.by, expected=f"one of {', '.join(keys)}"
        )
