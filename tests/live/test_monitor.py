"""The monitor sees what is true, says it once, and asks for what the design wants."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.live.generator.generator import Generator
from sandbox.live.journal import Journal
from sandbox.live.messages import Command, Happening
from sandbox.live.metrics import LiveMetrics
from sandbox.live.monitor.monitor import Monitor
from sandbox.live.monitor.news import MOST, SHOWN, News
from sandbox.live.worker.worker import Worker
from sandbox.model import ModelVersion
from sandbox.monitor import CostLedger, cost_of
from sandbox.pipeline.decide import BLOCK
from sandbox.run.lifecycle import Lifecycle
from sandbox.run.setup import DAY
from sandbox.run.traffic import Traffic
from tests.live.village import Clerk, Village, small, until

CALM = "monitoring.alerts=[]"
BROKEN = (
    "monitoring.alerts=[{invalid: {act: 5%, cooldown: 1d}}]",
    "retraining={when: [on invalid], cooldown: 3d}",
    "incidents.broken={story: x, fault: {kind: nulls, field: weight_kg, share: 30%, at: 0}}",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture(scope="module")
def model(root: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelVersion:
    """A first champion, trained on what a worker made of the history."""
    village = Village(small(root), tmp_path_factory.mktemp("first"))
    generator, worker = Generator(village.setting("g")), Worker(village.setting("w"))
    journal = Journal(village.setting("t"), oracle=False)
    whole: Callable[[], bool] = lambda: journal.newest > -3600 and not journal.undecided  # noqa: E731
    until(lambda: journal.poll(0.0) is False and whole(), generator, worker)
    worker.close()
    lifecycle = Lifecycle(village.prepared, journal.log)
    lifecycle.start(0.0)
    return lifecycle.model(1)


def lively(
    root: Path, folder: Path, model: ModelVersion, *overrides: str, **how: object
) -> Village:
    """Return a village with a champion."""
    incidents = how.pop("incidents", ())
    village = Village(small(root, *overrides, incidents=incidents), folder)  # type: ignore[arg-type]
    village.shelf.add(model.files(), {})
    village.serve()
    village.tell("promotion", promoted=1, at=0.0)
    return village


def by_id(events: Batch) -> NDArray[np.int8]:
    return (events["parcel_id"] % 3).astype(np.int8)


def closed(monitor: Monitor) -> float:
    return float(monitor.status()["closed_day"])


def commands(village: Village) -> list[Command]:
    return [msgspec.json.decode(m, type=Command) for m in village.messages(village.topics.control)]


def test_money_is_what_the_truth_says_and_a_new_monitor_finds_the_same(
    root: Path, tmp_path: Path, model: ModelVersion
) -> None:
    # Verdicts come late: what a day cost is known when the day is over all the same.
    village = lively(root, tmp_path, model, CALM, "labels.review_turnaround=3d")
    setting = village.setting("monitor")
    monitor = Monitor(setting)
    generator, clerk = Generator(village.setting("g")), Clerk(village, by_id)
    until(lambda: closed(monitor) >= 4, generator, clerk, monitor)
    days, start = closed(monitor), village.prepared.scenario.start_time
    traffic = Traffic(village.prepared)
    blocks = [traffic.block(index) for index in range(-120, 16)]
    truth = Batch.concat([block.truth for block in blocks])
    since = truth["event_time"] - start
    truth = truth.take((since >= 0) & (since < days * DAY))
    worked = [id for one in village.happenings("clock") for id in one.facts.get("worked", [])]
    ledger, costs = CostLedger(village.prepared.scenario.costs), village.prepared.scenario.costs
    ledger.add(
        0, cost_of(costs.missed, truth), cost_of(costs.false_decline, truth), truth["label"] > 0.5,
        by_id(truth) == BLOCK, np.isin(truth["parcel_id"], worked),
    )  # fmt: skip
    money = monitor.status()["money"]
    assert days == 4 and money == pytest.approx(ledger.totals.as_dict())
    assert 0 < money["missed"] < money["no_model"] and money["reviews"] == 0.5 * 20 * 4
    value = setting.metrics.registry.get_sample_value
    assert value("sandbox_loss_usd", {"kind": "total"}) == pytest.approx(money["total"])
    negative = truth["label"] < 0.5
    last = negative & (truth["event_time"] - start >= 3 * DAY)
    refused = (last & (by_id(truth) == BLOCK)).sum() / last.sum()
    assert value("sandbox_good_blocked_ratio") == pytest.approx(refused)
    assert value("sandbox_reviews_total", {"fate": "worked"}) == 80
    again = Monitor(village.setting("again"))
    until(again.ready, again)
    until(lambda: closed(again) >= days, again)
    assert again.status()["money"] == money


def test_quality_is_seen_in_three_views_and_status_is_plain_data(
    root: Path, tmp_path: Path, model: ModelVersion
) -> None:
    village = lively(
        root, tmp_path, model, CALM, "population=200", "objectives.recall_at_capacity.window=2d"
    )
    setting = village.setting("monitor")
    monitor, generator = Monitor(setting), Generator(village.setting("g"))
    worker = Worker(village.setting("w"))
    until(lambda: closed(monitor) >= 7, generator, worker, monitor)
    worker.close()
    status = monitor.status()
    views = status["quality"]["recall_at_capacity"]
    assert set(views) == {"oracle", "observed", "estimated"}
    value = setting.metrics.registry.get_sample_value
    for view, shown in views.items():
        labels = {"metric": "recall_at_capacity", "view": view}
        assert value("sandbox_model_quality_ratio", labels) == shown
        assert 0 < shown <= 1
    assert value("sandbox_feature_drift_ratio", {"column": "weight_kg", "test": "psi"}) >= 0
    assert value("sandbox_feature_missing_ratio", {"column": "weight_kg"}) == 0
    for view in ("oracle", "observed", "estimated"):
        assert 0 < value("sandbox_bad_ratio", {"view": view}) < 0.3
    assert value("sandbox_review_capacity_cases") == 20
    assert value("sandbox_label_delay_seconds_count") > 1000
    assert json.loads(json.dumps(status)) == status
    assert status["day"] >= 7 and status["serving"]["champion"] == 1 and not status["waits_for"]


def test_an_alert_is_told_and_retraining_asked_for_once_within_the_cooldown(
    root: Path, tmp_path: Path, model: ModelVersion
) -> None:
    village = lively(root, tmp_path, model, *BROKEN, incidents=("broken",))
    setting = village.setting("monitor")
    monitor, generator = Monitor(setting), Generator(village.setting("g"))
    worker = Worker(village.setting("w"))
    until(lambda: bool(commands(village)), generator, worker, monitor)
    asked = commands(village)[0]
    assert asked.who == "monitor" and asked.action == "retrain"
    assert asked.args == {"reason": "on invalid"}
    village.tell("training", training="on invalid", at=closed(monitor) * DAY)
    come_to_rest(monitor, worker)
    alerts = village.happenings("alert")
    assert {one.facts["alert"] for one in alerts} == {"invalid"}
    assert alerts[0].facts["value"] > 0.2 and alerts[0].role == "monitor"
    value = setting.metrics.registry.get_sample_value
    assert value("sandbox_alerts_total", {"kind": "invalid"}) == len(alerts)
    assert value("sandbox_invalid_ratio", {"reason": "null"}) > 0.2
    count, at = len(commands(village)), closed(monitor)
    again = Monitor(village.setting("again"))
    come_to_rest(again)
    assert again.ready() and closed(again) == at
    assert len(village.happenings("alert")) == len(alerts) and len(commands(village)) == count
    until(lambda: len(commands(village)) > count, generator, worker, monitor)
    worker.close()
    asked_at = [one.facts["day"] for one in village.happenings("alert")][-1]
    assert asked_at > at and len({one.id for one in commands(village)}) == count + 1


def come_to_rest(monitor: Monitor, *others: Worker) -> None:
    """Let it read and close all that there is."""
    for _ in range(20):
        for role in (*others, monitor):
            role.step(0.0)


def test_nothing_is_asked_for_while_a_challenger_is_in_shadow(
    root: Path, tmp_path: Path, model: ModelVersion
) -> None:
    village = lively(root, tmp_path, model, *BROKEN, incidents=("broken",))
    village.shelf.add(model.files(), {})
    village.serve(challenger=2)
    monitor, generator = Monitor(village.setting("monitor")), Generator(village.setting("g"))
    worker = Worker(village.setting("w"))
    until(lambda: closed(monitor) >= 3, generator, worker, monitor)
    worker.close()
    assert village.happenings("alert") and not commands(village)


def test_a_malformed_command_changes_nothing_and_is_reported_once(
    root: Path, tmp_path: Path
) -> None:
    village = Village(small(root, CALM), tmp_path)
    monitor = Monitor(village.setting("monitor"))
    bad = [b"{", b'{"action": "drift.set", "args": {"knob": "nose", "to": 1}}', b"\xff"]
    for message in bad:
        village.post(village.topics.control, message)
    good = village.ask("load", factor=2)
    until(lambda: len(village.happenings("refused")) >= 3, monitor)
    refused = village.happenings("refused")
    assert [one.facts["offset"] for one in refused] == [0, 1, 2]
    assert not any(one.ok for one in refused) and "unknown knob; got 'nose'" in refused[1].what
    again = Monitor(village.setting("again"))
    for _ in range(5):
        monitor.step(0.0)
        again.step(0.0)
    assert len(village.happenings()) == 3 and commands_after(village, 3) == [good]


def test_what_is_done_from_outside_is_written_down_once_with_its_name(
    root: Path, tmp_path: Path
) -> None:
    village = Village(small(root, CALM), tmp_path)
    monitor = Monitor(village.setting("monitor"))
    note = b'{"action": "note", "args": {"what": "worker-1: killed"}, "who": "ada"}'
    id = monitor.control(note)
    until(lambda: bool(village.happenings("fault")), monitor)
    again = Monitor(village.setting("again"))
    for _ in range(5):
        monitor.step(0.0)
        again.step(0.0)
    (told,) = village.happenings("fault")
    assert (told.what, told.who, told.command) == ("worker-1: killed", "ada", id)
    with pytest.raises(UsageError, match="not a note"):
        monitor.control(note.replace(b"killed", b"k" * 300))


def commands_after(village: Village, offset: int) -> list[str]:
    messages = village.messages(village.topics.control)[offset:]
    return [msgspec.json.decode(m, type=Command).id for m in messages]


def test_a_command_that_comes_in_is_checked_and_passed_on(root: Path, tmp_path: Path) -> None:
    village = Village(small(root, CALM), tmp_path)
    monitor = Monitor(village.setting("monitor"))
    with pytest.raises(UsageError, match="unknown action"):
        monitor.control(b'{"action": "dance"}')
    assert not village.messages(village.topics.control)
    id = monitor.control(b'{"action": "load", "args": {"factor": "150%"}, "who": "ada"}')
    command = commands(village)[0]
    assert command.id == id and command.args == {"factor": 1.5} and command.sent > 0
    village.tell("command", "done", role="generator")
    answer = Happening("command", "load is 1.5 times the usual", "generator", "ada", id)
    village.post(village.topics.happenings, msgspec.json.encode(answer))
    until(lambda: len(monitor.happenings()) == 2, monitor)
    assert [one["what"] for one in monitor.happenings(0, id)] == [answer.what]
    assert [one["offset"] for one in monitor.happenings(1)] == [1]


def test_the_watch_starts_over_with_every_champion_once(
    root: Path, tmp_path: Path, model: ModelVersion
) -> None:
    village = lively(root, tmp_path, model, CALM)
    monitor, generator = Monitor(village.setting("monitor")), Generator(village.setting("g"))
    clerk = Clerk(village, by_id)
    until(lambda: closed(monitor) >= 1, generator, clerk, monitor)
    assert village.shelf.asked == [1]
    village.shelf.add(model.files(), {})
    village.serve(champion=2)
    village.tell("promotion", promoted=2, at=1.5 * DAY)
    until(lambda: closed(monitor) >= 3, generator, clerk, monitor)
    assert village.shelf.asked == [1, 2]
    village.tell("rollback", champion=1, rolled_back=2, at=3.0 * DAY)
    village.serve(champion=1)
    until(lambda: village.shelf.asked == [1, 2, 1], generator, clerk, monitor)


def test_a_registry_that_does_not_answer_is_waited_for(
    root: Path, tmp_path: Path, model: ModelVersion
) -> None:
    village = lively(root, tmp_path, model, CALM)
    village.tell("promotion", promoted=2, at=0.5 * DAY)
    monitor, generator = Monitor(village.setting("monitor")), Generator(village.setting("g"))
    clerk = Clerk(village, by_id)
    until(lambda: "no such version" in monitor.why_not(), generator, clerk, monitor)
    assert not monitor.ready() and closed(monitor) == 0
    village.shelf.add(model.files(), {})
    until(lambda: closed(monitor) >= 2, generator, clerk, monitor)
    assert monitor.ready()


def test_what_happened_shows_for_a_while_and_not_for_ever() -> None:
    metrics = LiveMetrics("x", "y")
    news, now = News(metrics), time.time()

    def shown() -> int:
        samples = metrics.happening.collect()
        return sum(len(list(metric.samples)) for metric in samples)

    for number in range(MOST + 20):
        news.take(Happening("command", f"{number}", "generator", sent=now), number, now)
    assert shown() == MOST
    news.take(Happening("clock", "a day is over", "generator", sent=now), 90, now)
    news.take(Happening("alert", "old", "monitor", sent=now - 2 * SHOWN), 91, now)
    news.look(now + SHOWN - 1)
    assert shown() == MOST
    news.look(now + SHOWN + 1)
    assert shown() == 0
    assert [one["what"] for one in news.recent(2)] == ["a day is over", "old"]
