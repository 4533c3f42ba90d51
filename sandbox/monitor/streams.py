"""Streams of single values for sequential detectors, in the order in which they become known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.monitor.quality import known_labels
from sandbox.spec.design import STREAMS

__all__ = ["BINARY_STREAMS", "STREAMS", "SUCCESS_STREAMS", "matured_labels"]

BINARY_STREAMS = ("review_precision", "matured_labels", "positive_rate")
"""Streams of 0 and 1: the verdict of each worked case, the mature label of each event, and
whether the score of each event asked for action. ``score`` is the one that is not."""
SUCCESS_STREAMS = ("review_precision",)
"""Streams in which 1 is good; detectors of rising error are fed ``1 - value``."""


def matured_labels(
    log: Batch, previous: float, now: float, *, maturity: float, absence: float | None
) -> NDArray[np.float64]:
    """Return the labels of events that became `maturity` old in ``(previous, now]``, in order.

    This is the ``matured_labels`` stream: every event enters once, at a fixed age, so that its
    level does not move with the delay of labels as the number of arriving labels would.

    Parameters
    ----------
    log
        Decision log in order of `processing_time`, columns as for `QualityMonitor`.
    previous, now
        Times of the last and of this look [s since epoch].
    maturity
        Age at which a label counts as known [s].
    absence
        Value that a missing label stands for; None leaves unlabelled rows out.
    """
    begin, end = previous - maturity, now - maturity
    first, last = log["processing_time"].searchsorted([begin, now], side="right")
    rows = log.slice(int(first), int(last))
    time = rows["event_time"]
    rows = rows.take((time > begin) & (time <= end)).sort("event_time")
    labels = known_labels(rows, now, absence)
    result: NDArray[np.float64] = labels[~np.isnan(labels)]
    return result
