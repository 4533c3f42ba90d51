"""The cost of decisions in money, day by day."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.spec.scenario import Cost, Costs

__all__ = ["CostLedger", "Money", "cost_of"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Money:
    """Costs by kind [USD]."""

    missed: float = 0.0
    """Bad events (positives, estimates that are off) that went through."""
    false_declines: float = 0.0
    """Others that were blocked."""
    reviews: float = 0.0
    """Cases that were worked."""
    no_model: float = 0.0
    """Every bad event missed: the cost of letting everything through, or of no estimates."""

    @property
    def total(self) -> float:
        """What the decisions cost; `no_model` is the comparison, not a part."""
        return self.missed + self.false_declines + self.reviews

    def __add__(self, other: Money) -> Money:
        """Add kind by kind."""
        return Money(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def as_dict(self) -> dict[str, float]:
        """Return every figure by name, the total included."""
        named = {field.name: float(getattr(self, field.name)) for field in fields(self)}
        return {**named, "total": self.total}


class CostLedger:
    """Sums what decisions cost, from the truth.

    A bad event (see `Task.is_bad`; a positive, for example) that is blocked, or reviewed and
    worked, is stopped. One that is allowed, or sent to review and never worked because the day's
    capacity was used up, is missed. An event that is not bad and is blocked is a false decline.
    Every worked case costs a review.

    Examples
    --------
    >>> costs = Costs(missed="amount + 25 USD", false_decline="8 USD", review="3 USD")
    >>> ledger = CostLedger(costs)
    >>> yes, no = np.array([True, False]), np.array([False, False])
    >>> missed = cost_of(costs.missed, Batch({"amount": [10.0, 75.0]}))
    >>> ledger.add(0, missed, np.full(2, 8.0), np.array([True, True]), yes, no).missed
    100.0
    >>> ledger.totals.no_model
    135.0
    """

    def __init__(self, costs: Costs) -> None:
        self._review = costs.review
        self._days: dict[int, Money] = {}

    def add(
        self, day: int, missed: Floats, declined: Floats, bad: Mask, blocked: Mask, worked: Mask,
        idle: Mask | None = None,
    ) -> Money:  # fmt: skip
        """Book decided events and return what they cost.

        Parameters
        ----------
        day
            Day the money is booked on; several calls for one day add up.
        missed, declined
            True cost of each event if it is bad and goes through, or is not and is refused [USD];
            see `cost_of`.
        bad
            Whether the event had truly better not go through.
        blocked
            Whether the decision refused the event.
        worked
            Whether somebody looked at the case in time.
        idle
            Whether it would be bad without any model; as `bad` when absent.
        """
        money = Money(
            missed=float(missed[bad & ~blocked & ~worked].sum()),
            false_declines=float(declined[~bad & blocked].sum()),
            reviews=float(self._review * np.count_nonzero(worked)),
            no_model=float(missed[bad if idle is None else idle].sum()),
        )
        self._days[day] = self._days.get(day, Money()) + money
        return money

    @property
    def totals(self) -> Money:
        """Everything booked so far."""
        return sum(self._days.values(), Money())

    def rows(self) -> list[tuple[int, Money]]:
        """Return (day, money of the day) in order of days."""
        return sorted(self._days.items(), key=lambda row: row[0])


def cost_of(cost: Cost, columns: Batch) -> Floats:
    """Return the cost of each event [USD], shape (n,); a missing value costs nothing.

    Raises
    ------
    ValueError
        If the cost refers to a column that is not there.
    """
    total = np.full(len(columns), cost.fixed, dtype=np.float64)
    for name, price in cost.per.items():
        if name not in columns:
            raise ValueError(f"cost refers to column {name!r}, expected one of {columns.names}")
        total += price * np.nan_to_num(columns[name].astype(np.float64))
    return total
