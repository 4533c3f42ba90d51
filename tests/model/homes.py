"""Homes and their prices: half of them are much harder to tell than the others."""

from __future__ import annotations

import numpy as np

from sandbox.model import (
    ModelVersion,
    Trained,
    TrainingData,
    TrainingWindow,
    train,
)
from sandbox.spec.design import Decision, ModelSpec
from sandbox.task import get_task

DAY = 86400.0
TASK = get_task("regression")
WINDOW = TrainingWindow(0.0, 14 * DAY, 21 * DAY)
TREES = {"xgboost": {"trees": 30, "depth": 3, "learning_rate": 0.2}}
DECISION = Decision.model_validate({"review": {"capacity": "20/day"}, "block": {"above": 0.5}})
NAMES = ("size", "noisy", "age", "rank")


def homes(rows: int = 4000, seed: int = 0, tails: bool = False) -> TrainingData:
    """Prices around 160,000; where `noisy` is 1 they are four times as far off."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    x[:, 1] = rng.random(rows) < 0.5
    deviation = np.where(x[:, 1] > 0, 0.2, 0.05)
    # With tails, most rows are quiet and some are far off.
    noise = 0.3 * rng.standard_t(1.2, rows) if tails else rng.normal(size=rows)
    label = np.exp(12.0 + 0.4 * x[:, 0] - 0.1 * x[:, 2] + deviation * noise)
    x[rng.random(rows) < 0.1, 3] = np.nan
    return TrainingData(
        x,
        label,
        np.sort(rng.random(rows)) * 21 * DAY,
        cost_missed=np.full(rows, 2.0),
        cost_false_decline=np.full(rows, 0.5),
        slices={"street": rng.integers(0, 2, rows)},
    )


def spec(**changes: object) -> ModelSpec:
    return ModelSpec.model_validate({"champion": TREES, "calibration": "conformal"} | changes)


def run(data: TrainingData, model: ModelSpec | None = None, **changes: object) -> Trained:
    settings: dict[str, object] = {"now": 35 * DAY, "seed": 7, "names": NAMES} | changes
    decision = settings.pop("decision", DECISION)
    return train(data, model or spec(), decision, TASK, WINDOW, **settings)  # type: ignore[arg-type]


def spread_of(version: ModelVersion, x: np.ndarray) -> np.ndarray:
    spread = version.spread(x)
    assert spread is not None
    return spread
