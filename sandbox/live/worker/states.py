"""State of one partition of one stage: a pure fold over that partition's log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.live.worker.gather import CALL, Gather, withdrawals
from sandbox.live.worker.intake import Piece
from sandbox.pipeline.features.online import StageStore
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.schema import REASONS, SchemaCheck
from sandbox.pipeline.snapshot import pack, unpack
from sandbox.spec.scenario import EventSchema

__all__ = ["Folded", "PartitionState"]

_CHECK = "check"


@dataclass(frozen=True)
class Folded:
    """Events after one stage; of a ranking, after the last one, those of whole requests."""

    events: Batch
    """Accepted events, with `features`, shape (n, all features): the stage's columns are filled."""
    dead: Batch
    """Refused ones, see `SchemaCheck.check`; none after the first stage."""
    withdrawn: Batch
    """What the last stage must know of refused candidates, where it is another one."""


class PartitionState:
    """What one stage remembers of one partition.

    Parameters
    ----------
    schema, plan
        Events, and the features declared on them.
    key
        The stage. The first one checks events; later ones get checked ones.
    lateness
        Allowed lateness [s].
    """

    def __init__(self, schema: EventSchema, plan: FeaturePlan, key: str, lateness: float) -> None:
        self._plan, self._stage = plan, plan.stage(key)
        self._store = StageStore(self._stage, plan.id)
        self._columns = self._stage.positions
        first = key == plan.stages[0]
        self._check = SchemaCheck(schema, lateness) if first else None
        self._slate, self._last = schema.slate, plan.stages[-1]
        self._gather = None
        if schema.slate is not None and key == self._last:
            self._gather = Gather(schema.slate, schema.id)
        names = (plan.id, key, *self._stage.columns, "event_time", "processing_time")
        self._no_events = Batch({name: np.zeros(0, dtype=np.int64) for name in names})

    def fold(self, piece: Piece) -> Folded | None:
        """Take what comes next in the log; None where nothing comes of it."""
        if piece.kind == "labels":
            none = np.zeros((0, len(self._plan.names)), dtype=np.float32)
            labels = piece.batch.sort("label_time")
            self._store.update(self._no_events, labels, none, self._columns)
            return None
        if piece.kind != "events":
            return self._let_go(piece)
        events, dead, gone = piece.batch, _nobody(self._plan.id), Batch({})
        if self._check is not None:
            came, (events, dead) = events, self._check.check(events.drop("sent"))
            accepted, sent = self._check.accepted, came["sent"]
            events, dead = events.with_columns(sent=sent[accepted]), _sent(dead, sent[~accepted])
            gone = self._withdrawn(came.take(~accepted), dead)
        events = events.with_columns(features=self._features(events))
        if self._gather is None:
            return Folded(events, dead, gone)
        return Folded(_joined(self._gather, events, gone), dead, Batch({}))

    def waits_since(self) -> float:
        """Return when the oldest candidate was sent that waits for others [s since epoch]."""
        return np.inf if self._gather is None else self._gather.since

    def _let_go(self, piece: Piece) -> Folded | None:
        if self._gather is None:
            return None
        if piece.kind == "call":
            events = self._gather.let_go(float(piece.batch[CALL].max(initial=-np.inf)))
        else:
            events = self._gather.withdraw(piece.batch)
        return Folded(events, _nobody(self._plan.id), Batch({})) if len(events) else None

    def _withdrawn(self, refused: Batch, dead: Batch) -> Batch:
        """Return what is to be known of refused candidates; one that came twice is still there."""
        if self._slate is None or not len(refused):
            return Batch({})
        gone = refused.take(dead["reason"] != REASONS.index("duplicate"))
        return withdrawals(gone, self._slate, self._last)

    def _features(self, events: Batch) -> NDArray[np.float32]:
        """Return the matrix of features with the stage's columns filled."""
        width = len(self._plan.names)
        if "features" in events:
            features = np.array(events["features"], dtype=np.float32)
        else:
            features = np.full((len(events), width), np.nan, dtype=np.float32)
        # Cleaned for each stage anew: what goes on to the next one is what came.
        self._store.update(self._plan.cleaner.clean(events), None, features, self._columns)
        return features

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return a copy of the state as arrays."""
        arrays = {name: array.copy() for name, array in self._store.arrays().items()}
        if self._check is not None:
            arrays[_CHECK] = np.frombuffer(self._check.snapshot(), dtype=np.uint8)
        if self._gather is not None:
            arrays |= self._gather.arrays()
        return arrays

    def packed(self, arrays: Mapping[str, NDArray[Any]]) -> bytes:
        """Return `arrays` as a snapshot."""
        return pack(arrays, self._owner)

    def restore(self, data: bytes) -> None:
        """Go back to the state of a snapshot.

        Raises
        ------
        ValueError
            If the bytes are no snapshot of this stage of this plan.
        """
        arrays = unpack(data, self._owner)
        if self._check is not None:
            self._check.restore(arrays.pop(_CHECK).tobytes())
        if self._gather is not None:
            self._gather.load(arrays)
        self._store.load(arrays)

    @property
    def _owner(self) -> str:
        return f"{self._plan.fingerprint} {self._stage.key}"


def _joined(gather: Gather, events: Batch, gone: Batch) -> Batch:
    """Return the requests that are complete with these events, and without those."""
    done = gather.take(events)
    return Batch.concat([done, gather.withdraw(gone)]) if len(gone) else done


def _nobody(id_name: str) -> Batch:
    return Batch(
        {
            id_name: np.zeros(0, dtype=np.int64),
            "event_time": np.zeros(0),
            "processing_time": np.zeros(0),
            "reason": np.zeros(0, dtype=np.int8),
            "sent": np.zeros(0),
        }
    )


def _sent(dead: Batch, sent: NDArray[np.float64]) -> Batch:
    return dead.with_columns(sent=sent)
