from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from sandbox.adapters.search import Search
from sandbox.errors import SandboxError, UsageError
from sandbox.record import Trial
from sandbox.run import sweep
from sandbox.run.sweep import Grid, Searched, SweepPlan, known_trials, pareto, parse_over, run_sweep
from tests.run.conftest import QUICK


class Here(Executor):
    """Plays trials in this process, one after the other."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture
def plan(roots: tuple[Path, ...]) -> SweepPlan:
    over = {"pipeline.workers": ("1", "4"), "model.imbalance": ("none", "weight")}
    return SweepPlan("parcels", tuple(map(str, roots)), None, 7, 8, QUICK, (), over)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Stand in for trials: loss falls and cost grows with workers."""
    calls: list[Any] = []

    def play(plan: SweepPlan, assignment: Any, stop_file: str = "") -> Trial:
        calls.append(assignment)
        workers = float(dict(assignment)["pipeline.workers"])
        plain = dict(assignment)["model.imbalance"] == "none"
        return Trial(assignment, {"loss": 10 / workers + plain, "cost": workers})

    monkeypatch.setattr(sweep, "play_trial", play)
    yield calls


def test_a_grid_is_every_combination_and_is_refused_when_endless() -> None:
    grid = Grid({"a": ("1", "2"), "b": ("x", "y", "z")})
    found = []
    while (asked := grid.ask()) is not None:
        found.append(asked)
    assert grid.total == len(set(found)) == 6
    with pytest.raises(UsageError, match="--search optuna"):
        Grid({str(key): tuple(map(str, range(10))) for key in range(4)})


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=,"])
def test_ranges_are_checked(text: str) -> None:
    with pytest.raises(UsageError, match="--over"):
        parse_over([text])
    with pytest.raises(UsageError, match="twice"):
        parse_over(["a=1", "a=2"])


def test_values_that_a_design_refuses_are_refused_before_any_trial(plan: SweepPlan) -> None:
    assert plan.check().design.pipeline.workers == 1
    with pytest.raises(UsageError, match=r"pipeline\.workers"):
        replace(plan, over={"pipeline.workers": ("1", "0")}).check()


def test_no_other_trial_beats_the_best() -> None:
    figures = [(1.0, 9.0), (2.0, 5.0), (3.0, 5.0), (9.0, 1.0), (9.0, 1.0), (None, 0.0)]
    trials = [Trial((("k", str(i)),), {"a": a, "b": b}) for i, (a, b) in enumerate(figures)]
    assert pareto(trials, ("a", "b"), {"a": False, "b": False}) == [0, 1, 3, 4]
    assert pareto(trials, ("a", "b"), {"a": True, "b": False}) == [3, 4]


def test_a_sweep_goes_on_where_it_was_stopped(
    plan: SweepPlan, played: list[Any], tmp_path: Path
) -> None:
    stops = iter([False, True])
    part, complete = run_sweep(plan, Grid(plan.over), tmp_path, Here(), 1, stop=lambda: next(stops))
    assert not complete and len(part) == len(played) == 1
    whole, complete = run_sweep(plan, Grid(plan.over), tmp_path, Here(), 2)
    assert complete and len(whole) == 4
    assert len(played) == 4, "a finished trial was played again"
    assert {trial.name for trial in whole} == set(known_trials(tmp_path))


def test_optuna_tries_different_ones_and_learns(
    plan: SweepPlan, played: list[Any], tmp_path: Path
) -> None:
    plan = replace(plan, over={**plan.over, "pipeline.workers": tuple("123456789")})
    search = Search(plan.over, [False, False], seed=1)
    trials, complete = run_sweep(plan, Searched(search, ("loss", "cost"), 8), tmp_path, Here(), 2)
    assert complete and len({trial.assignment for trial in trials}) == 8
    again = Searched(
        Search(plan.over, [False, False], seed=2), ("loss", "cost"), 10,
        [trial.assignment for trial in trials],
    )  # fmt: skip
    more, _ = run_sweep(plan, again, tmp_path, Here(), 2)
    assert len(more) == 10 and len(played) == 10


def test_a_search_of_few_values_ends(plan: SweepPlan, played: list[Any], tmp_path: Path) -> None:
    search = Searched(Search(plan.over, [False, False], seed=1), ("loss", "cost"), 50)
    trials, complete = run_sweep(plan, search, tmp_path, Here(), 1)
    assert complete and len(trials) == 4


def test_real_trials_in_processes(plan: SweepPlan, tmp_path: Path) -> None:
    plan = replace(plan, over={"ingest.retries": ("0", "1")})
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        trials, complete = run_sweep(plan, Grid(plan.over), tmp_path, pool, 2)
    assert complete
    by_value = {dict(trial.assignment)["ingest.retries"]: trial for trial in trials}
    assert by_value["0"].passed and not by_value["0"].refused
    assert "retries need a timeout" in by_value["1"].refused


def test_a_running_trial_ends_when_asked(plan: SweepPlan, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    assert sweep.play_trial(plan, (("pipeline.workers", "1"),), str(tmp_path / "stop")) is None


def test_a_process_that_dies_is_said_in_a_line(
    plan: SweepPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    monkeypatch.setattr(sweep, "play_trial", os.abort)
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(SandboxError, match="--jobs 1"),
    ):
        run_sweep(plan, Grid(plan.over), tmp_path, _Dying(pool), 1)


class _Dying(Executor):
    """Calls without arguments in a pool."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._pool.submit(fn)
