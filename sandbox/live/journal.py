"""Journal: the decision log of a live system, put together from what the topics say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.event_log import Chunk
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.live.dead_letters import poisoned
from sandbox.live.frames import NotAFrame, read_frame
from sandbox.live.progress import EventTimes, Progress
from sandbox.live.role import Setting
from sandbox.live.truth_book import TruthBook
from sandbox.monitor import cost_of
from sandbox.pipeline.decide import DECISIONS
from sandbox.run.log import DecisionLog
from sandbox.run.setup import DAY

__all__ = ["REVIEWED", "Journal"]

Array = NDArray[Any]
MOST_ROWS = 400_000
"""Rows from which on old ones are forgotten."""
REVIEWED = 1
"""Source of a label that people gave."""
_LONGER = 60 * DAY
"""What is kept of the log is as long as the history, and longer by this much [s]."""


class Journal:
    """Reads decisions and labels into a `DecisionLog`, in order of `processing_time`.

    A row waits until no event before it can still be without a decision; it is then in the log
    for good. Rows that come all the same when the log has passed them (their partition stood
    still for long) stand at the log's end, with the log's time, and are counted.

    Parameters
    ----------
    setting
        What the role works with.
    oracle
        Read the truth, too: `label`, `label_time` (unless a decision hides it), `mechanism` and
        the costs are then the true ones from the start. Otherwise `label` is NaN and `label_time`
        infinity until a label came, and costs are what the event's own columns say.

    Attributes
    ----------
    log
        Every answered event, history included, but for very old ones; `challenger_score` (NaN
        without one) and `sent` (wall clock of the event's message) stand beside the usual columns.
        ``worked`` is set when a verdict came; rows of the history are never ``hidden``.
    stragglers
        Rows that came when the log had passed them.
    """

    def __init__(self, setting: Setting, *, oracle: bool) -> None:
        prepared, topics = setting.prepared, setting.topics
        self._scenario, self._start = prepared.scenario, prepared.scenario.start_time
        self._id, self._topics = prepared.scenario.event.id, topics
        kinds = {n: c.dtype for n, c in prepared.scenario.event.columns.items()}
        extra = {self._id: np.int64, **kinds, "challenger_score": np.float64, "sent": np.float64}
        self._columns = tuple(extra)
        request = prepared.scenario.event.request
        self.log = DecisionLog(extra, len(prepared.plan.names), 1 << 14, prepared.task, request)
        self._keep = prepared.scenario.history + _LONGER
        self.stragglers = 0
        self._silencing = np.array(
            [name in prepared.scenario.labels.missing_when for name in DECISIONS]
        )
        self._truth = TruthBook(self._id) if oracle else None
        self._progress, self._times = Progress(setting), EventTimes(setting)
        self._row_of: dict[int, int] = {}
        self._waiting: list[tuple[float, Batch]] = []
        self._early: list[Batch] = []
        self._to_work: list[int] = []
        read = [topics.decisions, topics.labels, topics.events, topics.dead]
        self._reader = setting.log.reader([*read, topics.truth] if oracle else read)

    @property
    def now(self) -> float:
        """Time up to which the log is complete [s since day 0]; -inf before anything came."""
        held = min((first for first, _ in self._waiting), default=np.inf)
        complete = min(self._progress.complete_to, float(np.nextafter(held, -np.inf)))
        return float(complete - self._start)

    @property
    def newest(self) -> float:
        """Largest processing time of any event so far [s since day 0]; -inf before any."""
        return self._progress.newest - self._start

    @property
    def backlog(self) -> int:
        """Decided rows that wait for earlier ones."""
        return sum(len(batch) for _, batch in self._waiting)

    @property
    def undecided(self) -> int:
        """Events without a decision."""
        return self._progress.open

    def closed(self, since: float) -> list[float]:
        """Return the ends of the days that are over and complete in the log [s since day 0].

        Parameters
        ----------
        since
            Only ends after this time; the history's days do not count.
        """
        if not np.isfinite(self.now):
            return []
        first = max(int(np.floor(since / DAY)) + 1, 1)
        return [day * DAY for day in range(first, int(np.floor(self.now / DAY)) + 1)]

    def live_rows(self) -> slice:
        """Return the rows of the log since day 0."""
        return self.log.rows_between(self._start, np.inf)

    def poll(self, patience: float) -> bool:
        """Read what there is, waiting up to `patience` [s], and tell whether anything came.

        While the log does not answer, nothing comes.
        """
        try:
            chunks = self._reader.poll(patience)
            for chunk in chunks:
                self._take(chunk)
            self._progress.look(self._reader.lag() == 0)
        except SandboxError:
            return False
        self._release()
        if self._to_work:
            self.work(())
        if self._early:
            early, self._early = Batch.concat(self._early), []
            self._label(early)
        return bool(chunks)

    def work(self, ids: Sequence[int]) -> None:
        """Mark cases that people have taken up; what they find out comes later, as a label."""
        self._to_work += ids
        rows = [self._row_of[id] for id in self._to_work if id in self._row_of]
        self._to_work = [id for id in self._to_work if id not in self._row_of]
        self.log.column("worked")[rows] = True

    def close(self) -> None:
        """Give up the connection."""
        self._reader.close()

    def _take(self, chunk: Chunk) -> None:
        topic, topics = chunk.place.topic, self._topics
        if topic == topics.events:
            self._progress.sent(chunk)
            return
        if topic == topics.dead:
            self._progress.decided(poisoned(chunk, self._times))
            return
        for value in chunk.values:
            try:
                frame = read_frame(value)
            except NotAFrame:
                continue
            if topic == topics.decisions:
                self._progress.decided(frame[self._id].tolist())
                self._wait(frame)
            elif topic == topics.labels:
                self._early.append(frame)
            elif self._truth is not None:
                self._truth.add(frame)

    def _wait(self, rows: Batch) -> None:
        if len(rows):
            self._waiting.append((float(rows["processing_time"].min()), rows))

    def _release(self) -> None:
        """Append the rows that nothing can come before any more."""
        until = self._progress.complete_to
        due = [rows for first, rows in self._waiting if first <= until]
        if not due:
            return
        self._waiting = [(first, rows) for first, rows in self._waiting if first > until]
        rows = Batch.concat(due)
        ready = rows["processing_time"] <= until
        if self._truth is not None:
            ready &= rows[self._id] <= self._truth.last
        self._wait(rows.take(~ready))
        if ready.any():
            self._append(rows.take(ready).sort("processing_time"))
            if self._truth is not None:
                self._truth.forget(self._start + self.now)
            self._forget()

    def _forget(self) -> None:
        """Let go of old rows once they are more than half of many."""
        if len(self.log) < MOST_ROWS:
            return
        until = self._progress.complete_to - self._keep
        old = self.log.rows_between(-np.inf, until).stop
        if 2 * old > len(self.log):
            self.log.forget(old)
            ids = self.log.column(self._id).tolist()
            self._row_of = {id: row for row, id in enumerate(ids)}
            self._early = [rows.take(rows["event_time"] >= until) for rows in self._early]

    def _append(self, rows: Batch) -> None:
        live = rows["processing_time"] >= self._start
        silent = rows["fallback"] | np.isnan(rows["score"])
        hidden = self._silencing[rows["decision"]] & live
        columns: dict[str, Array] = {
            **{name: rows[name] for name in self._columns},
            **{name: rows[name] for name in ("event_time", "explored", "ruled", "dead", "version")},
            "processing_time": self._in_order(rows["processing_time"]),
            "score": np.where(silent, 0.0, rows["score"]),
            "decision": np.where(live, rows["decision"], 0),
            "fallback": silent,
            "worked": np.zeros(len(rows), dtype=np.bool_),
            "hidden": hidden,
            "fed": np.zeros(len(rows), dtype=np.bool_),
            **self._knowledge(rows),
        }
        if "spread" in self.log:
            columns["spread"] = np.where(silent, 0.0, rows["spread"])
        if "control" in self.log:
            columns["control"] = rows["control"]
        columns["label_time"] = np.where(hidden, np.inf, columns["label_time"])
        placed = self.log.log(columns, rows["features"])
        ids = rows[self._id].tolist()
        self._row_of.update(zip(ids, range(placed.start, placed.stop), strict=True))

    def _in_order(self, times: Array) -> Array:
        """Return processing times that do not go back behind the end of the log."""
        if not len(self.log):
            return times
        last = float(self.log.column("processing_time")[-1])
        self.stragglers += int(np.count_nonzero(times < last))
        return times.clip(min=last)

    def _knowledge(self, rows: Batch) -> dict[str, Array]:
        """Return what is known of rows from the start: the truth, or only what they may cost."""
        if self._truth is not None:
            return self._truth.of(rows[self._id])
        costs = self._scenario.costs
        return {
            "label": np.full(len(rows), np.nan),
            "label_time": np.full(len(rows), np.inf),
            "mechanism": np.zeros(len(rows), dtype=np.int8),
            "cost_missed": cost_of(costs.missed, rows),
            "cost_false_decline": cost_of(costs.false_decline, rows),
        }

    def _label(self, labels: Batch) -> None:
        """Write labels into their rows; those whose row is still to come wait for it."""
        at = np.array([self._row_of.get(i, -1) for i in labels[self._id].tolist()], dtype=np.int64)
        if (at < 0).any():
            self._early.append(labels.take(at < 0))
        labels, at = labels.take(at >= 0), at[at >= 0]
        log = self.log
        log.column("label")[at] = labels["label"]
        np.minimum.at(log.column("label_time"), at, labels["label_time"])
        reviewed = at[labels["source"] == REVIEWED]
        log.column("worked")[reviewed] = True
        log.column("hidden")[at] = False
