"""What training sees, and what becomes of versions; trained for real on the log of a short run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sandbox.errors import SandboxError
from sandbox.model import CannotTrain, GateVerdict, TrainingData, plan_training
from sandbox.record import RunRecord
from sandbox.run import training_job as module
from sandbox.run.execution import VirtualRun
from sandbox.run.lifecycle import Lifecycle
from sandbox.run.log import DecisionLog
from sandbox.run.setup import DAY, Prepared
from sandbox.task import BinaryTask

Ready = Callable[..., Prepared]
Played = tuple[VirtualRun, RunRecord]


class Stopped(Exception):
    """Raised in place of training."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[TrainingData]:
    """What training was given; training itself is cut off."""
    given: list[TrainingData] = []

    def train(data: TrainingData, *_: object, **__: object) -> None:
        given.append(data)
        raise Stopped

    monkeypatch.setattr(module, "train", train)
    return given


def data_at(
    prepared: Prepared, log: DecisionLog, day: float, seen: list[TrainingData]
) -> TrainingData:
    with pytest.raises(Stopped):
        Lifecycle(prepared, log).challenge(day * DAY, "on schedule")
    return seen[-1]


def window_rows(prepared: Prepared, log: DecisionLog, day: float) -> slice:
    training = prepared.design.model.training
    window = plan_training(prepared.scenario.start_time + day * DAY, training)
    return log.rows_between(window.train_from, window.validation_to)


def copied(log: DecisionLog) -> DecisionLog:
    """Return a log of its own, to change."""
    extra = {"parcel_id": np.int64, "service": np.int16}
    again = DecisionLog(extra, log.features.shape[1], len(log), BinaryTask())
    again.log({n: log.column(n).copy() for n in again._columns}, log.features.copy())
    return again


def test_training_knows_only_labels_that_have_come(
    played: Played, seen: list[TrainingData]
) -> None:
    run, _ = played
    prepared, log = run.prepared, copied(run.service.log)
    now = prepared.scenario.start_time + 8 * DAY
    rows = window_rows(prepared, log, 8)
    data = data_at(prepared, log, 8, seen)
    known = log.column("label_time")[rows] <= now
    assert 0 < np.isnan(data.label).sum() < len(known)
    np.testing.assert_array_equal(np.isnan(data.label), ~known)
    # What becomes known later changes nothing.
    log.column("label")[log.column("label_time") > now] = 1.0
    again = data_at(prepared, log, 8, seen)
    np.testing.assert_array_equal(data.label, again.label)
    np.testing.assert_array_equal(data.features, log.features[rows])


def test_what_a_decision_hides_is_not_learned_from(
    played: Played, seen: list[TrainingData]
) -> None:
    run, _ = played
    prepared, log = run.prepared, copied(run.service.log)
    rows = window_rows(prepared, log, 8)
    log.column("hidden")[rows.start : rows.start + 50] = True
    assert np.isnan(data_at(prepared, log, 8, seen).label[:50]).all()
    # Where silence means something, it means nothing about a hidden label.
    silent = replace(
        prepared,
        scenario=prepared.scenario.model_copy(
            update={"labels": prepared.scenario.labels.model_copy(update={"absence_means": 0.0})}
        ),
    )
    log.column("label_time")[rows] = np.inf
    label = data_at(silent, log, 8, seen).label
    assert np.isnan(label[:50]).all() and (label[50:] == 0.0).all()


def test_an_explored_row_stands_for_those_that_were_blocked(
    ready: Ready, played: Played, seen: list[TrainingData]
) -> None:
    prepared, log = ready("decision.explore=5%"), copied(played[0].service.log)
    rows = window_rows(prepared, log, 8)
    log.column("explored")[rows.start + 3] = True
    data = data_at(prepared, log, 8, seen)
    assert len(data.label) == rows.stop - rows.start + 19
    time = log.column("event_time")[rows.start + 3]
    assert (data.event_time == time).sum() == 20
    assert len(data.slices["service"]) == len(data.label)


