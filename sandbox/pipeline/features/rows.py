"""Features of the event alone: raw columns, the calendar, text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.features.text import decoded, hashed

__all__ = ["calendar", "fill_quotients", "fill_row_features"]

EXACT = 1 << 24
"""Integers below it are exact as float32."""
_DAY = 86400.0
_NIGHT_ENDS = 7.0  # hours 0 to 6, as in the Fraud Detection Handbook, chapter 3


def fill_row_features(plan: FeaturePlan, batch: Batch, out: NDArray[np.float32]) -> None:
    """Write raw and calendar columns of `batch`, once cleaned, into the feature matrix `out`."""
    for row in plan.rows:
        if row.operation == "calendar":
            out[:, row.position] = calendar(row.name, batch["event_time"])
        elif row.operation == "length":
            out[:, row.position] = np.strings.str_len(decoded(batch[row.name]))
        elif row.operation == "hashed":
            columns = slice(row.position, row.position + row.into)
            out[:, columns] = hashed(batch[row.name], row.grams, row.into)
        elif row.operation == "id":
            out[:, row.position] = batch[row.name] % EXACT
        elif row.category:
            codes = batch[row.name]
            out[:, row.position] = np.where(codes < 0, np.float32(np.nan), codes)
        else:
            out[:, row.position] = batch[row.name]


def fill_quotients(plan: FeaturePlan, out: NDArray[np.float32]) -> None:
    """Fill the columns that are one column over another, once those are there; NaN over 0."""
    for quotient in plan.quotients:
        below = np.where(out[:, quotient.below] == 0, np.float32(np.nan), out[:, quotient.below])
        out[:, quotient.position] = out[:, quotient.above] / below


def calendar(name: str, event_time: NDArray[np.float64]) -> NDArray[Any]:
    """Return a calendar feature (UTC): hour_of_day, day_of_week (0 is Monday), weekend, night.

    Examples
    --------
    >>> monday_noon = np.array([1_767_614_400.0])
    >>> [float(calendar(n, monday_noon)[0]) for n in ("hour_of_day", "day_of_week", "night")]
    [12.0, 0.0, 0.0]
    """
    if name in ("hour_of_day", "night"):
        hour = (event_time % _DAY) / 3600.0
        return hour if name == "hour_of_day" else hour < _NIGHT_ENDS
    # Day 0 of the epoch was a Thursday.
    weekday = (np.floor(event_time / _DAY) + 3) % 7
    return weekday if name == "day_of_week" else weekday >= 5
