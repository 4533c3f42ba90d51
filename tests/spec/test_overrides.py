from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.spec.loading import check_design, design_from, scenario_from
from sandbox.spec.overrides import apply_overrides, split_overrides
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source, source_from_text

Message = Callable[[Callable[[], Any]], str]
DAY = 86400.0


def test_values_are_yaml(design_source: Source) -> None:
    settings = [
        "retraining=never",
        "model.imbalance=smote",
        "pipeline.workers=8",
        "model.training.window=14d",
        "features[0]={mean: {of: amount, by: buyer_id, over: [3d, 30d]}}",
        "title=a = b",
    ]
    design = design_from(apply_overrides(design_source, settings))
    assert design.retraining.when == ()
    assert (design.model.imbalance, design.pipeline.workers) == ("smote", 8)
    assert design.model.training.window == 14 * DAY
    assert design.features[0].names == ("buyer_id_mean_amount_3d", "buyer_id_mean_amount_30d")
    assert design.title == "a = b"


def test_the_source_stays_as_it_was(design_source: Source) -> None:
    before = design_source.as_yaml()
    apply_overrides(design_source, ["pipeline.workers=8", "features[0]=channel"])
    assert design_source.data["pipeline"]["workers"] == 4
    assert design_source.data["features"][0] == "amount"
    assert design_source.as_yaml() == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("pipeline.max_batch=100", lambda d: d.pipeline.max_batch == 100),
        ("monitoring.alerts[0].psi.act=0.5", lambda d: d.monitoring.alerts[0].act == 0.5),
        (
            "monitoring.alerts[3]={missing: null}",
            lambda d: d.monitoring.alerts[3].kind == "missing",
        ),
        ("features[4].mean.over=14d", lambda d: d.features[4].over == (14 * DAY,)),
        ("features[3].count.over[1]=14d", lambda d: d.features[3].over == (DAY, 14 * DAY)),
        ("decision.block=null", lambda d: d.decision.block is None),
        ("model.champion.xgboost.trees=7", lambda d: d.model.champion.xgboost.trees == 7),
        ("model.champion=logistic_regression", lambda d: d.model.champion.xgboost is None),
        ("retraining.when=[every 7d]", lambda d: d.retraining.when[0].every == 7 * DAY),
    ],
)
def test_places(design_source: Source, setting: str, value: Callable[[Any], bool]) -> None:
    assert value(design_from(apply_overrides(design_source, [setting])))


def test_later_settings_win_and_nest(design_source: Source) -> None:
    settings = ["retraining=never", "retraining.when=[every 9d]", "pipeline.workers=2",
                "pipeline.workers=3"]  # fmt: skip
    design = design_from(apply_overrides(design_source, settings))
    assert design.retraining.when[0].every == 9 * DAY
    assert design.pipeline.workers == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "retrianing=never",
            "--set retrianing: unknown key; got 'retrianing', expected one of title, ingest, "
            "pipeline, clean, features, model, decision, monitoring, retraining. "
            "Did you mean retraining?",
        ),
        (
            "model.champion.xgboost.tres=5",
            "--set model.champion.xgboost.tres: unknown key; got 'tres', expected one of trees, "
            "depth, learning_rate, min_child_weight, subsample, colsample, l2, base_score, "
            "tree_method. Did you mean trees?",
        ),
        (
            "model.imbalance=smoot",
            "--set model.imbalance: wrong value; got 'smoot', expected one of none, weight, "
            "under_sample, smote, balanced_bagging. Did you mean smote?",
        ),
        (
            "features[2]={mean: {of: amount, by: buyer_id, over: 0d}}",
            "--set features[2] (features[2].mean.over): wrong value; got '0d', expected a window > "
            "0 such as 7d.",
        ),
        (
            "features[4].mean.by=shp_id",
            "--set features[4].mean.by: unknown column; got 'shp_id', expected one of buyer_id, "
            "shop_id. Did you mean shop_id?",
        ),
        (
            "features[3].count.over=[]",
            "shop/mine.yaml:11 features[3].count (with --set features[3].count.over): count needs "
            "`over`; expected windows such as [1d, 7d].",
        ),
        ("features[99]=amount", "--set features[99]: no such item; got 99, expected an index from "
         "0 to 7."),
        ("pipeline.workers[0]=1", "--set pipeline.workers[0]: this is not a list; got '[0]'."),
        ("title.x=1", "--set title.x: unknown key; got 'x', expected no key below a value."),
        ("title=", "--set title: no value; expected KEY=VALUE. Write null for nothing."),
        ("title", "--set: wrong setting; got 'title', expected KEY=VALUE such as "
         "model.imbalance=smote."),
        ("pipe line=1", "--set: wrong setting; got 'pipe line=1', expected KEY=VALUE such as "
         "model.imbalance=smote."),
        ("title={", "--set title: not YAML (expected the node content, but found '<stream end>'); "
         "got '{', expected a YAML value."),
    ],
)  # fmt: skip
def test_mistakes(
    design_source: Source, scenario: Scenario, setting: str, message: str, message_of: Message
) -> None:
    def run() -> None:
        source = apply_overrides(design_source, [setting])
        check_design(design_from(source), source, scenario)

    assert message_of(run) == message


def test_split() -> None:
    design, scenario = split_overrides(
        ["retraining=never", "world.buyers=9", "title=x", "load.mean=5/s", "features[0]=amount"]
    )
    assert design == ("retraining=never", "title=x", "features[0]=amount")
    assert scenario == ("world.buyers=9", "load.mean=5/s")


def test_split_knows_both(message_of: Message) -> None:
    assert message_of(lambda: split_overrides(["lod.mean=1/s"])).endswith("Did you mean load?")
    assert message_of(lambda: split_overrides(["retrianing=never"])).startswith("--set retrianing:")


def test_scenario_settings(scenario_text: str, message_of: Message) -> None:
    source = source_from_text(scenario_text, "shop/scenario.yaml")
    changed = apply_overrides(
        source, ["world.buyers=9", "world.new=1", "incidents.ring.drift.to=2", "days=30"], Scenario
    )
    scenario = scenario_from(changed)
    assert scenario.world == {"buyers": 9, "new": 1}
    assert scenario.incidents["ring"].drift is not None
    assert scenario.incidents["ring"].drift.to == 2
    assert scenario.days == 30
    bad = apply_overrides(source, ["load.mean=fast"], Scenario)
    assert message_of(lambda: scenario_from(bad)) == (
        "--set load.mean: wrong value; got 'fast', expected a rate >= 0 such as 2000/s or 100/day."
    )


def test_changed_design_is_written_as_it_runs(design_source: Source) -> None:
    changed = apply_overrides(design_source, ["retraining=never", "features[0]=channel",
                                              "features[2]=amount"])  # fmt: skip
    again = design_from(source_from_text(changed.as_yaml(), "again.yaml"))
    assert again == design_from(changed)
