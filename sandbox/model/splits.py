"""Which events a training job may see: slices ordered in time, behind a label-delay gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.spec.design import Training

__all__ = ["TrainingWindow", "plan_training"]


@dataclass(frozen=True)
class TrainingWindow:
    """Two adjacent half-open slices of event time [s], on the clock of whoever planned it.

    Training is ``[train_from, train_to)``, validation ``[train_to, validation_to)``.
    """

    train_from: float
    train_to: float
    validation_to: float

    def training_rows(self, event_time: NDArray[Any]) -> NDArray[np.bool_]:
        """Return the mask of the training slice, shape (n,)."""
        return np.asarray((event_time >= self.train_from) & (event_time < self.train_to))

    def validation_rows(self, event_time: NDArray[Any]) -> NDArray[np.bool_]:
        """Return the mask of the validation slice, shape (n,)."""
        return np.asarray((event_time >= self.train_to) & (event_time < self.validation_to))


def plan_training(now: float, training: Training) -> TrainingWindow:
    """Plan the slices of a job that starts at `now` [s].

    Going back in time from now:

    - *the gap*, `label_maturity` long, is left out. There the positives that have not been
      reported yet look like negatives; a model trained on it learns that new kinds of positives
      are harmless, and quality measured on it depends on how fast labels come in.
    - *validation* follows, the newest events whose labels can be trusted. It is later than
      everything the candidate was fitted on, as its future will be. A random split would let the
      candidate peek at the same days, keys and attacks that it is tested on.
    - *training* is the `window` before that.

    Examples
    --------
    >>> day = 86400.0
    >>> plan = plan_training(100 * day, Training(window="28d", label_maturity="14d",
    ...                                          validation="7d"))
    >>> plan.train_from / day, plan.train_to / day, plan.validation_to / day
    (51.0, 79.0, 86.0)
    """
    validation_to = now - training.label_maturity
    train_to = validation_to - training.validation
    return TrainingWindow(train_to - training.window, train_to, validation_to)
