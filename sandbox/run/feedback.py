"""The label feed: labels and verdicts come back to the pipeline when they become known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.run.log import DecisionLog
from sandbox.run.setup import Prepared
from sandbox.run.traffic import BLOCK

__all__ = ["LabelFeed"]


class LabelFeed:
    """Keeps, for each block to come, the rows of the log whose label arrives in it.

    A label that becomes known within the block in which its event was decided is delivered with
    the next block.

    Parameters
    ----------
    prepared
        Says whether any feature needs labels; if none does, the feed delivers nothing.
    log
        The decision log.
    """

    def __init__(self, prepared: Prepared, log: DecisionLog) -> None:
        self._log, self._start = log, prepared.scenario.start_time
        self._names = (
            prepared.scenario.event.id, "event_time", "label", "label_time",
            *prepared.plan.stages,
        )  # fmt: skip
        self._wanted = any(stage.has_labels for stage in prepared.plan.stage_plans)
        self._due: dict[int, list[NDArray[np.int64]]] = {}
        self._next: int | None = None

    def expect(self, rows: slice | NDArray[np.int64]) -> None:
        """Note when the labels of new rows, or of rows with a verdict, arrive."""
        if not self._wanted or self._next is None:
            return
        if isinstance(rows, slice):
            rows = np.arange(rows.start, rows.stop)
        time = self._log.column("label_time")[rows]
        rows, time = rows[np.isfinite(time)], time[np.isfinite(time)]
        block = np.floor((time - self._start) / BLOCK).astype(np.int64)
        block = np.maximum(block, self._next)
        for index in np.unique(block):
            self._due.setdefault(int(index), []).append(rows[block == index])

    def due(self, start: float) -> Batch | None:
        """Return the labels for the block that begins at `start` [s since day 0], by `label_time`.

        A row with both a label of its own and a verdict comes once, at the earlier time.
        """
        index = round(start / BLOCK)
        self._next = index + 1
        waiting = self._due.pop(index, [])
        if not waiting:
            return None
        rows = np.unique(np.concatenate(waiting))
        fed = self._log.column("fed")
        rows = rows[~fed[rows]]
        fed[rows] = True
        return self._log.view(self._names, rows).sort("label_time")
