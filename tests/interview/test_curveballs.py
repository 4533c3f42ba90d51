from __future__ import annotations

import pytest

from sandbox.interview.curveballs import margin, weak_points
from tests.interview.conftest import objective


@pytest.mark.parametrize(
    ("measured", "bound", "low", "expected"),
    [(0.9, 0.6, True, 0.5), (0.3, 0.6, True, -0.5), (50.0, 100.0, False, 0.5),
     (900.0, 100.0, False, -1.0), (1.0, 0.999, True, 1.0), (0.998, 0.999, True, -1.0),
     (None, 28.0, False, None)],
)  # fmt: skip
def test_margins(measured: float | None, bound: float, low: bool, expected: float | None) -> None:
    assert margin(objective("x", measured, bound, low)) == (
        None if expected is None else pytest.approx(expected)
    )


def test_choices_that_endanger_an_objective_make_it_weak() -> None:
    calm = {"objectives": [objective("recall", 0.7, 0.6, True), objective("cost", 1.0, 4.0, False),
                           objective("recover", None, 28.0, False)]}  # fmt: skip
    assert list(weak_points(calm, {})) == ["recall", "recover", "cost"]
    risky = weak_points(calm, {"recover": ["monitors", "retrain"]})
    assert list(risky) == ["recover", "recall", "cost"]
    assert risky["recover"] == pytest.approx(-0.5)
