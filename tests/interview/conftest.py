"""Three candidates on paper for every interview, each held once, in a smaller and shorter world."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.interview.content import Loaded, load_walkthrough
from sandbox.interview.notes import Setup
from sandbox.interview.prompts import Work
from sandbox.interview.room import Room, Seat
from sandbox.interview.score import Score, score
from sandbox.interview.script import follow, load_script
from sandbox.interview.session import Session

ROOT = Path(__file__).parent.parent.parent
CANDIDATES = Path(__file__).parent / "candidates"
NAMES = ("weak", "good", "staff")
RUNS: Mapping[str, str] = {
    "fraud": """\
runs:
  days: 15
  seed: 7
  onsets: [5d, 10d]
  set:
    - history=57d
    - population=60000
    - world.customers=2500
    - world.new_customers=300
    - world.terminals=5000
    - world.compromised=7
    - world.stolen=6
    - decision.review.capacity=50/day
    - model.champion.xgboost.trees=25
""",
    "house-prices": """\
runs:
  days: 16
  seed: 7
  onsets: [3d, 8d]
  set:
    - population=720000
    - objectives.interval_width.at_most=0.8
    - objectives.within_10_percent.window=10d
    - objectives.mape.window=10d
    - objectives.interval_coverage.window=10d
    - objectives.interval_width.window=10d
""",
    "recommendations": """\
runs:
  days: 14
  seed: 7
  onsets: [3d, 8d]
  set:
    - load.mean=2000/s
    - population=86400
    - world.users=150
    - world.items=400
    - model.champion.xgboost.trees=20
""",
    "spam": """\
runs:
  days: 15
  seed: 7
  onsets: [5d, 10d]
  set:
    - history=37d
    - population=864000
    - model.training.window=14d
    - decision.review.capacity=80/day
    - model.champion.xgboost.trees=40
""",
}
"""Shorter runs, by scenario: every scenario here has its candidates in ``candidates/NAME``."""


@dataclass(frozen=True)
class Played:
    """One candidate's interview, held to its end."""

    room: Room
    seat: Seat
    points: Score

    @property
    def session(self) -> Session:
        return self.seat.session

    @property
    def result(self) -> Mapping[str, Any]:
        assert self.seat.kept.result is not None
        return self.seat.kept.result


def copy_scenario(root: Path, scenario: str = "fraud") -> Path:
    """Copy a scenario with shorter runs, and return its folder."""
    folder = root / scenario
    folder.mkdir(parents=True)
    for name in ("scenario.yaml", "design.yaml", "world.py", "README.md"):
        shutil.copy(ROOT / "scenarios" / scenario / name, folder / name)
    text = (ROOT / "scenarios" / scenario / "walkthrough.yaml").read_text()
    changed = re.sub(r"^runs: .*\n", RUNS[scenario], text, flags=re.M)
    assert changed != text
    (folder / "walkthrough.yaml").write_text(changed)
    return folder


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A root with all scenarios that have an interview."""
    root = tmp_path_factory.mktemp("scenarios")
    for scenario in RUNS:
        copy_scenario(root, scenario)
    return (root,)


@pytest.fixture(scope="session")
def loaded(roots: tuple[Path, ...]) -> Loaded:
    return load_walkthrough("fraud", roots)


@pytest.fixture(scope="session", params=RUNS)
def played(
    request: pytest.FixtureRequest,
    roots: tuple[Path, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Played]:
    """All three candidates of an interview, really trained and run, at the same level."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    found = dict(play(request.param, roots, shared / "played"))
    return {name: found[name] for name in NAMES}


def play(scenario: str, roots: tuple[Path, ...], shared: Path) -> Iterator[tuple[str, Played]]:
    """Hold the interviews that no other worker of this session holds, and take up the rest."""
    left, deadline = list(NAMES), time.monotonic() + 600
    while left:
        for name in tuple(left):
            home = shared / scenario / name
            room, done = Room(home / "home", roots, lambda text: None), home / "done"
            try:
                home.mkdir(parents=True)
            except FileExistsError:
                if not done.exists():
                    continue
                seat = room.open(room.store.load(f"{scenario}-senior"))
            else:
                try:
                    seat = room.start(scenario, Setup("senior"))
                    file = CANDIDATES / scenario / f"{name}.yaml"
                    hold(room, seat, load_script(file, seat.session.loaded))
                finally:
                    done.touch()
            left.remove(name)
            yield name, Played(room, seat, score(seat.session.notes))
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def hold(room: Room, seat: Seat, script: Any) -> None:
    follow(
        seat.session, script, lambda text, at: room.give(seat, text, at),
        lambda: room.do_work(seat), lambda told: None,
    )  # fmt: skip


def objective(name: str, measured: float | None, bound: float, low: bool) -> dict[str, Any]:
    passed = None if measured is None else (measured >= bound if low else measured <= bound)
    return {
        "name": name, "measured": measured, "bound": bound, "at_least": low, "passed": passed,
        "shown": f"{measured}", "target": f"{'at least' if low else 'at most'} {bound}",
    }  # fmt: skip


def found_nothing(work: Work) -> Mapping[str, Any]:
    """Stand in for the machine: plausible results at once."""
    row = {"who": "your model", "model": "xgboost", "pr_auc": 0.5, "roc_auc": 0.9, "brier": 0.01,
           "calibration_error": 0.01, "recall_at_capacity": 0.6, "promised": 1.1, "cost": 100.0,
           "refused": 0.001}  # fmt: skip
    run = {
        "objectives": [
            objective("recall_at_capacity", 0.62, 0.6, True), objective("pr_auc", 0.6, 0.35, True),
            objective("good_blocked", 0.0, 0.002, False),
            objective("event_to_decision_p99", 0.03, 0.1, False),
            objective("answered_in_time", 1.0, 0.999, True),
            objective("net_loss_per_1000_events", 200.0, 450.0, False),
            objective("time_to_recover", None, 28 * 86400.0, False),
            objective("peak_capacity_used", 0.03, 0.6, False),
            objective("cost_per_month", 1500.0, 2000.0, False),
        ],
        "money": {"total": 1000.0}, "incidents": [], "alerts": [], "counts": {}, "versions": [],
        "daily_loss": [100.0] * 10, "design": "x", "seed": 7, "days": 10.0,
    }  # fmt: skip
    load = {"rate": 3394.0, "most": 1e5, "bottleneck": "a worker", "p99": 0.02, "cost": 1500.0}
    if work.name == "train":
        return {"rows": [row, {**row, "who": "the baseline"}, row], "facts": "On nothing."}
    if work.name == "calm":
        return {**run, "load": load}
    balls = [
        {"name": name, "title": name, "kind": "incident", "yours": 1.0, "reference": 1.0,
         "kept": 1.0, "said": "nothing came of it."}
        for name in work.inputs["curveballs"]
    ]  # fmt: skip
    return {"days": 10, "yours": run, "reference": run, "curveballs": balls}
