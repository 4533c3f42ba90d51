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


def seasoned(rule: QualityRule, value: float = 0.7, **changes: object) -> QualityRule:
    """Let the rule see a quiet week of looks at `value`."""
    for day in range(7, 14):
        rule.read(Signals(quality=[point(day, value, **changes)]))
    return rule


def test_a_quiet_week_makes_the_usual_level() -> None:
    rule = quality_rule()
    assert not broken(rule, point(7, 0.7))
    assert not broken(rule, point(8, 0.1))  # one look is no level yet
    rule = seasoned(quality_rule())
    assert not broken(rule, point(14, 0.57))
    rule = seasoned(quality_rule())
    (reading,) = rule.read(Signals(quality=[point(14, 0.55)]))
    assert reading.threshold == pytest.approx(0.56)
    assert reading.text == "observed pr_auc of day 7 to 14 is 0.55, 21% worse than 0.7"


def test_half_a_window_is_no_look() -> None:
    rule = quality_rule()
    for day in range(7, 14):
        assert not broken(rule, point(day, 0.7, from_day=day - 3.0))
    assert not broken(rule, point(14, 0.1))


def test_a_bad_look_does_not_lower_the_level() -> None:
    rule = seasoned(quality_rule())
    for day in range(14, 60):
        assert broken(rule, point(day, 0.4))


def test_the_level_is_of_the_last_eight_weeks() -> None:
    rule = seasoned(quality_rule(drop=0.4))
    for day in range(14, 14 + 56):
        assert not broken(rule, point(day, 0.5))
    assert not broken(rule, point(70, 0.31))  # 0.38 below 0.5, 0.56 below 0.7
    assert broken(rule, point(71, 0.29))


def test_until_then_the_given_value_is() -> None:
    rule = quality_rule()
    rule.reset(0.0, {("observed", "pr_auc"): Baseline(0.8)})
    assert broken(rule, point(3, 0.6, from_day=0.0))
    assert not broken(rule, point(7, 0.75))
    other = quality_rule()
    other.reset(0.0, {("estimated", "pr_auc"): Baseline(0.8)})
    assert not broken(other, point(3, 0.1, from_day=0.0))


def test_few_positives_need_a_larger_drop() -> None:
    for positives, expected in ((400.0, True), (20.0, False), (0.0, False)):
        rule = seasoned(quality_rule())
        assert broken(rule, point(14, 0.5, positives=positives)) is expected


def test_metrics_of_which_less_is_better() -> None:
    rule = seasoned(quality_rule(higher=False), 0.004)
    assert broken(rule, point(14, 0.0049))
    assert not broken(rule, point(15, 0.0047))
    assert not broken(rule, point(16, 0.0001))


def test_a_promotion_does_not_erase_the_level() -> None:
    rule = seasoned(quality_rule())
    rule.reset(13.0, {})
    assert broken(rule, point(14, 0.1))


@pytest.mark.parametrize(
    "change",
    [
        {"view": "oracle"}, {"metric": "brier"}, {"window": 14.0}, {"maturity": 3.0},
        {"value": math.nan},
    ],
)  # fmt: skip
def test_other_points_are_ignored(change: dict[str, Any]) -> None:
    rule = seasoned(quality_rule())
    assert broken(rule, point(14, 0.1))
    assert not broken(rule, point(14, **{"value": 0.1, **change}))


def test_estimates_have_no_maturity() -> None:
    settings = {"view": "estimated", "maturity": 0.0}
    rule = seasoned(quality_rule(view="estimated"), **settings)
    assert broken(rule, point(14, 0.4, **settings))


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
