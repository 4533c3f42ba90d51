from __future__ import annotations

import copy
import pickle
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sandbox.spec.units import (
    AnyQuantity,
    ClockTime,
    Duration,
    Factor,
    Kind,
    Money,
    Rate,
    Share,
    format_duration,
    format_value,
    parse_quantity,
)

DAY = 86400.0


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(Annotated[kind, None]).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Duration, "7d", 7 * DAY), (Duration, "5ms", 0.005), (Duration, "10min", 600.0),
        (Duration, "1 month", 30 * DAY), (Duration, "2 weeks", 14 * DAY), (Duration, 90, 90.0),
        (Duration, "0.5h", 1800.0), (Duration, "0", 0.0), (Rate, "2000/s", 2000.0),
        (Rate, "100/day", 100 / DAY), (Rate, 5, 5.0), (Share, "0.5%", 0.005), (Share, 1, 1.0),
        (Factor, "130%", 1.3), (Factor, 1.3, 1.3), (Money, "30 USD", 30.0), (Money, 3, 3.0),
        (ClockTime, "19:00", 68400.0), (ClockTime, "0:30", 1800.0), (AnyQuantity, "100ms", 0.1),
    ],
)  # fmt: skip
def test_quantities(kind: Any, text: object, value: float) -> None:
    assert read(kind, text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Duration, "-7d", "a duration >= 0"), (Duration, "7 bananas", "a duration"),
        (Duration, "7/s", "a duration"), (Duration, True, "a duration"),
        (Duration, [], "a duration"),
        (Duration, None, "a duration"), (Duration, "1e999d", "a duration"),
        (Duration, float("inf"), "a duration"), (Duration, float("nan"), "a duration"),
        (Duration, 10**400, "a duration"), (Duration, "", "a duration"), (Rate, "7d", "a rate"),
        (Rate, "-1/s", "a rate"), (Share, "150%", "a share from 0 to 1"), (Share, 2, "a share"),
        (Factor, "7d", "a number >= 0"), (Money, "3 EUR", "an amount"), (Money, -1, "an amount"),
        (ClockTime, "24:00", "a time of day"), (ClockTime, "7:5", "a time of day"),
        (ClockTime, 19, "a time of day"), (AnyQuantity, "soon", "a number with a unit"),
        (AnyQuantity, "3 bananas", "one of s, ms"),
    ],
)  # fmt: skip
def test_impossible_quantities(kind: Any, text: object, expected: str) -> None:
    with pytest.raises(ValidationError, match=f"expected {expected}"):
        read(kind, text)


def test_a_quantity_remembers_what_was_written() -> None:
    quantity = parse_quantity(" 400 USD ")
    assert (float(quantity), quantity.unit, str(quantity)) == (400.0, "USD", "400 USD")
    for again in (copy.deepcopy(quantity), pickle.loads(pickle.dumps(quantity))):
        assert (float(again), again.unit, str(again)) == (400.0, "USD", "400 USD")
    assert parse_quantity(quantity) is quantity
    assert str(read(AnyQuantity, "60%")) == "60%"


def test_money_over_time() -> None:
    assert parse_quantity("15000 USD/month").unit == "USD/s"
    assert float(parse_quantity("86400 USD/day")) == 1.0


@given(st.text(max_size=12) | st.integers() | st.floats())
def test_parse_gives_a_finite_number_or_a_value_error(value: object) -> None:
    try:
        quantity = parse_quantity(value)
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert abs(quantity) < float("inf")


@given(st.sampled_from(["ms", "s", "min", "h", "d"]), st.integers(1, 400))
def test_durations_survive_formatting(unit: str, count: int) -> None:
    seconds = float(parse_quantity(f"{count}{unit}"))
    assert float(parse_quantity(format_duration(seconds))) == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.0, "duration", "0s"), (1.5 * DAY, "duration", "1.5d"), (2000.0, "rate", "2000/s"),
        (0.0, "rate", "0/s"), (100 / DAY, "rate", "100/day"), (0.005, "share", "0.5%"),
        (30.0, "money", "30 USD"), (68400.0, "clock", "19:00"), (1.3, "factor", "1.3"),
    ],
)  # fmt: skip
def test_format_value(value: float, kind: str, text: str) -> None:
    assert format_value(value, Kind(kind, "")) == text
