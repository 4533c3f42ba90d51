"""The trainer trains, judges, promotes and rolls back; whoever takes over goes on from there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sandbox.errors import SandboxError
from sandbox.live.generator.generator import Generator
from sandbox.live.messages import Command, Happening, ServingState, encode
from sandbox.live.trainer import trainer as module
from sandbox.live.trainer.trainer import Trainer
from sandbox.live.trainer.workshop import RECORD, record_from
from sandbox.live.worker.worker import Worker
from sandbox.model import version_from_files
from sandbox.pipeline.decide import BLOCK
from sandbox.run.setup import DAY, Prepared
from sandbox.run.training_job import TrainingJob
from tests.live.village import Shelf, Village, small, until

GATE = "gate: {metric: pr_auc, not_worse_by: 1, min_positives: 1, calibration: false}"
BY_HAND = f"retraining={{promotion: by_hand, {GATE}, shadow: 1d, cooldown: 2d}}"
LIVED = 3.0
"""Days of the village's life."""
Lives = Callable[..., "Life"]


class Away(Shelf):
    """A registry that answers when it wants."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    def point(self, name: str, number: int | None) -> None:
        if self.away:
            raise SandboxError("the registry says: nothing")
        super().point(name, number)


class Life:
    """A village with a past, and its trainer."""

    def __init__(self, village: Village) -> None:
        self.village = village
        self.shelf = Away()
        village.shelf = self.shelf
        self.trainer = Trainer(village.setting("trainer"))

    def begin(self) -> Life:
        self.until(self.trainer.ready)
        return self

    def until(self, done: Callable[[], bool]) -> None:
        until(done, self.trainer, seconds=60)

    def again(self) -> None:
        """End the trainer and have another take over."""
        self.trainer.close()
        self.trainer = Trainer(self.village.setting("trainer"))
        self.until(self.trainer.ready)

    def do(self, action: str, **args: object) -> Happening:
        """Ask for something and return the answer."""
        id = self.village.ask(action, **args)
        answers: list[Happening] = []

        def answered() -> bool:
            answers[:] = [one for one in self.village.happenings() if one.command == id]
            return bool(answers)

        self.until(answered)
        assert len(answers) == 1
        return answers[0]

    def retrain(self, **args: object) -> Happening:
        """Have a challenger trained and return what was said of it."""
        before = len(self.village.happenings("training"))
        assert self.do("retrain", **args).ok
        self.until(lambda: len(self.village.happenings("training")) == before + 2)
        return self.village.happenings("training")[-1]

    @property
    def serving(self) -> ServingState:
        last = self.village.messages(self.village.topics.serving)[-1]
        return msgspec.json.decode(last, type=ServingState)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture(scope="module")
def past(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Village:
    """A village that has lived for some days, with a worker that decides by the first champion."""
    village = Village(small(root, BY_HAND), tmp_path_factory.mktemp("past"))
    trainer = Trainer(village.setting("trainer"))
    generator, worker = Generator(village.setting("generator")), Worker(village.setting("w"))
    journal = trainer._office.journal

    def over() -> bool:
        return journal.now > LIVED * DAY

    until(over, generator, worker, trainer, seconds=60)
    for role in (generator, worker, trainer):
        role.close()
    return village


@pytest.fixture
def lives(
    root: Path, past: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lives]:
    """Begin a life with that past under a design of one's own."""
    monkeypatch.setattr(module, "QUIET", 0.05)
    begun: list[Life] = []

    def begin(*overrides: str) -> Life:
        prepared: Prepared = small(root, BY_HAND, *overrides)
        village = Village(prepared, tmp_path)
        for topic in (past.topics.events, past.topics.labels, past.topics.decisions):
            for chunk in past.log.reader([topic]).poll(0.0, 1 << 30):
                for value in chunk.values:
                    village.post(topic, value, chunk.place.partition)
        begun.append(Life(village))
        return begun[-1]

    yield begin
    for life in begun:
        life.trainer.close()


def test_the_first_champion(lives: Lives) -> None:
    life = lives()
    assert not life.trainer.ready()
    assert "history" in life.trainer.why_not()
    life.begin()
    assert life.shelf.alias("champion") == 1
    assert life.shelf.alias("challenger") is None
    assert life.serving == ServingState(1, sent=life.serving.sent)
    files = life.shelf.files(1)
    version, record = version_from_files(files), record_from(files, "v1")
    assert (version.number, record.version, record.trigger) == (1, 1, "before launch")
    said = life.village.happenings("promotion")[-1]
    assert said.facts["promoted"] == 1
    assert said.facts["offline"]["pr_auc"] > 0.05
    start = life.village.prepared.scenario.start_time  # it learns from the history alone
    assert version.window.validation_to <= start == version.trained_at


