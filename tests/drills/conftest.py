"""A small scenario with a small drill, which begins in less than a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.drills.catalogue import load_drill
from sandbox.drills.session import Session
from sandbox.run.scaffold import write_scenario

NAME = "parcels/grumbling"
DEFAULTS = """\
set:
  - population=150
  - history=20d
  - model.champion.xgboost.trees=10
  - model.training.window=10d
  - retraining.gate.min_positives=1
prices: {retrain: 50 USD, page: 200 USD, worker_day: 5 USD}
causes:
  other_road: parcels go another way
  bad_data: a field arrives wrong
people:
  shops: "Shops: all as usual."
  depot: "Depot: it is quiet here."
"""
DRILL = """\
title: Grumbling
level: easy
skills: [detect, diagnose]
story: Customers grumble.
start: 8d
hidden: [{incident: no-train, at: -1d, change: {to: 0.9}}]
budget: {time: 6d, money: 400 USD}
diagnosis: other_road
people: {depot: "Depot: the night train does not run."}
pass: {diagnosed_within: {at_most: 3d}, false_pages: {at_most: 0}}
evidence:
  - {panel: samples, after: 1d, say: "Express parcels that go far are late."}
  - {panel: drift, metric: psi(score), above: 1000, say: "It never shows here."}
hints:
  - {when: "not looked(samples)", say: "Look at single parcels."}
  - {when: "elapsed >= 1d and did(page) and not diagnosed", say: "What did the depot say?"}
solution: [look samples, advance 1d, do page who=depot, diagnose other_road]
wrong:
  - {name: blame the data, steps: [diagnose bad_data], because: "The data are right."}
  - {name: wake all, steps: [do page who=shops, diagnose other_road], because: "They cannot help."}
debrief: The night train was cancelled.
read: [monitoring.md]
"""


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A root with the scenario ``parcels`` and its drill."""
    root = tmp_path_factory.mktemp("scenarios")
    write_drills(write_scenario("parcels", task="binary", into=root))
    return (root,)


def write_drills(scenario: Path, drill: str = DRILL, defaults: str = DEFAULTS) -> None:
    """Write a drill and what drills share into a scenario's folder."""
    folder = scenario / "drills"
    folder.mkdir(exist_ok=True)
    (folder / "defaults.yaml").write_text(defaults)
    (folder / "grumbling.yaml").write_text(drill)


@pytest.fixture
def begin(roots: tuple[Path, ...]) -> Callable[..., Session]:
    """Return what begins a session."""

    def start(seed: int = 1) -> Session:
        return Session(load_drill(NAME, roots), seed, roots)

    return start
