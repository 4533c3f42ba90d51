"""Ranking: candidates of a request are ordered, and the first of them are shown.

Labels are 1 for a candidate that is clicked when it is shown and 0 for one that is not. Quality is
counted by request: how near the page is to the best order of its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.task import metrics as m
from sandbox.task import slates
from sandbox.task.chances import ChanceTask
from sandbox.task.slates import Slates, Worth

__all__ = ["PLACES", "RankingTask"]

Array = NDArray[Any]
PLACES = 10
"""Places that count in metrics."""
_BY_REQUEST: Mapping[str, Callable[[Slates], Worth]] = MappingProxyType(
    {
        "ndcg_at_10": Slates.ndcg,
        "hit_rate_at_10": Slates.hit_rate,
        "click_through": Slates.precision,
    }
)


class RankingTask(ChanceTask):
    """Candidates of a request, judged by the ten that are shown first."""

    name = "ranking"
    label_values = (0.0, 1.0)
    primary = "ndcg_at_10"
    gate_metric = "ndcg_at_10"
    metrics = (*_BY_REQUEST, "pr_auc")
    calibration_metrics = ()
    watched = tuple(_BY_REQUEST)
    families = ("xgboost",)
    baseline = "popularity"
    calibrations = ("none", "sigmoid", "isotonic")
    strategies = ("none",)
    cases = "clicks"
    good = "clicks"
    keeps_back = ("the page hides", "hidden")
    bad_rate = "passed_over"
    without_model = "showing everything"
    losses = MappingProxyType(
        {"missed": "shown and passed over", "false_declines": "hidden and wanted"}
    )
    of_shown = ("uplift", "coverage")
    has_groups = True

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
        """Return metrics against known labels; see `Task.measure`.

        `group` is needed. Weights are those of whole requests.
        """
        self.check_metrics(metrics)
        if group is None:
            raise ValueError("a ranking is measured by request, expected `group`")
        ranked = Slates(label, score, group, PLACES)
        by_group = ranked.weights(weight)
        return {
            metric: m.pr_auc(label, score, weight)
            if metric == "pr_auc"
            else _BY_REQUEST[metric](ranked).mean(by_group)
            for metric in metrics
        }

    def worth(self, metric: str, label: Array, score: Array, group: Array | None) -> Worth | None:
        """Return the metric by request; see `Task.worth`."""
        if metric not in _BY_REQUEST or group is None:
            return None
        return _BY_REQUEST[metric](Slates(label, score, group, PLACES))

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
        """Return expected metrics when each candidate is clicked with probability `score`.

        Notes
        -----
        The expected share of clicks is the mean score of what is shown, and a page is without a
        hit with the product of ``1 - score``. What order would have been best scores cannot tell
        about themselves: `ndcg_at_10` is NaN. Both are *blind to a change of tastes*, as the
        estimates of the other tasks are to theirs.
        """
        self.check_metrics(metrics)
        if group is None:
            raise ValueError("a ranking is measured by request, expected `group`")
        p = np.clip(np.asarray(score, dtype=np.float64), 0.0, 1.0)
        values = dict.fromkeys(metrics, float("nan"))
        if "click_through" in values:
            values["click_through"] = slates.precision_at(p, p, group, PLACES)
        if "hit_rate_at_10" in values and len(p):
            shown = slates.top_of_groups(p, group, PLACES)
            code = np.unique(group, return_inverse=True)[1]
            missing = np.where(shown, np.log1p(-np.minimum(p, 1.0 - 1e-12)), 0.0)
            values["hit_rate_at_10"] = float(np.mean(-np.expm1(np.bincount(code, missing))))
        if "pr_auc" in values:
            values["pr_auc"] = m.pr_auc(p, p)
        return values

    def higher_is_better(self, metric: str) -> bool:
        """Return True: all of them are shares of what could be had."""
        self.check_metrics([metric])
        return True

    def is_bad(self, label: Array, score: Array) -> NDArray[np.bool_]:
        """Return which candidates nobody would click; the score has no part in it."""
        bad: NDArray[np.bool_] = np.asarray(label) < 0.5
        return bad

    def bad_chance(self, score: Array, spread: Array | None = None) -> NDArray[np.float64]:
        """Return how probable it is that nobody clicks: 1 less the calibrated score."""
        return 1.0 - np.clip(np.asarray(score, dtype=np.float64), 0.0, 1.0)

    def why_too_little(self, label: Array, *, least: int) -> str:
        """Ask for `least` clicks and something that was not clicked; see `Task.why_too_little`."""
        clicks = int(self.cases_in(label))
        if clicks >= least and len(label) > clicks:
            return ""
        return f"at least {least} clicks and one candidate without"

    def describe_labels(self, label: Array) -> str:
        """Return the share of clicks in words."""
        return f"{np.mean(label):.1%} would be clicked"

    def show_label(self, label: float) -> str:
        """Return ``click`` or ``none``."""
        return "click" if label > 0.5 else "none"
