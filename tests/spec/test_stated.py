from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.spec.stated import KINDS, show_number, stated_number, within
from sandbox.spec.walkthrough import NumberCheck


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("172.8M", "count", 172.8e6), ("172,800,000", "count", 172.8e6),
     ("1.5 billion", "count", 1.5e9), ("about 860k a day", "count", 860e3),
     ("~ 3 200 /s", "rate", 3200), ("3.2k per second", "rate", 3200),
     ("12/min", "rate", 0.2), ("0.5 %", "share", 0.005), ("0.005", "share", 0.005),
     ("671 GB", "bytes", 671e9), ("1 GiB", "bytes", 1024**3), ("600 kB/s", "byte_rate", 600e3),
     ("5 Mbit/s", "byte_rate", 625e3), ("40 ms", "seconds", 0.04), ("43 minutes", "seconds", 2580),
     ("10.5 days", "seconds", 907200), ("$1,448", "money", 1448), ("1.4k USD", "money", 1400)],
)  # fmt: skip
def test_numbers_as_people_say_them(text: str, kind: str, value: float) -> None:
    assert stated_number(text, kind) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("", "count"), ("many", "count"), ("12 GB", "count"), ("3 ms", "bytes"), ("5 USD", "share"),
     ("1e999", "count"), ("12 " * 50, "count"), ("-", "money"), ("12/fortnight", "rate")],
)  # fmt: skip
def test_what_is_no_such_number(text: str, kind: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        stated_number(text, kind)


@given(st.text(max_size=40), st.sampled_from(KINDS))
def test_any_text_is_a_number_or_refused(text: str, kind: str) -> None:
    try:
        value = stated_number(text, kind)
    except ValueError:
        return
    assert math.isfinite(value)


@given(st.floats(1e-3, 1e13), st.sampled_from(["count", "share", "bytes", "money", "byte_rate"]))
def test_what_is_shown_is_understood(value: float, kind: str) -> None:
    assert stated_number(show_number(value, kind), kind) == pytest.approx(value, rel=0.006)


def test_tolerances() -> None:
    def tolerance(text: str) -> tuple[float, float]:
        rest = {"ask": "?", "expect": "1", "as": "count", "because": "."}
        return NumberCheck.model_validate({**rest, "tolerance": text}).tolerance

    assert tolerance("20%") == (0.2, 0.2) and tolerance("+50% -0%") == (0.0, 0.5)
    assert within(12, 12, (0, 0)) and not within(11.9, 12, (0, 0.5))
    for wrong in ("much", "200%", "+5%", "-100% +1%"):
        with pytest.raises(ValueError, match="expected a tolerance"):
            tolerance(wrong)
