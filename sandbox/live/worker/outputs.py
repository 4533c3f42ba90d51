"""Outputs: what a worker writes: frames for the next stage, decisions, dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.event_log import Place
from sandbox.batch import Batch, missing_value
from sandbox.live.frames import frames_of
from sandbox.live.topics import Topics, partition_of
from sandbox.live.worker.following import Models
from sandbox.pipeline.decide import BLOCK, DECISIONS
from sandbox.pipeline.decider import Decider
from sandbox.pipeline.features.rows import fill_quotients, fill_row_features
from sandbox.pipeline.schema import REASONS
from sandbox.run.setup import Prepared

__all__ = ["Decided", "Message", "Outputs"]

Message = tuple[Place, bytes]


@dataclass(frozen=True)
class Decided:
    """Rows of decisions, as they go into the log."""

    rows: Batch
    messages: list[Message]


class Outputs:
    """Lays out what a worker writes.

    Parameters
    ----------
    prepared
        Scenario and design.
    topics
        Where it goes.
    """

    def __init__(self, prepared: Prepared, topics: Topics) -> None:
        self._schema, self._plan, self._topics = prepared.scenario.event, prepared.plan, topics
        self._decider = Decider(prepared.plan, prepared.design, prepared.seed)
        self._usual_share = prepared.design.decision.explore
        self._budget = prepared.design.pipeline.budget
        self._fallback = DECISIONS.index(prepared.design.decision.of_refused)
        self._has_spread, self._slate = prepared.task.has_spread, prepared.scenario.event.slate
        schema = self._schema
        self._columns = (schema.id, "event_time", "processing_time", *schema.columns, "sent")

    def pass_on(self, events: Sequence[Batch], key: str) -> Iterator[Message]:
        """Yield frames for the stage of a key, a frame a partition or a few."""
        batch = Batch.concat(events).select((*self._columns, "features"))
        if not len(batch):
            return
        # Partitions come one after the other; the next stage had better see events in order.
        yield from self._by_key(batch.sort("processing_time"), key)

    def withdraw(self, withdrawn: Sequence[Batch]) -> Iterator[Message]:
        """Yield what the last stage must know of events that will not come, see `gather`."""
        if withdrawn:
            yield from self._by_key(Batch.concat(withdrawn), self._topics.stages[-1])

    def decide(
        self, events: Sequence[tuple[Place, Batch]], models: Models | None, now: float
    ) -> Decided:
        """Score and decide events of the last stage; `now` is the wall clock [s since epoch]."""
        batch = Batch.concat([one for _, one in events])
        features = np.array(batch["features"], dtype=np.float32)
        fill_row_features(self._plan, self._plan.cleaner.clean(batch), features)
        fill_quotients(self._plan, features)
        share = models.state.explore if models is not None else None
        self._decider.explore = self._usual_share if share is None else share
        answer = self._decider.decide(
            batch, features, models.serving if models is not None else None,
            answered=self._in_time(batch, now),
        )  # fmt: skip
        decisions, other = answer.decisions, np.full(len(batch), np.nan)
        if self._slate is not None:
            # Their page was made without them.
            decisions.decision[batch["behind"]] = BLOCK
            decisions.explored[batch["behind"]] = False
        if models is not None and models.challenger is not None and len(batch):
            other[:] = models.challenger(features)
        rows = batch.select(self._columns).with_columns(
            score=answer.score, decision=decisions.decision, explored=decisions.explored,
            fallback=decisions.fallback, ruled=decisions.ruled, version=answer.version,
            challenger_score=other, dead=np.zeros(len(batch), dtype=np.int8), features=features,
        )  # fmt: skip
        if self._has_spread:
            silent = np.zeros(len(batch))
            rows = rows.with_columns(spread=silent if answer.spread is None else answer.spread)
        if answer.control is not None:
            rows = rows.with_columns(control=answer.control)
        return Decided(rows, self._by_place(rows, events))

    def refuse(self, refused: Sequence[tuple[Place, Batch]]) -> Decided:
        """Answer events that the schema check refused, but for doubled ones, by the fallback."""
        messages: list[Message] = []
        rows = []
        for place, dead in refused:
            letters = [
                json.dumps({self._schema.id: i, "reason": REASONS[code]}).encode()
                for i, code in zip(dead[self._schema.id].tolist(), dead["reason"], strict=True)
            ]
            buried = Place(self._topics.dead, place.partition)
            messages += [(buried, letter) for letter in letters]
            once = dead.take(dead["reason"] != REASONS.index("duplicate"))
            if len(once):
                rows.append(self._answered(once))
                to = Place(self._topics.decisions, place.partition)
                messages += [(to, frame) for frame in frames_of(rows[-1])]
        return Decided(Batch.concat(rows), messages)

    def _in_time(self, batch: Batch, now: float) -> NDArray[np.bool_]:
        """Tell which events are answered in time: a request as a whole, or not at all."""
        if self._slate is None:
            return np.asarray(now - batch["sent"] <= self._budget)
        requests, code = np.unique(batch[self._slate.request], return_inverse=True)
        first = np.full(len(requests), np.inf)
        np.minimum.at(first, code, batch["sent"])
        return np.asarray((now - first[code] <= self._budget) & ~batch["behind"])

    def _by_key(self, batch: Batch, key: str) -> Iterator[Message]:
        """Yield frames for the stage of a key, a frame a partition or a few."""
        place = partition_of(batch[key], self._topics.partitions)
        order = np.argsort(place, kind="stable")
        batch, place = batch.take(order), place[order]
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        topic = self._topics.stage(key)
        for start, stop in zip(starts, [*starts[1:], len(place)], strict=True):
            for frame in frames_of(batch.slice(int(start), int(stop))):
                yield Place(topic, int(place[start])), frame

    def _by_place(self, rows: Batch, events: Sequence[tuple[Place, Batch]]) -> list[Message]:
        """Return one frame a partition or a few; a partition's events stand together in `rows`."""
        lengths: dict[int, int] = {}
        for place, batch in events:
            lengths[place.partition] = lengths.get(place.partition, 0) + len(batch)
        messages, start = list[Message](), 0
        for partition, length in lengths.items():
            to = Place(self._topics.decisions, partition)
            messages += [(to, frame) for frame in frames_of(rows.slice(start, start + length))]
            start += length
        return messages

    def _answered(self, dead: Batch) -> Batch:
        rows = len(dead)
        empty: dict[str, NDArray[np.generic]] = {}
        for name, column in self._schema.columns.items():
            empty[name] = np.full(rows, missing_value(column.dtype), dtype=column.dtype)
        features = np.full((rows, len(self._plan.names)), np.nan, dtype=np.float32)
        always, never = np.ones(rows, dtype=np.bool_), np.zeros(rows, dtype=np.bool_)
        known = dead.select((self._schema.id, "event_time", "processing_time", "sent"))
        if self._has_spread:
            known = known.with_columns(spread=np.zeros(rows))
        if self._slate is not None:
            known = known.with_columns(control=never)
        return known.with_columns(
            **empty, score=np.zeros(rows), challenger_score=np.full(rows, np.nan),
            decision=np.full(rows, self._fallback, dtype=np.int8), explored=never,
            fallback=always, ruled=never, version=np.zeros(rows, dtype=np.int16),
            dead=dead["reason"], features=features,
        )  # fmt: skip
