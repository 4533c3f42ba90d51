"""Outside: events of the world and their truth, ready to be sent when their time comes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from sandbox.batch import Batch
from sandbox.live.generator.switchboard import Switchboard
from sandbox.monitor import cost_of
from sandbox.run.setup import DAY, Prepared
from sandbox.run.traffic import BLOCK, Traffic

__all__ = ["Outside"]

_KEEP = 7 * DAY
"""An event that is not on its way after so long was lost upstream [s]."""


class Outside:
    """The world, block by block, from the beginning of its history on.

    Parameters
    ----------
    prepared
        Scenario, world and seed.
    board
        Incidents that act.
    """

    def __init__(self, prepared: Prepared, board: Switchboard) -> None:
        self._scenario, self._board = prepared.scenario, board
        self._id, self._start = prepared.scenario.event.id, prepared.scenario.start_time
        keys = [key for key in prepared.plan.stages if key in prepared.scenario.event.columns]
        self._keys = tuple(keys)
        self._traffic = Traffic(prepared)
        self._next = -math.ceil(prepared.scenario.history / BLOCK)
        self._waiting = Batch({})
        self._untold = Batch({})

    @property
    def end(self) -> float:
        """End of the blocks so far [s since day 0]; what is switched now acts from then on."""
        return self._next * BLOCK

    def knobs(self, time: float) -> dict[str, float]:
        """Return the value of every knob at a time [s since day 0]."""
        return self._traffic.knobs(time)

    def advance(self) -> Batch:
        """Live through another block and return its truth, as the truth topic has it.

        Raises
        ------
        UsageError
            If the world does not keep its promises.
        ValueError
            If events of the block before were not taken.
        """
        if len(self._waiting):
            raise ValueError("events were left behind")
        if self._board.turn():
            self._traffic.turn(self._board.incidents)
        block = self._traffic.block(self._next)
        self._next += 1
        costs = self._scenario.costs
        truth = block.truth.with_columns(
            processing_time=block.truth["event_time"],
            cost_missed=cost_of(costs.missed, block.truth),
            cost_false_decline=cost_of(costs.false_decline, block.truth),
        ).select((
            self._id, "event_time", "processing_time", "label", "label_time", "mechanism",
            "cost_missed", "cost_false_decline", *self._keys,
        ))  # fmt: skip
        self._waiting = block.observed
        untold = self._untold
        if len(untold):
            untold = untold.take(untold["event_time"] >= self._start + block.start - _KEEP)
        self._untold = Batch.concat([untold, truth])
        return truth

    def take(self, until: float, *, inclusive: bool = False) -> Batch:
        """Return the events that arrive before a time [s since day 0], in order of arrival."""
        if not len(self._waiting):
            return self._waiting
        time = self._waiting["processing_time"]
        side: Literal["left", "right"] = "right" if inclusive else "left"
        count = int(np.searchsorted(time, self._start + until, side=side))
        taken = self._waiting.slice(0, count)
        self._waiting = self._waiting.slice(count, len(self._waiting))
        return taken

    def tell(self, events: Batch) -> Batch:
        """Return what is true of events that are sent, once: one that comes again is left out."""
        if not len(events):
            return self._untold.slice(0, 0)
        ids = np.unique(events[self._id])
        known = np.isin(self._untold[self._id], ids)
        told = self._untold.take(known)
        self._untold = self._untold.take(~known)
        order = np.argsort(events[self._id], kind="stable")
        first = order[np.searchsorted(events[self._id], told[self._id], sorter=order)]
        return told.with_columns(processing_time=events["processing_time"][first])
