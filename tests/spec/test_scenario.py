from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.spec.incidents import Incident
from sandbox.spec.scenario import (
    Column,
    Cost,
    DelayDistribution,
    EventSchema,
    Load,
    ObjectiveSpec,
    Scenario,
)

DAY = 86400.0


@pytest.mark.parametrize(
    ("text", "fixed", "per"),
    [
        ("amount + 25 USD", 25.0, {"amount": 1.0}),
        ("8 USD", 8.0, {}),
        (3, 3.0, {}),
        ("0.5 * amount + 2 * distance + amount", 0.0, {"amount": 1.5, "distance": 2.0}),
    ],
)
def test_costs(text: object, fixed: float, per: dict[str, float]) -> None:
    cost = Cost.model_validate(text)
    assert (cost.fixed, cost.per) == (fixed, per)
    assert Cost.model_validate(cost.model_dump()) == cost


@pytest.mark.parametrize("text", ["amount +", "1.2.3 * x", "7d", "a * b", "", True, None, ["x"]])
def test_no_costs(text: Any) -> None:
    with pytest.raises(ValidationError, match="expected a cost such as"):
        Cost.model_validate(text)


@pytest.mark.parametrize(
    ("model", "value", "rule"),
    [
        (Column, {"type": "category"}, "needs `values`"),
        (Column, {"type": "category", "values": ["a", "a"]}, "distinct"),
        (Column, {"type": "number", "min": 2, "max": 1}, "min <= max"),
        (EventSchema, {"id": "a", "columns": {"a": {"type": "key"}}}, "taken"),
        (EventSchema, {"id": "a", "columns": {"label": {"type": "number"}}}, "taken"),
        (EventSchema, {"id": "a", "columns": {"A b": {"type": "key"}}}, "a name of a-z"),
        (DelayDistribution, {}, "exactly one of"),
        (DelayDistribution, {"constant": "1d", "min": "9d", "max": "1d"}, "min <= max"),
        (DelayDistribution, {"lognormal": {"median": "9d", "p95": "1d"}}, "median < p95"),
        (ObjectiveSpec, {}, "exactly one of"),
        (ObjectiveSpec, {"at_least": 1, "at_most": 2}, "exactly one of"),
        (Load, {"mean": "0/s"}, "greater than 0"),
        (Load, {"mean": 1, "events": [{"name": "x", "ratio": 2}]}, "`at`"),
        (Load, {"mean": 1, "events": [{"name": "x", "ratio": 2, "every": 0}]}, "greater than 0"),
        (Load, {"mean": 1, "daily": {"ratio": 0}}, "greater than or equal to 1"),
        (Incident, {"story": "x"}, "exactly one of"),
        (Incident, {"story": "x", "fault": {"kind": "nulls", "at": 0}}, "needs `field`"),
        (
            Incident,
            {"story": "x", "drift": {"kind": "prior", "knob": "k", "to": 1, "at": 0,
                                     "shape": "recurring"}},
            "needs `every`",
        ),
    ],
)  # fmt: skip
def test_rules(model: Any, value: Any, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        model.model_validate(value)


def test_day_zero_is_midnight_utc(scenario: Scenario) -> None:
    start = dt.datetime.fromtimestamp(scenario.start_time, dt.UTC)
    assert start.isoformat() == "2026-01-05T00:00:00+00:00"


def test_objective_keeps_its_unit(scenario: Scenario) -> None:
    latency, recall = scenario.objectives["latency"], scenario.objectives["recall"]
    assert str(latency.at_most) == "100ms"
    assert latency.bound == pytest.approx(0.1)
    assert recall.bound == 0.6


def test_keys(scenario: Scenario) -> None:
    assert scenario.event.keys == ("buyer_id", "shop_id")


@pytest.mark.parametrize(
    ("part", "kind", "end"),
    [
        ({"drift": {"kind": "concept", "knob": "k", "to": 2, "at": "1d"}}, "concept drift",
         float("inf")),
        ({"fault": {"kind": "late", "at": "1d", "for": "2d"}}, "late fault", 3 * DAY),
        ({"stack": {"kind": "worker_loss", "at": "1d", "for": "1h"}}, "worker_loss", DAY + 3600),
    ],
)  # fmt: skip
def test_incident(part: dict[str, Any], kind: str, end: float) -> None:
    incident = Incident.model_validate({"story": "x", **part})
    assert (incident.kind, incident.start, incident.end) == (kind, DAY, end)
