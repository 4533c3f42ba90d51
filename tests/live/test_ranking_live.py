"""A live system that ranks: whole pages reach the log, both arms are counted, versions change."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.live.generator.generator import Generator
from sandbox.live.monitor.monitor import Monitor
from sandbox.live.trainer.trainer import Trainer
from sandbox.live.worker.worker import Worker
from sandbox.model import version_from_files
from sandbox.monitor import CostLedger, cost_of
from sandbox.pipeline.decide import ALLOW, BLOCK
from sandbox.pipeline.decider import Decider
from sandbox.run.lifecycle import Deciders
from sandbox.run.scaffold import write_scenario
from sandbox.run.service import serving
from sandbox.run.setup import DAY, Prepared, prepare
from sandbox.run.shown import ShownClicks
from sandbox.run.traffic import Traffic
from sandbox.task.slates import coverage, ndcg_at
from tests.live.village import PARTITIONS, Village, until

DAYS = 4
"""At least, and until a version that was trained live has decided for a day."""
SMALL = (
    "population=1500", "history=18d", f"ingest.partitions={PARTITIONS}", "pipeline.budget=20s",
    "model.champion.xgboost.trees=15", "decision.control=20%", "monitoring.alerts=[]",
    "model.training={window: 12d, validation: 3d, label_maturity: 6h}",
    "objectives.ndcg_at_10.window=2d",
    "features=[price, {mean: {of: label, by: thing_id, over: 7d}}, "
    "{count: {by: thing_id, over: 3d}}, {mean: {of: label, by: visitor_id, over: 7d}}]",
    "retraining={when: [every 2d], cooldown: 1d, shadow: 12h, "
    "gate: {metric: ndcg_at_10, not_worse_by: 1, min_positives: 1, calibration: false}}",
)  # fmt: skip


class Lived:
    """Some days of a shop: what came of them, for reading only."""

    def __init__(self, prepared: Prepared, folder: Path) -> None:
        self.prepared, self.village = prepared, Village(prepared, folder)
        village = self.village
        self.setting = village.setting("monitor")
        monitor, generator = Monitor(self.setting), Generator(village.setting("g"))
        trainer, workers = Trainer(village.setting("t")), [
            Worker(village.setting(name)) for name in ("w-1", "w-2")
        ]  # fmt: skip
        roles = (generator, *workers, trainer, monitor)
        until(lambda: bool(monitor.status()["serving"]["champion"] > 1), *roles, seconds=90)
        days = max(float(DAYS), float(monitor.status()["day"]) + 1.0)
        until(lambda: float(monitor.status()["closed_day"]) >= days, *roles, seconds=60)
        for worker in workers:
            worker.close()
        trainer.close()
        self.status = monitor.status()
        self.closed = float(self.status["closed_day"])
        self.log = monitor._journal.log
        self.decided = village.frames(village.topics.decisions)

    def live(self) -> Batch:
        """Return the rows of the days that are closed, with what is true of them."""
        traffic, start = Traffic(self.prepared), self.prepared.scenario.start_time
        first = -round(self.prepared.scenario.history / DAY) * 4
        blocks = [traffic.block(index) for index in range(first, round(self.closed) * 4)]
        truth = Batch.concat([block.truth for block in blocks])
        truth = truth.take(truth["event_time"] >= start)
        rows = self.decided.sort("candidate_id")
        rows = rows.take(np.searchsorted(rows["candidate_id"], truth["candidate_id"]))
        np.testing.assert_array_equal(rows["candidate_id"], truth["candidate_id"])
        return rows.with_columns(label=truth["label"])

    def gauge(self, metric: str, view: str = "oracle") -> float | None:
        labels = {"metric": metric, "view": view}
        name = "sandbox_model_quality_ratio"
        return self.setting.metrics.registry.get_sample_value(name, labels)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("shop", task="ranking", into=root)
    prepared = prepare(
        "shop", design=None, seed=7, days=10, overrides=SMALL, incidents=(), roots=(root,)
    )
    return Lived(prepared, tmp_path_factory.mktemp("village"))


def test_every_page_is_whole(lived: Lived) -> None:
    rows = lived.live()
    answered = rows.take(~rows["fallback"])
    assert len(answered) > 0.9 * len(rows) > 500 * DAYS
    for page in np.unique(answered["page_id"]):
        one = answered.take(answered["page_id"] == page)
        shown = (one["decision"] == ALLOW) & ~one["explored"]
        assert len(one) == 20 and shown.sum() == 10
        assert one["score"][shown].min() >= one["score"][~shown].max()
    assert 0.02 < answered["explored"].mean() < 0.1  # a tenth of the hidden half


def test_decisions_are_those_of_the_model_that_is_in_the_registry(lived: Lived) -> None:
    rows, prepared, shelf = lived.live(), lived.prepared, lived.village.shelf
    seen = set(rows["version"].tolist()) - {0}
    assert seen >= {1, 2}
    for number in seen:
        version = version_from_files(shelf.files(number), where="test")
        mine = rows.take((rows["version"] == number) & ~rows["fallback"])
        features = np.array(mine["features"])
        said = Decider(prepared.plan, prepared.design, prepared.seed).decide(
            mine, features, serving(Deciders(version, None, 0.0))
        )
        for name in ("score", "control"):
            np.testing.assert_array_equal(mine[name], getattr(said, name))
        np.testing.assert_array_equal(mine["decision"], said.decisions.decision)
        by_model = version.predict(features)
        assert 0.1 < mine["control"].mean() < 0.3
        assert (mine["score"] == by_model)[~mine["control"]].all()
        assert not (mine["score"] == by_model)[mine["control"]].all()


def test_both_arms_are_counted(lived: Lived) -> None:
    rows = lived.live()
    shown, clicked = (rows["decision"] == ALLOW) & ~rows["explored"], rows["label"] > 0.5
    arms = [~rows["control"], rows["control"]]
    counts = [int(x.sum()) for arm in arms for x in (shown & arm, shown & arm & clicked)]
    shown_clicks, said = ShownClicks(*counts), dict(lived.status["shown"])
    assert [said.pop(name) for name in ("uplift", "low", "high")] == [*shown_clicks.uplift()]
    assert said == asdict(shown_clicks) and min(counts) > 20
    assert next(iter(lived.status["quality"])) == "ndcg_at_10"
    said = lived.status["quality"]
    assert said["uplift"]["oracle"] == pytest.approx(ShownClicks(*counts).uplift()[0])
    assert lived.gauge("uplift") == said["uplift"]["oracle"]
    last = rows["event_time"] >= lived.prepared.scenario.start_time + (lived.closed - 1) * DAY
    things = rows["thing_id"][last]
    seen = len(np.unique(things[shown[last]])) / len(np.unique(things))
    assert lived.gauge("coverage") == said["coverage"]["oracle"] == pytest.approx(seen)


def test_quality_is_that_of_whole_pages(lived: Lived) -> None:
    rows, start = lived.live(), lived.prepared.scenario.start_time
    recent = rows.take(rows["event_time"] > start + (lived.closed - 2) * DAY)
    score = np.where(recent["fallback"], 0.0, recent["score"])
    true = ndcg_at(recent["label"], score, recent["page_id"], 10)
    assert lived.status["quality"]["ndcg_at_10"]["oracle"] == pytest.approx(true, abs=0.01)
    by_lot = ndcg_at(recent["label"], np.zeros(len(recent)), recent["page_id"], 10)
    assert true > by_lot + 0.03
    assert coverage(recent["thing_id"], score, recent["page_id"], 10) > 0.5


def test_money_is_what_the_truth_says(lived: Lived) -> None:
    rows, costs = lived.live(), lived.prepared.scenario.costs
    ledger = CostLedger(costs)
    ledger.add(
        0, cost_of(costs.missed, rows), cost_of(costs.false_decline, rows), rows["label"] < 0.5,
        rows["decision"] == BLOCK, np.zeros(len(rows), dtype=bool), rows["label"] < 0.5,
    )  # fmt: skip
    assert lived.status["money"] == pytest.approx(ledger.totals.as_dict())
    assert ledger.totals.missed > 0 and ledger.totals.false_declines > 0


def test_the_log_knows_the_pages(lived: Lived) -> None:
    log = lived.log
    live = log.column("processing_time") >= lived.prepared.scenario.start_time
    assert log.groups(slice(0, len(log))) is not None
    assert log.column("control")[live].mean() == pytest.approx(0.2, abs=0.08)
    hidden = live & (log.column("decision") == BLOCK)
    assert log.column("hidden")[hidden].all()  # what is not shown is never labelled
