"""Desk: labels on their way back: what decisions hide, what people find out, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.live.journal import REVIEWED
from sandbox.pipeline.decide import DECISIONS, REVIEW, ReviewQueue
from sandbox.run.setup import DAY, Prepared

__all__ = ["FED", "Desk"]

Ids = NDArray[np.int64]
FED = 0
"""Source of a label that came by itself."""
_LOST = 5 * DAY
"""An event that has no decision after so long never gets one [s]."""


class Desk:
    """Keeps the truth of sent events until it may be told.

    Parameters
    ----------
    prepared
        The label feed and the review desk.
    told
        Ids whose labels were told before, by source.
    closed
        End of the last day whose cases were worked before [s since day 0].
    """

    def __init__(
        self, prepared: Prepared, told: Mapping[int, Ids] | None = None, closed: float = 0.0
    ) -> None:
        labels, review = prepared.scenario.labels, prepared.design.decision.review
        self._id, self._start = prepared.scenario.event.id, prepared.scenario.start_time
        self._turnaround = labels.review_turnaround
        self._queue = ReviewQueue(review.capacity if review else 0.0, self._turnaround)
        self._silencing = np.array([name in labels.missing_when for name in DECISIONS])
        self._told = told or {}
        self._open = self._cases = self._due = Batch({})
        self._fresh_from = self._start + closed
        self.closed = closed
        """End of the last day that was worked [s since day 0]."""
        self.overflow = 0
        """Cases that nobody looked at."""

    @property
    def undecided(self) -> float:
        """Processing time of the first event without a decision [s since day 0]; inf: none."""
        times = self._open["processing_time"] if len(self._open) else np.zeros(0)
        return float(times.min(initial=np.inf)) - self._start

    @property
    def waiting(self) -> int:
        """Cases flagged and not worked, and labels on their way."""
        return len(self._cases) + len(self._due)

    def remember(self, truth: Batch) -> None:
        """Take events of the history: nobody decides them, nothing hides their labels."""
        self._expect(truth, FED, truth["label_time"])

    def add(self, truth: Batch) -> None:
        """Take events that are sent; they wait for their decision."""
        self._open = Batch.concat([self._open, truth])

    def recall(self, truth: Batch, now: float) -> None:
        """Take events that were sent before now [s since day 0]: those that still matter."""
        told = np.isin(truth[self._id], self._told.get(FED, np.zeros(0, dtype=np.int64)))
        recent = truth["processing_time"] >= self._start + now - _LOST
        self.add(truth.take(recent | (np.isfinite(truth["label_time"]) & ~told)))

    def drop(self, ids: Sequence[int]) -> None:
        """Take events that will never be decided."""
        if len(self._open):
            keep = ~np.isin(self._open[self._id], np.asarray(ids, dtype=np.int64))
            self._open = self._open.take(keep)

    def decided(self, rows: Batch) -> None:
        """Take decisions; those of other events than the open ones say nothing new."""
        if not len(self._open) or not len(rows):
            return
        rows = rows.sort(self._id)
        at = np.minimum(rows[self._id].searchsorted(self._open[self._id]), len(rows) - 1)
        found = rows[self._id][at] == self._open[self._id]
        events, rows = self._open.take(found), rows.take(at[found])
        self._open = self._open.take(~found)
        flagged = rows["decision"] == REVIEW
        self._flag(events.take(flagged), rows.take(flagged))
        heard = events.take(~self._silencing[rows["decision"]])
        self._expect(heard, FED, heard["label_time"])

    def close(self, day_end: float) -> Ids:
        """Work the day that ended [s since day 0] and return the ids of the cases worked."""
        verdicts = self._queue.close(self._start + day_end)
        self.closed, self.overflow = day_end, self._queue.overflow
        if len(self._cases):
            self._judge(verdicts, self._cases)
            later = self._cases["processing_time"] >= self._start + day_end
            self._cases = self._cases.take(later)
        if len(self._open):
            old = self._start + self.closed - _LOST
            self._open = self._open.take(self._open["processing_time"] >= old)
        return np.asarray(verdicts["id"])

    def promise(self, ids: Ids, day_end: float) -> None:
        """Expect the verdicts on cases that were worked before, on open events."""
        cases = (
            self._open.take(np.isin(self._open[self._id], ids)) if len(self._open) else Batch({})
        )
        if len(cases):
            time = np.maximum(cases["event_time"] + self._turnaround, self._start + day_end)
            self._judge(Batch({"id": cases[self._id], "verdict_time": time}), cases)

    def due(self, until: float) -> Batch:
        """Return the labels known by a time [s since day 0], by `label_time`; each once."""
        if not len(self._due):
            return self._due
        now = self._due["label_time"] <= self._start + until
        due, self._due = self._due.take(now), self._due.take(~now)
        return due.drop("processing_time").sort("label_time")

    def _judge(self, verdicts: Batch, cases: Batch) -> None:
        """Let people say what they found about cases."""
        ordered = verdicts.sort("id")
        if not len(ordered):
            return
        at = np.minimum(ordered["id"].searchsorted(cases[self._id]), len(ordered) - 1)
        worked = ordered["id"][at] == cases[self._id]
        self._expect(cases.take(worked), REVIEWED, ordered["verdict_time"][at[worked]])

    def _flag(self, events: Batch, rows: Batch) -> None:
        """Queue cases, but for those of days that were worked before."""
        fresh = events["processing_time"] >= self._fresh_from
        events, rows = events.take(fresh), rows.take(fresh)
        # What a rule sends comes before what the model sends: its score says nothing about it.
        urgency = np.nan_to_num(rows["score"]) + rows["ruled"]
        self._queue.add(rows[self._id], rows["event_time"], rows["processing_time"], urgency)
        self._cases = Batch.concat([self._cases, events])

    def _expect(self, events: Batch, source: int, time: NDArray[np.float64]) -> None:
        """Note labels that will be told, but for those that never come or were told before."""
        told = self._told.get(source)
        wanted = np.isfinite(time)
        if told is not None:
            wanted &= ~np.isin(events[self._id], told)
        if not wanted.any():
            return
        labels = events.take(wanted).with_columns(
            label_time=time[wanted], source=np.full(int(wanted.sum()), source, dtype=np.int8)
        )
        self._due = Batch.concat([self._due, labels])
