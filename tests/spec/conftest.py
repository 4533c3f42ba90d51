from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.errors import SandboxError
from sandbox.spec.loading import check_design, design_from, scenario_from
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source, source_from_text

DESIGN = """\
# a design
title: Small
ingest: {partitions: 12, key: buyer_id}
pipeline:
  workers: 4
  linger: 5ms
features:
  - amount
  - hour_of_day
  - channel
  - count: {by: buyer_id, over: [1d, 7d]}
  - mean:
      of: amount
      by: shop_id
      over: 7d
      delay: 1d
  - share: {of: label, by: shop_id, over: [7d, 30d], delay: 7d}
  - since_last: {by: buyer_id}
model:
  champion: {xgboost: {trees: 50, depth: 3}}
  imbalance: none
  training: {window: 28d, label_maturity: 14d, validation: 7d}
decision:
  review: {capacity: 100/day}
  block: {above: 0.9}
  explore: 1%
monitoring:
  reference: 14d
  alerts:
    - psi: {of: all, act: 0.25, for: 2d}
    - adwin: {of: review_precision}
    - performance: {of: pr_auc, drop: 20%}
retraining:
  when: [every 28d, on performance]
  gate: {slices: [channel], not_worse_by: 0.01}
  rollback: {on: [latency], within: 2d}
"""

SCENARIO = """\
title: Shop
task: binary
prompt: Stop it.
days: 90
event:
  id: event_id
  columns:
    buyer_id: {type: key}
    shop_id: {type: key}
    amount: {type: number, unit: USD, min: 0}
    channel: {type: category, values: [shop, online]}
world: {buyers: 50}
load:
  mean: 2000/s
  daily: {peak: 19:00, ratio: 4}
  events: [{name: payday, every: 1 month, ratio: 1.6}]
labels:
  delay: {lognormal: {median: 7d, p95: 30d}}
  missing_when: [block]
costs: {missed: amount + 25 USD, false_decline: 8 USD, review: 3 USD}
objectives:
  recall: {at_least: 60%, window: 7d}
  latency: {at_most: 100ms}
incidents:
  ring:
    story: It starts.
    drift: {kind: concept, knob: ring, to: 40%, at: 45d, ramp: 3d}
  cents:
    story: Cents come.
    fault: {kind: unit_change, field: amount, where: channel == online, at: 60d, for: 2d}
timeline: [ring, cents]
"""


@pytest.fixture(scope="session")
def design_text() -> str:
    return DESIGN


@pytest.fixture(scope="session")
def scenario_text() -> str:
    return SCENARIO


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return scenario_from(source_from_text(SCENARIO, "shop/scenario.yaml"))


@pytest.fixture(scope="session")
def read_design(scenario: Scenario) -> Callable[[str], Any]:
    """Load a design text and hold it against the scenario."""

    def read(text: str) -> Any:
        source = source_from_text(text, "shop/mine.yaml")
        design = design_from(source)
        check_design(design, source, scenario, metrics=("pr_auc", "recall"))
        return design

    return read


@pytest.fixture(scope="session")
def read_scenario() -> Callable[[str], Any]:
    """Load a scenario text."""
    return lambda text: scenario_from(source_from_text(text, "shop/scenario.yaml"))


@pytest.fixture(scope="session")
def message_of() -> Callable[[Callable[[], Any]], str]:
    """Return the line of the SandboxError that a call raises."""

    def message(call: Callable[[], Any]) -> str:
        with pytest.raises(SandboxError) as caught:
            call()
        return caught.value.line()

    return message


@pytest.fixture(scope="session")
def design_source() -> Source:
    return source_from_text(DESIGN, "shop/mine.yaml")
