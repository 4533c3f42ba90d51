from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sandbox.run.feedback import LabelFeed
from sandbox.run.log import _BASE, DecisionLog
from sandbox.run.setup import Prepared
from sandbox.run.traffic import BLOCK

Ready = Callable[..., Prepared]


@pytest.fixture(scope="module")
def prepared(ready: Ready) -> Prepared:
    return ready()


def empty_log(prepared: Prepared) -> DecisionLog:
    extra = {"parcel_id": np.int64, "shop_id": np.int64, "route_id": np.int64}
    return DecisionLog(extra, width=1, expected_rows=1, task=prepared.task)


def append(log: DecisionLog, prepared: Prepared, since: list[float], known: list[float]) -> slice:
    """Log events at `since` whose labels are `known` [s since day 0]."""
    n, start = len(since), prepared.scenario.start_time
    columns: dict[str, NDArray[Any]] = {name: np.zeros(n) for name in _BASE}
    columns |= {name: np.zeros(n) for name in ("shop_id", "route_id")}
    columns["parcel_id"] = np.arange(len(log), len(log) + n)
    columns["event_time"] = columns["processing_time"] = start + np.array(since)
    columns["label_time"] = start + np.array(known)
    return log.log(columns, np.zeros((n, 1), np.float32))


Delays = st.lists(
    st.lists(st.floats(0.0, 4.0) | st.just(np.inf), max_size=6), min_size=1, max_size=5
)


@given(Delays)
def test_every_label_comes_once_in_order_and_in_its_block(
    prepared: Prepared, delays: list[list[float]]
) -> None:
    log = empty_log(prepared)
    feed, start = LabelFeed(prepared, log), prepared.scenario.start_time
    met: list[int] = []
    for index in range(len(delays) + 6):
        due = feed.due(index * BLOCK)
        if due is not None:
            known = (due["label_time"] - start) / BLOCK
            assert (np.diff(known) >= 0).all()
            assert (known < index + 1).all()
            # One that became known in the block of its own event is a block late, no more.
            assert (known >= index - 1).all()
            met += due["parcel_id"].tolist()
        if index < len(delays):
            at = [(index + 0.5) * BLOCK] * len(delays[index])
            known_at = [at[0] + delay * BLOCK for delay in delays[index]]
            feed.expect(append(log, prepared, at, known_at))
    expected = np.flatnonzero(np.isfinite(log.column("label_time"))).tolist()
    assert sorted(met) == expected
    assert log.column("fed").sum() == len(expected)


def test_a_verdict_comes_before_the_label_and_instead_of_it(prepared: Prepared) -> None:
    log = empty_log(prepared)
    feed = LabelFeed(prepared, log)
    feed.due(0.0)
    feed.expect(append(log, prepared, [1.0, 2.0], [5 * BLOCK, np.inf]))
    feed.due(BLOCK)
    log.column("label_time")[:] = prepared.scenario.start_time + 2.5 * BLOCK
    feed.expect(np.arange(2))
    found = [feed.due(index * BLOCK) for index in range(2, 8)]
    met = [[] if labels is None else labels["parcel_id"].tolist() for labels in found]
    assert met == [[0, 1], [], [], [], [], []]


def test_a_verdict_after_the_label_changes_nothing(prepared: Prepared) -> None:
    log = empty_log(prepared)
    feed = LabelFeed(prepared, log)
    feed.due(0.0)
    feed.expect(append(log, prepared, [1.0], [1.5 * BLOCK]))
    first = feed.due(BLOCK)
    feed.expect(np.array([0]))
    assert first is not None and len(first) == 1
    again = feed.due(2 * BLOCK)
    assert again is None or len(again) == 0


def test_without_label_features_nothing_is_delivered(ready: Ready) -> None:
    prepared = ready("features=[weight_kg, distance_km]", "monitoring.alerts=[]")
    log = empty_log(prepared)
    feed = LabelFeed(prepared, log)
    feed.due(0.0)
    feed.expect(append(log, prepared, [1.0], [1.5 * BLOCK]))
    assert feed.due(BLOCK) is None
