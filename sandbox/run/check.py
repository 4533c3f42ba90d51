"""``sandbox check``: hold a scenario against the contract that every scenario keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sandbox.errors import SandboxError, VerdictError
from sandbox.run.check_events import (
    check_blocks,
    check_features,
    check_knobs,
    check_labels,
    check_seeds,
)
from sandbox.run.execution import execute
from sandbox.run.seeds import stream
from sandbox.run.setup import DAY, Prepared, prepare
from sandbox.run.verdict import check_objectives
from sandbox.spec.loading import scenario_from
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import read_source
from sandbox.spec.units import format_duration
from sandbox.task import get_task
from sandbox.world import (
    Catalogue,
    DataFaultEngine,
    KnobCurves,
    World,
    blamed_on,
    build_world,
    load_world_class,
)

__all__ = ["CheckResult", "check_scenario"]

SEED = 1
DAYS = 5
"""Length of the trial run [days]."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class CheckResult:
    """One promise: whether it is kept, and what was seen."""

    name: str
    passed: bool
    detail: str


class _Report:
    """Results so far; a failure with a message for the author becomes one of them."""

    def __init__(self) -> None:
        self.results: list[CheckResult] = []

    def attempt(self, name: str, check: Callable[[], tuple[Value, str]]) -> Value | None:
        """Return what a check found out; None if it failed."""
        try:
            value, detail = check()
        except SandboxError as error:
            self.results.append(CheckResult(name, False, error.line()))
            return None
        self.results.append(CheckResult(name, True, detail))
        return value

    def note(self, name: str, check: Callable[[], str]) -> bool:
        """Make a check that nothing later needs the result of; return whether it passed."""
        return self.attempt(name, lambda: (True, check())) is not None


def check_scenario(name: str, roots: Sequence[Path]) -> list[CheckResult]:
    """Hold a scenario against the contract, in the order in which an author would mend it.

    Files that load and fit, a world whose events conform, depend on nothing but time and seed, and
    react to every knob, labels that can be learned from, features that are the same online and in
    training, and a short run that ends with a verdict. Where something fails that all later checks
    need, they are left out.

    Parameters
    ----------
    name
        Scenario.
    roots
        Folders of scenarios.

    Raises
    ------
    UsageError
        If there is no scenario of that name. Whatever is wrong with it is a failed result.
    """
    folder = Catalogue(roots).folder(name)
    report = _Report()
    report.note("readme", lambda: _readme(folder))
    scenario = report.attempt("scenario", lambda: _scenario(folder))
    if scenario is None:
        return report.results
    world = report.attempt("world", lambda: _world(folder, scenario))
    if world is None:
        return report.results
    report.note("incidents", lambda: _incidents(scenario, world, folder))
    measurable = report.note("objectives", lambda: _objectives(scenario, folder))
    prepared = report.attempt("design", lambda: _design(name, roots)) if measurable else None
    if prepared is None:
        return report.results
    calm = replace(prepared, incidents={})
    blocks = report.attempt("events", lambda: check_blocks(calm))
    if blocks is None:
        return report.results
    report.note("seeds", lambda: check_seeds(calm))
    report.note("labels", lambda: check_labels(calm, blocks))
    report.note("knobs", lambda: check_knobs(calm))
    report.note("features", lambda: check_features(calm, blocks))
    report.note("run", lambda: _run(prepared))
    return report.results


def _readme(folder: Path) -> str:
    file = folder / "README.md"
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.strip():
        raise VerdictError("no exercise", where=str(file), expected="a README.md that poses it")
    return f"README.md, {len(text.splitlines())} lines"


def _scenario(folder: Path) -> tuple[Scenario, str]:
    scenario = scenario_from(read_source(folder / "scenario.yaml"))
    get_task(scenario.task)
    columns, incidents = len(scenario.event.columns), len(scenario.incidents)
    return scenario, f"{scenario.title}: {columns} columns, {incidents} incidents"


def _world(folder: Path, scenario: Scenario) -> tuple[type[World], str]:
    world = load_world_class(folder)
    with blamed_on(folder / "world.py"):
        build_world(world, scenario.world, stream(SEED), str(folder / "scenario.yaml"))
    knobs = ", ".join(knob.name for knob in world.knobs) or "none"
    return world, f"{world.__name__}; knobs: {knobs}"


def _incidents(scenario: Scenario, world: type[World], folder: Path) -> str:
    """Fit every incident to the world, those outside the timeline too."""
    for name, incident in scenario.incidents.items():
        KnobCurves(world.knobs, {name: incident}, stream(SEED))
        DataFaultEngine({name: incident}, scenario.event, scenario.start_time)
        if name in scenario.timeline and incident.start >= scenario.days * DAY:
            raise VerdictError(
                "this incident of the timeline never happens",
                where=f"{folder / 'scenario.yaml'} incidents.{name}",
                got=f"onset after {format_duration(incident.start)}",
                expected=f"less than days: {scenario.days}",
            )
    return f"{len(scenario.incidents)} fit, {len(scenario.timeline)} in the timeline"


def _objectives(scenario: Scenario, folder: Path) -> str:
    where = str(folder / "scenario.yaml")
    if not scenario.objectives:
        raise VerdictError("nothing to reach", where=where, expected="at least one objective")
    check_objectives(scenario, get_task(scenario.task), where)
    for name, objective in scenario.objectives.items():
        if objective.window > scenario.days * DAY:
            raise VerdictError(
                "no run is that long",
                where=f"{where} objectives.{name}.window",
                got=format_duration(objective.window),
                expected=f"at most days: {scenario.days}",
            )
    return f"{len(scenario.objectives)} can be measured"


def _design(name: str, roots: Sequence[Path]) -> tuple[Prepared, str]:
    prepared = prepare(
        name, design=None, seed=SEED, days=None, overrides=(), incidents=None, roots=roots
    )
    features, alerts = len(prepared.plan.inputs), len(prepared.design.monitoring.alerts)
    return prepared, f"{prepared.design_name}: {features} features, {alerts} alert rules"


def _run(prepared: Prepared) -> str:
    record = execute(replace(prepared, days=DAYS))
    json.dumps(record.summary(), allow_nan=False)
    judged = [result for result in record.objectives if result.passed is not None]
    if not record.complete or not judged:
        raise VerdictError(
            "a short run ends without a verdict",
            where=f"run {prepared.name} --days {DAYS}",
            got=f"{len(judged)} objectives measured",
            expected="at least one",
        )
    met = sum(result.passed is True for result in judged)
    return (
        f"{record.events:,} events in {DAYS} days; "
        f"objectives met: {met} of the {len(judged)} that so short a run can measure"
    )
