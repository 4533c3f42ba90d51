"""Latencies as counts: as exact as their bins, and as small for a day as for a second."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.simulate.network_kernels import LOWEST, OCTAVES, PARTS

__all__ = ["EDGES", "empty_histogram", "quantiles", "share_below"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EDGES: Floats = np.append(
    (LOWEST * 2.0 ** np.arange(OCTAVES)[:, None] * (1.0 + np.arange(PARTS) / PARTS)).ravel(),
    LOWEST * 2.0**OCTAVES,
)
"""Edges of the bins [s], shape (bins + 1,): at most 0.8 % wide. The first reaches down to 0, the
last holds everything above."""


def empty_histogram(buckets: int = 1) -> Ints:
    """Return zeros, shape (buckets, bins)."""
    return np.zeros((buckets, OCTAVES * PARTS), dtype=np.int64)


def quantiles(histogram: Ints, shares: tuple[float, ...]) -> Floats:
    """Return the latency [s] that each share of the events stays below; NaN without events.

    `histogram` has shape (bins,); evenly spread within a bin.
    """
    total = np.cumsum(histogram)
    if total[-1] == 0:
        return np.full(len(shares), np.nan)
    wanted = np.asarray(shares) * total[-1]
    place = np.minimum(np.searchsorted(total, wanted, side="left"), len(histogram) - 1)
    inside = np.maximum(histogram[place], 1)
    part = np.clip((wanted - (total[place] - histogram[place])) / inside, 0.0, 1.0)
    return np.asarray(EDGES[place] + part * (EDGES[place + 1] - EDGES[place]))


def share_below(histogram: Ints, latency: float) -> float:
    """Return the share of events within `latency` [s]; NaN without events."""
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    place = int(np.clip(np.searchsorted(EDGES, latency, side="right") - 1, 0, len(histogram) - 1))
    part = (latency - EDGES[place]) / (EDGES[place + 1] - EDGES[place])
    below = float(histogram[:place].sum()) + float(np.clip(part, 0.0, 1.0)) * int(histogram[place])
    return below / total
