from __future__ import annotations

import math

import pytest

from sandbox.monitor.slo import budget_left, burn_rate, error_budget


@pytest.mark.parametrize(
    ("bad", "target", "rate"),
    [(0.0144, 0.999, 14.4), (0.001, 0.999, 1.0), (0.0, 0.99, 0.0), (1.0, 0.5, 2.0), (0.0, 1.0, 0)],
)
def test_burn_rate(bad: float, target: float, rate: float) -> None:
    assert burn_rate(bad, target) == rate


def test_without_budget_any_error_is_infinite() -> None:
    assert burn_rate(1e-9, 1.0) == math.inf


def test_budget() -> None:
    assert error_budget(0.75) == 0.25
    assert budget_left(20, 1000, 0.99) == -1.0
    assert budget_left(0, 1000, 0.99) == 1.0


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_shares_only(bad: float) -> None:
    with pytest.raises(ValueError, match="share"):
        burn_rate(bad, 0.99)
    with pytest.raises(ValueError, match="share"):
        error_budget(bad)
