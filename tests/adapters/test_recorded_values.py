from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.adapters.recorded_values import (
    FINE,
    NULL,
    OUT_OF_RANGE,
    WRONG_TYPE,
    categories,
    keys,
    numbers,
    times,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("column", "values", "reasons"),
    [
        (pa.array([1, None, 3]), [1, NAN, 3], [FINE, NULL, FINE]),
        (pa.array([1.5, NAN, None]), [1.5, NAN, NAN], [FINE, NULL, NULL]),
        (pa.array(["1.5", "", "2e3", None]), [1.5, NAN, 2000, NAN], [FINE, NULL, FINE, NULL]),
        (pa.array(["1.5", "ten", "3"]), [1.5, NAN, 3], [FINE, WRONG_TYPE, FINE]),
        (pa.array([True, False, None]), [1, 0, NAN], [FINE, FINE, NULL]),
        (pa.array([Decimal("1.25"), None]), [1.25, NAN], [FINE, NULL]),
        (pa.array([[1], None]), [NAN, NAN], [WRONG_TYPE, NULL]),
        (pa.array(["4", "5"]).dictionary_encode(), [4, 5], [FINE, FINE]),
    ],
)
def test_numbers(column: pa.Array, values: list[float], reasons: list[int]) -> None:
    got, why = numbers(column)
    np.testing.assert_array_equal(got, values)
    assert why.tolist() == reasons and why.dtype == np.int8


@pytest.mark.parametrize(
    ("column", "values", "reasons"),
    [
        (pa.array([7, None, -2]), [7, -1, -1], [FINE, NULL, OUT_OF_RANGE]),
        (pa.array([7.0, NAN, 7.5]), [7, -1, -1], [FINE, NULL, WRONG_TYPE]),
        (pa.array(["7", "", None]), [7, -1, -1], [FINE, NULL, NULL]),
        (pa.array([True]), [-1], [WRONG_TYPE]),
    ],
)
def test_keys(column: pa.Array, values: list[int], reasons: list[int]) -> None:
    got, why = keys(column)
    assert got.tolist() == values and why.tolist() == reasons


def test_text_keys_are_the_same_number_everywhere() -> None:
    got, why = keys(pa.array(["ada", "bob", "ada", "00000000000000000000000000001"]))
    assert got[0] == got[2] != got[1] and (got >= 0).all() and not why.any()
    assert got[0] == 781494526275158675


@given(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=40))
def test_different_text_is_a_different_key(texts: list[str]) -> None:
    plain = [t for t in texts if t.strip() == t and not t.isdigit() and t.lower() != "nan"]
    plain = [t for t in plain if t.lower() not in ("null", "na")]
    got, why = keys(pa.array(plain, pa.string()))
    assert len(set(got.tolist())) == len(plain) and not why.any()


def test_categories_by_name_or_code() -> None:
    names = ("shop", "online")
    got, why = categories(pa.array(["online", "shop", "", "post", "1", "7"]), names)
    assert got.tolist() == [1, 0, -1, -1, 1, -1]
    assert why.tolist() == [FINE, FINE, NULL, OUT_OF_RANGE, FINE, OUT_OF_RANGE]
    got, why = categories(pa.array([0, 1, 2, None]), names)
    assert got.tolist() == [0, 1, -1, -1] and why.tolist() == [FINE, FINE, OUT_OF_RANGE, NULL]
    assert categories(pa.array([True, False]), ("false", "true"))[0].tolist() == [1, 0]


NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NOON]),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ms")),
        pa.array(["2026-01-05T12:00:00Z"]),
        pa.array(["2026-01-05 12:00:00"]),
        pa.array(["2026-01-05T13:00:00+01:00"]),
        pa.array([str(NOON.timestamp())]),
        pa.array([NOON.timestamp()]),
        pa.array([int(NOON.timestamp())]),
    ],
    ids=["zoned", "naive", "text Z", "text", "text zone", "text number", "seconds", "integer"],
)
def test_times(column: pa.Array) -> None:
    got, why = times(column, 1.0)
    assert got.tolist() == [NOON.timestamp()] and why.tolist() == [FINE]


def test_a_bad_time_spoils_its_row_alone() -> None:
    column = pa.array(["2026-01-05T12:00:00", "2026-13-45", None, "1767614400", "soon"])
    got, why = times(column, 1.0)
    assert why.tolist() == [FINE, WRONG_TYPE, NULL, FINE, WRONG_TYPE]
    assert got[0] == got[3] == NOON.timestamp()


def test_the_unit_of_a_number_is_as_told() -> None:
    assert times(pa.array([1500]), 1e-3)[0].tolist() == [1.5]
    assert times(pa.array(["1500"]), 1e-3)[0].tolist() == [1.5]
