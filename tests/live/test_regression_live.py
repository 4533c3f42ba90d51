"""A live system that estimates: spreads reach the log, what they are worth is seen and booked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sandbox.adapters.remote_write import Line, write
from sandbox.batch import Batch
from sandbox.live.generator.generator import Generator
from sandbox.live.journal import Journal
from sandbox.live.monitor.monitor import Monitor
from sandbox.live.trainer.tenure import Tenure
from sandbox.live.worker.worker import Worker
from sandbox.model import ModelVersion
from sandbox.monitor import CostLedger, cost_of
from sandbox.pipeline.decide import BLOCK, REVIEW, Thresholds
from sandbox.pipeline.decider import Decider, Serving
from sandbox.pipeline.pipeline import Pipeline
from sandbox.run.lifecycle import Lifecycle
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import DAY, Prepared, prepare
from sandbox.run.traffic import Traffic
from tests.grafana.viewer import shown, values
from tests.live.village import SMALL, Village, until
from tests.prometheus.conftest import load, ranged

DAYS = 4
TIGHT = (
    "model.champion.xgboost={trees: 15, depth: 3, learning_rate: 0.3}", "monitoring.alerts=[]",
    "decision.block.above=0.25", "objectives.interval_coverage.window=2d",
    "objectives.within_10_percent.window=2d", "objectives.mae.at_most=9", "history=22d",
    "model.training.window=12d",
)  # fmt: skip


class Lived:
    """Some days of a village: what came of them, for reading only."""

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        self.prepared = prepared
        self.model = first_model(prepared, folder / "first")
        self.village = village = Village(prepared, folder / "second")
        village.shelf.add(self.model.files(), {})
        village.serve()
        village.tell("promotion", promoted=1, at=0.0)
        self.setting = village.setting("monitor")
        monitor, generator = Monitor(self.setting), Generator(village.setting("g"))
        worker = Worker(village.setting("w"))
        until(
            lambda: float(monitor.status()["closed_day"]) >= DAYS, generator, worker, monitor,
            seconds=60,
        )  # fmt: skip
        worker.close()
        self.status = monitor.status()
        self.closed = float(self.status["closed_day"])
        self.log = monitor._journal.log
        self.decided = village.frames(village.topics.decisions).sort("parcel_id")

    def value(self, name: str, **labels: str) -> float | None:
        return self.setting.metrics.registry.get_sample_value(name, labels)

    def truth(self) -> Batch:
        """Return what really happened on the days that are closed, with what was decided."""
        traffic, start = Traffic(self.prepared), self.prepared.scenario.start_time
        first = -round(self.prepared.scenario.history / DAY) * 4
        blocks = [traffic.block(index) for index in range(first, round(self.closed) * 4)]
        rows = Batch.concat([block.truth for block in blocks])
        rows = rows.take(rows["event_time"] >= start)
        at = np.searchsorted(self.decided["parcel_id"], rows["parcel_id"])
        said = self.decided.take(at)
        np.testing.assert_array_equal(said["parcel_id"], rows["parcel_id"])
        told = {name: said[name] for name in ("score", "spread", "decision", "fallback")}
        return rows.with_columns(**told)


def first_model(prepared: Prepared, folder: Path) -> ModelVersion:
    """Train on what a worker made of the history."""
    village = Village(prepared, folder)
    generator, worker = Generator(village.setting("g")), Worker(village.setting("w"))
    journal = Journal(village.setting("t"), oracle=False)
    whole: Callable[[], bool] = lambda: journal.newest > -3600 and not journal.undecided  # noqa: E731
    until(lambda: journal.poll(0.0) is False and whole(), generator, worker, seconds=60)
    worker.close()
    assert "spread" in journal.log
    lifecycle = Lifecycle(village.prepared, journal.log)
    lifecycle.start(0.0)
    return lifecycle.model(1)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("parcels", task="regression", into=root)
    settings = tuple(s for s in SMALL if "xgboost" not in s)
    prepared = prepare(
        "parcels", design=None, seed=7, days=10, overrides=(*settings, *TIGHT), incidents=(),
        roots=(root,),
    )  # fmt: skip
    return Lived(prepared, tmp_path_factory.mktemp("village"))


def test_spreads_reach_the_journal(lived: Lived) -> None:
    log = lived.log
    live = log.column("processing_time") >= lived.prepared.scenario.start_time
    answered = live & ~log.column("fallback")
    assert answered.sum() > 0.9 * live.sum() > 100 * DAYS
    features = log.features[answered]
    spread = lived.model.spread(features)
    assert spread is not None and np.ptp(spread) > 0.05
    np.testing.assert_array_equal(log.column("spread")[answered], spread)
    np.testing.assert_array_equal(log.column("score")[answered], lived.model.predict(features))
    silent = log.column("fallback")
    assert not log.column("spread")[silent].any() and not log.column("score")[silent].any()
    wide = spread > 0.25
    assert wide.any() and not wide.all()
    np.testing.assert_array_equal(log.column("decision")[answered] == BLOCK, wide)
    assert log.column("weight_kg").max() > 500 > np.nanmax(features[:, 0])  # grams, as they came


def test_decisions_are_those_of_the_pipeline(lived: Lived) -> None:
    prepared, model = lived.prepared, lived.model
    assert prepared.design.ingest.key == "route_id"
    serving = Serving(
        model.predict, Thresholds(model.review_above, model.block_above), 1, spread=model.spread
    )
    rows = lived.decided.sort("processing_time")
    labels = lived.village.frames(lived.village.topics.events)
    labels = labels.drop("is_label").sort("label_time")
    schema = prepared.scenario.event
    given = rows.select([schema.id, "event_time", "processing_time", *schema.columns])
    expected = Pipeline(schema, prepared.design, prepared.seed).process(
        given, labels, serving=serving
    )
    np.testing.assert_array_equal(expected.events[schema.id], rows[schema.id])
    live, features = rows["processing_time"] >= prepared.scenario.start_time, rows["features"]
    agree = (features == expected.features) | (np.isnan(features) & np.isnan(expected.features))
    # A label that is late, or a later stage that met partitions turn by turn, changes some rows.
    same = live & agree.all(axis=1) & ~rows["fallback"]
    assert same.sum() > 0.8 * live.sum()
    assert expected.spread is not None
    for name in ("score", "spread", "decision"):
        np.testing.assert_array_equal(rows[name][same], getattr(expected, name)[same])
    # And on what it saw, every row was decided as the decider of a pipeline would have.
    seen = live & ~rows["fallback"]
    said = Decider(prepared.plan, prepared.design, prepared.seed).decide(
        given.take(seen), np.array(features[seen]), serving
    )
    np.testing.assert_array_equal(rows["decision"][seen], said.decisions.decision)
    assert set(said.decisions.decision) >= {REVIEW, BLOCK}


def test_money_is_what_the_truth_says(lived: Lived) -> None:
    truth, costs = lived.truth(), lived.prepared.scenario.costs
    label, score = truth["label"], np.where(truth["fallback"], 0.0, truth["score"])
    bad = np.abs(score - label) > 0.1 * label
    clock = lived.village.happenings("clock")
    worked = [id for one in clock for id in one.facts.get("worked", [])]
    ledger = CostLedger(costs)
    ledger.add(
        0, cost_of(costs.missed, truth), cost_of(costs.false_decline, truth), bad,
        truth["decision"] == BLOCK, np.isin(truth["parcel_id"], worked),
        np.ones(len(truth), dtype=bool),
    )  # fmt: skip
    assert lived.status["money"] == pytest.approx(ledger.totals.as_dict())
    money = ledger.totals
    assert 0 < money.missed < money.no_model == 2.0 * len(truth) and money.false_declines > 0


def test_quality_says_how_many_intervals_hold(lived: Lived) -> None:
    truth, start = lived.truth(), lived.prepared.scenario.start_time
    recent = truth.take(truth["event_time"] > start + (lived.closed - 2) * DAY)
    spread = np.where(recent["fallback"], 0.0, recent["spread"])
    held = np.abs(np.log(recent["label"] / recent["score"])) <= spread
    shown = lived.status["quality"]["interval_coverage"]
    assert shown["oracle"] == pytest.approx(held.mean(), abs=0.02)
    assert 0.75 < shown["oracle"] <= 1.0
    for view in ("oracle", "observed"):
        if view in shown and shown[view] is not None:
            sample = {"metric": "interval_coverage", "view": view}
            assert lived.value("sandbox_model_quality_ratio", **sample) == shown[view]
    assert shown.get("estimated") is None  # spreads do not know whether they lie
    assert 0.4 < lived.status["quality"]["within_10_percent"]["estimated"] < 1.0


def test_gauges_show_wrong_estimates(lived: Lived) -> None:
    truth, start = lived.truth(), lived.prepared.scenario.start_time
    last = truth.take(truth["event_time"] >= start + (lived.closed - 1) * DAY)
    wrong = np.abs(last["score"] - last["label"]) > 0.1 * last["label"]
    oracle = lived.value("sandbox_bad_ratio", view="oracle")
    estimated = lived.value("sandbox_bad_ratio", view="estimated")
    assert oracle is not None and estimated is not None
    assert oracle == pytest.approx((wrong | last["fallback"]).mean(), abs=0.02)
    assert estimated == pytest.approx(oracle, abs=0.12) and 0.02 < estimated < 0.6


def test_the_dashboard_draws_every_metric_of_the_task(
    lived: Lived, prometheus: str, project: Path
) -> None:
    now = time.time()
    board = json.loads(load(project / "grafana").files()["live.json"])
    assert values(prometheus, board, now - 60, now)["quality"] == []
    lines = [
        Line(one.name, {**one.labels, "job": "monitor"}, [(now - 2, one.value), (now, one.value)])
        for family in lived.setting.metrics.registry.collect()
        for one in family.samples
        if one.value == one.value
    ]
    assert write(prometheus, lines) > 0
    drawn = {one.title: one for one in shown(board, values(prometheus, board, now - 60, now))}
    task = lived.prepared.task
    for metric in (*task.watched, "mae"):
        (query,) = drawn[metric].queries
        views = {found["metric"]["view"] for found in ranged(prometheus, query, now - 2, now, 1)}
        assert "oracle" in views <= {"oracle", "observed", "estimated"}, metric
    assert not {"pr_auc", "recall_at_capacity", "$quality", ""} & set(drawn)
    assert f"Bad events: {task.bad_rate}" in drawn
    assert task.without_model in drawn["Lost so far"].about


def test_what_has_the_unit_of_the_label_is_told_as_no_ratio(lived: Lived) -> None:
    mae = {"metric": "mae", "view": "oracle"}
    error = lived.value("sandbox_model_quality_value", **mae)
    assert error is not None and error == lived.status["quality"]["mae"]["oracle"] > 0
    assert lived.value("sandbox_model_quality_ratio", **mae) is None
    setting = lived.village.setting("t")
    gauge = setting.metrics.registry.get_sample_value
    for metric, unit in (("mape", "ratio"), ("mae", "value")):
        gate = lived.prepared.design.retraining.gate
        assert gate is not None
        policy = SimpleNamespace(gate=gate.model_copy(update={"metric": metric}))
        tenure = SimpleNamespace(_office=SimpleNamespace(setting=setting), _policy=policy)
        Tenure._measure(tenure, {"champion": {"mae": 3.0, "mape": 0.1}})  # type: ignore[arg-type]
        told = gauge(f"sandbox_offline_quality_{unit}", {"who": "champion"})
        assert told == {"mae": 3.0, "mape": 0.1}[metric]
