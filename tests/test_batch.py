from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.batch import Batch

numbers = st.lists(st.integers(-50, 50), max_size=30)


@pytest.fixture
def batch() -> Batch:
    return Batch({"time": [3.0, 1.0, 2.0], "id": np.array([30, 10, 20])})


def test_columns_of_one_length(batch: Batch) -> None:
    assert (len(batch), batch.names) == (3, ("time", "id"))
    assert "id" in batch
    assert "amount" not in batch
    assert repr(batch) == "Batch(3 rows: time, id)"


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="column 'b' has 1 rows, others 2"):
        Batch({"a": [1, 2], "b": [1]})


def test_a_scalar_is_no_column() -> None:
    with pytest.raises(ValueError, match="'a' has no length"):
        Batch({"a": 5})


def test_columns_are_read_only_and_the_input_is_not() -> None:
    source = np.arange(3.0)
    batch = Batch({"a": source})
    with pytest.raises(ValueError, match="read-only"):
        batch["a"][0] = 9.0
    source[0] = 7.0
    assert batch["a"][0] == 7.0  # a view, not a copy


def test_no_columns_is_no_rows() -> None:
    assert len(Batch({})) == 0
    assert Batch({}).names == ()


def test_rows_that_were_picked_are_read_only_too(batch: Batch) -> None:
    picked = batch.take(np.array([True, False, True]))
    assert picked["id"].tolist() == [30, 20] and len(picked) == 2
    for part in (picked, batch.take(np.array([2])), batch.slice(0, 2), batch.select(["id"])):
        with pytest.raises(ValueError, match="read-only"):
            part["id"][0] = 1
    with pytest.raises(IndexError):
        batch.take(np.array([True, False]))
    assert len(batch.drop("time", "id")) == 0


def test_select_drop_with_columns(batch: Batch) -> None:
    assert batch.select(["id"]).names == ("id",)
    assert batch.select(["id", "time"]).names == ("id", "time")
    assert batch.drop("id", "nothing").names == ("time",)
    more = batch.with_columns(id=[1, 2, 3], x=[0, 0, 0])
    assert more.names == ("time", "id", "x")
    assert more["id"].tolist() == [1, 2, 3]
    assert batch["id"].tolist() == [30, 10, 20]
    with pytest.raises(ValueError, match="rows"):
        batch.with_columns(x=[1])


def test_rows(batch: Batch) -> None:
    assert batch.take(np.array([2, 0]))["id"].tolist() == [20, 30]
    assert batch.take(batch["time"] > 1.5)["id"].tolist() == [30, 20]
    assert batch.slice(1, 3)["id"].tolist() == [10, 20]
    assert np.shares_memory(batch.slice(1, 3)["id"], batch["id"])


def test_two_dimensional_columns() -> None:
    batch = Batch({"features": np.arange(6.0).reshape(3, 2), "id": [1, 2, 3]})
    assert batch.take(np.array([2]))["features"].tolist() == [[4.0, 5.0]]


@given(numbers)
def test_sort_is_stable(keys: list[int]) -> None:
    batch = Batch({"key": keys, "row": np.arange(len(keys))}).sort("key")
    expected = sorted(range(len(keys)), key=lambda row: keys[row])
    assert batch["row"].tolist() == expected


@given(st.lists(numbers, max_size=5))
def test_concat_stacks_in_order(parts: list[list[int]]) -> None:
    batches = [Batch({"a": np.array(part, dtype=np.int64)}) for part in parts]
    whole = Batch.concat(batches)
    assert len(whole) == sum(map(len, parts))
    if parts:
        assert whole["a"].tolist() == [value for part in parts for value in part]


def test_concat_skips_batches_without_columns(batch: Batch) -> None:
    assert Batch.concat([Batch({}), batch])["id"].tolist() == [30, 10, 20]
    assert Batch.concat([]).names == ()


def test_concat_loses_no_column(batch: Batch) -> None:
    with pytest.raises(ValueError, match="columns"):
        Batch.concat([batch.drop("id"), batch])
    with pytest.raises(ValueError, match="columns"):
        Batch.concat([batch, batch.drop("id")])


def test_pickles(batch: Batch) -> None:
    again = pickle.loads(pickle.dumps(batch))
    assert again["id"].tolist() == [30, 10, 20]
