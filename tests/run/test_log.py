from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sandbox.run.log import _BASE, Columns, DecisionLog
from sandbox.task import BinaryTask


def rows_of(log: DecisionLog, times: list[float]) -> dict[str, NDArray[Any]]:
    n = len(times)
    columns: dict[str, NDArray[Any]] = {name: np.zeros(n) for name in _BASE}
    return columns | {"event_id": np.arange(n), "processing_time": np.array(times)}


@given(st.lists(st.integers(0, 900), max_size=6), st.integers(1, 50))
def test_columns_hold_what_was_appended_however_it_was_split(
    sizes: list[int], expected_rows: int
) -> None:
    columns = Columns({"a": np.int64, "b": np.float32}, expected_rows)
    whole = np.arange(sum(sizes))
    at = 0
    for size in sizes:
        part = whole[at : at + size]
        assert columns.append({"a": part, "b": part * 2}, size) == slice(at, at + size)
        at += size
    assert len(columns) == len(whole)
    np.testing.assert_array_equal(columns.column("a"), whole)
    np.testing.assert_array_equal(columns.column("b"), whole * 2)
    assert columns.column("b").dtype == np.float32


def test_a_column_can_be_written_and_a_view_cannot() -> None:
    columns = Columns({"a": np.int64}, 1)
    columns.append({"a": np.arange(3)}, 3)
    columns.column("a")[1] = 9
    assert columns.view(["a"], slice(0, 3))["a"].tolist() == [0, 9, 2]
    with pytest.raises(ValueError, match="read-only"):
        columns.view(["a"], slice(0, 3))["a"][0] = 1


def test_features_grow_with_the_log() -> None:
    log = DecisionLog({"event_id": np.int64}, width=2, expected_rows=10, task=BinaryTask())
    for start in range(0, 5000, 700):
        times = [float(t) for t in range(start, start + 700)]
        features = np.column_stack([times, times]).astype(np.float32)
        log.log(rows_of(log, times), features)
    assert log.features.shape == (len(log), 2)
    np.testing.assert_array_equal(log.features[:, 1], log.column("processing_time"))


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(0, 20), st.integers(0, 20))
def test_rows_between_includes_the_start_and_not_the_end(
    times: list[int], start: int, end: int
) -> None:
    log = DecisionLog({"event_id": np.int64}, width=1, expected_rows=1, task=BinaryTask())
    ordered = [float(t) for t in sorted(times)]
    log.log(rows_of(log, ordered), np.zeros((len(ordered), 1), np.float32))
    found = log.column("processing_time")[log.rows_between(start, end)].tolist()
    assert found == [t for t in ordered if start <= t < end]


def test_labels_are_known_once_they_have_come() -> None:
    log = DecisionLog({"event_id": np.int64}, width=1, expected_rows=1, task=BinaryTask())
    columns = rows_of(log, [0.0, 1.0, 2.0])
    columns |= {"label": np.array([1.0, 1.0, 0.0]), "label_time": np.array([5.0, np.inf, np.inf])}
    log.log(columns, np.zeros((3, 1), np.float32))
    every = slice(0, 3)
    assert log.known_label(every, 5.0, 0.0).tolist() == [1.0, 0.0, 0.0]
    assert log.known_label(every, 4.9, 0.0).tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(log.known_label(every, 5.0, None)).tolist() == [False, True, True]


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 50))
def test_a_log_that_forgot_holds_the_rest_and_grows_on(rows: int, gone: int, more: int) -> None:
    gone = min(gone, rows)
    log = DecisionLog({"event_id": np.int64}, 2, 16, task=BinaryTask())
    times = [float(t) for t in range(rows + more)]
    features = np.arange(2 * len(times), dtype=np.float32).reshape(-1, 2)
    log.log(rows_of(log, times[:rows]), features[:rows])
    log.forget(gone)
    later = rows_of(log, times[rows:])
    log.log(later, features[rows:])
    assert log.column("processing_time").tolist() == times[gone:]
    assert np.array_equal(log.features, features[gone:])
    assert log.column("event_id").tolist() == [*range(gone, rows), *range(more)]
