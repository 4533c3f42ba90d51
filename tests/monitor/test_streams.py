from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sandbox.monitor.streams import matured_labels

DAY = 86400.0


def test_every_event_enters_once_in_order_at_its_age(make_log: Any) -> None:
    log = make_log(0, 40)
    looks = [
        matured_labels(log, (day - 1) * DAY, day * DAY, maturity=7 * DAY, absence=0.0)
        for day in range(8, 38)
    ]
    time = log["event_time"]
    rows = (time > 0) & (time <= 30 * DAY)
    assert sum(map(len, looks)) == rows.sum()
    in_time = log["label_time"] - time <= 7 * DAY
    # Looked at once a day, a label may be up to a day older than the maturity.
    at_most = log["label_time"] - time <= 8 * DAY
    positives = sum(v.sum() for v in looks)
    assert (log["label"] * in_time)[rows].sum() <= positives
    assert positives <= (log["label"] * at_most)[rows].sum()


def test_hidden_and_meaningless_rows_are_left_out(make_log: Any) -> None:
    log = make_log(1, 30, hide=0.5)
    args = {"maturity": 5 * DAY}
    some = matured_labels(log, 10 * DAY, 20 * DAY, absence=0.0, **args)
    inside = (log["event_time"] > 5 * DAY) & (log["event_time"] <= 15 * DAY)
    assert len(some) == (inside & ~log["hidden"]).sum() < inside.sum()
    known = matured_labels(log, 10 * DAY, 20 * DAY, absence=None, **args)
    assert set(known.tolist()) == {1.0}


def test_late_rows_come_in_event_order(make_log: Any) -> None:
    log = make_log(2, 20)
    late = log.with_columns(
        processing_time=log["event_time"] + np.random.default_rng(0).random(len(log)) * 3600,
        label_time=log["event_time"],
        label=log["event_time"],
    ).sort("processing_time")
    times = matured_labels(late, 10 * DAY, 11 * DAY, maturity=3 * DAY, absence=None)
    assert times.tolist() == sorted(times.tolist())
    assert times[0] == pytest.approx(7 * DAY, abs=600)
