from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.spec.incidents import Incident
from sandbox.spec.scenario import EventSchema
from sandbox.world import DataFaultEngine

START = 1_000_000.0
BLOCK = 21_600.0
SCHEMA = EventSchema.model_validate({
    "id": "event_id",
    "columns": {
        "key": {"type": "key"},
        "amount": {"type": "number", "decimals": 2},
        "channel": {"type": "category", "values": ["shop", "online"]},
    },
})  # fmt: skip


def block(index: int, n: int = 200) -> Batch:
    rng = np.random.default_rng(index)
    return Batch({
        "event_id": np.arange(n) + index * n,
        "event_time": START + index * BLOCK + np.sort(rng.random(n)) * BLOCK,
        "key": rng.integers(0, 9, n),
        "amount": np.round(rng.random(n) * 100, 2),
        "channel": rng.integers(0, 2, n).astype(np.int8),
    })  # fmt: skip


def fault(kind: str, at: object = 0, **body: object) -> Incident:
    return Incident.model_validate({"story": "", "fault": {"kind": kind, "at": at, **body}})


def run(*incidents: Incident, blocks: int = 1, n: int = 200, seed: int = 0) -> list[Batch]:
    engine = DataFaultEngine({f"f{i}": f for i, f in enumerate(incidents)}, SCHEMA, START)
    return [
        engine.apply(
            block(i, n),
            START + i * BLOCK,
            START + (i + 1) * BLOCK,
            np.random.default_rng([seed, i]),
        )
        for i in range(blocks)
    ]


def test_without_faults_events_arrive_when_they_happen() -> None:
    (out,) = run()
    assert out.names == (*block(0).names, "processing_time")
    assert np.array_equal(out["processing_time"], out["event_time"])


def test_a_fault_hits_only_its_time() -> None:
    out = Batch.concat(run(fault("nulls", "3h", field="amount", **{"for": "6h"}), blocks=3))
    since = out["event_time"] - START
    assert np.array_equal(np.isnan(out["amount"]), (since >= 3 * 3600) & (since < 9 * 3600))


def test_nulls_hit_a_share_and_know_the_marker_of_each_type() -> None:
    (out,) = run(fault("nulls", field="amount", share=0.3), n=5000)
    assert np.isnan(out["amount"]).mean() == pytest.approx(0.3, abs=0.03)
    (out,) = run(fault("nulls", field="key"), fault("nulls", field="channel"))
    assert (out["key"] == -1).all()
    assert (out["channel"] == -1).all()
    assert out["channel"].dtype == np.int8


def test_unit_change_multiplies_where_the_condition_holds() -> None:
    (out,) = run(fault("unit_change", field="amount", factor=100, where="channel == online"))
    before = block(0)
    online = before["channel"] == 1
    assert online.any() and not online.all()
    assert np.array_equal(out["amount"][~online], before["amount"][~online])
    assert np.array_equal(out["amount"][online], np.round(before["amount"][online] * 100, 2))


def test_stale_repeats_the_last_good_value_over_blocks() -> None:
    first, second = run(fault("stale", "3h", field="amount"), blocks=2)
    good = first["event_time"] < START + 3 * 3600
    last = block(0)["amount"][good][-1]
    assert np.array_equal(first["amount"][good], block(0)["amount"][good])
    assert (first["amount"][~good] == last).all()
    assert (second["amount"] == last).all()


def test_stale_from_the_first_event_on_has_nothing_to_repeat() -> None:
    (out,) = run(fault("stale", field="amount"))
    assert np.isnan(out["amount"]).all()


def test_rename_moves_the_column() -> None:
    first, second, third = run(fault("rename", "3h", field="amount", **{"for": "9h"}), blocks=3)
    renamed = first["event_time"] >= START + 3 * 3600
    assert np.array_equal(np.isnan(first["amount"]), renamed)
    assert np.array_equal(first["amount_v2"][renamed], block(0)["amount"][renamed])
    assert "amount" not in second
    assert np.array_equal(second["amount_v2"], block(1)["amount"])
    assert "amount_v2" not in third
    assert np.array_equal(third["amount"], block(2)["amount"])


def test_duplicates_arrive_again_seconds_later() -> None:
    (out,) = run(fault("duplicates", share=0.5), n=2000)
    ids, count = np.unique(out["event_id"], return_counts=True)
    assert (count == 2).mean() == pytest.approx(0.5, abs=0.05)
    assert count.max() == 2
    again = out.take(out["processing_time"] > out["event_time"])
    wait = again["processing_time"] - again["event_time"]
    assert wait.min() >= 1 and wait.max() <= 30 + 1e-6
    assert len(ids) == 2000


def test_late_events_come_in_a_later_block() -> None:
    engine = DataFaultEngine({"x": fault("late", delay="7h", share=0.4)}, SCHEMA, START)
    outs = [
        engine.apply(block(i), START + i * BLOCK, START + (i + 1) * BLOCK, np.random.default_rng(i))
        for i in range(3)
    ]
    assert len(outs[0]) < 200 and engine.held > 0
    wait = np.concatenate([o["processing_time"] - o["event_time"] for o in outs])
    assert set(np.round(wait).tolist()) == {0.0, 7 * 3600.0}
    assert sum(map(len, outs)) + engine.held == 600
    for i, out in enumerate(outs):
        assert (out["processing_time"] < START + (i + 1) * BLOCK).all()
        assert i == 0 or (out["processing_time"] >= START + i * BLOCK).all()


