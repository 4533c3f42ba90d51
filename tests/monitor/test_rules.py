from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.monitor.quality import QualityPoint
from sandbox.monitor.rules import (
    Baseline,
    InvalidRule,
    QualityRule,
    Signals,
    StreamRule,
    ThresholdRule,
)

Floats = NDArray[Any]

DAY = 86400.0


def point(to_day: float, value: float, **changes: object) -> QualityPoint:
    fields: dict[str, Any] = {
        "view": "observed", "metric": "pr_auc", "value": value, "from_day": to_day - 7,
        "to_day": to_day, "window": 7.0, "maturity": 7.0, "rows": 40_000, "positives": 400.0,
    }  # fmt: skip
    return QualityPoint(**{**fields, **changes})


def quality_rule(higher: bool = True, drop: float = 0.2, view: str = "observed") -> QualityRule:
    rule = QualityRule(view, {"pr_auc": higher}, drop=drop, window=7 * DAY, maturity=7 * DAY)
    rule.reset(0.0, {})
    return rule


def broken(rule: QualityRule, *points: QualityPoint) -> bool:
    return bool(rule.read(Signals(quality=points)))


def test_thresholds_name_what_is_above() -> None:
    rule = ThresholdRule("psi", ["a", "b", "c", "d"], 0.25)
    values = {"a": 0.25, "b": 0.3, "c": math.nan, "z": 9.0}
    assert [r.subject for r in rule.read(Signals(distances={"psi": values}))] == ["b"]
    assert rule.read(Signals(distances={"ks": {"b": 1.0}})) == []
    missing = ThresholdRule("missing", ["a"], 0.02)
    (reading,) = missing.read(Signals(missing={"a": 0.031}, distances={"missing": {"a": 0}}))
    assert reading.text == "a 3.1%"


def test_invalid_adds_reasons_up_and_names_the_worst() -> None:
    rule = InvalidRule(0.01)
    assert rule.read(Signals(invalid={"null": 0.004, "late": 0.006})) == []
    (reading,) = rule.read(Signals(invalid={"null": 0.004, "late": 0.0061}))
    assert reading.subject == "late"
    assert reading.value == pytest.approx(0.0101)
    assert rule.read(Signals()) == []


def test_the_first_full_window_is_the_baseline() -> None:
    rule = quality_rule()
    assert not broken(rule, point(3, 0.9, from_day=0.0))
    assert not broken(rule, point(7, 0.7))
    assert not broken(rule, point(8, 0.57))
    (reading,) = rule.read(Signals(quality=[point(9, 0.55)]))
    assert reading.threshold == pytest.approx(0.56)
    assert reading.text == "observed pr_auc of day 2 to 9 is 0.55, 21% worse than 0.7"


def test_until_then_the_given_value_is() -> None:
    rule = quality_rule()
    rule.reset(0.0, {("observed", "pr_auc"): Baseline(0.8)})
    assert broken(rule, point(3, 0.6, from_day=0.0))
    assert not broken(rule, point(7, 0.75))
    assert not broken(rule, point(8, 0.62))
    rule.reset(0.0, {("estimated", "pr_auc"): Baseline(0.8)})
    assert not broken(rule, point(3, 0.1, from_day=0.0))


def test_a_first_window_that_is_bad_already_is_no_baseline() -> None:
    rule = quality_rule()
    rule.reset(0.0, {("observed", "pr_auc"): Baseline(0.8)})
    assert broken(rule, point(7, 0.5))
    assert broken(rule, point(8, 0.5))


def test_few_positives_need_a_larger_drop() -> None:
    for positives, expected in ((400.0, True), (20.0, False), (0.0, False)):
        rule = quality_rule()
        broken(rule, point(7, 0.7))
        assert broken(rule, point(14, 0.5, positives=positives)) is expected


def test_metrics_of_which_less_is_better() -> None:
    rule = quality_rule(higher=False)
    assert not broken(rule, point(7, 0.004))
    assert not broken(rule, point(8, 0.0047))
    assert broken(rule, point(9, 0.0049))
    assert not broken(rule, point(9, 0.0001))


def test_windows_with_decisions_of_the_former_champion_do_not_count() -> None:
    rule = quality_rule()
    broken(rule, point(7, 0.7))
    rule.reset(20.0, {("observed", "pr_auc"): Baseline(0.7)})
    assert not broken(rule, point(26.9, 0.1))
    assert broken(rule, point(27, 0.1))


@pytest.mark.parametrize(
    "change",
    [
        {"view": "oracle"}, {"metric": "brier"}, {"window": 14.0}, {"maturity": 3.0},
        {"value": math.nan},
    ],
)  # fmt: skip
def test_other_points_are_ignored(change: dict[str, Any]) -> None:
    rule = quality_rule()
    broken(rule, point(7, 0.7))
    assert broken(rule, point(14, 0.1))
    assert not broken(rule, point(14, **{"value": 0.1, **change}))


def test_estimates_have_no_maturity() -> None:
    rule = quality_rule(view="estimated")
    settings = {"view": "estimated", "maturity": 0.0}
    assert not broken(rule, point(7, 0.7, **settings))
    assert broken(rule, point(8, 0.4, **settings))


def stream(seed: int, *shares: float) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.random(600 * len(shares)) < np.repeat(shares, 600)).astype(float)


@pytest.mark.parametrize("detector", ["adwin", "ddm", "hddm_a"])
def test_a_fall_in_precision_is_a_rise_in_errors(detector: str) -> None:
    rule = StreamRule(detector, ["review_precision"])
    assert rule.momentary
    quiet, fallen = stream(0, 0.6), stream(1, 0.15)
    assert rule.read(Signals(streams={"review_precision": quiet})) == []
    (reading,) = rule.read(Signals(streams={"review_precision": fallen}))
    assert reading.text.startswith("review_precision fell from 0.")
    assert reading.value < reading.threshold
    assert reading.threshold == pytest.approx(0.6, abs=0.15)


def test_reset_forgets_the_level_of_the_former_champion() -> None:
    for reset in (False, True):
        rule = StreamRule("adwin", ["review_precision"])
        rule.read(Signals(streams={"review_precision": stream(0, 0.6)}))
        if reset:
            rule.reset(1.0, {})
        found = rule.read(Signals(streams={"review_precision": stream(1, 0.15)}))
        assert bool(found) is not reset


def test_absent_streams_are_silent() -> None:
    assert StreamRule("adwin", ["score"]).read(Signals()) == []