def test_retrain_promote_roll_back(lives: Lives) -> None:
    life = lives().begin()
    said = life.retrain()
    assert said.facts["version"] == 2
    assert said.who == "ada"
    assert said.what.startswith("v2 passed the gate")
    assert (life.serving.champion, life.serving.challenger) == (1, 2)
    assert life.shelf.alias("challenger") == 2

    assert life.do("canary", share=0.2).what == "v2 decides 20% of the events"
    assert life.serving.canary == 0.2
    assert life.do("shadow").ok
    assert life.serving.canary == 0.0

    assert life.do("promote").ok
    assert (life.serving.champion, life.serving.challenger) == (2, 0)
    assert (life.shelf.alias("champion"), life.shelf.alias("challenger")) == (2, None)
    assert life.village.happenings("promotion")[-1].facts["replaced"] == 1

    assert life.do("rollback").ok
    assert life.serving.champion == life.shelf.alias("champion") == 1
    assert life.village.happenings("rollback")[-1].facts["champion"] == 1

    again = life.do("rollback")
    assert (again.ok, again.kind, again.what) == (False, "refused", "there is no former champion")


@pytest.mark.parametrize(
    ("action", "args"),
    [("promote", {}), ("rollback", {}), ("canary", {"share": 0.1}), ("shadow", {})],
)
def test_what_cannot_be_done_changes_nothing(
    lives: Lives, action: str, args: dict[str, object]
) -> None:
    life = lives().begin()
    before = life.village.messages(life.village.topics.serving)
    answer = life.do(action, **args)
    assert not answer.ok
    assert life.village.messages(life.village.topics.serving) == before


def test_what_is_no_command_and_what_is_others_is_left_alone(lives: Lives) -> None:
    life = lives().begin()
    topics = life.village.topics
    before = (life.village.messages(topics.serving), len(life.village.happenings()))
    for bad in (b"", b"{}", b"\xff", b'{"action": "canary", "args": {"share": 9}}'):
        life.village.post(topics.control, bad)
    life.village.ask("load", factor=2.0)
    for _ in range(20):
        life.trainer.step(0.0)
    assert (life.village.messages(topics.serving), len(life.village.happenings())) == before
    assert life.do("explore", share=0.1).ok


def test_thresholds_hold_until_another_takes_over(lives: Lives) -> None:
    life = lives().begin()
    answer = life.do("threshold", review="off", block=0.9)
    assert answer.what == "v1: no review, block above 0.9, until another version takes over"
    assert (life.serving.review_above, life.serving.block_above) == (1.0, 0.9)
    assert life.do("explore", share=0.05).ok
    life.retrain()
    assert life.serving.block_above == 0.9
    life.do("promote")
    assert (life.serving.review_above, life.serving.block_above) == (None, None)
    assert life.serving.explore == 0.05
    life.do("rollback")
    assert life.serving.block_above == 0.9


def test_another_model_is_trained_from_then_on(lives: Lives) -> None:
    life = lives().begin()
    wider = life.retrain(**{"training.window": "9d"})
    narrower = life.trainer.lifecycle.records[-1]
    assert narrower.train_to_day - narrower.train_from_day < 18
    assert wider.facts["version"] == 2


def test_a_gate_that_refuses(lives: Lives) -> None:
    life = lives("retraining.gate.min_positives=100000", "retraining.promotion=automatic").begin()
    said = life.retrain()
    assert not said.ok
    assert "100000 needed" in said.what
    assert life.serving.challenger == 0
    assert life.shelf.numbers() == (1, 2)
    assert life.shelf.alias("challenger") is None


def test_too_little_to_learn_from(lives: Lives) -> None:
    life = lives().begin()
    said = life.retrain(**{"training.window": "1h"})
    assert not said.ok
    assert said.what.startswith("nothing was trained")
    assert life.shelf.numbers() == (1,)


def test_no_first_model_ends_the_trainer(lives: Lives) -> None:
    life = lives("model.training.window=1h")
    with pytest.raises(SandboxError, match="the first model cannot be trained"):
        life.begin()


def test_a_challenger_comes_into_office_by_itself(lives: Lives) -> None:
    life = lives("retraining.promotion=automatic", "retraining.shadow=0").begin()
    life.retrain()
    life.until(lambda: life.serving.champion == 2)
    said = life.village.happenings("promotion")[-1]
    assert said.facts["way"] == "automatic"
    assert said.who == ""


def test_training_on_schedule(lives: Lives) -> None:
    life = lives("retraining.when=[every 2d]").begin()
    life.until(lambda: life.serving.challenger == 2)
    assert life.trainer.lifecycle.records[-1].trigger == "on schedule"


