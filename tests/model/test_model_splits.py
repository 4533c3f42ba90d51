from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model import plan_training
from sandbox.spec.design import Training

seconds = st.floats(1.0, 1e7)


@given(st.floats(-1e9, 1e9), seconds, seconds, seconds)
def test_slices_are_in_time_order_behind_the_gap(
    now: float, window: float, maturity: float, validation: float
) -> None:
    spec = Training(window=window, label_maturity=maturity, validation=validation)
    plan = plan_training(now, spec)
    assert plan.train_from <= plan.train_to <= plan.validation_to <= now
    assert plan.validation_to == now - maturity


def test_no_row_is_in_both_slices_or_in_the_gap() -> None:
    day = 86400.0
    plan = plan_training(50 * day, Training())
    time = np.arange(0, 60) * day
    past, later = plan.training_rows(time), plan.validation_rows(time)
    assert not np.any(past & later)
    assert past.sum() == 28 and later.sum() == 7
    assert time[later].min() > time[past].max()
    assert time[past | later].max() < 50 * day - 14 * day
