"""Error-budget arithmetic for objectives that are shares of good events.

Source: Site Reliability Workbook, chapter 5, "Alerting on SLOs".
"""

from __future__ import annotations

import math

__all__ = ["budget_left", "burn_rate", "error_budget"]


def error_budget(target: float) -> float:
    """Return the share of events that may be bad: ``1 - target``.

    Raises
    ------
    ValueError
        If `target` is not in [0, 1].

    Examples
    --------
    >>> round(error_budget(0.999), 6)
    0.001
    """
    if not 0.0 <= target <= 1.0:
        raise ValueError(f"a target is a share, got {target}")
    return 1.0 - target


def burn_rate(bad_share: float, target: float) -> float:
    """Return how many times faster than allowed the budget is spent; 1 just exhausts it.

    Without a budget (`target` 1) any bad event burns infinitely fast.

    Raises
    ------
    ValueError
        If a share is not in [0, 1].

    Examples
    --------
    >>> burn_rate(0.02, 0.99)
    2.0
    """
    if not 0.0 <= bad_share <= 1.0:
        raise ValueError(f"expected a share from 0 to 1, got {bad_share}")
    budget = error_budget(target)
    if budget == 0.0:
        return math.inf if bad_share > 0.0 else 0.0
    # 1 - 0.99 is not quite 0.01; without rounding a rate of exactly 1 could read 0.99999...
    return round(bad_share / budget, 9)


def budget_left(bad: int, total: int, target: float) -> float:
    """Return the share of the budget of `total` events that `bad` ones left; negative: overspent.

    Examples
    --------
    >>> budget_left(25, 10_000, 0.99), budget_left(0, 0, 0.99)
    (0.75, 1.0)
    """
    return 1.0 - burn_rate(bad / total if total else 0.0, target)
