"""Binary classification with rare positives: scores in [0, 1], labels 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.task import metrics as m
from sandbox.task.chances import ChanceTask
from sandbox.task.order import falling_order, is_falling

__all__ = ["BinaryTask"]

Array = NDArray[Any]
_AT_CAPACITY = ("recall_at_capacity", "precision_at_capacity")
_RANKING = {"pr_auc": m.pr_auc, "roc_auc": m.roc_auc}
_PROBABILITY = {
    "brier": m.brier,
    "log_loss": m.log_loss,
    "calibration_error": m.calibration_error,
}


class BinaryTask(ChanceTask):
    """Binary classification, judged by ranking, calibration and what fits a review capacity."""

    name = "binary"
    label_values = (0.0, 1.0)
    primary = "recall_at_capacity"
    gate_metric = "pr_auc"
    metrics = (*_AT_CAPACITY, *_RANKING, *_PROBABILITY)
    calibration_metrics = tuple(_PROBABILITY)
    watched = ("recall_at_capacity", "precision_at_capacity", "pr_auc")
    families = ("xgboost", "logistic_regression")
    baseline = "logistic_regression"
    calibrations = ("none", "closed_form", "sigmoid", "isotonic")
    strategies = ("none", "weight", "under_sample", "smote", "balanced_bagging")
    cases = "positives"
    good = "negatives"
    bad_rate = "positive_rate"
    without_model = "letting everything through"

    def measure(
        self,
        metrics: Sequence[str],
        label: Array,
        score: Array,
        *,
        day: NDArray[np.int64],
        capacity: float,
        weight: Array | None = None,
        spread: Array | None = None,
        group: Array | None = None,
    ) -> dict[str, float]:
        """Return metrics against known labels; see `Task.measure`."""
        self.check_metrics(metrics)
        score = np.asarray(score, dtype=np.float64)
        if len(metrics) > 1 and len(label) == len(score) == len(day) and not is_falling(score):
            # Once for all metrics: those that rank rows see that they are in order.
            order = falling_order(score)
            label, score, day = label[order], score[order], day[order]
            weight = None if weight is None else weight[order]
        values = {}
        if any(metric in _AT_CAPACITY for metric in metrics):
            both = m.at_capacity(label, score, day, capacity, weight)
            values = dict(zip(_AT_CAPACITY, both, strict=True))
        for metric in metrics:
            if metric not in _AT_CAPACITY:
                function = _RANKING.get(metric) or _PROBABILITY[metric]
                values[metric] = function(label, score, weight)
        return {metric: values[metric] for metric in metrics}

    def estimate(
        self,
        metrics: Sequence[str],
        score: Array,
        *,
        day: NDArray[np.int64],
        capacity: float,
        spread: Array | None = None,
        group: Array | None = None,
    ) -> dict[str, float]:
        """Return expected metrics when each row is positive with probability `score`.

        Notes
        -----
        Confidence-based performance estimation (CBPE; NannyML, "Estimation of Performance of the
        Monitored Model", 2022): a calibrated score is the expectation of the label, so scores
        stand in for labels. For the ranking and capacity metrics it is the ratio of the expected
        sums, such as ``sum(p in the top k) / sum(p)``; the expected Brier score is the mean of
        ``p (1 - p)`` and the expected log loss the mean entropy.

        It follows a covariate shift, where the meaning of a score stays. It is *blind to concept
        drift*: when P(label | features) changes, scores are no longer calibrated and the estimate
        goes on saying what used to be true. How far off calibration is, scores cannot tell about
        themselves: `calibration_error` is NaN.
        """
        self.check_metrics(metrics)
        p = np.asarray(score, dtype=np.float64)
        ranked = [name for name in metrics if name in _AT_CAPACITY or name in _RANKING]
        expected = self.measure(ranked, p, p, day=day, capacity=capacity)
        if "brier" in metrics:
            expected["brier"] = float(np.mean(p * (1.0 - p))) if len(p) else np.nan
        if "log_loss" in metrics:
            expected["log_loss"] = m.log_loss(p, p)
        return {name: expected.get(name, float("nan")) for name in metrics}

    def higher_is_better(self, metric: str) -> bool:
        """Return False for error measures, True for the rest."""
        self.check_metrics([metric])
        return metric not in _PROBABILITY

    def is_bad(self, label: Array, score: Array) -> NDArray[np.bool_]:
        """Return which events are positive; the score has no part in it."""
        bad: NDArray[np.bool_] = np.asarray(label) > 0.5
        return bad

    def bad_chance(self, score: Array, spread: Array | None = None) -> NDArray[np.float64]:
        """Return the scores: calibrated, they are probabilities of a positive."""
        return np.asarray(score, dtype=np.float64)

    def why_too_little(self, label: Array, *, least: int) -> str:
        """Ask for `least` positives and one negative; see `Task.why_too_little`."""
        positives = int(self.cases_in(label))
        if positives >= least and len(label) > positives:
            return ""
        return f"at least {least} positives and one negative"

    def describe_labels(self, label: Array) -> str:
        """Return the share of positives in words."""
        return f"{np.mean(label):.2%} positive"

    def show_label(self, label: float) -> str:
        """Return ``positive`` or ``negative``."""
        return "positive" if label > 0.5 else "negative"
