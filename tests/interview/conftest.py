"""Three candidates on paper, each held once, in a world of half the size and half the days."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
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
RUNS = """\
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
"""


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


def copy_scenario(root: Path, runs: str = RUNS) -> Path:
    """Copy the scenario with shorter runs, and return its folder."""
    folder = root / "fraud"
    folder.mkdir(parents=True)
    for name in ("scenario.yaml", "design.yaml", "world.py", "README.md"):
        shutil.copy(ROOT / "scenarios" / "fraud" / name, folder / name)
    text = (ROOT / "scenarios" / "fraud" / "walkthrough.yaml").read_text()
    changed = re.sub(r"^runs: .*\n", runs, text, flags=re.M)
    assert changed != text
    (folder / "walkthrough.yaml").write_text(changed)
    return folder


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A root with the scenario and its interview."""
    root = tmp_path_factory.mktemp("scenarios")
    copy_scenario(root)
    return (root,)


@pytest.fixture(scope="session")
def loaded(roots: tuple[Path, ...]) -> Loaded:
    return load_walkthrough("fraud", roots)


@pytest.fixture(scope="session")
def played(
    roots: tuple[Path, ...], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Played]:
    """All three candidates, really trained and run, at the same level."""
    found = {}
    for name in NAMES:
        room = Room(tmp_path_factory.mktemp(name), roots, lambda text: None)
        seat = room.start("fraud", Setup("senior"))
        script = load_script(CANDIDATES / f"{name}.yaml", seat.session.loaded)
        hold(room, seat, script)
        found[name] = Played(room, seat, score(seat.session.notes))
    return found


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
            objective("negatives_blocked", 0.0, 0.002, False),
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
