"""FeatureStore: features event by event, as serving computes them.

State is a pure fold over the log (events and labels in log order), so any split of the log into
batches gives the same bits, and `history` gives them too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.features import codes
from sandbox.pipeline.features.kernels import fold, reindex
from sandbox.pipeline.features.plan import FeaturePlan, StagePlan
from sandbox.pipeline.features.rows import fill_quotients, fill_row_features
from sandbox.pipeline.features.state import (
    Events,
    LabelEvents,
    empty_state,
    grown,
    key_table,
    make_state,
    no_labels,
)
from sandbox.pipeline.snapshot import pack, unpack

__all__ = ["FeatureStore", "StageStore", "warm_up"]


class StageStore:
    """State of one stage: one ring and its windows a key.

    Parameters
    ----------
    plan
        The stage.
    id
        Name of the event id column.
    """

    def __init__(self, plan: StagePlan, id: str) -> None:
        self.plan = plan
        self._id = id
        self._layout = plan.layout()
        self._state = empty_state(self._layout)
        self._pending = no_labels()

    @property
    def counts(self) -> dict[str, int]:
        """Keys seen; labels applied; labels that met no event; events beyond the lateness."""
        counters = self._state.counters
        names = {
            "keys": codes.KEYS, "labels_applied": codes.APPLIED,
            "labels_without_event": codes.NO_EVENT, "too_late": codes.TOO_LATE,
        }  # fmt: skip
        return {name: int(counters[at]) for name, at in names.items()}

    def update(
        self,
        batch: Batch,
        labels: Batch | None,
        out: NDArray[np.float32],
        columns: NDArray[np.int64],
    ) -> None:
        """Fold a batch and write the stage's features into `columns` of `out`.

        Parameters
        ----------
        batch
            Events in log order.
        labels
            Labels in order of `label_time`. Those not yet due are kept until they are; those
            overdue are applied at once.
        out
            Matrix, shape (n, any).
        columns
            Column of `out` for each output of the stage.
        """
        if not self.plan.outputs:
            return  # events only pass here: nothing is kept of them
        events, due = self._events(batch), self._labels(labels)
        state, layout = self._state, self._layout
        state.counters[codes.LABEL_AT] = 0
        done, rows = 0, len(batch)
        while (done := fold(done, events, due, layout, state, columns, out)) < rows:
            larger = grown(state, layout, events.words[0])
            if larger.dense is not state.dense:
                reindex(int(layout.widths[1]), larger)
            state = self._state = larger
        self._pending = due
        if applied := int(state.counters[codes.LABEL_AT]):
            self._pending = LabelEvents(
                due.words[:, applied:].copy(), due.numbers[:, applied:].copy()
            )
            state.counters[codes.LABEL_AT] = 0  # equal states, however the log was split

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays."""
        state = self._state
        keys, used = state.counters[codes.KEYS], state.counters[codes.USED]
        return {
            "rows": state.rows[: keys * self._layout.widths[1]],
            "arena": state.arena[:used],
            "free": state.free,
            "counters": state.counters,
            "label_words": self._pending.words,
            "label_numbers": self._pending.numbers,
        }

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Replace the state by that of `arrays`."""
        rows, arena = arrays["rows"].copy(), arrays["arena"].copy()
        counters, free = arrays["counters"].copy(), arrays["free"].copy()
        width = int(self._layout.widths[1])
        seen = rows[codes.KEY :: width]
        small = seen[seen < codes.DENSE_LIMIT]
        dense = np.full(int(small.max(initial=0)) + 1, -1, dtype=np.int32)
        self._state = make_state(dense, key_table(len(seen)), rows, arena, free, counters)
        reindex(width, self._state)
        self._pending = LabelEvents(arrays["label_words"].copy(), arrays["label_numbers"].copy())

    def _events(self, batch: Batch) -> Events:
        rows, columns = len(batch), self.plan.columns
        words = np.empty((2, rows), dtype=np.int64)
        words[0] = batch[self.plan.key]
        if self.plan.has_labels:
            words[1] = batch[self._id]
        numbers = np.empty((2 + len(columns), rows))
        numbers[0] = batch["event_time"]
        numbers[1] = batch["processing_time"]
        for place, name in enumerate(columns, start=2):
            numbers[place] = batch[name]
        return Events(words, numbers)

    def _labels(self, labels: Batch | None) -> LabelEvents:
        waiting = self._pending
        if not self.plan.has_labels or labels is None or not len(labels):
            return waiting
        words = np.stack([labels[self.plan.key], labels[self._id]]).astype(np.int64)
        numbers = np.stack([labels[n] for n in ("event_time", "label_time", "label")])
        if np.any(numbers[1, 1:] < numbers[1, :-1]):
            raise ValueError("labels are not in order of label_time")
        if not numbers[1, -1] < np.inf:  # these never come: do not wait for them
            words, numbers = words[:, numbers[1] < np.inf], numbers[:, numbers[1] < np.inf]
        if waiting.words.shape[1]:
            words = np.concatenate([waiting.words, words], axis=1)
            numbers = np.concatenate([waiting.numbers, numbers], axis=1)
            order = np.argsort(numbers[1], kind="stable")
            words, numbers = words[:, order], numbers[:, order]
        return LabelEvents(np.ascontiguousarray(words), np.ascontiguousarray(numbers, np.float64))


class FeatureStore:
    """All stages of a plan in one place.

    Examples
    --------
    >>> from sandbox.spec.features import FeatureSpec
    >>> from sandbox.spec.scenario import EventSchema
    >>> schema = EventSchema.model_validate({"id": "id", "columns": {"user": {"type": "key"}}})
    >>> count = FeatureSpec.model_validate({"count": {"by": "user", "over": "60s"}})
    >>> store = FeatureStore(FeaturePlan.compile([count], schema))
    >>> times = [0.0, 10.0, 65.0]
    >>> store.update(Batch({"id": [0, 1, 2], "user": [7, 7, 7],
    ...                     "event_time": times, "processing_time": times})).ravel().tolist()
    [1.0, 2.0, 2.0]
    """

    def __init__(self, plan: FeaturePlan) -> None:
        self.plan = plan
        self._stages = {s.key: StageStore(s, plan.id) for s in plan.stage_plans}
        self._columns = {s.key: s.positions for s in plan.stage_plans}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Counters of each stage, see `StageStore.counts`."""
        return {key: stage.counts for key, stage in self._stages.items()}

    def update(self, batch: Batch, labels: Batch | None = None) -> NDArray[np.float32]:
        """Fold a batch into the state of every stage.

        Parameters
        ----------
        batch
            Events in log order: id, keys, `event_time`, `processing_time`, columns.
        labels
            Id, keys and `event_time` of labelled events, `label`, `label_time`; in order of
            `label_time`. A label counts for events with ``processing_time >= label_time``. The
            last label of an event counts; one whose event was not logged before is ignored.

        Returns
        -------
        NDArray[np.float32]
            Shape (n, features), C order; all of a stage's columns are NaN where its key is
            missing (-1).
        """
        batch = self.plan.cleaner.clean(batch)
        out = self.of_rows(batch)
        self.fold(batch, labels, out)
        return out

    def of_rows(self, batch: Batch) -> NDArray[np.float32]:
        """Return the matrix of `update` with what needs no state; the rest is not filled yet.

        The batch is a cleaned one, here and in `fold`.
        """
        out = np.empty((len(batch), len(self.plan.names)), dtype=np.float32)
        fill_row_features(self.plan, batch, out)
        return out

    def fold(self, batch: Batch, labels: Batch | None, out: NDArray[np.float32]) -> None:
        """Fold a batch into the state of every stage, and fill the rest of its matrix."""
        for key, stage in self._stages.items():
            stage.update(batch, labels, out, self._columns[key])
        fill_quotients(self.plan, out)

    def update_stage(
        self, key: str, batch: Batch, labels: Batch | None = None
    ) -> NDArray[np.float32]:
        """Fold a batch into one stage, as a worker of that stage does.

        Returns
        -------
        NDArray[np.float32]
            Shape (n, columns of the stage) in the order of ``plan.stage(key).outputs``.
        """
        outputs = self.plan.stage(key).outputs
        out = np.empty((len(batch), len(outputs)), dtype=np.float32)
        batch = self.plan.cleaner.clean(batch)
        self._stages[key].update(batch, labels, out, np.arange(len(outputs)))
        return out

    def snapshot(self) -> bytes:
        """Return the whole state; `restore` of a store with the same plan takes it back."""
        arrays = {
            f"{place}.{name}": array
            for place, stage in enumerate(self._stages.values())
            for name, array in stage.arrays().items()
        }
        return pack(arrays, self.plan.fingerprint)

    def restore(self, data: bytes) -> None:
        """Go back to the state of a snapshot.

        Raises
        ------
        ValueError
            If the bytes are no snapshot of this version and this plan.
        """
        arrays = unpack(data, self.plan.fingerprint)
        for place, stage in enumerate(self._stages.values()):
            prefix = f"{place}."
            stage.load({n[len(prefix) :]: a for n, a in arrays.items() if n.startswith(prefix)})


def warm_up(plan: FeaturePlan) -> None:
    """Compile (or load from disk) the fold, outside anything that is measured."""
    empty = Batch(
        {
            name: np.zeros(0, dtype=np.int64)
            for stage in plan.stage_plans
            for name in (plan.id, stage.key, *stage.columns, "event_time", "processing_time")
        }
    )
    store = FeatureStore(plan)
    for stage in plan.stages:
        store.update_stage(stage, empty)
    store.restore(store.snapshot())
