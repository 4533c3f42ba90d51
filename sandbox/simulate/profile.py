"""What work costs on the machine that is modelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["REFERENCE", "ServiceTimes"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ServiceTimes:
    """Costs of a pipeline worker: a batch of `n` events takes ``call + event * n``.

    Every stage but the last consumes, decodes, folds features and sends on; the last one also
    scores. Each consumer process has a core of its own.

    Raises
    ------
    ValueError
        If a cost is negative, or an event costs nothing.
    """

    feature_call: float
    """Cost of a batch at a stage that only folds features [s]."""
    feature_event: float
    """Cost of an event there [s]."""
    score_call: float
    """Cost of a batch at the last stage [s]."""
    score_event: float
    """Cost of an event there [s]."""
    hop: float
    """From a producer through the broker to the next consumer [s]; before each stage, and once
    more for the decision."""
    rebalance: float = 3.0
    """No progress for this long after a consumer leaves or joins [s]."""
    effective_keys: float = 1000.0
    """``1 / sum(q**2)`` over the keys' shares of the load q: how unevenly partitions fill."""

    def __post_init__(self) -> None:
        costs = (self.feature_call, self.score_call, self.hop, self.rebalance)
        positive = (self.feature_event, self.score_event, self.effective_keys)
        if not all(cost >= 0 for cost in costs) or not all(cost > 0 for cost in positive):
            raise ValueError("service times must be >= 0, and > 0 for an event")

    def stages(self, number: int) -> tuple[Floats, Floats]:
        """Return (call, event) costs of `number` stages [s], the scoring one last."""
        call, event = np.full(number, self.feature_call), np.full(number, self.feature_event)
        call[-1], event[-1] = self.score_call, self.score_event
        return call, event


REFERENCE = ServiceTimes(
    feature_call=0.002,
    feature_event=85e-6,
    score_call=0.004,
    score_event=110e-6,
    hop=0.002,
)
"""A laptop-like machine, by judgement from published single-process rates of kafka-python (produce
24k-50k/s, consume 36k-148k/s) and a compiled feature fold. A later calibration replaces it."""
