from __future__ import annotations

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.monitor.data_quality import dead_letter_shares, missing_shares
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "key": {"type": "key"},
            "amount": {"type": "number"},
            "channel": {"type": "category", "values": ["a", "b"]},
            "gone": {"type": "number"},
        },
    }
)


def test_missing_by_type() -> None:
    batch = Batch(
        {
            "key": np.array([1, -1, 3, 4]),
            "amount": [1.0, np.nan, np.nan, -2.0],
            "channel": np.array([0, 1, -1, -1], dtype=np.int8),
        }
    )
    assert missing_shares(batch, SCHEMA) == {
        "key": 0.25,
        "amount": 0.5,
        "channel": 0.5,
        "gone": 1.0,
    }


def test_no_rows_say_nothing() -> None:
    assert np.isnan(list(missing_shares(Batch({}), SCHEMA).values())).all()


def test_dead_letters() -> None:
    assert dead_letter_shares(0, [], ("null", "late")) == {"null": 0.0, "late": 0.0}
    assert dead_letter_shares(1, [0, 0, 1], ("null", "late")) == {"null": 0.5, "late": 0.25}


def test_an_unknown_reason_code_is_a_programming_error() -> None:
    with pytest.raises(ValueError):
        dead_letter_shares(1, [2], ("null", "late"))
