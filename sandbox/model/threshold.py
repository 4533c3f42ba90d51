"""Cut-offs: who is reviewed, by capacity; who is blocked, by cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BlockChoice", "block_threshold", "decision_cost", "review_threshold"]

Floats = NDArray[np.float64]
Array = NDArray[Any]


@dataclass(frozen=True)
class BlockChoice:
    """The cheapest cut-off on validation data beside what theory says."""

    above: float
    """Scores above it are blocked; infinity where blocking nothing is cheapest."""
    cost: float
    """USD on the validation rows at `above`."""
    theory: float
    """c_FP / (c_FP + c_FN) with mean costs; NaN where a class is missing."""
    text: str
    """Both in a sentence."""


def review_threshold(
    score: Floats, days: float, capacity: float, block_above: float = np.inf
) -> float:
    """Return the score above which about `capacity` cases a day land, below `block_above`.

    Parameters
    ----------
    score
        Shape (n,), scores of consecutive days.
    days
        How many days these are.
    capacity
        Cases a day that people can look at.
    block_above
        Higher scores are blocked and need no review.

    Returns
    -------
    float
        Half-way between the last score that is in and the first that is out; 0 where capacity
        suffices for all, infinity where there is none.
    """
    cases = round(capacity * days)
    if cases <= 0:
        return float("inf")
    candidates = score[score <= block_above]
    if cases >= len(candidates):
        return 0.0
    highest = -np.partition(-candidates, (cases - 1, cases))[cases - 1 : cases + 1]
    return float(highest.mean())


def block_threshold(
    score: Floats,
    label: Array,
    cost_false_decline: Array,
    cost_missed: Array,
    *,
    probabilities: bool = True,
) -> BlockChoice:
    """Return the cut-off that would have cost least.

    Every distinct score is tried: blocking the rows above costs `cost_false_decline` for each
    negative among them, the rest `cost_missed` for each positive. All arrays have shape (n,),
    costs in USD.

    Parameters
    ----------
    probabilities
        Whether scores are probabilities of a positive, about which theory has something to say.

    Notes
    -----
    For calibrated scores and constant costs theory gives the same answer without trying: block
    when ``p > c_FP / (c_FP + c_FN)`` (Elkan, 2001), because there the expected costs of both
    errors are equal. The two part ways where scores are not calibrated, where costs differ from
    row to row, or where rows are few.
    """
    order = np.argsort(-score, kind="stable")
    ranked, positive = score[order], label[order] == 1
    declined = np.cumsum(np.where(positive, 0.0, cost_false_decline[order]))
    missed = np.where(positive, cost_missed[order], 0.0)
    total = declined + missed.sum() - np.cumsum(missed)
    cost, above = float(missed.sum()), float("inf")
    # The last row of each run of equal scores: they can only be blocked together.
    ends = np.flatnonzero(np.diff(ranked, append=-1.0))
    if len(ends) and total[ends].min() < cost:
        last = int(ends[np.argmin(total[ends])])
        below = ranked[last + 1] if last + 1 < len(ranked) else 0.0
        cost, above = float(total[last]), float((ranked[last] + below) / 2.0)
    theory = _theory(label, cost_false_decline, cost_missed) if probabilities else float("nan")
    return BlockChoice(above, cost, theory, _sentence(above, theory, probabilities))


def decision_cost(
    label: Array,
    score: Floats,
    block_above: float,
    cost_false_decline: Array,
    cost_missed: Array,
) -> float:
    """Return USD lost when exactly the scores above `block_above` are blocked."""
    blocked, positive = score > block_above, label == 1
    declined = cost_false_decline[blocked & ~positive].sum()
    return float(declined + cost_missed[~blocked & positive].sum())


def _theory(label: Array, cost_false_decline: Array, cost_missed: Array) -> float:
    positive = label == 1
    if positive.all() or not positive.any():
        return float("nan")
    false_positive = float(cost_false_decline[~positive].mean())
    false_negative = float(cost_missed[positive].mean())
    both = false_positive + false_negative
    return false_positive / both if both > 0 else float("nan")


def _sentence(above: float, theory: float, probabilities: bool) -> str:
    chosen = "blocking nothing" if above == float("inf") else f"blocking above {above:.3f}"
    if not probabilities:
        return f"{chosen} was cheapest on validation"
    return (
        f"{chosen} was cheapest on validation; for calibrated scores and mean costs theory says "
        f"c_FP / (c_FP + c_FN) = {theory:.3f}"
    )
