"""A small world with a known truth: logistic, rare positives, missing values, a category."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.model import TrainingData

DAY = 86400.0


def synthetic(rows: int = 12_000, days: float = 21.0, seed: int = 0) -> TrainingData:
    """Positives at about 2 %, driven by columns 0 to 2; some of column 3 is missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 5)).astype(np.float32)
    margin = 1.6 * x[:, 0] - 1.0 * x[:, 1] + 0.8 * x[:, 2] - 5.3
    label = (rng.random(rows) < 1 / (1 + np.exp(-margin.astype(np.float64)))).astype(np.float64)
    x[:, 4] = 500.0 + 40.0 * x[:, 4]
    x[rng.random(rows) < 0.1, 3] = np.nan
    return TrainingData(
        x,
        label,
        np.sort(rng.random(rows)) * days * DAY,
        cost_missed=rng.gamma(2.0, 50.0, rows),
        cost_false_decline=np.full(rows, 8.0),
        slices={"channel": rng.integers(0, 2, rows)},
    )


@pytest.fixture(scope="session")
def data() -> TrainingData:
    return synthetic()


@pytest.fixture(scope="session")
def names() -> tuple[str, ...]:
    return ("a", "b", "c", "d", "e")
