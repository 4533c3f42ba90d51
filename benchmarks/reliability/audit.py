"""What the log says in the end: each event decided once, every state what its log folds to."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.case import Case
from sandbox.adapters.event_log import Chunk, EventLog, Place
from sandbox.batch import Batch
from sandbox.live.frames import read_frame
from sandbox.live.messages import Happening, decode
from sandbox.live.worker.intake import Intake, Piece
from sandbox.live.worker.snapshots import Snapshots
from sandbox.live.worker.states import PartitionState
from sandbox.pipeline.admission import KEEP

__all__ = ["Audit", "Decisions", "Gone", "audit", "same_state", "without_gaps"]


IN_FLIGHT = 1.0
"""What was decided before a blow may be read for so long after it [s]."""


@dataclass
class Decisions:
    """What a reader of committed messages has seen so far."""

    ids: list[NDArray[np.int64]] = field(default_factory=list)
    seen: dict[int, list[float]] = field(default_factory=dict)
    """When decisions of a partition came [s, a clock that only goes forward]."""

    @property
    def number(self) -> int:
        """Decisions so far."""
        return sum(map(len, self.ids))

    def take(self, chunks: list[Chunk], id_name: str) -> None:
        """Note decisions."""
        now = time.monotonic()
        for chunk in chunks:
            self.seen.setdefault(chunk.place.partition, []).append(now)
            self.ids += [read_frame(value)[id_name] for value in chunk.values]

    def after(self, moment: float, partitions: int) -> float | None:
        """Return how long after a moment every partition had decided again [s]."""
        waits = []
        for partition in range(partitions):
            later = [t for t in self.seen.get(partition, []) if t > moment + IN_FLIGHT]
            if not later:
                return None
            waits.append(min(later) - moment)
        return max(waits)


@dataclass(frozen=True)
class Audit:
    """Figures of a trial."""

    sent: int
    decided: int
    lost: int
    """Events sent and never decided."""
    doubled: int
    """Decisions beyond the first of an event."""
    states: int
    """States held against a fold of their log in one piece."""
    different: int
    """States that were not equal to it."""

    @property
    def clean(self) -> bool:
        """Tell whether nothing was lost, doubled or different."""
        return not (self.lost or self.doubled or self.different)


Gone = Mapping[Place, Sequence[Chunk]]
"""Messages that were read and are no longer in the log."""


def audit(
    case: Case, log: EventLog, sent: NDArray[np.int64], *, states: bool = True,
    gone: Gone = MappingProxyType({}),
) -> Audit:  # fmt: skip
    """Read everything that was decided, and fold every log again from its beginning."""
    decisions = Decisions()
    reader = log.reader([case.topics.decisions])
    while reader.lag():
        decisions.take(reader.poll(1.0), case.prepared.scenario.event.id)
    reader.close()
    ids = np.concatenate(decisions.ids) if decisions.ids else np.zeros(0, dtype=np.int64)
    once = np.unique(ids)
    checked = different = 0
    for found, expected in _states(case, log, gone) if states else ():
        checked += 1
        different += not same_state(found, expected)
    lost = len(np.setdiff1d(sent, once))
    return Audit(len(sent), len(ids), lost, len(ids) - len(once), checked, different)


def without_gaps(case: Case, log: EventLog, gone: Gone) -> Gone:
    """Leave out messages that workers said their states miss, since nobody could replay them."""
    kept = {place: list(chunks) for place, chunks in gone.items()}
    reader = log.reader([case.topics.happenings])
    while reader.lag():
        for chunk in reader.poll(1.0):
            for facts in (decode(value, Happening).facts for value in chunk.values):
                if facts.get("unseen") is False:
                    place = Place(str(facts["topic"]), int(facts["partition"]))
                    kept[place] = [_before(c, int(facts["from"])) for c in kept.get(place, [])]
    reader.close()
    return kept


def _before(chunk: Chunk, offset: int) -> Chunk:
    rows = sum(at < offset for at in chunk.offsets)
    return Chunk(chunk.place, chunk.values[:rows], chunk.offsets[:rows], chunk.sent[:rows])


def _states(case: Case, log: EventLog, gone: Gone) -> Iterator[tuple[bytes, bytes]]:
    """Yield every partition's newest snapshot, and a fold of its log up to there in one piece."""
    topics, snapshots = case.topics, Snapshots(case.state / log.identity(case.topics.events))
    for key in topics.stages:
        for place in topics.places(topics.stage(key)):
            newest = snapshots.newest(place, 1 << 62)
            if newest is None:
                continue
            offset, data = newest
            chunks = chain(gone.get(place, ()), log.between(place, 0, offset))
            yield data, _folded(case, key, chunks)
    snapshots.close()


def _folded(case: Case, key: str, chunks: Iterable[Chunk]) -> bytes:
    prepared = case.prepared
    schema, plan = prepared.scenario.event, prepared.plan
    lateness = prepared.design.pipeline.allowed_lateness
    state = PartitionState(schema, plan, key, lateness)
    intake = Intake(schema, (), (), (schema.slate.request,) if schema.slate else ())
    pieces = [p for chunk in chunks for p in intake.read(chunk)]
    # All events between two frames of something else at once: batches as no worker has seen them.
    waiting: list[Batch] = []
    for piece in pieces:
        if piece.kind == "events":
            waiting.append(piece.batch)
            continue
        _fold_all(state, waiting)
        state.fold(piece)
    _fold_all(state, waiting)
    return state.packed(state.arrays())


def _fold_all(state: PartitionState, waiting: list[Batch]) -> None:
    if waiting:
        state.fold(Piece("events", Batch.concat(waiting)))
        waiting.clear()


def same_state(found: bytes, expected: bytes) -> bool:
    """Tell whether two snapshots hold the same state.

    What the schema check still knows of old ids depends on when it last made room; ids older than
    it remembers are left out on both sides.
    """
    one, other = _arrays(found), _arrays(expected)
    check, twin = one.pop("check", None), other.pop("check", None)
    if (check is None) != (twin is None) or one.keys() != other.keys():
        return False
    if check is not None and twin is not None and not _same_check(check, twin):
        return False
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def _same_check(check: NDArray[Any], twin: NDArray[Any]) -> bool:
    one, other = _arrays(check.tobytes()), _arrays(twin.tobytes())
    if one["marks"][0] != other["marks"][0]:
        return False
    return _remembered(one) == _remembered(other)


def _remembered(arrays: Mapping[str, NDArray[Any]]) -> list[tuple[int, float]]:
    seen = arrays["seen"]
    fresh = seen >= seen.max(initial=-np.inf) - KEEP
    return sorted(zip(arrays["ids"][fresh].tolist(), seen[fresh].tolist(), strict=True))


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
