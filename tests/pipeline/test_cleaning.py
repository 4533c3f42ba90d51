"""Cleaning and quotients: by hand, and the same to the bit wherever features are computed."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.live.worker.intake import Piece
from sandbox.live.worker.states import PartitionState
from sandbox.pipeline.features.cleaning import Cleaner
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.online import FeatureStore
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.features.rows import fill_quotients, fill_row_features
from sandbox.pipeline.pipeline import Pipeline
from sandbox.spec.cleaning import CleanStep
from sandbox.spec.design import Design
from sandbox.spec.features import FeatureSpec
from sandbox.spec.scenario import EventSchema

START, LATENESS = 1_700_000_000.0, 40.0
NAN = math.nan
SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "user": {"type": "key"},
            "place": {"type": "key", "nullable": True},
            "area": {"type": "number", "nullable": True, "decimals": 1},
            "built": {"type": "number", "decimals": 0, "nullable": True},
            "kind": {
                "type": "category", "values": ["flat", "apartment", "house"], "nullable": True,
            },
        },
    }
)  # fmt: skip
CLEAN = [
    {"scale": {"of": "area", "above": 1000, "by": 0.1}},
    {"blank": {"of": "area", "below": 10, "above": 500}},
    {"merge": {"of": "kind", "as": {"apartment": "flat"}}},
    {"blank": {"of": "built", "below": 1700}},
    {"fill": {"of": "built", "with": 1950}},
    {"fill": {"of": "kind", "with": "house"}},
]
DECLARED = [
    "area",
    "built",
    "kind",
    {"sum": {"of": "area", "by": "user", "over": ["5s", "60s"]}},
    {"mean": {"of": "area", "by": "place", "over": "60s"}},
    {"mean": {"of": "label", "by": "place", "over": "4min"}},
    {"ratio": {"of": "built", "by": "user", "over": "60s"}},
    {"quotient": {"of": "place_mean_label_4min", "to": "place_mean_area_1min"}},
    {"quotient": {"of": "area", "to": "user_sum_area_1min"}},
]
FEATURES = [FeatureSpec.model_validate(item) for item in DECLARED]


def steps(*items: object) -> list[CleanStep]:
    return [CleanStep.model_validate(item) for item in items]


def cleaned(column: str, values: list[float], *items: object, dtype: Any = float) -> list[float]:
    batch = Batch({column: np.array(values, dtype=dtype)})
    after = Cleaner.compile(steps(*items), SCHEMA).clean(batch)[column]
    assert after.dtype == dtype
    return [round(float(v), 9) for v in after]


def same(left: object, right: object) -> bool:
    return bool(np.array_equal(np.asarray(left), np.asarray(right), equal_nan=True))


def test_scale_takes_what_is_beyond_a_bound() -> None:
    values = [5.0, 250.0, 250.1, -3.0, NAN]
    below = {"scale": {"of": "area", "below": 250, "by": 10}}
    above = {"scale": {"of": "area", "above": 250, "by": 0.1}}
    both = {"scale": {"of": "area", "below": 0, "above": 250, "by": 2}}
    assert same(cleaned("area", values, below), [50, 250, 250.1, -30, NAN])
    assert same(cleaned("area", values, above), [5, 250, 25.01, -3, NAN])
    assert same(cleaned("area", values, both), [5, 250, 500.2, -6, NAN])


def test_blank_takes_what_is_beyond_a_bound() -> None:
    values = [1700.0, 1699.9, 2100.0, 2101.0, NAN, math.inf]
    both = {"blank": {"of": "built", "below": 1700, "above": 2100}}
    assert same(cleaned("built", values, both), [1700, NAN, 2100, NAN, NAN, NAN])
    zero = {"blank": {"of": "built", "below": 0}}
    assert same(cleaned("built", [0.0, -1.0], zero), [0, NAN])
    # A bound of 0 is one, though it is false.
    assert same(cleaned("built", [0.0, 1.0], {"blank": {"of": "built", "above": 0}}), [0, NAN])


def test_merge_renames_and_missing_stays_missing() -> None:
    one = {"merge": {"of": "kind", "as": {"apartment": "flat"}}}
    turned = {"merge": {"of": "kind", "as": {"apartment": "flat", "flat": "house"}}}
    codes = [0, 1, 2, -1, 1]
    assert cleaned("kind", codes, one, dtype=np.int8) == [0, 0, 2, -1, 0]
    # Names of one step are looked up all at once: an apartment does not become a house.
    assert cleaned("kind", codes, turned, dtype=np.int8) == [2, 0, 2, -1, 0]


def test_fill_puts_a_number_or_a_category() -> None:
    number = {"fill": {"of": "area", "with": 4}}
    assert cleaned("area", [NAN, 0.0, 7.0], number) == [4, 0, 7]
    assert cleaned("area", [NAN, 1.0], {"fill": {"of": "area", "with": 0}}) == [0, 1]
    kind = {"fill": {"of": "kind", "with": "house"}}
    assert cleaned("kind", [-1, 0, 1], kind, dtype=np.int8) == [2, 0, 1]


def test_steps_are_done_in_order() -> None:
    scale = {"scale": {"of": "area", "below": 250, "by": 10}}
    blank = {"blank": {"of": "area", "below": 100}}
    fill = {"fill": {"of": "area", "with": 20}}
    values = [5.0, 20.0, 400.0]
    assert same(cleaned("area", values, scale, blank), [NAN, 200, 400])
    assert same(cleaned("area", values, blank, scale), [NAN, NAN, 400])
    assert cleaned("area", values, blank, fill, scale) == [200, 200, 400]
    assert cleaned("area", values, blank, scale, fill) == [20, 20, 400]


def test_what_came_stays_as_it_was() -> None:
    cleaner = Cleaner.compile(steps(*CLEAN), SCHEMA)
    batch = dirty(DIRTY)
    before = {name: batch[name].copy() for name in batch.names}
    after = cleaner.clean(batch)
    assert after.names == batch.names and len(after) == len(batch)
    for name, values in before.items():
        np.testing.assert_array_equal(batch[name], values)
    assert not same(after["area"], batch["area"]) and not same(after["kind"], batch["kind"])
    # Of what is not there, nothing is cleaned.
    part = batch.select(["event_id", "kind"])
    assert cleaner.clean(part).names == ("event_id", "kind")
    assert len(cleaner.clean(batch.slice(0, 0))) == 0


Row = tuple[float, int, int, float, float, int, float]
EVENT = st.tuples(
    st.sampled_from([0.0, 0.7, 3.0, 30.0]),  # since the event before
    st.sampled_from([0, 0, 1]),  # user
    st.sampled_from([0, 3, 3, -1]),  # place; -1 is unknown
    st.sampled_from([NAN, 80.0, 5.0, 900.5, 4000.0, 0.0, -0.5, 0.1]),  # area
    st.sampled_from([NAN, 1900.0, 12.0, 2020.0]),  # built
    st.sampled_from([-1, 0, 1, 2]),  # kind
    st.sampled_from([NAN, 0.0, 250_000.0, 81_234.5]),  # label, known after 10 s
)
DIRTY: list[Row] = [
    (1.0, 0, 3, 80.0, 1900.0, 1, 250_000.0), (1.0, 0, 3, 4000.0, 12.0, 0, 300_000.0),
    (20.0, 0, 3, 5.0, NAN, -1, NAN), (1.0, 1, -1, NAN, 2020.0, 2, 1.0),
    (5.0, 0, 3, 90.0, 1999.0, 1, 2.0),
]  # fmt: skip


def dirty(rows: list[Row]) -> Batch:
    times = START + np.cumsum([row[0] for row in rows])
    return Batch(
        {
            "event_id": np.arange(len(rows)), "event_time": times, "processing_time": times,
            "user": np.array([row[1] for row in rows], dtype=np.int64),
            "place": np.array([row[2] for row in rows], dtype=np.int64),
            "area": np.array([row[3] for row in rows]),
            "built": np.array([row[4] for row in rows]),
            "kind": np.array([row[5] for row in rows], dtype=np.int8),
        }
    )  # fmt: skip


def labels_of(rows: list[Row]) -> Batch:
    events, label = dirty(rows), np.array([row[6] for row in rows])
    known = events.select(["event_id", "event_time", "user", "place"]).take(~np.isnan(label))
    return known.with_columns(label=label[~np.isnan(label)], label_time=known["event_time"] + 10.0)


def a_plan(clean: list[object] | None = None, features: Any = FEATURES) -> FeaturePlan:
    declared = steps(*(CLEAN if clean is None else clean))
    return FeaturePlan.compile(features, SCHEMA, "user", allowed_lateness=LATENESS, clean=declared)


PLAN = a_plan()


def folded(plan: FeaturePlan, rows: list[Row], cut: int) -> np.ndarray:
    """As a pipeline computes them, in two batches."""
    events, labels, store = dirty(rows), labels_of(rows), FeatureStore(plan)
    first = store.update(events.slice(0, cut), labels)
    return np.concatenate([first, store.update(events.slice(cut, len(events)))])


def passed_on(plan: FeaturePlan, rows: list[Row], cut: int) -> np.ndarray:
    """As live workers compute them: stage by stage, and at last what needs no state."""
    events, parts = dirty(rows), []
    states = [PartitionState(SCHEMA, plan, key, LATENESS) for key in plan.stages]
    for state in states:
        state.fold(Piece("labels", labels_of(rows)))
    for start, stop in pairwise([0, cut, len(events)]):
        batch = events.slice(start, stop)
        batch = batch.with_columns(sent=batch["event_time"])
        for state in states:
            done = state.fold(Piece("events", batch))
            assert done is not None and not len(done.dead)
            batch = done.events
        for name in ("area", "built", "kind"):
            assert same(batch[name], events.slice(start, stop)[name])
        features = np.array(batch["features"], dtype=np.float32)
        fill_row_features(plan, plan.cleaner.clean(batch), features)
        fill_quotients(plan, features)
        parts.append(features)
    return np.concatenate(parts)


def bits(matrix: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(matrix), np.float32(np.nan), matrix).view(np.int32)


@settings(max_examples=40, deadline=None)
@given(st.lists(EVENT, min_size=1, max_size=20), st.integers(0, 20))
def test_serving_training_and_live_workers_give_the_same_bits(rows: list[Row], cut: int) -> None:
    cut = min(cut, len(rows))
    at_once = compute_history(PLAN, dirty(rows), labels_of(rows))
    for way in (folded, passed_on):
        np.testing.assert_array_equal(bits(way(PLAN, rows, cut)), bits(at_once))
    # Cleaning first and computing then is what all of that comes to.
    bare = a_plan(clean=[])
    by_hand = compute_history(bare, PLAN.cleaner.clean(dirty(rows)), labels_of(rows))
    np.testing.assert_array_equal(bits(at_once), bits(by_hand))


def test_windows_see_what_was_cleaned() -> None:
    rows = DIRTY
    matrix = compute_history(PLAN, dirty(rows), labels_of(rows))
    column = {name: matrix[:, place].tolist() for place, name in enumerate(PLAN.names)}
    assert same(column["area"], [80, 400, NAN, NAN, 90])
    assert column["built"] == [1900, 1950, 1950, 2020, 1999]
    assert column["kind"] == [0, 0, 2, 2, 0]
    assert column["user_sum_area_1min"] == [80, 480, 480, 0, 570]
    assert same(column["place_mean_area_1min"], [80, 240, 240, NAN, 190])
    label = column["place_mean_label_4min"]
    assert same(label, [NAN, NAN, 275_000, NAN, 275_000])
    per_area = np.array([NAN, NAN, 275_000 / 240, NAN, 275_000 / 190], dtype=np.float32)
    assert same(column["place_mean_label_4min_per_place_mean_area_1min"], per_area)
    assert not same(matrix, compute_history(a_plan(clean=[]), dirty(rows), labels_of(rows)))


def test_a_quotient_over_nothing_is_missing() -> None:
    declared = ["area", "built", {"quotient": {"of": "area", "to": "built"}}]
    plan = a_plan([], [FeatureSpec.model_validate(item) for item in declared])
    rows: list[Row] = [
        (1.0, 0, 0, above, below, 0, NAN)
        for above, below in ((6.0, 4.0), (6.0, 0.0), (0.0, 0.0), (NAN, 2.0), (3.0, NAN), (0.0, 2.0))
    ]
    matrix = compute_history(plan, dirty(rows))
    assert plan.names[-1] == "area_per_built"
    assert same(matrix[:, 2], [1.5, NAN, NAN, NAN, NAN, 0.0])
    np.testing.assert_array_equal(bits(folded(plan, rows, 2)), bits(matrix))


BEFORE = "53253dd552b10412b3e209e07b288b3f23ec3e0a86f7466cad409da0e50f45b1"
"""Fingerprint of `OLD` when there was neither cleaning nor a quotient: snapshots carry it."""
OLD_SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "user": {"type": "key"},
            "area": {"type": "number", "nullable": True, "decimals": 1},
            "built": {"type": "number", "decimals": 0, "nullable": True},
            "kind": {
                "type": "category", "values": ["flat", "apartment", "house"], "nullable": True,
            },
            "note": {"type": "text", "nullable": True, "max_bytes": 8},
        },
    }
)  # fmt: skip
OLD = [
    FeatureSpec.model_validate(item)
    for item in (
        "area", "kind", "hour_of_day",
        {"mean": {"of": "area", "by": "user", "over": ["60s", "1h"]}},
        {"mean": {"of": "label", "by": "user", "over": "1h", "delay": "5s"}},
        {"length": {"of": "note"}}, {"hashed": {"of": "note", "into": 4}},
    )
]  # fmt: skip


def test_states_of_before_are_still_read() -> None:
    assert FeaturePlan.compile(OLD, OLD_SCHEMA, "user", allowed_lateness=40.0).fingerprint == BEFORE


def test_a_fingerprint_tells_what_changes_results() -> None:
    quotient = FeatureSpec.model_validate({"quotient": {"of": "area", "to": "hour_of_day"}})
    turned = FeatureSpec.model_validate({"quotient": {"of": "hour_of_day", "to": "area"}})
    fill = {"fill": {"of": "area", "with": 4}}
    scale = {"scale": {"of": "area", "below": 250, "by": 10}}
    cases: list[tuple[list[FeatureSpec], list[object]]] = [
        (OLD, []), ([*OLD, quotient], []), ([*OLD, turned], []), (OLD, [fill]), (OLD, [scale]),
        (OLD, [{"fill": {"of": "area", "with": 5}}]), (OLD, [fill, scale]), (OLD, [scale, fill]),
        (OLD, [{"scale": {"of": "area", "above": 250, "by": 10}}]),
        (OLD, [{"merge": {"of": "kind", "as": {"apartment": "flat"}}}]),
        (OLD, [{"merge": {"of": "kind", "as": {"flat": "apartment"}}}]),
    ]  # fmt: skip
    found = {
        FeaturePlan.compile(
            features, OLD_SCHEMA, "user", allowed_lateness=40.0, clean=steps(*clean)
        ).fingerprint
        for features, clean in cases
    }
    assert len(found) == len(cases)


def test_a_state_of_other_cleaning_is_not_taken_over() -> None:
    snapshot = FeatureStore(PLAN).snapshot()
    FeatureStore(a_plan()).restore(snapshot)
    with pytest.raises(ValueError, match="another plan"):
        FeatureStore(a_plan(clean=CLEAN[1:])).restore(snapshot)


def test_what_is_decided_on_is_logged_as_it_came() -> None:
    design = Design.model_validate(
        {
            "ingest": {"key": "user"}, "clean": CLEAN, "features": DECLARED,
            "pipeline": {"allowed_lateness": f"{LATENESS:.0f}s"},
        }
    )  # fmt: skip
    batch = dirty(DIRTY)
    done = Pipeline(SCHEMA, design).process(batch, labels_of(DIRTY))
    assert not len(done.dead)
    for name in ("area", "built", "kind"):
        np.testing.assert_array_equal(done.events[name], batch[name])
    np.testing.assert_array_equal(
        bits(done.features), bits(compute_history(PLAN, batch, labels_of(DIRTY)))
    )
