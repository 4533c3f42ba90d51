from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.spec.alerts import ALERT_KINDS, DETECTOR_KINDS, DRIFT_KINDS, AlertSpec
from sandbox.spec.design import Champion, Decision, Design, Ingest, Retraining, Trigger

DAY = 86400.0


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_every_monitor_has_a_short_form(kind: str) -> None:
    of = "score" if kind in DETECTOR_KINDS else "all"
    assert AlertSpec.model_validate({kind: {"of": of}}).of == (of,)


def test_thresholds_have_defaults_by_monitor() -> None:
    assert AlertSpec.model_validate({"psi": None}).act == 0.25
    assert AlertSpec.model_validate({"missing": {"act": "5%"}}).act == 0.05


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"psi": {}, "ks": {}}, "one monitor"),
        ({}, "one monitor"),
        ({"psi": "all"}, "psi: {of"),
        ({"psi": 5}, "psi: {of"),
        ({"adwin": {}}, "adwin needs `of`"),
        ({"adwin": {"of": "score", "for": "2d"}}, "speaks once"),
        ({"psi": {"act": "much"}}, "a number >= 0"),
        ({"psi": {"window": "0d"}}, "greater than 0"),
        ({"kind": "pis"}, "unknown monitor"),
    ],
)
def test_alert_rules(value: Any, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        AlertSpec.model_validate(value)


@pytest.mark.parametrize(
    ("phrase", "kinds"),
    [("on drift", DRIFT_KINDS), ("on alert", ALERT_KINDS), ("on performance", ("performance",)),
     ("every 7d", ())],
)  # fmt: skip
def test_triggers(phrase: str, kinds: tuple[str, ...]) -> None:
    trigger = Trigger.model_validate(phrase)
    assert tuple(kind for kind in ALERT_KINDS if trigger.fires_on(kind)) == kinds


@pytest.mark.parametrize(
    "value", ["now", "on", "on lunch", "every", "every 0d", "every day", {}, {"on": "x"}, 5]
)
def test_no_triggers(value: Any) -> None:
    with pytest.raises(ValidationError):
        Trigger.model_validate(value)


def test_champion_forms() -> None:
    assert Champion.model_validate("logistic_regression").family == "logistic_regression"
    assert Champion.model_validate({"xgboost": None}).family == "xgboost"
    with pytest.raises(ValidationError, match="exactly one"):
        Champion.model_validate({})


def test_acks_may_be_written_as_numbers() -> None:
    assert Ingest.model_validate({"acks": 1}).acks == "1"


def test_review_below_block() -> None:
    Decision.model_validate({"review": {"above": 0.5}, "block": {"above": 0.5}})
    with pytest.raises(ValidationError, match=r"at most block\.above, 0\.5"):
        Decision.model_validate({"review": {"above": 0.6}, "block": {"above": 0.5}})


def test_retraining_forms() -> None:
    assert Retraining.model_validate("never").when == ()
    with pytest.raises(ValidationError, match="`never`"):
        Retraining.model_validate("always")
    with pytest.raises(ValidationError, match="shadow"):
        Retraining.model_validate({"shadow": "0d", "canary": "10%"})


def test_features_are_needed_and_distinct() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        Design.model_validate({"features": []})
    with pytest.raises(ValidationError, match="declared twice"):
        Design.model_validate({"features": ["amount", "amount"]})


@pytest.mark.parametrize("field", ["workers", "linger"])
def test_true_is_no_number(field: str) -> None:
    with pytest.raises(ValidationError, match="expected a"):
        Design.model_validate({"features": ["a"], "pipeline": {field: True}})


def test_a_design_is_frozen() -> None:
    design = Design.model_validate({"features": ["amount"]})
    with pytest.raises(ValidationError, match="frozen"):
        design.title = "x"
