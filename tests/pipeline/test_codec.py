from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.pipeline.codec import EventCodec
from sandbox.spec.loading import scenario_from
from sandbox.spec.scenario import EventSchema
from sandbox.spec.source import read_source


@pytest.fixture(scope="module")
def schema(project: Path) -> EventSchema:
    return scenario_from(read_source(project / "scenarios" / "fraud" / "scenario.yaml")).event


def events(schema: EventSchema, number: int = 5) -> Batch:
    rng = np.random.default_rng(0)
    columns = {
        schema.id: np.arange(number), "event_time": 1.7e9 + rng.uniform(0, 9, number),
        "processing_time": 1.7e9 + rng.uniform(0, 9, number),
    }  # fmt: skip
    for name, column in schema.columns.items():
        if column.type == "key":
            columns[name] = rng.integers(0, 9, number)
        elif column.type == "category":
            columns[name] = rng.integers(-1, len(column.values), number).astype(np.int16)
        else:
            columns[name] = np.where(
                rng.uniform(size=number) < 0.3, np.nan, rng.normal(size=number)
            )
    return Batch(columns)


def test_what_was_written_is_read_back(schema: EventSchema) -> None:
    codec, given = EventCodec(schema), events(schema, 50)
    back = codec.decode(codec.encode(given))
    for name in given.names:
        assert np.array_equal(back[name], given[name], equal_nan=given[name].dtype.kind == "f")
        assert back[name].dtype == given[name].dtype


def test_categories_travel_by_name_and_missing_values_as_null(schema: EventSchema) -> None:
    number = next(name for name, c in schema.columns.items() if c.type == "number")
    category = next(name for name, c in schema.columns.items() if c.type == "category")
    given = events(schema).with_columns(
        **{number: np.full(5, np.nan), category: np.zeros(5, dtype=np.int16)}
    )
    plain = json.loads(EventCodec(schema).encode(given)[0])
    assert plain[number] is None
    assert plain[category] == schema.columns[category].values[0]


@pytest.mark.parametrize("message", [b"", b"{}", b"[1]", b'{"amount": "x"}', b"\xff"])
def test_poison_is_refused(schema: EventSchema, message: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        EventCodec(schema).decode([message])
