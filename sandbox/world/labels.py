"""When the truth becomes known, and when never."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sandbox.spec.scenario import DelayDistribution, Labels

__all__ = ["after_decision", "label_times", "sample_delays"]

Floats = NDArray[np.float64]
_Z95 = 1.6448536269514722
"""95th percentile of the standard normal distribution."""
_DECISIONS = ("allow", "review", "block")


def sample_delays(
    delay: DelayDistribution, n: int, rng: np.random.Generator, factor: ArrayLike = 1.0
) -> Floats:
    """Return `n` label delays [s].

    A log-normal delay has ``mu = ln median`` and ``sigma = ln(p95 / median) / 1.645``.

    Parameters
    ----------
    delay
        The distribution as the scenario gives it.
    n
        Number of delays.
    rng
        Randomness; as many numbers are drawn whatever the factor.
    factor
        Stretches delays and their upper bound, a scalar or of shape (n,).
    """
    factor = np.asarray(factor, dtype=np.float64)
    normal = rng.standard_normal(n)
    if delay.lognormal is None:
        base = np.full(n, float(delay.constant or 0.0))
    else:
        spread = np.log(delay.lognormal.p95 / delay.lognormal.median) / _Z95
        base = delay.lognormal.median * np.exp(spread * normal)
    latest = np.maximum(delay.max * factor, delay.min)
    return np.asarray(np.clip(base * factor, delay.min, latest), dtype=np.float64)


def label_times(
    event_time: Floats,
    label: Floats,
    labels: Labels,
    rng: np.random.Generator,
    factor: ArrayLike = 1.0,
) -> Floats:
    """Return when each label arrives [s since epoch]; +inf for never.

    Where the scenario says what absence means, only the other labels ever arrive (a chargeback
    reports fraud; nobody reports honest payments). Otherwise every label does.

    Parameters
    ----------
    event_time
        Shape (n,) [s since epoch].
    label
        The truth, shape (n,).
    labels
        The label feed.
    rng
        Randomness.
    factor
        Value of the `label_delay` knob, a scalar or of shape (n,).
    """
    arrival = event_time + sample_delays(labels.delay, len(event_time), rng, factor)
    if labels.absence_means is None:
        return arrival
    return np.where(label != labels.absence_means, arrival, np.inf)


def after_decision(
    label_time: Floats,
    decision: NDArray[np.int8],
    labels: Labels,
    names: Sequence[str] = _DECISIONS,
) -> Floats:
    """Return label times with those that a decision silences set to +inf (selective labels).

    Parameters
    ----------
    label_time
        When each label would arrive, shape (n,) [s since epoch].
    decision
        Codes of the decisions carried out, shape (n,), indices into `names`.
    labels
        The label feed; `missing_when` names the silencing decisions.
    names
        Names of the decisions in the order of their codes.
    """
    silent = np.array([name in labels.missing_when for name in names])
    return np.where(silent[decision], np.inf, label_time)
