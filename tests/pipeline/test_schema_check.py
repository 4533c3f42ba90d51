"""SchemaCheck: each reason, memory of ids, watermark."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.pipeline.schema import REASONS, SchemaCheck
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "user": {"type": "key"},
            "amount": {"type": "number", "min": 0, "max": 100},
            "note": {"type": "number", "nullable": True},
            "channel": {"type": "category", "values": ["a", "b"], "nullable": True},
        },
    }
)
DAY = 86400.0


def make(rows: int = 4, **columns: Any) -> Batch:
    times = 1e9 + np.arange(rows, dtype=np.float64)
    base = {
        "event_id": np.arange(rows),
        "event_time": times,
        "processing_time": columns.get("event_time", times),
        "user": np.arange(rows),
        "amount": np.full(rows, 5.0),
        "note": np.full(rows, np.nan),
        "channel": np.full(rows, -1, dtype=np.int8),
    }
    return Batch({**base, **columns})


def reasons(dead: Batch) -> list[str]:
    return [REASONS[code] for code in dead["reason"]]


def test_a_valid_batch_passes_whole() -> None:
    valid, dead = SchemaCheck(SCHEMA, 10.0).check(make())
    assert (len(valid), len(dead)) == (4, 0)
    assert dead.names == ("event_id", "event_time", "processing_time", "reason")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"amount": np.array([1, np.nan, 2, 3])}, "null"),
        ({"user": np.array([0, -1, 2, 3])}, "null"),
        ({"event_id": np.array([0, -1, 2, 3])}, "null"),
        ({"event_time": np.array([1e9, np.nan, 1e9, 1e9]), "processing_time": np.full(4, 1e9)},
         "null"),
        ({"amount": np.array([1, -0.01, 2, 3])}, "out_of_range"),
        ({"amount": np.array([1, 100.5, 2, 3])}, "out_of_range"),
        ({"note": np.array([1, np.inf, 2, 3])}, "out_of_range"),
        ({"channel": np.array([0, 2, 1, -1])}, "out_of_range"),
        ({"event_time": 1e9 + np.array([0, 400, 2, 3]), "processing_time": 1e9 + np.arange(4.0)},
         "out_of_range"),
        ({"event_id": np.array([0, 0, 1, 2])}, "duplicate"),
        ({"event_time": 1e9 + np.array([0, -10.5, -10, 3.0]),
          "processing_time": 1e9 + np.arange(4.0)}, "late"),
    ],
)  # fmt: skip
def test_one_bad_event_dies_for_its_reason(columns: dict[str, Any], reason: str) -> None:
    batch = make(**columns)
    check = SchemaCheck(SCHEMA, 10.0)
    valid, dead = check.check(batch)
    assert reasons(dead) == [reason]
    assert dead["event_id"].tolist() == [batch["event_id"][1]]
    assert check.accepted.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(valid["event_id"], batch["event_id"][check.accepted])


def test_columns_that_are_missing_or_of_another_type_stop_everything() -> None:
    renamed = make().drop("amount").with_columns(amt=np.ones(4))
    check = SchemaCheck(SCHEMA, 10.0)
    valid, dead = check.check(renamed)
    assert (len(valid), set(reasons(dead))) == (0, {"missing_column"})
    assert check.unknown_columns == {"amt": 4}
    text = make(amount=np.array(["1", "2", "3", "4"]))
    assert set(reasons(check.check(text)[1])) == {"wrong_type"}
    assert check.watermark == -np.inf


def test_a_nullable_column_may_be_absent() -> None:
    valid, dead = SchemaCheck(SCHEMA, 10.0).check(make().drop("note", "channel"))
    assert len(dead) == 0
    assert np.isnan(valid["note"]).all()
    assert (valid["channel"] == -1).all()


def test_a_dead_event_may_be_sent_again_corrected() -> None:
    check = SchemaCheck(SCHEMA, 10.0)
    check.check(make(amount=np.array([1, np.nan, 2, 3])))
    again = make(1, event_id=np.array([1]), event_time=np.array([1e9 + 5]))
    assert len(check.check(again)[0]) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1.0, 600.0, 0.3 * DAY, 0.5 * DAY, DAY]),
            st.integers(0, 5).map(lambda i: i * 64),
            st.sampled_from([0.0, 0.0, 5.0, 10.0, 11.0]),
        ),
        max_size=30,
    ),
    st.integers(0, 30),
)
@settings(max_examples=100, deadline=None)
def test_duplicates_and_lateness_are_exact(rows: list[tuple[float, int, float]], cut: int) -> None:
    now = 1e9 + np.cumsum([row[0] for row in rows])
    batch = make(
        len(rows),
        event_id=np.array([row[1] for row in rows], dtype=np.int64),
        event_time=now - np.array([row[2] for row in rows]),
        processing_time=now,
    )
    seen: dict[int, float] = {}
    newest, expected = -np.inf, []
    for event, t, p in zip(batch["event_id"], batch["event_time"], now, strict=True):
        if p - seen.get(event, -np.inf) <= DAY:
            expected.append("duplicate")
            continue
        seen[event] = p
        expected.append("late" if t < newest - 10.0 else "valid")
        newest = max(newest, t)
    first, second, got = SchemaCheck(SCHEMA, 10.0), SchemaCheck(SCHEMA, 10.0), []
    for check, part in ((first, batch.slice(0, cut)), (second, batch.slice(cut, len(batch)))):
        if check is second:
            second.restore(first.snapshot())
        dead = iter(reasons(check.check(part)[1]))
        got += ["valid" if ok else next(dead) for ok in check.accepted]
    assert got == expected


def test_old_ids_are_forgotten() -> None:
    check, per_day = SchemaCheck(SCHEMA, 10.0), 30_000
    for day in range(6):
        times = 1e9 + day * DAY + np.arange(per_day) * 2.0
        ids = np.arange(per_day) + day * per_day
        batch = make(per_day, event_id=ids, event_time=times, processing_time=times)
        for start in range(0, per_day, 3000):
            assert not len(check.check(batch.slice(start, start + 3000))[1])
    assert len(check.snapshot()) < 16 * 3.5 * per_day


def test_a_foreign_snapshot_is_refused() -> None:
    with pytest.raises(ValueError, match="not a snapshot"):
        SchemaCheck(SCHEMA, 1.0).restore(b"nothing")
