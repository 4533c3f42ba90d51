from __future__ import annotations

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.spec.scenario import EventSchema
from sandbox.world import RecordedWorld, Spec, StreamedWorld, World, check_events

TIMES = np.array([10.0, 20.0, 20.0, 30.0, 45.0])
GOOD = {
    "event_id": np.arange(5),
    "event_time": TIMES,
    "amount": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    "label": np.array([0.0, 1.0, 0.0, 0.0, 1.0]),
}
SCHEMA = EventSchema.model_validate({"id": "event_id", "columns": {"amount": {"type": "number"}}})
RNG = np.random.default_rng(0)


def block(world: RecordedWorld, start: float, end: float) -> Batch:
    return world.events(world.arrivals(start, end), {}, RNG)


def test_blocks_cover_the_recording_once() -> None:
    world = RecordedWorld(Batch(GOOD))
    blocks = [block(world, start, start + 10.0) for start in range(0, 60, 10)]
    assert [len(b) for b in blocks] == [0, 1, 2, 1, 1, 0]
    together = Batch.concat(blocks)
    for name, values in GOOD.items():
        assert np.array_equal(together[name], values)
    for b in blocks:
        assert check_events(b, b["event_time"], SCHEMA, RecordedWorld) == ()


def test_without_mechanisms_everything_is_ordinary() -> None:
    assert RecordedWorld(Batch(GOOD)).recording["mechanism"].tolist() == [0] * 5
    told = Batch({**GOOD, "mechanism": np.array([0, 2, 0, 0, 1], dtype=np.int8)})
    assert RecordedWorld(told).recording["mechanism"].tolist() == [0, 2, 0, 0, 1]


def test_label_times_of_the_recording_are_kept_and_conform() -> None:
    world = RecordedWorld(Batch({**GOOD, "label_time": TIMES + 5}))
    b = block(world, 0, 100)
    assert np.array_equal(b["label_time"], TIMES + 5)
    assert check_events(b, b["event_time"], SCHEMA, RecordedWorld) == ()


def test_it_cannot_invent_events() -> None:
    with pytest.raises(ValueError, match="the times that `arrivals` returned"):
        RecordedWorld(Batch(GOOD)).events(np.array([10.0, 12.0]), {}, RNG)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({**GOOD, "event_time": TIMES[::-1].copy()}, "in order"),
        ({**GOOD, "event_time": np.array([1, 2, np.nan, 4, 5])}, "in order"),
        ({k: v for k, v in GOOD.items() if k != "label"}, "needs the column label"),
        ({k: v for k, v in GOOD.items() if k != "event_time"}, "needs the column event_time"),
    ],
)
def test_what_cannot_be_played_back_is_refused(
    columns: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RecordedWorld(Batch(columns))


def test_other_worlds_leave_arrivals_to_the_load_curve() -> None:
    class Drawn(World):
        def __init__(self, params: Spec, rng: np.random.Generator) -> None:
            pass

        def events(self, event_time, knobs, rng):  # type: ignore[no-untyped-def]
            return Batch({})

    assert Drawn(Spec(), RNG).arrivals(0.0, 1.0) is None


class Source:
    """Reads a recording when asked."""

    def between(self, start: float, end: float) -> Batch:
        inside = (start <= TIMES) & (end > TIMES)
        return Batch({**GOOD, "mechanism": np.zeros(5, np.int8)}).take(inside)


def test_a_stream_is_read_block_by_block() -> None:
    world = StreamedWorld(Source())
    blocks = []
    for start in range(0, 60, 10):
        times = world.arrivals(start, start + 10.0)
        blocks.append(world.events(times, {}, RNG))
        assert check_events(blocks[-1], times, SCHEMA, StreamedWorld) == ()
    assert np.array_equal(Batch.concat(blocks)["amount"], GOOD["amount"])
    with pytest.raises(ValueError, match="the times that `arrivals` returned"):
        world.events(TIMES, {}, RNG)
