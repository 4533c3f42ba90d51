"""Where a model says how far off it may be, decisions go by that and not by its estimate."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.pipeline.decide import ALLOW, BLOCK, REVIEW, Thresholds
from sandbox.pipeline.decider import Decider, Rule, Serving
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.pipeline import Pipeline
from sandbox.spec.design import Design
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {"id": "home_id", "columns": {"size": {"type": "number"}, "doubt": {"type": "number"}}}
)
DESIGN = Design.model_validate({"features": ["size", "doubt"], "decision": {"fallback": "review"}})
PLAN = FeaturePlan.compile(DESIGN.features, SCHEMA)
THRESHOLDS = Thresholds(0.3, 0.8)


def price(features: np.ndarray) -> np.ndarray:
    return 1000.0 * features[:, 0].astype(np.float64)


def doubt(features: np.ndarray) -> np.ndarray:
    return features[:, 1].astype(np.float64)


SERVING = Serving(price, THRESHOLDS, 3, spread=doubt)


def homes(rows: int = 2000) -> tuple[Batch, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (rows, 2)).astype(np.float32)
    columns = {"size": features[:, 0].astype(float), "doubt": features[:, 1].astype(float)}
    times = 1e9 + np.arange(rows) * 1.0
    ids = {"home_id": np.arange(rows), "event_time": times, "processing_time": times}
    return Batch({**ids, **columns}), features


def expected(spread: np.ndarray) -> np.ndarray:
    return np.where(spread > 0.8, BLOCK, np.where(spread > 0.3, REVIEW, ALLOW))


def test_thresholds_go_by_spread_where_there_is_one() -> None:
    batch, features = homes()
    said = Decider(PLAN, DESIGN).decide(batch, features, SERVING)
    np.testing.assert_array_equal(said.score, price(features))
    assert said.spread is not None
    np.testing.assert_array_equal(said.spread, doubt(features))
    np.testing.assert_array_equal(said.decisions.decision, expected(doubt(features)))
    assert set(said.decisions.decision) == {ALLOW, REVIEW, BLOCK} and (said.version == 3).all()
    # Its twin without a spread is held against the scores, all of which are large.
    silent = Decider(PLAN, DESIGN).decide(batch, features, Serving(price, THRESHOLDS, 3))
    assert silent.spread is None
    np.testing.assert_array_equal(silent.decisions.decision, expected(price(features)))


def test_a_canary_decides_by_its_own_spread() -> None:
    batch, features = homes()
    wide = Serving(lambda x: 2 * price(x), Thresholds(0.5, None), 4, spread=lambda x: 2 * doubt(x))
    serving = Serving(price, THRESHOLDS, 3, canary=wide, canary_share=0.3, spread=doubt)
    said = Decider(PLAN, DESIGN).decide(batch, features, serving)
    tried = said.version == 4
    assert tried.mean() == pytest.approx(0.3, abs=0.04) and said.spread is not None
    times = np.where(tried, 2, 1)
    np.testing.assert_array_equal(said.spread, times * doubt(features))
    np.testing.assert_array_equal(said.score, times * price(features))
    mine = np.where(2 * doubt(features) > 0.5, REVIEW, ALLOW)
    np.testing.assert_array_equal(
        said.decisions.decision, np.where(tried, mine, expected(doubt(features)))
    )
    np.testing.assert_array_equal(doubt(features), features[:, 1])


def test_the_fallback_answers_where_the_model_does_not() -> None:
    batch, features = homes(100)
    none = Decider(PLAN, DESIGN).decide(batch, features, None)
    assert none.spread is None and np.isnan(none.score).all() and none.decisions.fallback.all()
    assert (none.decisions.decision == REVIEW).all() and (none.version == 0).all()
    answered = np.arange(100) % 3 > 0
    late = Decider(PLAN, DESIGN).decide(batch, features, SERVING, answered)
    assert (late.decisions.fallback == ~answered).all()
    assert (late.decisions.decision[~answered] == REVIEW).all()
    np.testing.assert_array_equal(
        late.decisions.decision[answered], expected(doubt(features))[answered]
    )


def test_explored_events_are_some_that_are_too_wide() -> None:
    batch, features = homes()
    design = DESIGN.model_copy(
        update={"decision": DESIGN.decision.model_copy(update={"explore": 0.5})}
    )
    said = Decider(PLAN, design).decide(batch, features, SERVING)
    wide = doubt(features) > 0.8
    assert not said.decisions.explored[~wide].any()
    assert said.decisions.explored[wide].mean() == pytest.approx(0.5, abs=0.08)
    assert (said.decisions.decision[said.decisions.explored] == ALLOW).all()


def test_rules_overrule_spreads() -> None:
    batch, features = homes(50)
    rule = Rule(lambda rows: rows["size"] > 0.5, BLOCK)
    said = Decider(PLAN, DESIGN).decide(
        batch, features, Serving(price, THRESHOLDS, 3, rules=(rule,), spread=doubt)
    )
    large = features[:, 0] > 0.5
    assert (said.decisions.decision[large] == BLOCK).all()
    np.testing.assert_array_equal(said.decisions.ruled, large)
    np.testing.assert_array_equal(
        said.decisions.decision[~large], expected(doubt(features))[~large]
    )


def test_a_pipeline_hands_on_what_was_said() -> None:
    batch, features = homes(40)
    done = Pipeline(SCHEMA, DESIGN).process(batch, serving=SERVING)
    assert done.spread is not None
    np.testing.assert_array_equal(done.spread, doubt(features))
    np.testing.assert_array_equal(done.decision, expected(doubt(features)))
    assert Pipeline(SCHEMA, DESIGN).process(batch).spread is None
    nothing = Pipeline(SCHEMA, DESIGN).process(batch.slice(0, 0), serving=SERVING)
    assert len(nothing.decision) == 0