def test_an_explored_row_counts_by_the_share_of_its_time(
    ready: Ready, played: Played, seen: list[TrainingData]
) -> None:
    prepared, log = ready("decision.explore=0%"), copied(played[0].service.log)
    rows = window_rows(prepared, log, 8)
    early, late = rows.start + 3, rows.stop - 3
    log.column("explored")[[early, late]] = True
    life = Lifecycle(prepared, log)
    middle = float(log.column("processing_time")[(rows.start + rows.stop) // 2])
    life.explore(0.1, -100 * DAY)
    life.explore(0.25, middle - prepared.scenario.start_time)
    with pytest.raises(Stopped):
        life.challenge(8 * DAY, "by hand")
    happened = log.column("event_time")
    counts = [int((seen[-1].event_time == happened[row]).sum()) for row in (early, late)]
    assert counts == [10, 4]


def test_dead_letters_are_not_learned_from(played: Played, seen: list[TrainingData]) -> None:
    run, _ = played
    log = copied(run.service.log)
    rows = window_rows(run.prepared, log, 8)
    log.column("dead")[rows.start : rows.start + 10] = 3
    log.features[rows.start : rows.start + 10] = np.nan
    data = data_at(run.prepared, log, 8, seen)
    assert len(data.label) == rows.stop - rows.start - 10
    assert np.isfinite(data.features[:, 0]).all()


@pytest.fixture
def life(played: Played) -> Lifecycle:
    """A lifecycle with its first champion."""
    run, _ = played
    started = Lifecycle(run.prepared, run.service.log)
    started.start(0.0)
    return started


def test_the_first_champion_meets_no_gate(life: Lifecycle) -> None:
    (record,) = life.records
    assert record.gate_passed and record.promoted_day == 0.0 and record.positives > 0
    assert life.champion == 1 and life.challenger == 0 and life.replaced_by(1) is None
    assert life.deciders().champion.number == 1 and life.deciders().canary is None
    assert life.describe() == "v1 champion since day 0"


def test_a_refused_challenger_leaves_the_champion_and_its_reasons(
    life: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = GateVerdict(False, ("pr_auc fell from 0.5 to 0.3.",))
    monkeypatch.setattr(module, "judge", lambda *_, **__: refusal)
    assert not life.challenge(6 * DAY, "on schedule")
    assert life.champion == 1 and life.challenger == 0
    record = life.records[1]
    assert (record.version, record.trigger, record.trained_day) == (2, "on schedule", 6.0)
    assert not record.gate_passed and record.reasons == refusal.reasons
    assert record.promoted_day is None and record.offline_champion


def test_promotion_and_rollback(life: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = GateVerdict(True, ("Better.",))
    monkeypatch.setattr(module, "judge", lambda *_, **__: passing)
    first = life.model(1)
    assert life.challenge(6 * DAY, "on performance")
    assert (life.champion, life.challenger) == (1, 2)
    assert life.deciders().canary is None and "v2 in shadow" in life.describe()
    life.canary(0.1)
    assert life.deciders().canary is life.model(2) and "v2 in canary" in life.describe()
    life.promote(7 * DAY)
    assert (life.champion, life.challenger) == (2, 0) and life.replaced_by(2) is first
    assert life.records[0].retired_day == 7.0 and life.records[1].promoted_day == 7.0
    life.roll_back(8 * DAY, "good_blocked was 0.1")
    assert life.champion == 1 and life.deciders().champion is first
    bad = life.records[1]
    assert bad.rolled_back and bad.retired_day == 8.0
    assert bad.reasons == ("Better.", "Rolled back on day 8: good_blocked was 0.1.")
    assert life.records[0].retired_day is None
    assert life.challenge(8.5 * DAY, "on schedule") and life.challenger == 3


def test_a_challenger_without_enough_to_learn_from_is_noted(
    life: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poor(*_: object, **__: object) -> None:
        raise CannotTrain("too few positives", got=3, expected="at least 10")

    monkeypatch.setattr(module, "train", poor)
    assert not life.challenge(6 * DAY, "on schedule")
    reason = "too few positives; got 3, expected at least 10."
    assert life.refusals == [f"Day 6, on schedule: {reason}"] and len(life.records) == 1
    with pytest.raises(SandboxError, match="the first model cannot be trained: too few positives"):
        life.start(0.0)