def test_out_of_order_events_overtake_each_other() -> None:
    (out,) = run(fault("out_of_order", delay="10min"))
    wait = out["processing_time"] - out["event_time"]
    assert (wait >= 0).all() and (wait <= 600).all()
    assert (np.diff(out["event_time"]) < 0).any()


def test_thinning_loses_events_with_their_duplicates() -> None:
    (out,) = run(fault("duplicates"), fault("thinning", where="channel == online"))
    assert (out["channel"] == 0).all()
    assert len(out) >= 2 * (block(0)["channel"] == 0).sum() - 2  # the last may arrive later


def test_faults_see_the_events_as_they_happened() -> None:
    cents = fault("unit_change", field="amount", factor=100, where="amount < 50")
    (out,) = run(cents, fault("nulls", field="amount", where="amount >= 50"))
    small = block(0)["amount"] < 50
    assert np.array_equal(np.isnan(out["amount"]), ~small)


def test_a_renamed_field_that_arrives_late_keeps_its_columns() -> None:
    renamed = fault("rename", field="amount", **{"for": "6h"})
    _, second = run(renamed, fault("late", delay="6h", share=0.5), blocks=2)
    old = second["event_id"] < 200
    assert 0 < old.sum() < len(second)
    assert np.array_equal(np.isnan(second["amount"]), old)
    assert np.array_equal(~np.isnan(second["amount_v2"]), old)


KINDS = ["nulls", "unit_change", "rename", "duplicates", "late", "out_of_order", "stale"]


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=4),
    share=st.floats(0, 1),
    delay=st.floats(0, 2 * BLOCK),
    at=st.floats(0, 3 * BLOCK),
)
def test_no_fault_breaks_log_order_or_loses_an_event(
    kinds: list[str], share: float, delay: float, at: float
) -> None:
    incidents = {
        f"{i}": fault(kind, at, field="amount", share=share, delay=delay)
        for i, kind in enumerate(kinds)
    }
    engine = DataFaultEngine(incidents, SCHEMA, START)
    times, ids = [], []
    for i in range(12):
        events = block(i, 20).take(np.arange(20 if i < 4 else 0))
        out = engine.apply(
            events, START + i * BLOCK, START + (i + 1) * BLOCK, np.random.default_rng(i)
        )
        assert "amount" in out or "amount_v2" in out
        times.append(out["processing_time"])
        ids.append(out["event_id"])
    assert engine.held == 0 or "late" in kinds or "out_of_order" in kinds
    assert (np.diff(np.concatenate(times)) >= 0).all()
    if engine.held == 0:
        assert set(np.concatenate(ids).tolist()) == set(range(80))
    if "duplicates" not in kinds:
        assert len(np.concatenate(ids)) + engine.held == 80


def test_the_same_randomness_gives_the_same_damage() -> None:
    incidents = (fault("nulls", field="amount", share=0.5), fault("out_of_order"))
    first, again, other = run(*incidents)[0], run(*incidents)[0], run(*incidents, seed=1)[0]
    for name in first.names:
        assert np.array_equal(first[name], again[name], equal_nan=first[name].dtype.kind == "f")
    assert not np.array_equal(first["processing_time"], other["processing_time"])


def test_events_outside_the_block_are_refused() -> None:
    engine = DataFaultEngine({}, SCHEMA, START)
    with pytest.raises(ValueError, match="events of the block"):
        engine.apply(block(1), START, START + BLOCK, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("incident", "message"),
    [
        (fault("nulls", field="amuont"), "incidents.x.fault.field: unknown column; got 'amuont', "
         "expected one of key, amount, channel. Did you mean amount?"),
        (fault("unit_change", field="channel"), "incidents.x.fault.field: only a number has a "
         "unit; got 'channel', expected one of amount."),
        (fault("late", where="channel ~ online"), "incidents.x.fault.where: unreadable condition; "
         "got 'channel ~ online', expected COLUMN OPERATOR VALUE terms joined by `and`, such as "
         "channel == online."),
    ],
)  # fmt: skip
def test_a_wrong_fault_is_a_users_mistake(incident: Incident, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        DataFaultEngine({"x": incident}, SCHEMA, START)
    assert caught.value.line() == message


def test_turned_faults_go_on_where_they_were() -> None:
    stale, late = fault("stale", field="amount"), fault("late", delay="1h")
    engine = DataFaultEngine({"stale": stale, "late": late}, SCHEMA, START)
    first = engine.apply(block(0), START, START + BLOCK, np.random.default_rng(0))
    held = engine.held
    assert held > 5
    engine.turn({"stale": stale})
    later = engine.apply(block(1), START + BLOCK, START + 2 * BLOCK, np.random.default_rng(1))
    assert len(first) + len(later) == 400 and engine.held == 0
    # Stale from the first event on: there never was a value to repeat.
    assert np.isnan(later["amount"]).all()
    engine.turn({})
    after = engine.apply(block(2), START + 2 * BLOCK, START + 3 * BLOCK, np.random.default_rng(2))
    assert np.array_equal(after["amount"], block(2)["amount"])


def test_a_turned_stale_field_repeats_the_value_before() -> None:
    stale = fault("stale", field="amount", at=BLOCK)
    engine = DataFaultEngine({"stale": stale}, SCHEMA, START)
    first = engine.apply(block(0), START, START + BLOCK, np.random.default_rng(0))
    engine.turn({"stale": stale, "other": fault("duplicates", share=0.0)})
    second = engine.apply(block(1), START + BLOCK, START + 2 * BLOCK, np.random.default_rng(1))
    assert (second["amount"] == first["amount"][-1]).all()
