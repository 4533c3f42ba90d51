"""Pipeline: from a batch in the log to decisions, the same in any execution."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.pipeline.decide import ALLOW, BLOCK, REVIEW, Thresholds
from sandbox.pipeline.pipeline import Pipeline, Serving
from sandbox.pipeline.schema import REASONS
from sandbox.spec.design import Design
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {"user": {"type": "key"}, "amount": {"type": "number", "min": 0}},
    }
)
DESIGN = Design.model_validate(
    {
        "features": [
            "amount",
            {"count": {"by": "user", "over": "1h"}},
            {"share": {"of": "label", "by": "user", "over": "1h"}},
        ],
        "decision": {"explore": "20%", "fallback": "review"},
    }
)


def score(features: np.ndarray) -> np.ndarray:
    return np.clip(features[:, 0] / 100.0, 0, 1).astype(np.float64)


SERVING = Serving(score, Thresholds(0.5, 0.9), version=3)


def events(rows: int, seed: int = 1) -> Batch:
    rng = np.random.default_rng(seed)
    times = 1e9 + np.sort(rng.uniform(0, 20_000, rows))
    amount = rng.uniform(0, 100, rows)
    amount[rng.random(rows) < 0.05] = np.nan
    return Batch(
        {
            "event_id": np.where(rng.random(rows) < 0.02, 0, np.arange(rows)),
            "event_time": times,
            "processing_time": times,
            "user": rng.integers(0, 20, rows),
            "amount": amount,
        }
    )


def labels_of(batch: Batch) -> Batch:
    chosen = batch.select(["event_id", "event_time", "user"]).take(np.arange(0, len(batch), 3))
    return chosen.with_columns(label=np.ones(len(chosen)), label_time=chosen["event_time"] + 500.0)


def test_every_row_is_decided_or_dead_with_a_reason() -> None:
    batch = events(2000)
    done = Pipeline(SCHEMA, DESIGN, seed=5).process(batch, labels_of(batch), serving=SERVING)
    assert len(done.events) + len(done.dead) == 2000
    assert {REASONS[code] for code in done.dead["reason"]} == {"null", "duplicate"}
    assert done.features.shape == (len(done.events), 3)
    assert (done.features[:, 2] > 0).any()
    assert (done.score == score(done.features)).all()
    high = done.score > 0.9
    assert set(done.decision[high]) == {ALLOW, BLOCK}
    assert (done.explored == (high & (done.decision == ALLOW))).all()
    assert done.explored[high].mean() == pytest.approx(0.2, abs=0.09)
    assert (done.decision[(done.score > 0.5) & ~high] == REVIEW).all()
    assert (done.version == 3).all()


def test_without_a_model_the_fallback_answers() -> None:
    done = Pipeline(SCHEMA, DESIGN).process(events(50))
    assert done.fallback.all()
    assert (done.decision == REVIEW).all()
    assert np.isnan(done.score).all()
    assert (done.version == 0).all()


def test_a_canary_decides_its_share_and_nothing_else() -> None:
    challenger = Serving(lambda features: 1 - score(features), Thresholds(0.5, None), version=4)
    serving = Serving(score, Thresholds(0.5, 0.9), 3, canary=challenger, canary_share=0.3)
    batch = events(3000)
    done = Pipeline(SCHEMA, DESIGN).process(batch, serving=serving)
    alone = Pipeline(SCHEMA, DESIGN).process(batch, serving=SERVING)
    tried = done.version == 4
    assert set(done.version) == {3, 4}
    assert tried.mean() == pytest.approx(0.3, abs=0.03)
    assert (done.score[tried] == 1 - score(done.features[tried])).all()
    assert (done.decision[tried] == np.where(done.score[tried] > 0.5, REVIEW, ALLOW)).all()
    assert (done.decision[~tried] == alone.decision[~tried]).all()


def test_answered_follows_the_rows_that_live() -> None:
    batch = events(500)
    answered = np.arange(500) % 2 == 0
    done = Pipeline(SCHEMA, DESIGN).process(batch, serving=SERVING, answered=answered)
    assert len(done.dead)
    asked = np.isin(done.events["event_time"], batch["event_time"][answered])
    assert (done.fallback == ~asked).all()
    assert not np.isnan(done.score).any()
    with pytest.raises(ValueError, match="answered"):
        Pipeline(SCHEMA, DESIGN).process(batch, serving=SERVING, answered=answered[:3])


def test_a_restart_from_a_snapshot_changes_nothing() -> None:
    batch = events(900)
    labels = labels_of(batch)
    whole = Pipeline(SCHEMA, DESIGN, seed=2).process(batch, labels, serving=SERVING)
    first, second = Pipeline(SCHEMA, DESIGN, seed=2), Pipeline(SCHEMA, DESIGN, seed=2)
    head = first.process(batch.slice(0, 400), labels, serving=SERVING)
    second.restore(first.snapshot())
    tail = second.process(batch.slice(400, 900), serving=SERVING)
    for name in ("features", "score", "decision", "explored", "fallback", "version"):
        together = np.concatenate([getattr(head, name), getattr(tail, name)])
        np.testing.assert_array_equal(together, getattr(whole, name))
    assert len(head.dead) + len(tail.dead) == len(whole.dead)


def test_an_empty_batch_is_fine() -> None:
    done = Pipeline(SCHEMA, DESIGN).process(events(5).slice(0, 0), serving=SERVING)
    assert len(done.events) == len(done.dead) == 0


def test_a_snapshot_of_another_design_is_refused() -> None:
    other = Design.model_validate({"features": ["amount"]})
    with pytest.raises(ValueError, match="another plan"):
        Pipeline(SCHEMA, other).restore(Pipeline(SCHEMA, DESIGN).snapshot())
