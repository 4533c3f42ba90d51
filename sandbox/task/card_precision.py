"""Card precision: of the cards (or accounts, or devices) looked at each day, how many were bad."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["card_precision"]

Array = NDArray[Any]


def card_precision(label: Array, score: Array, key: Array, day: Array, top: int) -> float:
    """Return the mean over days of the share of bad keys among the `top` most suspicious ones.

    Investigators look at cards, not at single events: on each day a key counts with its highest
    score and is bad if any of its events is positive. A bad key that was looked at is withdrawn
    and does not come back on later days (Le Borgne et al., 2022, chapter 4).

    Parameters
    ----------
    label, score
        Shape (n,), labels 0 or 1. Among equal scores the smaller key comes first.
    key
        Shape (n,), who each event belongs to.
    day
        Shape (n,), day number of each event; days are worked in ascending order.
    top
        Keys looked at each day, >= 1. A day with fewer keys still counts as `top`.

    Returns
    -------
    float
        NaN without events.

    Examples
    --------
    >>> card_precision(np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.8, 0.1]),
    ...                np.array([7, 8, 7, 8]), np.array([1, 1, 2, 2]), top=1)
    0.5
    """
    if not len(label) == len(score) == len(key) == len(day):
        raise ValueError("expected arrays of one length")
    if top < 1:
        raise ValueError(f"expected top >= 1, got {top}")
    names, code = np.unique(key, return_inverse=True)
    withdrawn = np.zeros(len(names), dtype=np.bool_)
    shares = []
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & ~withdrawn[code])
        highest = np.full(len(names), -np.inf)
        np.maximum.at(highest, code[rows], score[rows])
        bad = np.zeros(len(names), dtype=np.bool_)
        bad[code[rows[label[rows] > 0]]] = True
        present = np.unique(code[rows])
        looked_at = present[np.argsort(-highest[present], kind="stable")[:top]]
        found = looked_at[bad[looked_at]]
        withdrawn[found] = True
        shares.append(len(found) / top)
    return float(np.mean(shares)) if shares else float("nan")
