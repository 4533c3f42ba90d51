from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sandbox.adapters.recorded_positive import Positive, parse_positive
from sandbox.adapters.recorded_values import FINE, NULL, OUT_OF_RANGE, WRONG_TYPE
from sandbox.errors import UsageError

NAN = float("nan")
RATINGS = ["0.5", "3.5", "4", "4.0", "5.0", None, "good", "inf"]
REASONS = [FINE] * 5 + [NULL, WRONG_TYPE, OUT_OF_RANGE]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (">=4", [0, 0, 1, 1, 1]),
        (">4", [0, 0, 0, 0, 1]),
        ("<= 3.5", [1, 1, 0, 0, 0]),
        (" <3.5", [1, 0, 0, 0, 0]),
        (">=-1", [1, 1, 1, 1, 1]),
    ],
)
def test_numbers_are_held_against_a_limit(text: str, labels: list[float]) -> None:
    values, reasons = parse_positive(text).labels(pa.array(RATINGS))
    np.testing.assert_array_equal(values, [*labels, NAN, NAN, NAN])
    assert reasons.tolist() == REASONS
    stars = pa.array([0.5, 3.5, 4.0, 4.0, 5.0])
    assert parse_positive(text).labels(stars)[0].tolist() == labels


def test_a_word_is_a_word() -> None:
    values, reasons = parse_positive("spam ").labels(pa.array(["spam", " spam", "Spam", None]))
    np.testing.assert_array_equal(values, [1, 1, 0, NAN])
    assert reasons.tolist() == [FINE, FINE, FINE, NULL]
    assert parse_positive("4>=") == Positive(word="4>=")
    assert parse_positive("=4") == Positive(word="=4")


@pytest.mark.parametrize("text", [">=x", ">", "<=", ">=4 5", "<nan", ">inf", ">=>=4"])
def test_what_is_no_comparison_is_one_line(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"--positive: not a comparison; got .*, expected a number"
    ):
        parse_positive(text)


def test_no_text_is_no_label() -> None:
    with pytest.raises(UsageError, match="--positive: no label"):
        parse_positive(" ")
