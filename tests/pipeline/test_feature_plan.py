"""Plans: columns, stages, and the problems a user is told about."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.pipeline.features.online import FeatureStore
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.features import FeatureSpec
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "customer_id": {"type": "key"},
            "terminal_id": {"type": "key"},
            "amount": {"type": "number"},
            "channel": {"type": "category", "values": ["card", "online"]},
        },
    }
)


def spec(item: Any) -> FeatureSpec:
    return FeatureSpec.model_validate(item)


@pytest.mark.parametrize(
    ("item", "field", "what", "hint"),
    [
        ("amuont", "of", "unknown column", "Did you mean amount?"),
        ("customer_id", "of", "a key is a name", "Use it with by"),
        ("label", "of", "not known when the event happens", "share: {of: label"),
        ({"count": {"by": "custmer_id", "over": "1d"}}, "by", "unknown column",
         "Did you mean customer_id?"),
        ({"count": {"by": "amount", "over": "1d"}}, "by", "number cannot key", "type key"),
        ({"mean": {"of": "channel", "by": "customer_id", "over": "1d"}}, "of", "mean of a category",
         "type number"),
        ({"mean": {"of": "ammount", "by": "customer_id", "over": "1d"}}, "of", "unknown column",
         "Did you mean amount?"),
        ({"ratio": {"of": "label", "by": "customer_id", "over": "1d"}}, "of", "not known", ""),
        ({"count": {"by": "customer_id", "over": "401d"}}, "over", "window too long", ""),
        ({"count": {"by": "customer_id", "over": "1d", "delay": "900d"}}, "delay", "too long", ""),
    ],
)  # fmt: skip
def test_problems_name_the_place_and_the_next_step(
    item: Any, field: str, what: str, hint: str
) -> None:
    problems = FeaturePlan.check([spec("amount"), spec(item)], SCHEMA)
    assert [(p.index, p.field) for p in problems] == [(1, field)]
    assert what in problems[0].what
    assert hint in problems[0].hint
    assert problems[0].expected
    with pytest.raises(ValueError, match="do not fit"):
        FeaturePlan.compile([spec(item)], SCHEMA)


def test_the_ingest_key_is_checked_too() -> None:
    problems = FeaturePlan.check([spec("amount")], SCHEMA, "terminal")
    assert [(p.index, p.field, p.got) for p in problems] == [(-1, "key", "terminal")]


def test_names_keep_declared_order_and_the_ingest_stage_comes_first() -> None:
    plan = FeaturePlan.compile(
        [
            spec({"count": {"by": "terminal_id", "over": ["1d", "7d"], "delay": "7d"}}),
            spec("amount"),
            spec({"share": {"of": "label", "by": "terminal_id", "over": "1d", "delay": "7d"}}),
            spec({"mean": {"of": "amount", "by": "customer_id", "over": "1d"}}),
        ],
        SCHEMA,
        "customer_id",
    )
    assert plan.names == (
        "terminal_id_count_1d_delay_7d", "terminal_id_count_7d_delay_7d", "amount",
        "terminal_id_share_label_1d_delay_7d", "customer_id_mean_amount_1d",
    )  # fmt: skip
    assert plan.stages == ("customer_id", "terminal_id")
    terminal = plan.stage("terminal_id")
    assert terminal.positions.tolist() == [0, 1, 3]
    assert len(terminal.windows) == 2  # count and share of one span use one window
    with pytest.raises(ValueError, match="no stage"):
        plan.stage("amount")


def test_ingest_key_without_features_is_a_stage_all_the_same() -> None:
    plan = FeaturePlan.compile([spec("amount")], SCHEMA, "customer_id")
    assert plan.stages == ("customer_id",)
    batch = Batch(
        {"event_id": [1], "customer_id": [4], "amount": [2.5], "event_time": [0.0],
         "processing_time": [0.0]}
    )  # fmt: skip
    assert FeatureStore(plan).update(batch).tolist() == [[2.5]]


def test_calendar_and_raw_columns() -> None:
    names = ["hour_of_day", "day_of_week", "weekend", "night", "amount", "channel"]
    plan = FeaturePlan.compile([spec(name) for name in names], SCHEMA)
    sunday = 1_767_484_800.0  # 2026-01-04 00:00 UTC
    times = sunday + np.array([6.5, 7.0, 24 + 12.0]) * 3600
    batch = Batch(
        {"event_id": [1, 2, 3], "amount": [1.0, np.nan, 3.0], "channel": [-1, 0, 1],
         "event_time": times, "processing_time": times}
    )  # fmt: skip
    np.testing.assert_array_equal(
        FeatureStore(plan).update(batch),
        np.array(
            [
                [6.5, 6, 1, 1, 1.0, np.nan],
                [7.0, 6, 1, 0, np.nan, 0],
                [12.0, 0, 0, 0, 3.0, 1],
            ]
        ),
    )


def test_checking_a_plan_does_not_load_the_compiler() -> None:
    code = (
        "import sys, sandbox.pipeline.features.plan; sys.exit('numba' in sys.modules or "
        "'sandbox.pipeline.compiled' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
