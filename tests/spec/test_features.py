from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.spec.columns import feature_problems
from sandbox.spec.features import FeatureSpec
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "user_id": {"type": "key"},
            "amount": {"type": "number"},
            "channel": {"type": "category", "values": ["a", "b"]},
        },
    }
)


def feature(value: Any) -> FeatureSpec:
    return FeatureSpec.model_validate(value)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("amount", ("amount",)),
        ("weekend", ("weekend",)),
        ({"count": {"by": "user_id", "over": "1d"}}, ("user_id_count_1d",)),
        (
            {"share": {"of": "label", "by": "user_id", "over": ["1d", "7d"], "delay": "7d"}},
            ("user_id_share_label_1d_delay_7d", "user_id_share_label_7d_delay_7d"),
        ),
        ({"since_last": {"by": "user_id"}}, ("user_id_since_last",)),
        (
            {"ratio": {"of": "amount", "by": "user_id", "over": "30d"}},
            ("user_id_ratio_amount_30d",),
        ),
    ],
)
def test_names(value: Any, names: tuple[str, ...]) -> None:
    assert feature(value).names == names
    assert feature_problems([feature(value)], SCHEMA) == []
    assert feature(feature(value).model_dump()) == feature(value)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"mean": {"by": "user_id", "over": "1d"}}, "needs `of`"),
        ({"count": {"over": "1d"}}, "needs `by`"),
        ({"count": {"by": "user_id"}}, "needs `over`"),
        ({"count": {"by": "user_id", "over": "0d"}}, "a window > 0"),
        ({"count": {"by": "user_id", "over": ["1d", "24h"]}}, "listed twice"),
        ({"count": {"by": "user_id", "of": "amount", "over": "1d"}}, "takes no `of`"),
        ({"since_last": {"by": "user_id", "over": "1d"}}, "takes neither"),
        ({"since_last": {"by": "user_id", "delay": "1d"}}, "takes neither"),
        ({"ratio": {"of": "amount", "by": "user_id", "over": "1d", "delay": "1d"}}, "no `delay`"),
        ({"mean": {}, "sum": {}}, "one operation"),
        ({}, "one operation"),
        ({"median": {}}, "unknown operation"),
        ({"mean": "amount"}, "mean: {of: COLUMN"),
        ({"mean": {"operation": "sum"}}, "mean: {of: COLUMN"),
        (5, "a column"),
        ([], "a column"),
    ],
)
def test_rules(value: Any, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        feature(value)


@pytest.mark.parametrize(
    ("value", "field", "what"),
    [
        ("label", "of", "not known when the event happens"),
        ("user_id", "of", "a key is a name"),
        ("nothing", "of", "unknown column"),
        ({"count": {"by": "amount", "over": "1d"}}, "by", "a number cannot key"),
        ({"sum": {"of": "user_id", "by": "user_id", "over": "1d"}}, "of", "no meaning"),
        ({"share": {"of": "amount", "by": "user_id", "over": "1d"}}, "of", "no meaning"),
        ({"ratio": {"of": "label", "by": "user_id", "over": "1d"}}, "of", "not known"),
        ({"count": {"by": "user_id", "over": "500d"}}, "over", "too long"),
        ({"count": {"by": "user_id", "over": "1d", "delay": "500d"}}, "delay", "too long"),
    ],
)
def test_columns(value: Any, field: str, what: str) -> None:
    (problem,) = feature_problems([feature("amount"), feature(value)], SCHEMA)
    assert problem.place[:2] == (1, field)
    assert what in problem.what
