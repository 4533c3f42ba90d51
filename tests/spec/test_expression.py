from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.spec.expression import Expression, ExpressionError
from sandbox.spec.units import parse_quantity
from sandbox.spec.walkthrough import Runs

NAMES = {"load": {"mean": 2000.0, "share": "0.5%", "name": "x"}, "runs": Runs(), "two": 2.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 + 2 * 3", 7), ("-two ** 2", -4), ("ceil(7 / two)", 4), ("load.mean * day", 172.8e6),
     ("load.share * 200", 1), ("runs.days + runs.seed", 37), ("max(1, 2, 3) // 2", 1),
     ("normal_cdf(0)", 0.5), ("5 * percent", 0.05), ("(1 - 0.999) * 30 * day", 2592)],
)  # fmt: skip
def test_it_reckons(text: str, value: float) -> None:
    assert Expression.parse(text).value(NAMES) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "unreadable"), ("1 +", "unreadable"), ("a = 1", "unreadable"), ("'x'", "not part"),
     ("True", "not part"), ("[1]", "not part"), ("lambda: 1", "not part"), ("x[0]", "not part"),
     ("__import__('os')", "not part"), ("().__class__", "not part"), ("1 < 2", "not part"),
     ("ceil(x=1)", "not part"), ("1 if 2 else 3", "not part"), ("f(1)", "not part"),
     ("1" * 500, "characters")],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        Expression.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [("load.meen", "Did you mean load.mean"), ("tow", "Did you mean two"), ("1 / 0", "cannot"),
     ("load", "no number"), ("load.name", "no number"), ("two.part", "no parts"),
     ("10 ** 100", "power"), ("1e308 * 10", "no number"), ("log(0)", "cannot"),
     ("runs.__class__", "unknown name"), ("runs.model_dump", "unknown name")],
)  # fmt: skip
def test_what_cannot_be_reckoned_says_why(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        Expression.parse(text).value(NAMES)


def test_the_names_that_it_reads() -> None:
    assert Expression.parse("ceil(own.a / own.b) + day").parts() == ("day", "own.a", "own.b")


@given(st.text(max_size=30))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    try:
        Expression.parse(text).value(NAMES)
    except ExpressionError as error:
        assert str(error)


def test_quantities_keep_their_unit_elsewhere() -> None:
    assert Expression.parse("load.share").value({"load": {"share": parse_quantity("2%")}}) == 0.02
