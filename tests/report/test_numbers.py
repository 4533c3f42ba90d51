from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.report.numbers import clip, days_between, join, number, quality, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.999, "0.999"), (0.9996, "1"), (1.0, "1"), (12.34, "12.3"), (999.4, "999"),
        (999.6, "1,000"), (9999.4, "9,999"), (9999.9, "10k"), (999_900.0, "1M"),
        (-18234.0, "-18.2k"),
        (0.00012, "0.00012"), (1e-12, "1.0e-12"), (math.inf, "\N{EN DASH}"), (None, "\N{EN DASH}"),
    ],
)  # fmt: skip
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(min_value=1e-6, max_value=1e11))
def test_number_is_short_and_close(value: float) -> None:
    text = number(value)
    assert len(text) <= 9
    step = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1.0)
    shown = float(text.rstrip("kMG").replace(",", "")) * step
    assert shown == pytest.approx(value, rel=0.006)


def test_quality_lines_up() -> None:
    assert [quality(v) for v in (0.7, 0.7125, 0.002, None)] == [
        "0.700", "0.713", "0.002", "\N{EN DASH}",
    ]  # fmt: skip


def test_the_rest() -> None:
    assert join([]) == "" and join(["a"]) == "a" and join(["a", "b", "c"]) == "a, b and c"
    assert clip("abcdef", 4) == "abc…" and clip("abc", 4) == "abc"
    assert seconds(None) == "\N{EN DASH}" and days_between(2.0, 3.0) == "1 day"
