"""Data quality: what arrives incomplete, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sandbox.batch import Batch, is_missing
from sandbox.spec.scenario import EventSchema

__all__ = ["dead_letter_shares", "missing_shares"]


def missing_shares(batch: Batch, schema: EventSchema) -> dict[str, float]:
    """Return the share of missing values of each schema column: NaN, -1, or no text.

    A column that is not there at all is missing everywhere. Shares are NaN without rows.
    """
    shares = {}
    for name in schema.columns:
        if len(batch) == 0:
            shares[name] = float("nan")
        elif name not in batch:
            shares[name] = 1.0
        else:
            shares[name] = float(is_missing(batch[name]).mean())
    return shares


def dead_letter_shares(
    valid_rows: int, reason_codes: ArrayLike, reasons: Sequence[str]
) -> dict[str, float]:
    """Return the share of all arrived events that were refused, by reason.

    Parameters
    ----------
    valid_rows
        Events that passed the schema check in the period.
    reason_codes
        One code into `reasons` for each refused event.
    reasons
        Names of the reasons.

    Examples
    --------
    >>> dead_letter_shares(6, [1, 1], ("null", "late"))
    {'null': 0.0, 'late': 0.25}
    """
    counts = np.bincount(np.asarray(reason_codes, dtype=np.int64), minlength=len(reasons))
    total = valid_rows + int(counts.sum())
    shares = counts / total if total else np.zeros(len(counts))
    return dict(zip(reasons, shares.tolist(), strict=True))
