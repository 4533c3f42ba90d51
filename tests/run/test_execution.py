"""Whole runs of a small scenario."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.adapters.files import json_bytes
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.model import ModelVersion
from sandbox.record import LiveState, RunRecord
from sandbox.run.execution import VirtualRun, execute
from sandbox.run.setup import DAY, Prepared
from sandbox.run.traffic import BLOCK

Ready = Callable[..., Prepared]
Played = tuple[VirtualRun, RunRecord]
TRUTH = ("parcel_id", "event_time", "weight_kg", "distance_km", "label", "mechanism")


class Watcher:
    def __init__(self) -> None:
        self.states: list[LiveState] = []

    def update(self, state: LiveState) -> None:
        self.states.append(state)


class StopAfter:
    """Says stop once it has been asked often enough."""

    def __init__(self, days: float) -> None:
        self.blocks = days * DAY / BLOCK

    def __call__(self) -> bool:
        self.blocks -= 1
        return self.blocks < 0


def truth_of(record: RunRecord) -> Batch:
    assert record.log is not None
    return record.log.select(TRUTH)


def same_events(one: Batch, other: Batch) -> bool:
    return len(one) == len(other) and all(np.array_equal(one[n], other[n]) for n in TRUTH)


@pytest.fixture(scope="module")
def other_design(ready: Ready) -> RunRecord:
    """Another answer to the same question: fewer features, no retraining, blocks some."""
    settings = (
        "features=[weight_kg, distance_km, service]", "monitoring.alerts=[]", "retraining=never",
        "decision.block={above: 0.5}", "ingest.key=shop_id",
    )  # fmt: skip
    return execute(ready(*settings))


def test_a_run_ends_with_a_verdict_and_all_that_a_report_shows(played: Played) -> None:
    run, record = played
    assert record.complete and record.days == 12.0 and record.scenario == "parcels"
    assert [result.name for result in record.objectives] == list(run.prepared.scenario.objectives)
    assert all(result.passed is not None for result in record.objectives)
    assert [incident.name for incident in record.incidents] == ["no-train"]
    assert record.log is not None and len(record.log) == record.events > 8_000
    fates = sum(record.counts[name] for name in ("allow", "review", "block"))
    assert fates == record.events
    for metric, series in (
        ("recall_at_capacity", "oracle"), ("recall_at_capacity", "observed"),
        ("pr_auc", "estimated"), ("pr_auc", "baseline"), ("psi", "weight_kg"), ("lag", ""),
        ("latency_p99", ""), ("load", ""), ("answered", ""), ("loss", "total"),
        ("decisions", "review"), ("reviews", "worked"),
    ):  # fmt: skip
        days, values = record.metrics.series(metric, series)
        assert len(days) and np.isfinite(values).any(), (metric, series)
        assert (np.diff(days) > 0).all(), (metric, series)
    assert {"score_by_week", "calibration v1"} <= set(record.histograms)


def test_money_adds_up(played: Played) -> None:
    _, record = played
    for kind, total in record.money.items():
        days, values = record.metrics.series("loss", kind)
        assert days.tolist() == list(range(1, 13))
        assert (np.diff(values) >= 0).all() and values[-1] == pytest.approx(total), kind
    assert record.money["total"] <= record.money["no_model"]


def test_nothing_in_the_summary_is_not_plain(played: Played) -> None:
    text = json_bytes(played[1].summary())
    assert json.loads(text) == played[1].summary()


def test_versions_are_trained_on_schedule_and_promoted_after_their_shadow(played: Played) -> None:
    _, record = played
    first, second, third = record.versions
    assert (first.trigger, second.trigger, third.trigger) == ("before launch", *["on schedule"] * 2)
    assert (first.trained_day, second.trained_day, third.trained_day) == (0.0, 4.0, 8.0)
    # Two hours of training and a day of shadow, to the next border of a block.
    assert second.promoted_day == 5.25 and first.retired_day == 5.25
    assert second.bought is not None and first.bought is None
    assert record.log is not None
    start = min(record.log["event_time"]) // DAY * DAY
    served = record.log["version"]
    day = (record.log["event_time"] - start) / DAY
    assert set(served[day < 5.25].tolist()) == {1}
    assert set(served[(day >= 5.25) & (day < 9.25)].tolist()) == {2}


def test_people_who_watch_are_told_of_every_day(played: Played, watcher: Watcher) -> None:
    states = watcher.states
    assert [state.day for state in states] == [float(day) for day in range(1, 13)]
    last = states[-1]
    assert last.events == played[1].events and last.days == 12.0 and last.metric == "pr_auc"
    assert last.money["total"] == pytest.approx(played[1].money["total"])
    assert last.load is not None and last.load > 0 and last.latency_p99 is not None
    assert last.quality["oracle"].to_day is None
    assert last.versions == "v3 champion since day 9"
    assert states[0].quality == {} and last.quality["observed"].to_day == pytest.approx(8.0)


def test_the_same_seed_gives_the_same_summary(ready: Ready, played: Played) -> None:
    again = execute(ready())
    assert json_bytes(again.summary()) == json_bytes(played[1].summary())
    assert list(again.metrics.rows()).__repr__() == list(played[1].metrics.rows()).__repr__()


def test_another_design_meets_the_same_world(played: Played, other_design: RunRecord) -> None:
    assert same_events(truth_of(played[1]), truth_of(other_design))
    assert played[1].money["no_model"] == other_design.money["no_model"]
    assert played[1].log is not None and other_design.log is not None
    assert other_design.counts["block"] > 0
    assert not np.array_equal(played[1].log["decision"], other_design.log["decision"])
    # The load is the world's too.
    for one, other in zip(
        played[1].metrics.series("load"), other_design.metrics.series("load"), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_never_retraining_keeps_the_first_version(other_design: RunRecord) -> None:
    assert [version.version for version in other_design.versions] == [1]
    assert other_design.alerts == []


def test_another_seed_meets_another_world(ready: Ready, played: Played) -> None:
    other = execute(ready("retraining=never", seed=8, days=1))
    assert not same_events(truth_of(other), truth_of(played[1]).slice(0, other.events))


def test_a_run_that_is_stopped_says_so_and_can_be_used(ready: Ready, played: Played) -> None:
    prepared = ready()
    history = math.ceil(prepared.scenario.history / BLOCK) * BLOCK / DAY
    record = execute(prepared, stop=StopAfter(history + 3.25))
    assert not record.complete and record.days == 3.25
    assert record.notes[0].startswith("This run was stopped early")
    assert record.events == len(truth_of(record))
    # What happened until then is what happens in the whole run.
    assert same_events(truth_of(record), truth_of(played[1]).slice(0, record.events))
    json_bytes(record.summary())


def test_a_run_that_is_stopped_before_day_0_has_nothing_to_say(ready: Ready) -> None:
    record = execute(ready(), stop=StopAfter(2.0))
    assert not record.complete and record.days == 0.0 and record.events == 0
    assert record.versions == [] and record.incidents == []
    assert all(result.passed is not True for result in record.objectives)
    json_bytes(record.summary())


def test_incidents_of_the_stack_reach_it(ready: Ready, roots: tuple[Path, ...]) -> None:
    incident: dict[str, Any] = {
        "story": "Gone.", "stack": {"kind": "worker_loss", "workers": 2, "at": "1d", "for": "2h"},
    }  # fmt: skip
    settings = (f"incidents.dark={json.dumps(incident)}", "retraining=never")
    record = execute(ready(*settings, incidents=["dark"], days=2))
    days, lag = record.metrics.series("lag")
    dark = (days >= 1.0) & (days < 1.08)
    assert lag[dark].max() > 100 * lag[days < 1.0].max()
    assert record.counts["fallback"] > 0
    assert record.metrics.series("answered")[1].min() == 0.0


def test_a_history_without_enough_to_learn_from_is_one_line(ready: Ready) -> None:
    with pytest.raises(SandboxError, match="the first model cannot be trained") as caught:
        execute(ready("world.late_share=0", days=1))
    assert "\n" not in str(caught.value)


def test_a_broken_promotion_is_rolled_back(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (
        "retraining.when=[every 2d]", "retraining.rollback={on: [good_blocked], within: 3d}",
        "objectives.good_blocked={at_most: 0.1%}", "decision.block={above: 0.999}",
        "retraining.canary=50%",
    )  # fmt: skip
    run = VirtualRun(ready(*settings, days=5), None, lambda: False)
    promote = run.lifecycle.promote

    def promote_a_bad_one(now: float) -> None:
        promote(now)
        number = run.lifecycle.champion
        bad = run.lifecycle.model(number)
        monkeypatch.setitem(run.lifecycle._models, number, _blocking(bad))

    monkeypatch.setattr(run.lifecycle, "promote", promote_a_bad_one)
    record = run.play()
    second = record.versions[1]
    assert second.promoted_day == 3.25 and second.rolled_back
    assert second.retired_day is not None and 4.25 <= second.retired_day <= 5.25
    assert "good_blocked was" in second.reasons[-1]
    assert record.versions[0].retired_day is None


def _blocking(version: ModelVersion) -> ModelVersion:
    return replace(version, block_above=0.02)
