"""``sandbox sweep``: many designs in one world, and which of them are worth having."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.designs import DesignFile
from sandbox.cli.interrupt import Interrupt
from sandbox.cli.options import (
    Days,
    Incidents,
    Json,
    Name,
    NoIncidents,
    Out,
    Overrides,
    Quiet,
    Scenarios,
    Seed,
)
from sandbox.cli.places import scenario_roots
from sandbox.cli.progress import telling
from sandbox.cli.results import RUNS, leave_study
from sandbox.cli.simulate import INTERRUPTED, chosen_incidents
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from sandbox.record import SweepRecord, Trial
    from sandbox.run.setup import Prepared
    from sandbox.run.sweep import Chooser, SweepPlan

__all__ = ["sweep"]

PAGE, NUMBERS, TRIALS = "sweep.html", "sweep.json", "trials"
AXES = ("net_loss_per_1000_events", "cost_per_month")


class SearchKind(StrEnum):
    """How trials are chosen."""

    grid = "grid"
    optuna = "optuna"


def sweep(
    name: Name,
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="KEY=V1,V2",
            help="Values to try, such as pipeline.workers=2,4,8 (repeatable).",
        ),
    ],
    search: Annotated[
        SearchKind, typer.Option("--search", help="Every combination, or what Optuna chooses.")
    ] = SearchKind.grid,
    trials: Annotated[
        int, typer.Option("--trials", min=1, max=10_000, metavar="N", help="Of an Optuna search.")
    ] = 20,
    pareto: Annotated[
        list[str] | None,
        typer.Option(
            "--pareto",
            metavar="OBJECTIVE",
            help="Hold trials against each other by this (repeatable) [loss and cost].",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=256, metavar="N", help="Processes [cores].")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="Play trials on a Ray cluster instead."),
    ] = None,
    design: DesignFile = None,
    days: Days = None,
    seed: Seed = 7,
    overrides: Overrides = None,
    incident: Incidents = None,
    no_incidents: NoIncidents = False,
    out: Out = None,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Run many settings and see which are worth having.

    The same command goes on where it was stopped: every finished trial is kept.
    """
    from sandbox.run.sweep import SweepPlan, parse_over

    plan = SweepPlan(
        name, tuple(str(root.resolve()) for root in scenario_roots(scenarios or ())),
        str(design.resolve()) if design else None, seed, days, tuple(overrides or ()),
        chosen_incidents(incident, no_incidents), parse_over(over),
    )  # fmt: skip
    prepared = plan.check()
    axes = _axes(prepared, pareto or ())
    folder = out or RUNS / f"{name}-sweep-{plan.fingerprint()}"
    chooser = _chooser(search, trials, plan, prepared, axes, folder / TRIALS)
    done, complete = _play(plan, chooser, folder, jobs, ray, quiet or as_json)
    record = _record(plan, prepared, axes, done, complete)
    _leave(record, folder, as_json)
    if not complete:
        raise typer.Exit(INTERRUPTED)


def _axes(prepared: Prepared, asked: Sequence[str]) -> tuple[str, ...]:
    known = prepared.scenario.objectives
    for name in asked:
        if name not in known:
            raise UsageError(
                "not an objective of the scenario", where="--pareto", got=name,
                expected=f"one of {', '.join(known)}",
            )  # fmt: skip
    usual = [name for name in AXES if name in known]
    return tuple(dict.fromkeys(asked)) or tuple(usual if len(usual) == 2 else list(known)[:2])


def _chooser(
    search: SearchKind, trials: int, plan: SweepPlan, prepared: Prepared, axes: tuple[str, ...],
    folder: Path,
) -> Chooser:  # fmt: skip
    from sandbox.run.sweep import Grid, Searched, known_trials

    if search is SearchKind.grid:
        return Grid(plan.over)
    from sandbox.adapters.search import Search

    known = [
        trial.assignment
        for trial in known_trials(folder).values()
        if all(value in plan.over[key] for key, value in trial.assignment)
    ]
    more = [prepared.scenario.objectives[axis].at_least is not None for axis in axes]
    return Searched(Search(plan.over, more, plan.seed), axes, trials, known)


def _play(
    plan: SweepPlan, chooser: Chooser, folder: Path, jobs: int | None, ray: str | None, quiet: bool
) -> tuple[list[Trial], bool]:
    """Play trials under a progress bar until there are no more, or Ctrl-C."""
    from rich.console import Console

    from sandbox.run.sweep import run_sweep

    console = Console(stderr=True, highlight=False)
    with (
        _pool(jobs, ray) as (pool, at_once),
        Interrupt(lambda text: console.print(text)) as interrupt,
        telling(quiet) as (tell, progress),
    ):
        tell(f"{chooser.total} trials, {at_once} at a time")

        def finished(trial: Trial, number: int) -> None:
            settings = " ".join(f"{key}={value}" for key, value in trial.assignment)
            tell(f"{number} of {chooser.total}: {settings}")
            progress(number / chooser.total)

        return run_sweep(
            plan, chooser, folder / TRIALS, pool, at_once, finished=finished, stop=interrupt
        )


@contextmanager
def _pool(jobs: int | None, ray: str | None) -> Iterator[tuple[Executor, int]]:
    """Yield what plays trials, and how many at once."""
    if ray is not None:
        from sandbox.adapters.cluster import RayExecutor

        with RayExecutor(ray) as cluster:
            yield cluster, jobs or cluster.cores
        return
    from concurrent.futures import ProcessPoolExecutor

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a core has one trial to work on
    number = jobs or os.cpu_count() or 1
    with ProcessPoolExecutor(
        number, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        yield pool, number


def _record(
    plan: SweepPlan, prepared: Prepared, axes: tuple[str, ...], trials: list[Trial], complete: bool
) -> SweepRecord:
    from sandbox.record import SweepRecord
    from sandbox.run.sweep import pareto

    objectives = prepared.scenario.objectives
    more = {name: spec.at_least is not None for name, spec in objectives.items()}
    targets = {
        name: f"at least {spec.at_least}" if more[name] else f"at most {spec.at_most}"
        for name, spec in objectives.items()
    }
    return SweepRecord(
        scenario=plan.name, design=prepared.design_name, seed=plan.seed, over=tuple(plan.over),
        trials=tuple(trials), axes=axes, best=tuple(pareto(trials, axes, more)),
        targets=targets, at_least=more, complete=complete,
    )  # fmt: skip


def _leave(record: SweepRecord, folder: Path, as_json: bool) -> None:
    from sandbox.adapters.files import write_json, write_text
    from sandbox.report.sweep import print_sweep, sweep_html

    def write() -> Path:
        write_json(folder / NUMBERS, record.summary())
        write_text(folder / PAGE, sweep_html(record))
        return folder

    leave_study(
        write, record.summary(), lambda console: print_sweep(record, console), (PAGE, NUMBERS),
        as_json=as_json,
    )  # fmt: skip