def test_what_nobody_asked_for_waits_for_the_cooldown(lives: Lives) -> None:
    life = lives("retraining.cooldown=30d").begin()
    by_itself = Command("m1", "monitor", "retrain", {"reason": "on psi"})
    life.village.post(life.village.topics.control, encode(by_itself))
    life.until(lambda: any(one.command == "m1" for one in life.village.happenings()))
    (answer,) = [one for one in life.village.happenings() if one.command == "m1"]
    assert answer.what == "the last training job is not long enough ago"
    assert life.do("retrain").ok


def test_who_takes_over_goes_on(lives: Lives) -> None:
    life = lives().begin()
    life.retrain()
    life.do("promote")
    life.do("threshold", block=0.8)
    life.retrain()
    life.do("canary", share=0.3)
    before = life.serving
    happened = len(life.village.happenings())
    life.again()
    assert life.serving == msgspec.structs.replace(before, sent=life.serving.sent)
    assert (before.champion, before.challenger, before.canary) == (2, 3, 0.3)
    for _ in range(20):
        life.trainer.step(0.0)
    assert len(life.village.happenings()) == happened  # nothing is done twice
    assert life.do("rollback").ok
    assert life.serving.champion == 1
    assert life.retrain().facts["version"] == 4


def test_a_job_that_died_with_its_trainer_is_told(lives: Lives) -> None:
    life = lives().begin()
    life.village.tell("training", "v2 is being trained", training="by hand", at=1.0)
    life.again()
    said = life.village.happenings("training")[-1]
    assert (said.ok, said.what) == (
        False, "the training job (by hand) was lost with the former trainer",
    )  # fmt: skip
    life.again()
    assert life.village.happenings("training")[-1] == said


def test_what_the_registry_heard_first_is_finished(lives: Lives) -> None:
    """The former trainer died between the alias and the serving state."""
    life = lives().begin()
    life.retrain()
    life.shelf.point("champion", 2)
    life.shelf.point("challenger", None)
    life.again()
    assert (life.serving.champion, life.serving.challenger) == (2, 0)


def test_a_new_log_begins_anew_with_numbers_of_its_own(lives: Lives) -> None:
    life = lives()
    life.trainer.close()
    life.shelf.add({"version.json": b"of a former life"}, {})
    life.trainer = Trainer(life.village.setting("trainer"))
    life.begin()
    assert life.serving.champion == 2


def test_a_registry_that_is_away(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", 0.01)
    life = lives().begin()
    life.shelf.away = True
    assert life.do("retrain").ok
    life.until(lambda: life.trainer.why_not() == "the registry says: nothing.")
    assert life.serving.challenger == 0
    life.shelf.away = False
    life.until(lambda: life.serving.challenger == 2)
    life.shelf.away = True
    answer = life.do("promote")
    assert (answer.ok, answer.what) == (False, "the registry says: nothing.")
    assert life.serving.champion == 1
    life.shelf.away = False
    assert life.do("promote").ok
    assert len(life.trainer.lifecycle.records) == 2


def test_a_promotion_that_blocks_good_customers_is_taken_back(lives: Lives) -> None:
    life = lives(
        "objectives.good_blocked={at_most: 2%}",
        "retraining.rollback={on: [good_blocked], within: 3d}",
    ).begin()
    life.retrain()
    life.do("promote")
    office, tenure = life.trainer._office, life.trainer._tenure
    end = np.floor(LIVED) * DAY
    tenure._promoted = end - DAY, 2
    tenure._watch(end)
    assert life.serving.champion == 2  # nothing was blocked
    office.journal.log.column("decision")[:] = BLOCK
    tenure._watch(end)
    assert life.serving.champion == 1
    said = life.village.happenings("rollback")[-1]
    assert "good_blocked was 1" in said.what
    assert said.facts["rolled_back"] == 2


def test_commands_are_answered_while_a_model_is_trained(
    lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = lives().begin()
    run = TrainingJob.run

    go = threading.Event()

    def slow(job: TrainingJob) -> object:
        go.wait(60)
        return run(job)

    monkeypatch.setattr(TrainingJob, "run", slow)
    assert life.do("retrain").ok
    assert life.do("retrain").what == "a training job is running already"
    assert life.do("explore", share=0.1).ok
    go.set()
    life.until(lambda: life.serving.challenger == 2)


def test_a_record_comes_back(lives: Lives) -> None:
    life = lives().begin()
    files = life.shelf.files(1)
    record = life.trainer.lifecycle.records[0]
    assert record_from(files, "v1").offline.keys() == record.offline.keys()
    with pytest.raises(SandboxError, match="not a version of ours"):
        record_from({RECORD: b"{}"}, "v1")
