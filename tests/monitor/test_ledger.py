from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.monitor.ledger import CostLedger, Money, cost_of
from sandbox.spec.scenario import Cost, Costs

COSTS = Costs.model_validate(
    {"missed": "amount + 25 USD", "false_decline": "0.1 * amount + 8 USD", "review": "3 USD"}
)
EVENTS = st.lists(
    st.tuples(st.floats(0, 1000), st.booleans(), st.booleans(), st.booleans()), max_size=30
)


@given(EVENTS)
def test_agrees_with_a_plain_loop(events: list[tuple[float, bool, bool, bool]]) -> None:
    lost = refused = reviews = no_model = 0.0
    for amount, positive, blocked, worked in events:
        no_model += (amount + 25) if positive else 0
        lost += (amount + 25) if positive and not blocked and not worked else 0
        refused += (0.1 * amount + 8) if blocked and not positive else 0
        reviews += 3 if worked else 0
    table = np.array(events, dtype=float).reshape(-1, 4)
    ledger = CostLedger(COSTS)
    columns = Batch({"amount": table[:, 0]})
    missed, declined = cost_of(COSTS.missed, columns), cost_of(COSTS.false_decline, columns)
    money = ledger.add(3, missed, declined, table[:, 1] > 0, table[:, 2] > 0, table[:, 3] > 0)
    assert money.as_dict() == pytest.approx(
        {
            "missed": lost,
            "false_declines": refused,
            "reviews": reviews,
            "no_model": no_model,
            "total": lost + refused + reviews,
        }
    )
    assert ledger.totals == money


def test_days_add_up_in_order() -> None:
    ledger = CostLedger(COSTS)
    one, no = np.array([True]), np.array([False])
    for day, amount in ((2, 10.0), (1, 5.0), (2, 1.0)):
        ledger.add(day, np.array([amount + 25]), one, one, no, no)
    assert [(day, money.missed) for day, money in ledger.rows()] == [(1, 30.0), (2, 61.0)]
    assert ledger.totals == Money(missed=91.0, no_model=91.0)


def test_missing_amounts_cost_the_fixed_part_only() -> None:
    assert cost_of(COSTS.missed, Batch({"amount": [np.nan, 1.0]})).tolist() == [25.0, 26.0]


def test_an_unknown_column_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="'price'"):
        cost_of(Cost(per={"price": 1.0}), Batch({"amount": [1.0]}))
