from __future__ import annotations

import pytest

from sandbox.errors import UsageError
from sandbox.interview.assembly import Assembly
from sandbox.interview.content import Loaded
from sandbox.report.diagram import parse_flow


def test_a_design_grows(loaded: Loaded) -> None:
    plan = loaded.walkthrough
    grown = Assembly(plan.start, loaded.scenario, plan.diagram)
    before = grown.digest()
    for name in ("path", "customer_features", "monitors", "retrain"):
        option = plan.decisions[name].options[plan.decisions[name].best]
        grown.apply(option.sets, option.draws)
    design = grown.design()
    assert grown.digest() != before
    assert "customer_id_count_30d" in design.feature_names
    assert design.retraining.when[1].on == "performance"
    assert [a.kind for a in design.monitoring.alerts].count("performance") == 1
    flow = parse_flow(grown.mermaid())
    assert flow is not None and len(flow.edges) > 4
    assert plan.start["retraining"] == "never", "the interview itself stays as it was"


def test_appending_twice_adds_nothing(loaded: Loaded) -> None:
    grown = Assembly({"features": ["amount"]}, loaded.scenario)
    for _ in range(2):
        grown.apply({"features+": ["distance"]}, ["a --> b"])
    assert grown.data["features"] == ["amount", "distance"]
    assert grown.mermaid().count("a --> b") == 1


def test_a_design_that_is_none_says_where(loaded: Loaded) -> None:
    grown = Assembly({"features": ["amount"], "ingest": {"key": "nobody"}}, loaded.scenario)
    with pytest.raises(UsageError, match=r"your design:\d+ ingest.key"):
        grown.design()
    with pytest.raises(UsageError, match="only lists"):
        grown.apply({"ingest+": ["x"]})
