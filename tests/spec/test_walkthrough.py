"""Messages of walkthrough.yaml: at the line, saying what would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.spec.interview_terms import STAGES
from sandbox.spec.loading import build
from sandbox.spec.schema_json import walkthrough_schema
from sandbox.spec.source import Source, source_from_text
from sandbox.spec.walkthrough import Decision, Walkthrough

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "scenarios" / "fraud" / "walkthrough.yaml").read_text()


def load(text: str) -> tuple[Walkthrough, Source]:
    source = source_from_text(text, "walkthrough.yaml")
    return build(Walkthrough, source), source


@pytest.mark.parametrize("scenario", ["fraud", "spam"])
def test_what_ships_is_read(scenario: str) -> None:
    plan, _ = load((ROOT / "scenarios" / scenario / "walkthrough.yaml").read_text())
    assert tuple(plan.stages) == ("clarify", "data_flow", "model", "production")
    assert sum(stage.minutes for stage in plan.stages.values()) == plan.minutes


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("\nminutes: 45", "\nminuts: 45", "minuts"),
        ("as: rate\n    tolerance: 25%", "as: pace\n    tolerance: 25%", "numbers.peak_rate.as"),
        ("tolerance: 25%", "tolerance: a bit", "expected a tolerance such as"),
        ("steps: [events_a_day,", "steps: [events_day,", "unknown step; got 'events_day'"),
        ("steps: [events_a_day, peak_rate,", "steps: [events_a_day, events_a_day,", "comes twice"),
        ("surge_rate, wrong_size,", "surge_rate,", "no stage has; got 'wrong_size'"),
        ("when: {imbalance: [weight]}", "when: {imbalanced: [weight]}", "unknown decision"),
        ("when: {imbalance: [weight]}", "when: {imbalance: [weights]}", "expected one of none"),
        ("missed: [latency]", "missed: [latencies]", "unknown question or number"),
        ("  desk:\n", "  review:\n", "the name 'review' is taken"),
        (
            "incident: takeover\n",
            "incident: takeover\n    fault: outage\n",
            "exactly one of incident, fault",
        ),
        ("{is: scenario.load.mean, as: rate}", "{as: rate}", "exactly one of is, value, show"),
        ('{value: 1.8, source: "scenario.yaml load.events"}', "{value: 1.8}", "needs `source`"),
        ("bars: {junior: 45, senior: 60, staff: 70}", "bars: {junior: 45}", "expected exactly"),
        ("  clarify:\n    minutes: 8", "  clarified:\n    minutes: 8", "stages"),
    ],
)
def test_a_mistake_is_said_at_its_line(text: str, before: str, after: str, message: str) -> None:
    assert before in text
    with pytest.raises(UsageError) as caught:
        load(text.replace(before, after, 1))
    line = caught.value.line()
    assert message in line and line.startswith("walkthrough.yaml:") and "\n" not in line


def test_a_decision_has_a_best_option() -> None:
    option = {"say": "a", "then": "b", "worth": 0.5}
    with pytest.raises(ValueError, match="expected a `worth` of 1"):
        Decision.model_validate({"ask": "?", "signal": "modelling",
                                 "options": {"x": option, "y": option}})  # fmt: skip


def test_the_page_names_every_key() -> None:
    page = (ROOT / "docs" / "writing-a-walkthrough.md").read_text()
    from sandbox.spec import walkthrough as spec

    for model in (spec.Walkthrough, spec.Question, spec.NumberCheck, spec.Decision, spec.Option,
                  spec.Probe, spec.Point, spec.Curveball, spec.StagePlan, spec.Runs):  # fmt: skip
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in page, (model.__name__, name)
    for name in STAGES:
        assert f"`{name}`" in page


def test_the_schema_for_editors_names_every_key(text: str) -> None:
    schema, (_, source) = walkthrough_schema(), load(text)
    assert set(source.data) <= set(schema["properties"])
    assert set(schema["required"]) <= set(source.data)
    options = schema["$defs"]["Option"]
    assert options["additionalProperties"] is False and "say" in options["required"]
    assert schema["$defs"]["NumberCheck"]["properties"]["tolerance"]["examples"][0] == "20%"
