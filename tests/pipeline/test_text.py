"""Text in events: through the wire, the schema, faults, files, and into features."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.adapters.recorded_values import FINE, NULL, texts
from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.live.frames import frame_of, read_frame
from sandbox.monitor.data_quality import missing_shares
from sandbox.pipeline.codec import EventCodec
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.online import FeatureStore
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.features.text import hashed
from sandbox.pipeline.schema import REASONS, SchemaCheck
from sandbox.spec.base import SpecError
from sandbox.spec.columns import feature_problems
from sandbox.spec.features import FeatureSpec
from sandbox.spec.incidents import Incident
from sandbox.spec.scenario import EventSchema
from sandbox.world.faults import DataFaultEngine
from sandbox.world.filters import RowFilter

LONGEST = 12
SCHEMA = EventSchema.model_validate(
    {
        "id": "message_id",
        "columns": {
            "sender": {"type": "key"},
            "body": {"type": "text", "max_bytes": LONGEST},
            "note": {"type": "text", "max_bytes": LONGEST, "nullable": True},
        },
    }
)
FEATURES = [
    FeatureSpec.model_validate(item)
    for item in (
        {"length": {"of": "body"}},
        {"hashed": {"of": "body", "into": 8}},
        {"hashed": {"of": "body", "grams": "characters", "into": 16}},
        {"count": {"by": "sender", "over": "60s"}},
    )
]
PLAN = FeaturePlan.compile(FEATURES, SCHEMA)


def messages(*bodies: str, notes: list[str] | None = None) -> Batch:
    rows = len(bodies)
    times = 1_700_000_000.0 + np.arange(rows)
    return Batch(
        {
            "message_id": np.arange(rows), "event_time": times, "processing_time": times,
            "sender": np.zeros(rows, dtype=np.int64),
            "body": np.array([text.encode() for text in bodies], dtype=f"S{LONGEST}"),
            "note": np.array([n.encode() for n in notes or [""] * rows], dtype=f"S{LONGEST}"),
        }
    )  # fmt: skip


@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=6), min_size=1))
def test_text_survives_the_wire(bodies: list[str]) -> None:
    batch = messages(*bodies)
    codec = EventCodec(SCHEMA)
    back = codec.decode(codec.encode(batch))
    whole = [len(text.encode()) <= LONGEST for text in bodies]
    assert np.array_equal(back["body"][whole], batch["body"][whole])
    assert back["body"].dtype == f"S{LONGEST}"
    assert np.array_equal(read_frame(frame_of(batch))["body"], batch["body"])


def test_missing_text_is_null_and_long_text_is_cut() -> None:
    codec = EventCodec(SCHEMA)
    (wire,) = codec.encode(messages("hello"))
    assert json.loads(wire)["note"] is None
    told = wire.replace(b'"hello"', b'"' + b"x" * 50 + b'"')
    assert codec.decode([told])["body"].tolist() == [b"x" * LONGEST]
    del_body = json.dumps({k: v for k, v in json.loads(wire).items() if k != "body"}).encode()
    assert codec.decode([del_body])["body"].tolist() == [b""]


def test_the_schema_refuses_missing_text_where_it_must_not_miss() -> None:
    valid, dead = SchemaCheck(SCHEMA, 60.0).check(messages("hello", "", "bye", notes=["", "", "n"]))
    assert valid["body"].tolist() == [b"hello", b"bye"]
    assert [REASONS[code] for code in dead["reason"]] == ["null"]
    numbers = messages("a").with_columns(body=np.zeros(1))
    _, dead = SchemaCheck(SCHEMA, 60.0).check(numbers)
    assert [REASONS[code] for code in dead["reason"]] == ["wrong_type"]
    valid, _ = SchemaCheck(SCHEMA, 60.0).check(messages("a").drop("note"))
    assert valid["note"].tolist() == [b""]


def test_serving_and_training_give_the_same_bits() -> None:
    rng = np.random.default_rng(5)
    words = np.array(["win", "cash", "now", "dinner", "tonight", "caf\u00e9", "w1n"])
    bodies = [" ".join(rng.choice(words, size=rng.integers(0, 4))) for _ in range(200)]
    batch = messages(*bodies)
    at_once, store = compute_history(PLAN, batch), FeatureStore(PLAN)
    cuts = [0, 1, 1, 7, 150, 200]
    pieces = [store.update(batch.slice(a, b)) for a, b in pairwise(cuts)]
    assert np.array_equal(np.concatenate(pieces), at_once)
    assert PLAN.names[:2] == ("body_length", "body_words_0") and len(PLAN.names) == 26


def test_what_is_counted() -> None:
    text = np.array([b"Win WIN a now", b"win win now", b"w1n", b""])
    counts = hashed(text, "words", 512)
    assert np.array_equal(counts[0], counts[1])  # case and single letters do not count
    assert counts.sum(axis=1).tolist() == [3, 3, 1, 0]
    runs = hashed(np.array([b"cash", b"ca5h"]), "characters", 512)
    # " ca", "cas", "ash", "sh " and " ca", "ca5", "a5h", "5h ": one of four is shared
    assert runs.sum() == 8
    assert np.minimum(runs[0], runs[1]).sum() == 1
    cut = np.array(["abc\u00e9".encode()[:4]])
    assert hashed(cut, "words", 8).sum() == 1


def test_features_that_have_no_text_keep_their_fingerprint() -> None:
    count = FeatureSpec.model_validate({"count": {"by": "sender", "over": "60s"}})
    assert FeaturePlan.compile([count], SCHEMA).fingerprint == (
        FeaturePlan.compile([count.model_copy(update={"into": 8})], SCHEMA).fingerprint
    )
    two = [
        FeaturePlan.compile([FeatureSpec.model_validate({"hashed": {"of": "body", **how}})], SCHEMA)
        for how in ({"into": 8}, {"into": 8, "grams": "characters"})
    ]
    assert two[0].fingerprint != two[1].fingerprint


@pytest.mark.parametrize(
    ("declared", "what"),
    [
        ("body", "a text is no quantity"),
        ({"hashed": {"of": "sender"}}, "not a text"),
        ({"hashed": {"of": "bdy"}}, "unknown column"),
        ({"mean": {"of": "body", "by": "sender", "over": "1d"}}, "mean of a text has no meaning"),
        ({"count": {"by": "body", "over": "1d"}}, ""),
    ],
)
def test_text_where_it_has_no_meaning(declared: object, what: str) -> None:
    spec = FeatureSpec.model_validate(declared)
    (problem,) = feature_problems([spec], SCHEMA)
    (again,) = FeaturePlan.check([spec], SCHEMA)
    assert what in problem.what and what in again.what
    with pytest.raises(ValueError, match="do not fit the schema"):
        FeaturePlan.compile([spec], SCHEMA)


@pytest.mark.parametrize(
    "declared",
    [
        {"hashed": {"of": "body", "by": "sender"}}, {"length": {}},
        {"length": {"of": "body", "into": 8}}, {"hashed": {"of": "body", "over": "1d"}},
        {"count": {"by": "sender", "over": "1d", "grams": "characters"}},
        {"hashed": {"of": "body", "grams": "sentences"}}, {"hashed": {"of": "body", "into": 1}},
    ],
)  # fmt: skip
def test_wrong_declarations(declared: object) -> None:
    with pytest.raises((SpecError, ValueError)):
        FeatureSpec.model_validate(declared)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "nulls", "field": "body", "share": "100%"}, [b"", b"", b""]),
        ({"kind": "stale", "field": "body", "share": "100%"}, [b"", b"", b""]),
        ({"kind": "duplicates", "share": "100%"}, [b"one", b"two", b"three"]),
    ],
)
def test_faults_reach_text(fault: dict[str, str], expected: list[bytes]) -> None:
    incident = Incident.model_validate({"story": "", "fault": {**fault, "at": "0d", "for": "1d"}})
    batch = messages("one", "two", "three")
    start = float(batch["event_time"][0])
    injector = DataFaultEngine({"it": incident}, SCHEMA, start)
    arrived = injector.apply(batch, start, start + 3600.0, np.random.default_rng(0))
    assert set(arrived["body"].tolist()) == set(expected)
    share = missing_shares(arrived, SCHEMA)["body"]
    assert share == (1.0 if expected[0] == b"" else 0.0)


def test_a_renamed_text_is_gone() -> None:
    incident = Incident.model_validate(
        {"story": "", "fault": {"kind": "rename", "field": "body", "at": "0d", "for": "1d"}}
    )
    batch = messages("one", "two")
    start = float(batch["event_time"][0])
    injector = DataFaultEngine({"it": incident}, SCHEMA, start)
    arrived = injector.apply(batch, start, start + 60.0, np.random.default_rng(0))
    assert "body" not in arrived
    assert arrived["body_v2"].tolist() == [b"one", b"two"]


def test_a_condition_on_text_is_refused() -> None:
    with pytest.raises(UsageError, match="a text has no conditions"):
        RowFilter.parse("body == win", SCHEMA, "where")


def test_text_of_a_file() -> None:
    values, reasons = texts(pa.array(["caf\u00e9", None, "", "x" * 20]), LONGEST)
    assert values.tolist() == ["caf\u00e9".encode(), b"", b"", b"x" * LONGEST]
    assert reasons.tolist() == [FINE, NULL, NULL, FINE]
    assert texts(pa.array([1, None]), LONGEST)[0].tolist() == [b"1", b""]
