"""ArrayHistogram: a Prometheus histogram that takes a whole batch of values at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

__all__ = ["ArrayHistogram"]


class ArrayHistogram(Collector):
    """Counts values by bucket, without labels.

    Parameters
    ----------
    name, about
        Of the metric.
    buckets
        Upper bounds, ascending; one without a bound is added.
    registry
        Where it is registered.

    Examples
    --------
    >>> from prometheus_client import generate_latest
    >>> registry = CollectorRegistry()
    >>> ArrayHistogram("wait_seconds", "Wait.", (0.1, 1.0), registry).observe([0.05, 0.1, 7.0])
    >>> [l for l in generate_latest(registry).decode().splitlines() if "bucket" in l]  \
    # doctest: +NORMALIZE_WHITESPACE
    ['wait_seconds_bucket{le="0.1"} 2.0', 'wait_seconds_bucket{le="1.0"} 2.0',
     'wait_seconds_bucket{le="+Inf"} 3.0']
    """

    def __init__(
        self, name: str, about: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._about = name, about
        self._bounds = np.asarray(buckets, dtype=np.float64)
        self._counts = np.zeros(len(buckets) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = threading.Lock()
        registry.register(self)

    def observe(self, values: ArrayLike) -> None:
        """Count values, of any shape; NaN is left out."""
        found = np.asarray(values, dtype=np.float64).ravel()
        found = found[~np.isnan(found)]
        place = np.searchsorted(self._bounds, found, side="left")
        counts = np.bincount(place, minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(found.sum())

    def describe(self) -> Iterator[Metric]:
        """Yield the metric without values."""
        yield HistogramMetricFamily(self._name, self._about)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        with self._lock:
            counts, total = self._counts.cumsum(), self._sum
        names = [*(f"{bound}" for bound in self._bounds.tolist()), "+Inf"]
        pairs = list(zip(names, counts.tolist(), strict=True))
        yield HistogramMetricFamily(self._name, self._about, buckets=pairs, sum_value=total)
