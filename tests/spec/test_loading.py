from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from sandbox.spec.base import Spec
from sandbox.spec.loading import build, check_design, design_from, load_design, load_scenario
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import source_from_text

Message = Callable[[Callable[[], Any]], str]


class Params(Spec):
    buyers: int = Field(default=10, ge=1)
    """How many."""
    shops: int = 5


def test_load_scenario(tmp_path: Path, scenario_text: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(scenario_text)
    scenario, source = load_scenario(file)
    assert scenario.title == "Shop"
    assert source.line(("load",)) == 13


def test_a_design_without_title_is_called_as_its_file(tmp_path: Path) -> None:
    file = tmp_path / "bold.yaml"
    file.write_text("features: [amount]\n")
    assert load_design(file)[0].title == "bold"
    file.write_text("title: Better\nfeatures: [amount]\n")
    assert load_design(file)[0].title == "Better"


def test_a_design_can_be_one_line() -> None:
    design = design_from(source_from_text("features: [amount]", "x.yaml"))
    assert design.feature_names == ("amount",)
    assert design.model.champion.family == "xgboost"


def test_build_a_part(message_of: Message) -> None:
    source = source_from_text("title: x\nworld:\n  buyers: 0\n", "s.yaml")
    assert message_of(lambda: build(Params, source, ("world",))) == (
        "s.yaml:3 world.buyers: out of range; got 0, expected a number >= 1."
    )
    source = source_from_text("title: x\nworld:\n  buyrs: 3\n", "s.yaml")
    assert message_of(lambda: build(Params, source, ("world",))) == (
        "s.yaml:3 world.buyrs: unknown key; got 'buyrs', expected one of buyers, shops. "
        "Did you mean buyers?"
    )


def test_an_absent_part_has_its_defaults() -> None:
    assert build(Params, source_from_text("title: x", "s.yaml"), ("world",)).buyers == 10


def test_several_problems_are_counted(message_of: Message) -> None:
    text = "features: [amount]\nmodel: {imbalance: x}\npipeline: {workers: x, linger: y}\n"
    line = message_of(lambda: design_from(source_from_text(text, "x.yaml")))
    assert line.startswith("x.yaml:2 model.imbalance:")  # the first in the file, not in the model
    assert line.endswith("And 2 more problems.")


@pytest.mark.parametrize(
    ("of", "kind"),
    [("all", "psi"), ("score", "psi"), ("amount", "ks"), ("amount", "missing"),
     ("shop_id", "missing"), ("all", "invalid"), ("recall", "performance"),
     ("score", "page_hinkley")],
)  # fmt: skip
def test_alert_subjects_that_exist(scenario: Scenario, of: str, kind: str) -> None:
    text = f"features: [amount]\nmonitoring: {{alerts: [{kind}: {{of: {of}}}]}}\n"
    source = source_from_text(text, "x.yaml")
    check_design(design_from(source), source, scenario, metrics=("recall",))


def test_metrics_are_the_tasks_business(scenario: Scenario) -> None:
    text = "features: [amount]\nretraining: {gate: {metric: any_name}}\n"
    source = source_from_text(text, "x.yaml")
    check_design(design_from(source), source, scenario)


@pytest.mark.parametrize("name", ["design.yaml", "naive.yaml"])
def test_the_fraud_designs_fit_their_scenario(project: Path, name: str) -> None:
    folder = project / "scenarios" / "fraud"
    scenario, _ = load_scenario(folder / "scenario.yaml")
    design, source = load_design(folder / name)
    check_design(design, source, scenario, metrics=("pr_auc", "recall_at_capacity"))
