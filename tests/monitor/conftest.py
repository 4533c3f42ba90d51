from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch

DAY = 86400.0
Floats = NDArray[np.float64]


class FakeTask:
    """As small as a task can be; `recall_at_capacity` ignores days, `loss` is worse when larger."""

    primary = "recall_at_capacity"
    metrics = ("pr_auc", "recall_at_capacity", "loss")

    def __init__(self) -> None:
        self.seen: list[tuple[NDArray[np.int64], float]] = []

    def higher_is_better(self, metric: str) -> bool:
        return metric != "loss"

    def measure(
        self,
        metrics: Sequence[str],
        label: Floats,
        score: Floats,
        *,
        day: NDArray[np.int64],
        capacity: float,
        spread: Floats | None = None,
        group: NDArray[np.int64] | None = None,
    ) -> dict[str, float]:
        self.seen.append((day, capacity))
        order = np.argsort(-score, kind="stable")
        hits = label[order].cumsum()
        positives = hits[-1]
        if positives == 0:
            return dict.fromkeys(metrics, float("nan"))
        precision = hits / np.arange(1, len(hits) + 1)
        top = min(round(capacity * (day.max() + 1)), len(hits))
        values = {
            "pr_auc": float((precision * label[order]).sum() / positives),
            "recall_at_capacity": float(hits[top - 1] / positives),
            "loss": float(((label - score) ** 2).mean()),
        }
        return {name: values[name] for name in metrics}

    def estimate(
        self, metrics: Sequence[str], score: Floats, *, day: NDArray[np.int64], capacity: float,
        spread: Floats | None = None,
        group: NDArray[np.int64] | None = None,
    ) -> dict[str, float]:  # fmt: skip
        return self.measure(metrics, score, score, day=day, capacity=capacity)

    def cases_in(self, label: Floats) -> float:
        return float(label.sum())


LogMaker = Callable[..., Batch]


@pytest.fixture
def task() -> FakeTask:
    return FakeTask()


@pytest.fixture
def make_log() -> LogMaker:
    """Make a decision log: 0.5 % positives that score high, chargebacks after 1 to 20 days."""

    def make(
        seed: int, days: int, *, per_day: int = 2000, drift_day: float = np.inf, hide: float = 2.0
    ) -> Batch:
        rng = np.random.default_rng(seed)
        rows = per_day * days
        time = np.sort(rng.random(rows)) * days * DAY
        label = (rng.random(rows) < 0.005).astype(float)
        seen = (label == 1) & ((time < drift_day * DAY) | (rng.random(rows) < 0.3))
        logit = rng.normal(-6.0, 1.3, rows) + np.where(seen, 4.5, 0.0)
        score = 1 / (1 + np.exp(-logit))
        delay = np.clip(rng.lognormal(np.log(4 * DAY), 0.5, rows), DAY, 20 * DAY)
        hidden = score > hide
        known = np.where((label == 1) & ~hidden, time + delay, np.inf)
        return Batch(
            {
                "event_time": time,
                "processing_time": time,
                "score": score,
                "label": label,
                "label_time": known,
                "hidden": hidden,
            }
        )

    return make
