from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from sandbox.spec.design import Design
from sandbox.spec.outline import describe, field_at, kind_at, models_below, step
from sandbox.spec.scenario import Scenario


@pytest.mark.parametrize("model", [Design, Scenario])
def test_every_key_is_described(model: type[BaseModel]) -> None:
    docs = describe(model)
    assert [doc.key for doc in docs if not doc.about] == []
    assert len({doc.key for doc in docs}) == len(docs)


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("pipeline.linger", "duration", "5ms"),
        ("decision.review.capacity", "rate", "100/day"),
        ("decision.explore", "share", "0%"),
        ("model.training.refit", "true or false", "true"),
        ("ingest.acks", "one of all, 1, 0", "all"),
        ("features[].OPERATION.over", "list of duration", "[]"),
        ("clean[].STEP.of", "text", ""),
        ("clean[].STEP.with", "number or text", "null"),
        ("monitoring.alerts[].MONITOR.for", "duration", "0s"),
        ("retraining.gate.slices", "list of text", "[]"),
        ("ingest.key", "text", "null"),
        ("model", "section", ""),
        ("features", "list", ""),
    ],
)
def test_describe(key: str, kind: str, default: str) -> None:
    (doc,) = (doc for doc in describe() if doc.key == key)
    assert (doc.type, doc.default) == (kind, default)


def test_names_of_ones_choice() -> None:
    keys = {doc.key: doc for doc in describe(Scenario)}
    assert keys["incidents.NAME.drift.for"].type == "duration"
    assert keys["event.columns.NAME.type"].default == ""
    assert keys["load.daily.peak"].default == "19:00"
    assert keys["costs.missed.per"].type == "mapping of names to number"
    assert keys["world"].type == "mapping of names to anything"


def test_steps() -> None:
    assert step(Design, "nothing") is None
    assert step(Design, 0) is None
    assert step(step(Design, "features"), "x") is None
    feature = step(step(Design, "features"), 0)
    assert step(feature, "mean") is feature
    assert step(feature, "psi") is None
    assert step(step(Scenario, "world"), "anything") is Any
    assert step(int, "x") is None


def test_fields_and_kinds() -> None:
    field = field_at(Design, ("pipeline", "workers"))
    assert field is not None
    assert field.default == 4
    assert field_at(Design, ()) is None
    kind = kind_at(Design, ("features", 2, "over", 0))
    assert kind is not None
    assert kind.name == "duration"
    assert kind_at(Design, ("pipeline", "workers")) is None


def _models(model: type[BaseModel]) -> Iterator[str]:
    yield from (m.__name__ for m in models_below(model))


def test_models_below() -> None:
    assert {"Design", "Gate", "FeatureSpec", "XGBoost", "Rollback"} <= set(_models(Design))
    assert {"LogNormal", "Drift", "Column"} <= set(_models(Scenario))
    assert len(set(_models(Design))) == len(list(_models(Design)))
