from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.spec.scenario import EventSchema
from sandbox.world.filters import RowFilter

SCHEMA = EventSchema.model_validate({
    "id": "event_id",
    "columns": {
        "key": {"type": "key"},
        "amount": {"type": "number"},
        "channel": {"type": "category", "values": ["shop", "online"]},
    },
})  # fmt: skip
ROWS = Batch({
    "key": [1, 2, 3, 4],
    "amount": [5.0, 50.0, 500.0, np.nan],
    "channel": [0, 1, 1, -1],
})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        (None, [1, 1, 1, 1]),
        ("channel == online", [0, 1, 1, 0]),
        ("channel != 'online'", [1, 0, 0, 1]),
        ("amount > 50", [0, 0, 1, 0]),
        ("amount >= 50", [0, 1, 1, 0]),
        ("amount < 50.0", [1, 0, 0, 0]),
        ("amount <= 50", [1, 1, 0, 0]),
        ("key==3", [0, 0, 1, 0]),
        ("channel == online and amount > 100", [0, 0, 1, 0]),
        ("key > 1 and key < 4 and amount != 50", [0, 0, 1, 0]),
    ],
)
def test_conditions_pick_rows(text: str | None, picked: list[int]) -> None:
    assert RowFilter.parse(text, SCHEMA, "w").mask(ROWS).tolist() == [bool(p) for p in picked]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "w: unreadable condition; got ''"),
        ("channel", "w: unreadable condition; got 'channel'"),
        ("channel = online", "w: unreadable condition"),
        ("amount > 5 or amount < 2", "w: unreadable condition"),
        ("amount > 5 and", "w: unreadable condition"),
        ("__import__('os')", "w: unreadable condition"),
        ("chanel == online", "w: unknown column; got 'chanel', expected one of key, amount, "
         "channel. Did you mean channel?"),
        ("channel == onlin", "w: unknown category; got 'onlin', expected one of shop, online. "
         "Did you mean online?"),
        ("channel < online", "w: categories have no order; got '<', expected == or !=."),
        ("amount > lots", "w: no number; got 'lots', expected a plain number in the column's "
         "unit."),
    ],
)  # fmt: skip
def test_unreadable_conditions_say_why(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        RowFilter.parse(text, SCHEMA, "w")
    assert caught.value.line().startswith(message)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_a_users_mistake(text: str) -> None:
    try:
        mask = RowFilter.parse(text, SCHEMA, "w").mask(ROWS)
    except UsageError as error:
        assert "\n" not in error.line()
    else:
        assert mask.shape == (4,)
