"""The model room: time-ordered training, imbalance, calibration, cut-offs, promotion gate."""

from __future__ import annotations

from sandbox.model.calibration import METHODS, Calibrator, calibrator_from_dict, fit_calibrator
from sandbox.model.estimators import Estimator, load_estimator
from sandbox.model.evidence import Evidence, ScoredRows
from sandbox.model.fitting import Fitted, fit
from sandbox.model.gate import Comparison, GateVerdict, compare, judge
from sandbox.model.imbalance import STRATEGIES, Resampled, correct_odds, resample
from sandbox.model.splits import TrainingWindow, plan_training
from sandbox.model.threshold import (
    BlockChoice,
    block_threshold,
    decision_cost,
    review_threshold,
)
from sandbox.model.training import (
    CannotTrain,
    Trained,
    TrainingData,
    check_model,
    daily_capacity,
    refit,
    train,
)
from sandbox.model.version import (
    ModelVersion,
    Scorer,
    load_version,
    save_version,
    version_from_files,
)

__all__ = [
    "METHODS",
    "STRATEGIES",
    "BlockChoice",
    "Calibrator",
    "CannotTrain",
    "Comparison",
    "Estimator",
    "Evidence",
    "Fitted",
    "GateVerdict",
    "ModelVersion",
    "Resampled",
    "ScoredRows",
    "Scorer",
    "Trained",
    "TrainingData",
    "TrainingWindow",
    "block_threshold",
    "calibrator_from_dict",
    "check_model",
    "compare",
    "correct_odds",
    "daily_capacity",
    "decision_cost",
    "fit",
    "fit_calibrator",
    "judge",
    "load_estimator",
    "load_version",
    "plan_training",
    "refit",
    "resample",
    "review_threshold",
    "save_version",
    "train",
    "version_from_files",
]
