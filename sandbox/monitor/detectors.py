"""River's sequential change detectors behind one contract, by name.

What to expect of them (measured on 0/1 streams with River's settings, 10,000 stationary values,
then 5,000 shifted ones):

============ =========== ===================================================================
name         feeds on    known limits
============ =========== ===================================================================
adwin        any         few false alarms; 0.1 -> 0.2 takes some 300 values, 0.01 -> 0.03 1,200
page_hinkley any         slow; its fixed allowance hides shifts at small rates
ddm          0/1 error   a false alarm in 10,000 values, more at small rates; rises only
eddm         0/1 error   some 20 false alarms in 10,000 values; rises only
hddm_a       0/1 error   no false alarms; blind at small rates (0.01 -> 0.03); rises only
hddm_w       0/1 error   quick, more false alarms than hddm_a; blind at small rates; rises only
kswin        any         compares 30 values with 70: misses most shifts of 0/1 streams
============ =========== ===================================================================
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sandbox.errors import UsageError, suggest

__all__ = ["DETECTORS", "Change", "Detector", "binary_only", "river_detector"]

_WARM_UP = 100
_MEMORY = 100


@dataclass(frozen=True)
class _Kind:
    module: str
    cls: str
    binary: bool
    most: int
    """Values of one update that are used; bounds the cost of slow detectors."""
    settings: tuple[tuple[str, Any], ...] = ()


_KINDS: Mapping[str, _Kind] = MappingProxyType({
    "adwin": _Kind("river.drift", "ADWIN", binary=False, most=20_000),
    "page_hinkley": _Kind("river.drift", "PageHinkley", binary=False, most=20_000),
    "ddm": _Kind("river.drift.binary", "DDM", binary=True, most=20_000),
    "eddm": _Kind("river.drift.binary", "EDDM", binary=True, most=20_000),
    "hddm_a": _Kind("river.drift.binary", "HDDMA", binary=True, most=2_000),
    "hddm_w": _Kind("river.drift.binary", "HDDMW", binary=True, most=2_000),
    # Its own sampling needs a seed; half a millisecond a value needs the bound.
    "kswin": _Kind("river.drift", "KSWIN", binary=False, most=200,
                   settings=(("seed", 1),)),
})  # fmt: skip

DETECTORS = tuple(_KINDS)
"""Names of the detectors."""


def binary_only(name: str) -> bool:
    """Return whether a detector takes only streams of 0 and 1, 1 being an error."""
    return _KINDS[name].binary


def river_detector(name: str) -> Any:
    """Return River's own detector of that name with River's defaults, for comparison.

    Where it samples it gets a fixed seed. Its state after a change is River's affair too.
    """
    kind = _KINDS[name]
    return getattr(importlib.import_module(kind.module), kind.cls)(**dict(kind.settings))


@dataclass(frozen=True)
class Change:
    """A detected change."""

    position: int
    """Index, in the values given to this update, of the one that gave it away."""
    before: float
    """Mean of the values since the detector started, without the newest 100."""
    after: float
    """Mean of the newest 100 values."""


class Detector:
    """One sequential detector on one stream.

    A detection within the first `warm_up` values is not reported. After a reported change the
    detector starts anew, warm-up included.

    Parameters
    ----------
    name
        One of `DETECTORS`.
    warm_up
        Values to see before the first detection counts.

    Raises
    ------
    UsageError
        If the name is unknown.

    Examples
    --------
    >>> detector = Detector("adwin")
    >>> len(detector.update([0.0, 1.0] * 500)), len(detector.update([1.0] * 500))
    (0, 1)
    """

    def __init__(self, name: str, *, warm_up: int = _WARM_UP) -> None:
        if name not in _KINDS:
            raise UsageError(
                "unknown detector",
                got=name,
                expected=f"one of {', '.join(DETECTORS)}",
                hint=suggest(name, DETECTORS),
            )
        self._kind, self._warm_up = _KINDS[name], warm_up
        # River takes over a second to import, so only designs that use it pay.
        self._make = getattr(importlib.import_module(self._kind.module), self._kind.cls)
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._river = self._make(**dict(self._kind.settings))
        self._seen = 0
        self._older_sum = 0.0
        self._newest = np.zeros(0)

    def update(self, values: ArrayLike) -> tuple[Change, ...]:
        """Feed values in order and return the changes they reveal.

        NaN is skipped. An update longer than the detector's bound (HDDM 2,000, KSWIN 200, others
        20,000 values) is thinned evenly, which costs sensitivity, not correctness.

        Raises
        ------
        ValueError
            If a detector of 0/1 errors gets other values.
        """
        given = np.asarray(values, dtype=np.float64)
        index = np.flatnonzero(~np.isnan(given))
        if len(index) > self._kind.most:
            index = index[np.linspace(0, len(index) - 1, self._kind.most).astype(np.int64)]
        used = given[index]
        if self._kind.binary and not np.isin(used, (0.0, 1.0)).all():
            raise ValueError(f"{self._kind.cls} takes 0 and 1 only")
        changes: list[Change] = []
        start = 0
        for at, value in enumerate(used.tolist()):
            self._river.update(value)
            self._seen += 1
            if self._river.drift_detected and self._seen > self._warm_up:
                self._remember(used[start : at + 1])
                changes.append(Change(int(index[at]), *self._means()))
                self.reset()
                start = at + 1
        self._remember(used[start:])
        return tuple(changes)

    def _remember(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        held = np.concatenate([self._newest, values])
        cut = max(len(held) - _MEMORY, 0)
        self._older_sum += float(held[:cut].sum())
        self._newest = held[cut:]

    def _means(self) -> tuple[float, float]:
        older = self._seen - len(self._newest)
        return self._older_sum / max(older, 1), float(self._newest.mean())
