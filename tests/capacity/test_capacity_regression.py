"""What an estimate with its spread costs to serve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sandbox.capacity import calibrate as calibration
from sandbox.capacity.calibrate import STEPS, StepTimer, Supply, calibrate
from sandbox.capacity.plant import build_plant, trees
from sandbox.pipeline.decide import BLOCK, DECISIONS
from sandbox.pipeline.features.online import warm_up
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import Prepared, prepare
from sandbox.run.stand_in import THRESHOLDS, stand_in_handler
from sandbox.spec.capacity import Profile
from sandbox.spec.model import OF_SPREAD


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("hours", task="regression", into=root)
    return root


def hours(root: Path, *overrides: str) -> Prepared:
    return prepare(
        "hours", design=None, seed=7, days=1, overrides=overrides, incidents=(), roots=(root,)
    )


def test_trees_of_spreads_are_walked_too(root: Path) -> None:
    told = trees(hours(root, "model.champion={xgboost: {trees: 50}}").design)
    assert told == 50 + OF_SPREAD.trees
    assert trees(hours(root, "model.champion={ridge: {}}").design) == 1


def test_more_trees_leave_room_for_less(root: Path, profile: Profile) -> None:
    most = []
    for number in (20, 2000):
        prepared = hours(root, f"model.champion={{xgboost: {{trees: {number}}}}}")
        most.append(build_plant(prepared.design, prepared.plan, profile).most()[0])
    assert most[1] < most[0]


@pytest.mark.parametrize("champion", ["{xgboost: {trees: 5, depth: 2}}", "{ridge: {}}"])
def test_a_stand_in_says_how_far_off_it_may_be(root: Path, champion: str) -> None:
    prepared = hours(root, f"model.champion={champion}")
    handler = stand_in_handler(prepared)
    serving = handler.serving
    assert serving is not None
    features = np.zeros((3, len(prepared.plan.names)), dtype=np.float32)
    score, spread = serving.score(features), serving.spread(features)
    assert spread is not None and (spread > 0).all()
    assert ((score >= 1) & (score <= 2)).all()
    messages = Supply(handler, prepared.scenario.event, np.random.default_rng(0)).take(200)
    decided = [json.loads(answer) for answer in handler.handle(messages)]
    assert len(decided) == 200 and {d["decision"] for d in decided} <= set(DECISIONS)
    # What is held against the bounds are spreads: of noise they are wide, but not all the same.
    events = handler.codec.decode(messages)
    again = stand_in_handler(prepared).pipeline.process(events, serving=serving)
    assert again.spread is not None
    bound = THRESHOLDS.block_above
    assert [DECISIONS[code] for code in again.decision] == [d["decision"] for d in decided]
    assert bound is not None
    np.testing.assert_array_equal(again.decision == BLOCK, again.spread > bound)


def test_a_batch_is_timed_step_by_step_with_its_cleaning(root: Path) -> None:
    prepared = hours(root, "model.champion.xgboost={trees: 5, depth: 2}")
    handler, twin = stand_in_handler(prepared), stand_in_handler(prepared)
    warm_up(prepared.plan)
    schema = prepared.scenario.event
    messages = Supply(handler, schema, np.random.default_rng(0)).take(300)
    took = StepTimer(handler).take(messages)
    assert len(took) == len(STEPS) and took[STEPS.index("text")] == 0.0
    assert all(took[STEPS.index(name)] > 0 for name in STEPS if name != "text")
    # What it leaves behind is the state that a worker would have, cleaned weights included.
    twin.handle(messages)
    assert handler.pipeline.store.snapshot() == twin.pipeline.store.snapshot()


def test_calibration_measures_a_regression(
    root: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "REPEATS", 2)
    monkeypatch.setattr(calibration, "SHIFT", 0.1)
    monkeypatch.setattr(calibration, "HISTORY", 1_000)
    prepared = hours(root, "model.champion.xgboost={trees: 5, depth: 2}")
    measured = calibrate(
        stand_in_handler(prepared), prepared.scenario.event, trees(prepared.design), profile
    )
    for name in STEPS:
        line = getattr(measured, name)
        assert line == profile.text if name == "text" else line.event > 0
