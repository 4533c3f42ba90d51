from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.run.setup import DAY, Prepared
from sandbox.run.traffic import BLOCK, Block, Traffic
from sandbox.spec.incidents import DataFault, Incident, StackFault
from sandbox.world import World

Ready = Callable[..., Prepared]
Change = Callable[[Batch], Batch]


def blocks(prepared: Prepared, first: int = 0, stop: int = 4) -> list[Block]:
    traffic = Traffic(prepared)
    return [traffic.block(index) for index in range(first, stop)]


def same(one: Batch, other: Batch) -> bool:
    return one.names == other.names and all(
        np.array_equal(one[n], other[n], equal_nan=one[n].dtype.kind == "f") for n in one.names
    )


def spoilt(world_class: type[World], change: Change) -> type[World]:
    """Return a world that emits something else."""

    class Spoilt(world_class):  # type: ignore[misc, valid-type]
        def events(
            self, event_time: NDArray[np.float64], knobs: Mapping[str, Any], rng: Any
        ) -> Batch:
            return change(super().events(event_time, knobs, rng))

    return Spoilt


def test_the_same_seed_gives_the_same_blocks_and_another_seed_others(ready: Ready) -> None:
    one, again, other = (blocks(ready(seed=seed)) for seed in (7, 7, 8))
    for a, b, c in zip(one, again, other, strict=True):
        assert same(a.truth, b.truth) and same(a.observed, b.observed)
        assert not same(a.truth, c.truth)


def test_a_design_has_no_say_in_what_happens(ready: Ready) -> None:
    one = blocks(ready())
    other = blocks(ready("features=[weight_kg]", "monitoring.alerts=[]", "ingest.key=shop_id"))
    assert all(same(a.truth, b.truth) for a, b in zip(one, other, strict=True))


def test_a_block_holds_its_own_time_and_ids_ascend(ready: Ready) -> None:
    prepared = ready()
    found = blocks(prepared, -3, 3)
    ids = np.concatenate([block.truth["parcel_id"] for block in found])
    assert (np.diff(ids) > 0).all()
    for index, block in zip(range(-3, 3), found, strict=True):
        since = block.truth["event_time"] - prepared.scenario.start_time
        assert block.start == index * BLOCK and block.end == block.start + BLOCK
        assert ((since >= block.start) & (since < block.end)).all()
        assert (block.truth["label_time"] >= block.truth["event_time"] + DAY).all()


def test_a_mean_day_has_the_load_that_was_asked_for(ready: Ready) -> None:
    prepared = ready()
    events = sum(len(block.truth) for block in blocks(prepared, -28, 0))
    assert events == pytest.approx(7 * DAY * 2 / 150, rel=0.1)


def test_late_events_come_in_the_next_block_and_none_is_lost(ready: Ready) -> None:
    fault = DataFault.model_validate({"kind": "late", "delay": "1h", "at": 0, "for": "6h"})
    prepared = replace(ready(), incidents={"late": Incident(story="", fault=fault)})
    first, second, third = blocks(prepared, 0, 3)
    late = first.truth["event_time"] > prepared.scenario.start_time + BLOCK - 3600.0
    assert late.sum() > 5
    assert len(first.observed) == len(first.truth) - late.sum()
    assert len(second.observed) == len(second.truth) + late.sum()
    assert len(third.observed) == len(third.truth)
    assert (np.diff(second.observed["processing_time"]) >= 0).all()
    assert "label" not in second.observed and "mechanism" not in second.observed


def test_faults_leave_the_truth_as_it_is(ready: Ready) -> None:
    fault = DataFault(kind="nulls", field="weight_kg", at=0.0)
    broken = replace(ready(), incidents={"x": Incident(story="", fault=fault)})
    for a, b in zip(blocks(replace(broken, incidents={})), blocks(broken), strict=True):
        assert same(a.truth, b.truth)
        assert np.isnan(b.observed["weight_kg"]).all()


def test_a_load_spike_brings_events_but_is_no_part_of_the_calm_rate(ready: Ready) -> None:
    spike = StackFault.model_validate({"kind": "load_spike", "factor": 5, "at": 0, "for": "6h"})
    prepared = replace(ready(), incidents={"x": Incident(story="", stack=spike)})
    calm = replace(prepared, incidents={})
    assert len(blocks(prepared)[0].truth) > 3 * len(blocks(calm)[0].truth)
    times = np.arange(0, DAY, 600.0)
    rates = [Traffic(p).full_rate(times) for p in (prepared, calm)]
    np.testing.assert_array_equal(rates[0], rates[1])


