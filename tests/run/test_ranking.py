"""A ranking from its template: pages are whole, arms are counted, and what is asked is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sandbox.cli.main import main
from sandbox.errors import UsageError
from sandbox.pipeline.decide import BLOCK
from sandbox.record import RunRecord
from sandbox.run.execution import VirtualRun
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import Prepared, prepare
from sandbox.run.shown import ShownClicks
from sandbox.run.traffic import Traffic

QUICK = (
    "population=2500", "history=18d", "model.champion.xgboost.trees=15", "retraining=never",
    "decision.control=20%",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("shop", task="ranking", into=root)
    write_scenario("parcels", task="binary", into=root)
    return root


def ready(root: Path, *overrides: str, name: str = "shop", days: int = 8) -> Prepared:
    settings = (*QUICK, *overrides) if name == "shop" else overrides
    return prepare(
        name, design=None, seed=3, days=days, overrides=settings, incidents=(), roots=(root,)
    )


@pytest.fixture(scope="module")
def played(root: Path) -> tuple[VirtualRun, RunRecord]:
    run = VirtualRun(ready(root), None, lambda: False)
    return run, run.play()


def test_the_candidates_of_a_page_come_together(root: Path) -> None:
    traffic = Traffic(ready(root))
    truth = traffic.block(0).truth
    pages, sizes = np.unique(truth["page_id"], return_counts=True)
    assert len(pages) > 5 and (sizes == 20).all()
    assert (np.diff(truth["event_time"]) > 0).sum() == len(pages) - 1
    rate = 50 / 2500 * 86400
    total = sum(len(traffic.block(index).truth) for index in range(1, 41)) / 10
    assert total == pytest.approx(rate, rel=0.1)  # candidates, not pages


def test_a_page_shows_ten_and_what_is_explored(played: tuple[VirtualRun, RunRecord]) -> None:
    log = played[0].service.log
    rows = played[0].service.live_rows()
    page, shown = log.column("page_id")[rows], log.column("decision")[rows] != BLOCK
    explored = log.column("explored")[rows]
    _, code = np.unique(page, return_inverse=True)
    assert (np.bincount(code, shown & ~explored) == 10).all()
    hidden = log.column("hidden")[rows]
    assert (hidden == ~shown).all() and 0.05 < explored[~shown | explored].mean() < 0.15


def test_what_is_hidden_teaches_nothing(played: tuple[VirtualRun, RunRecord]) -> None:
    run = played[0]
    data = run.lifecycle._training_data(8 * 86400.0)
    log = run.service.log
    assert np.isnan(data.label).sum() > 1000
    # An explored candidate is there once: a page is no page with one of them ten times.
    assert len(data.label) <= len(log)
    known = ~np.isnan(data.label)
    assert (log.column("explored").sum() > 100) and known.any()


def test_both_arms_are_counted_and_the_uplift_is_theirs(
    played: tuple[VirtualRun, RunRecord],
) -> None:
    run, record = played
    log, rows = run.service.log, run.service.live_rows()
    shown = (log.column("decision")[rows] != BLOCK) & ~log.column("explored")[rows]
    control, clicked = log.column("control")[rows], log.column("label")[rows] > 0.5
    assert control[shown].mean() == pytest.approx(0.2, abs=0.05)
    rate = [clicked[shown & arm].mean() for arm in (~control, control)]
    result = {r.name: r for r in record.objectives}["uplift"]
    assert result.measured == pytest.approx(rate[0] / rate[1] - 1)
    assert "90 % interval" in result.evidence and rate[0] > rate[1]
    days, so_far = record.metrics.series("uplift", "oracle")
    assert list(days) == sorted(set(days)) and days[-1] == record.days
    assert so_far[-1] == result.measured, "the last day's is that of the verdict"
    days, values = record.metrics.series("coverage", "oracle")
    assert len(days) == 8 and ((values > 0.3) & (values <= 1)).all()
    for view in ("oracle", "observed", "estimated", "baseline"):
        _, series = record.metrics.series("click_through", view)
        assert len(series) or view == "baseline", view
    assert len(record.metrics.series("ndcg_at_10", "baseline")[1])
    assert not [n for n in record.metrics.names("psi") if n in ("page_id", "visitor_id")]


def test_uplift_by_hand() -> None:
    value, low, high = ShownClicks(1000, 200, 500, 80).uplift()
    assert value == pytest.approx(0.25)
    error = 1.645 * np.sqrt(1 / 200 - 1 / 1000 + 1 / 80 - 1 / 500)
    assert (low, high) == pytest.approx((1.25 / np.exp(error) - 1, 1.25 * np.exp(error) - 1))
    assert np.isnan(ShownClicks(10, 0, 10, 3).uplift()[0])


def test_the_interval_holds_as_often_as_it_says() -> None:
    rng, inside = np.random.default_rng(1), 0
    for _ in range(400):
        arms = ShownClicks(3000, int(rng.binomial(3000, 0.12)), 800, int(rng.binomial(800, 0.1)))
        _, low, high = arms.uplift()
        inside += low <= 0.2 <= high
    assert inside / 400 == pytest.approx(0.9, abs=0.04)


def test_a_dead_candidate_is_not_shown(root: Path) -> None:
    prepared = ready(root, "pipeline.invalid=dead_letter", days=2)
    columns = {n: c.model_copy(update={"nullable": False}) for n, c in
               prepared.scenario.event.columns.items()}  # fmt: skip
    event = prepared.scenario.event.model_copy(update={"columns": columns})
    incident = prepared.scenario.incidents["blank-prices"]
    assert incident.fault is not None
    now = incident.model_copy(update={"fault": incident.fault.model_copy(update={"at": 0.0})})
    broken = replace(
        prepared, scenario=prepared.scenario.model_copy(update={"event": event}),
        incidents={"blank-prices": now},
    )  # fmt: skip
    run = VirtualRun(broken, None, lambda: False)
    run.play()
    log, rows = run.service.log, run.service.live_rows()
    dead = log.column("dead")[rows] > 0
    assert dead.mean() > 0.5 and (log.column("decision")[rows][dead] == BLOCK).all()


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("shop", "decision.show=null", "decision.show: task ranking shows the first candidates"),
        ("parcels", "decision.show=3", "decision.show: means nothing to task binary; got 3"),
        ("shop", "event.slate=null", "event.slate: task ranking needs candidates of requests"),
    ],
)
def test_slates_and_rankings_go_together(root: Path, name: str, setting: str, message: str) -> None:
    extra = ("decision.control=0",) if name == "shop" else ("decision.review=null",)
    with pytest.raises(UsageError) as caught:
        ready(root, *extra, setting, name=name)
    assert message in caught.value.line()


def test_uplift_is_no_objective_of_another_task(root: Path) -> None:
    with pytest.raises(UsageError, match="unknown objective; got 'uplift'"):
        ready(root, "objectives.uplift.at_least=10%", name="parcels")


@pytest.mark.slow
def test_a_new_ranking_passes_check_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "shop", "--task", "ranking"]) == 0
    capsys.readouterr()
    assert main(["check", "shop", "--json"]) == 0
    assert all(check["passed"] for check in json.loads(capsys.readouterr().out))
    assert main(["run", "shop", "--days", "20", "--out", "result", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert [incident["name"] for incident in summary["incidents"]] == ["fashion"]
    assert {"ndcg_at_10", "uplift"} <= {one["name"] for one in summary["objectives"]}
    columns = pq.read_schema(tmp_path / "result" / "events.parquet").names
    assert {"page_id", "visitor_id", "thing_id", "decision"} <= set(columns)
