from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from sandbox.batch import Batch
from sandbox.spec.scenario import EventSchema
from sandbox.world import Spec, World, check_events

SCHEMA = EventSchema.model_validate({
    "id": "event_id",
    "columns": {
        "key": {"type": "key"},
        "amount": {"type": "number", "min": 0, "max": 10},
        "gap": {"type": "number", "nullable": True},
        "channel": {"type": "category", "values": ["shop", "online"]},
    },
})  # fmt: skip
TIMES = np.array([1.0, 2.0])
GOOD: dict[str, ArrayLike] = {
    "event_id": [1, 2], "event_time": TIMES, "key": [7, 7], "amount": [0.0, 10.0],
    "gap": [1.0, np.nan], "channel": np.array([0, 1], dtype=np.int8), "label": [0.0, 1.0],
    "mechanism": np.array([0, 1], dtype=np.int8),
}  # fmt: skip


class TwoWays(World):
    mechanisms = ("ordinary", "other")

    def __init__(self, params: Spec, rng: np.random.Generator) -> None: ...

    def events(self, event_time: Any, knobs: Mapping[str, Any], rng: np.random.Generator) -> Batch:
        return Batch({})


def test_good_events_conform() -> None:
    assert check_events(Batch(GOOD), TIMES, SCHEMA, TwoWays) == ()


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("event_id", [1, 1], "event_id repeats"),
        ("event_time", [1.0, 2.5], "event_time differs from the arrival times"),
        ("amount", [-1.0, 1.0], "amount goes down to -1, the schema allows 0"),
        ("amount", [1.0, 11.0], "amount goes up to 11, the schema allows 10"),
        ("amount", [1.0, np.nan], "amount is missing in places, and the schema says it never is"),
        ("amount", [1, 2], "amount has type int64, expected float64"),
        ("key", [1.0, 2.0], "key has type float64, expected an integer"),
        ("channel", [0, 2], "channel goes up to 2, the schema allows 1"),
        ("label", [0.0, np.nan], "label is not finite"),
        ("mechanism", [0, 2], "mechanism is not an index into World.mechanisms"),
        ("surprise", [0, 2], "columns that the schema does not know: surprise"),
    ],
)
def test_each_defect_is_named(column: str, values: list[float], problem: str) -> None:
    assert check_events(Batch({**GOOD, column: values}), TIMES, SCHEMA, TwoWays) == (problem,)


def test_missing_columns_are_listed() -> None:
    problems = check_events(Batch(GOOD).drop("label", "key"), TIMES, SCHEMA, TwoWays)
    assert problems == ("missing columns: key, label",)
