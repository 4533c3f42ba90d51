"""What was shown of a ranking, and what was clicked of it, by both arms of its A/B test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.decide import BLOCK
from sandbox.run.log import DecisionLog

__all__ = ["ShownClicks", "measures_of_shown"]


@dataclass(frozen=True)
class ShownClicks:
    """Candidates shown in their place, and clicks on them, of both arms of the test."""

    model: int = 0
    model_clicked: int = 0
    control: int = 0
    """Ranked by the baseline."""
    control_clicked: int = 0

    @classmethod
    def of(cls, log: DecisionLog, rows: slice) -> ShownClicks:
        """Count rows of the log whose label is known."""
        shown = _in_place(log, rows) & np.isfinite(log.column("label")[rows])
        clicked, control = log.column("label")[rows] > 0.5, log.column("control")[rows]
        arms = (shown & ~control, shown & control)
        counts = [int(one.sum()) for arm in arms for one in (arm, arm & clicked)]
        return cls(*counts)

    def __add__(self, other: ShownClicks) -> ShownClicks:
        return ShownClicks(
            self.model + other.model, self.model_clicked + other.model_clicked,
            self.control + other.control, self.control_clicked + other.control_clicked,
        )  # fmt: skip

    def uplift(self) -> tuple[float, float, float]:
        """Return how many more clicks a shown candidate gets by the model, with a 90 % interval.

        The ratio of two shares less 1. Its logarithm is about normal, with variance
        ``1/a - 1/n + 1/b - 1/m`` for a clicks of n and b of m (Katz et al., 1978). NaN where an arm
        has no click.
        """
        a, n, b, m = self.model_clicked, self.model, self.control_clicked, self.control
        if not (a and b):
            return float("nan"), float("nan"), float("nan")
        ratio = (a / n) / (b / m)
        error = 1.645 * float(np.sqrt(1 / a - 1 / n + 1 / b - 1 / m))
        return ratio - 1.0, ratio * float(np.exp(-error)) - 1.0, ratio * float(np.exp(error)) - 1.0


def measures_of_shown(
    so_far: ShownClicks, log: DecisionLog, rows: slice, item: str
) -> dict[str, float]:
    """Return `Task.of_shown` of a ranking: those that there is enough of to tell.

    Parameters
    ----------
    so_far
        Of both arms since day 0: `uplift` is about all of it.
    rows, item
        Rows of a day, and the column of what each candidate is: `coverage` is the share of what was
        offered that day and shown at least once.
    """
    items = log.column(item)[rows]
    offered = len(np.unique(items))
    shown = len(np.unique(items[_in_place(log, rows)]))
    said = {"coverage": shown / offered if offered else np.nan, "uplift": so_far.uplift()[0]}
    return {name: value for name, value in said.items() if np.isfinite(value)}


def _in_place(log: DecisionLog, rows: slice) -> NDArray[np.bool_]:
    """Return what an arm showed; what was explored was shown by luck."""
    explored = log.column("explored")[rows]
    return np.asarray((log.column("decision")[rows] != BLOCK) & ~explored)