def test_other_incidents_act_from_the_next_block_on(ready: Ready) -> None:
    spike = StackFault.model_validate({"kind": "load_spike", "factor": 5, "at": 0})
    late = DataFault.model_validate({"kind": "late", "delay": "1h", "at": 0})
    drift = ready(incidents=("no-train@0",)).incidents
    incidents = {
        "spike": Incident(story="", stack=spike), "late": Incident(story="", fault=late), **drift,
    }  # fmt: skip
    prepared = replace(ready(), incidents={})
    turned, calm = Traffic(prepared), [b.truth for b in blocks(prepared)]
    first = turned.block(0)
    turned.turn(incidents)
    second = turned.block(1)
    assert same(first.truth, calm[0]) and len(second.truth) > 3 * len(calm[1])
    assert turned.knobs(2 * DAY)["by_road"] == 0.5 and turned.knobs(-1.0)["by_road"] == 0.0
    held = len(second.truth) - len(second.observed)
    assert held > 5
    turned.turn({})
    third = turned.block(2)
    # The world is as if nothing had been; what was on its way still arrives.
    assert len(third.observed) == len(third.truth) + held
    assert np.array_equal(third.truth["event_time"], calm[2]["event_time"])
    assert turned.knobs(2 * DAY)["by_road"] == 0.0


def test_incidents_that_do_not_fit_change_nothing(ready: Ready) -> None:
    prepared = replace(ready(), incidents={})
    wrong = DataFault(kind="nulls", field="colour", at=0.0)
    spike = StackFault.model_validate({"kind": "load_spike", "factor": 5, "at": 0})
    incidents = {"a": Incident(story="", stack=spike), "b": Incident(story="", fault=wrong)}
    traffic = Traffic(prepared)
    with pytest.raises(UsageError, match="unknown column"):
        traffic.turn(incidents)
    assert same(traffic.block(0).truth, blocks(prepared)[0].truth)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda b: b.with_columns(parcel_id=b["parcel_id"] * 0 + 5), "parcel_id repeats"),
        (lambda b: b.with_columns(parcel_id=b["parcel_id"][::-1].copy()), "must ascend"),
        (lambda b: b.drop("service"), "missing columns: service"),
        (lambda b: b.with_columns(weight_kg=-b["weight_kg"]), "weight_kg goes down to"),
        (lambda b: b.with_columns(event_time=b["event_time"] + 1), "event_time differs"),
    ],
)
def test_a_world_that_breaks_its_promise_is_told_so(
    ready: Ready, change: Change, problem: str
) -> None:
    prepared = ready()
    broken = replace(prepared, world_class=spoilt(prepared.world_class, change))
    with pytest.raises(UsageError, match=problem) as caught:
        blocks(broken)
    assert caught.value.where == str(prepared.folder / "world.py")


def test_ids_must_ascend_across_blocks_too(ready: Ready) -> None:
    def again(batch: Batch) -> Batch:
        return batch.with_columns(parcel_id=np.arange(len(batch)))

    prepared = ready()
    with pytest.raises(UsageError, match="must ascend within and across blocks"):
        blocks(replace(prepared, world_class=spoilt(prepared.world_class, again)))


def test_later_blocks_are_looked_at_only_when_asked_for(ready: Ready) -> None:
    def late(batch: Batch) -> Batch:
        return batch if batch["parcel_id"][0] == 0 else batch.with_columns(label=batch["label"] / 0)

    prepared = ready()
    broken = replace(prepared, world_class=spoilt(prepared.world_class, late))
    with np.errstate(divide="ignore", invalid="ignore"):
        assert len(blocks(broken)) == 4
        traffic = Traffic(broken, thorough=True)
        traffic.block(0)
        with pytest.raises(UsageError, match="label is not finite"):
            traffic.block(1)


def test_a_world_may_know_its_own_times_and_when_labels_come(ready: Ready) -> None:
    prepared = ready()
    base = prepared.world_class

    class Recorded(base):  # type: ignore[misc, valid-type]
        def arrivals(self, start: float, end: float) -> NDArray[np.float64]:
            return np.linspace(start, end, 11)[:-1]

        def events(
            self, event_time: NDArray[np.float64], knobs: Mapping[str, Any], rng: Any
        ) -> Batch:
            events: Batch = super().events(event_time, knobs, rng)
            return events.with_columns(label_time=event_time + 7.0)

    block = blocks(replace(prepared, world_class=Recorded))[1]
    since = block.truth["event_time"] - prepared.scenario.start_time - BLOCK
    np.testing.assert_allclose(since, np.arange(10) * BLOCK / 10)
    np.testing.assert_array_equal(block.truth["label_time"], block.truth["event_time"] + 7.0)


def test_an_exception_in_the_world_has_a_place_and_no_traceback(
    ready: Ready, roots: tuple[Any, ...]
) -> None:
    file = roots[0] / "parcels" / "world.py"
    good = file.read_text()
    try:
        file.write_text(good.replace("rng.integers(self._shops", "rng.integers(self._shopps"))
        with pytest.raises(UsageError, match=r"world\.py:\d+: AttributeError: .*_shopps"):
            blocks(ready())
    finally:
        file.write_text(good)
