"""From names and files to a run that is ready to start: everything read and checked once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.adapters.recorded import Recording
from sandbox.adapters.recorded_file import EventsFile
from sandbox.errors import UsageError, suggest
from sandbox.model import check_model
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.run.recorded import check_turnable, play_back
from sandbox.run.verdict import check_objectives, check_rollback
from sandbox.spec.design import Design
from sandbox.spec.incidents import Incident
from sandbox.spec.loading import check_design, design_from, scenario_from
from sandbox.spec.overrides import apply_overrides, split_overrides
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source, read_source
from sandbox.spec.units import parse_quantity
from sandbox.task import Task, get_task
from sandbox.world import Catalogue, World, load_world_class

__all__ = ["DAY", "Prepared", "check_live", "prepare"]

DAY = 86400.0


@dataclass(frozen=True)
class Prepared:
    """A checked scenario, a checked design, and what to do with them."""

    name: str
    folder: Path
    scenario: Scenario
    design: Design
    design_name: str
    design_text: str
    """The design as YAML, overrides included."""
    world_class: type[World]
    task: Task
    plan: FeaturePlan
    incidents: Mapping[str, Incident]
    """Active incidents by name."""
    seed: int
    days: int
    recording: Recording | None = None
    """Events that take the place of the world's."""


def prepare(
    name: str,
    *,
    design: Path | None,
    seed: int,
    days: int | None,
    overrides: Sequence[str],
    incidents: Sequence[str] | None,
    roots: Sequence[Path],
    events: EventsFile | None = None,
) -> Prepared:
    """Read and check all that a run needs.

    Parameters
    ----------
    name
        Scenario.
    design
        Design file; the scenario's own when absent.
    seed, days
        Of the world; `days` is the scenario's when absent.
    overrides
        ``key=value`` settings of design or scenario.
    incidents
        Names, each optionally with a day as in ``ring@30d``; None for the scenario's timeline.
    roots
        Folders of scenarios.
    events
        Recorded events that take the place of the world's.

    Raises
    ------
    UsageError
        For the first thing that is wrong, at its place.
    """
    folder = Catalogue(roots).folder(name)
    of_design, of_scenario = split_overrides(overrides)
    asked = apply_overrides(read_source(folder / "scenario.yaml"), of_scenario, Scenario)
    scenario = scenario_from(asked)
    source = apply_overrides(read_source(design or folder / "design.yaml"), of_design)
    answer = design_from(source)
    task = get_task(scenario.task)
    check_design(answer, source, scenario, metrics=task.metrics)
    check_rollback(answer, source)
    check_model(answer.model, task)
    check_slates(answer, scenario, task)
    check_objectives(scenario, task, asked.name)
    recording = None
    if events is not None:
        check_turnable(_chosen(scenario, incidents or ()))
        scenario, recording, days = play_back(events, scenario, task, days)
    return Prepared(
        name=name,
        folder=folder,
        scenario=scenario,
        design=answer,
        design_name=answer.title,
        design_text=_text(source, of_design),
        world_class=load_world_class(folder),
        task=task,
        plan=FeaturePlan.compile(
            answer.features,
            scenario.event,
            answer.ingest.key,
            allowed_lateness=answer.pipeline.allowed_lateness,
            clean=answer.clean,
        ),
        incidents=_chosen(scenario, incidents),
        seed=seed,
        days=days or scenario.days,
        recording=recording,
    )


def check_live(prepared: Prepared) -> None:
    """Refuse what live roles cannot do.

    Raises
    ------
    UsageError
        Of a ranking whose events do not say how many candidates their request has.
    """
    slate = prepared.scenario.event.slate
    if slate is not None and slate.size is None:
        raise UsageError(
            "live workers must know when a request is complete",
            where=f"{prepared.name} event.slate.size",
            expected="a number column that says how many candidates the request has",
            hint="`sandbox run` needs none.",
        )


def check_slates(design: Design, scenario: Scenario, task: Task) -> None:
    """Refuse a ranking without requests, and requests where nothing is ranked.

    Raises
    ------
    UsageError
        Naming the key that is missing or too much.
    """
    if task.has_groups and scenario.event.slate is None:
        raise UsageError(
            f"task {task.name} needs candidates of requests", where="event.slate",
            expected="{request: KEY, user: KEY, item: KEY}",
        )  # fmt: skip
    kind = design.model.retrieval.kind if design.model.retrieval else None
    columns = scenario.event.columns
    told = [str(f.of) for f in design.features if f.operation == "column"]
    known = [name for name in told if name in columns and columns[name].type == "category"]
    if kind is not None and kind not in known:
        raise UsageError(
            "not a category that is among the features", where="model.retrieval.kind", got=kind,
            expected=f"one of {', '.join(known)}" if known else "no such key",
            hint=suggest(kind, known),
        )  # fmt: skip
    if task.has_groups == (design.decision.show is not None):
        return
    raise UsageError(
        f"task {task.name} shows the first candidates of each request"
        if task.has_groups
        else f"means nothing to task {task.name}",
        where="decision.show",
        got=design.decision.show,
        expected="a number of places such as 10" if task.has_groups else "no such key",
    )


def _text(source: Source, settings: Sequence[str]) -> str:
    """Return the file as written, or as data where settings changed it."""
    return source.as_yaml() if settings else source.text


def _chosen(scenario: Scenario, asked: Sequence[str] | None) -> dict[str, Incident]:
    chosen = {}
    for item in scenario.timeline if asked is None else asked:
        name, _, day = item.partition("@")
        if name not in scenario.incidents:
            raise UsageError(
                "unknown incident",
                where="--incident",
                got=name,
                expected=f"one of {', '.join(scenario.incidents)}",
                hint=suggest(name, scenario.incidents),
            )
        incident = scenario.incidents[name]
        chosen[name] = _moved(incident, day) if day else incident
    return chosen


def _moved(incident: Incident, day: str) -> Incident:
    """Return the incident with another onset."""
    text = f"{day}d" if re.fullmatch(r"[0-9.]+", day) else day
    try:
        at = parse_quantity(text)
    except ValueError:
        at = None
    if at is None or at.unit != "s" or at < 0:
        raise UsageError(
            "not a day", where="--incident", got=day, expected="NAME@DAY such as ring@30d"
        )
    for part in ("drift", "fault", "stack"):
        cause = getattr(incident, part)
        if cause is not None:
            return incident.model_copy(update={part: cause.model_copy(update={"at": float(at)})})
    return incident
