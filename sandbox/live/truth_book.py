"""TruthBook: what the simulator says is true, by id, until the decisions come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.run.log import Columns

__all__ = ["TruthBook"]

_UNKNOWN = {
    "label": np.nan, "label_time": np.inf, "mechanism": 0, "cost_missed": 0.0,
    "cost_false_decline": 0.0,
}  # fmt: skip
_KEEP = 3 * 86400.0
"""The truth of an event is kept for this long after it [s]."""


class TruthBook:
    """Looks up what is true of events; ids ascend, as they do in the topic.

    Parameters
    ----------
    id
        Name of the event id column.
    """

    def __init__(self, id: str) -> None:
        self._id = id
        self._kinds = {
            id: np.int64, "event_time": np.float64, "label": np.float64, "label_time": np.float64,
            "mechanism": np.int8, "cost_missed": np.float64, "cost_false_decline": np.float64,
        }  # fmt: skip
        self._book = Columns(self._kinds, 1 << 14)
        self.last = -1
        """Largest id whose truth is known."""

    def __len__(self) -> int:
        return len(self._book)

    def add(self, frame: Batch) -> None:
        """Take a frame of the truth topic."""
        if len(frame):
            self._book.append({name: frame[name] for name in self._kinds}, len(frame))
            self.last = int(frame[self._id][-1])

    def of(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Return the truth of each id: no label, no costs where nothing is known of it."""
        if not len(self._book):
            return {name: np.full(len(ids), empty) for name, empty in _UNKNOWN.items()}
        known = self._book.column(self._id)
        at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        found = known[at] == ids
        return {
            n: np.where(found, self._book.column(n)[at], empty) for n, empty in _UNKNOWN.items()
        }

    def forget(self, before: float) -> None:
        """Let go of events that happened some days before a time [s since epoch]."""
        old = int(np.searchsorted(self._book.column("event_time"), before - _KEEP))
        if 2 * old < len(self._book):
            return
        self._book.forget(old)
