"""The contract: kept by the interviews that ship, and broken where somebody spoils one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.interview.content import PLACEHOLDER, load_walkthrough, walkthrough_names
from sandbox.interview.contract import check_walkthrough
from sandbox.interview.sheet import study_sheet
from tests.interview.conftest import RUNS, copy_scenario

LEAST = {"questions": 12, "numbers": 15, "decisions": 20, "curveballs": 12}


def test_every_interview_is_tried(project: Path) -> None:
    assert walkthrough_names((project / "scenarios",)) == tuple(RUNS)


@pytest.mark.parametrize("scenario", RUNS)
def test_an_interview_keeps_its_contract(project: Path, scenario: str) -> None:
    found = list(check_walkthrough(scenario, (project / "scenarios",)))
    assert [one for one in found if not one.kept] == []
    assert len(found) == 8


@pytest.mark.parametrize("scenario", RUNS)
def test_it_is_complete(roots: tuple[Path, ...], scenario: str) -> None:
    loaded = load_walkthrough(scenario, roots)
    plan = loaded.walkthrough
    for part, least in LEAST.items():
        assert len(getattr(plan, part)) >= least, part
    assert sum(probe.theory for probe in plan.probes.values()) >= 4
    for stage in plan.stages.values():
        answers = {stage.answers.at(level) for level in ("junior", "senior", "staff")}
        assert len(answers) == 3
    assert all(option.then for d in plan.decisions.values() for option in d.options.values())
    sheet = study_sheet(loaded, "staff")
    assert all(question.ask in sheet for question in plan.questions.values())
    assert not PLACEHOLDER.search(sheet)


SPOILT = {
    "formulas": ("expect: own.peak_rate * figures.sale", "expect: own.bill * 2", "formula"),
    "names": ("expect: own.peak_rate * figures.sale", "expect: own.peek_rate * 2", "formula"),
    "options": ("sets: {ingest.key: terminal_id}", "sets: {ingest.key: nothing}", "design"),
    "history": ("sets: {model.training.label_maturity: 1d}",
                "sets: {model.training.label_maturity: 30d}", "design"),
    "texts": ("{label_median}, most", "{label_medium}, most", "known"),
    "source": ("answer: Never. There", "answer: In 3 of 4 cases never. There", "source"),
    "incident": ("incident: fraud_triples", "incident: fraud_doubles", "curveball"),
    "change": ("change: {for: 12h}", "change: {form: 12h}", "curveball"),
    "features": (
        "incident: skew\n    when: {customer_features: [habits]}", "incident: skew", "curveball"),
    "objectives": ("weak: [net_loss_per_1000_events, recall_at_capacity]",
                   "weak: [losses]", "objectives"),
    "question": ("ask: How rare is fraud?", "ask: Would you like some tea?", "recognised"),
    "reveals": ("reveals: [path, budget]", "reveals: [path, budgets]", "reveal"),
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_broken_promise_is_seen(tmp_path: Path, spoil: str) -> None:
    before, after, promise = SPOILT[spoil]
    file = copy_scenario(tmp_path) / "walkthrough.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    broken = [one for one in check_walkthrough("fraud", (tmp_path,)) if not one.kept]
    assert broken and promise in broken[0].name


def test_a_scenario_without_an_interview(project: Path) -> None:
    with pytest.raises(UsageError, match=r"has no interview.*There is one for fraud"):
        list(check_walkthrough("fraud-handbook", (project / "scenarios",)))
