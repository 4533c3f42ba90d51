"""Drills on disk: find them, read them, and make one ready to run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sandbox.drills.actions import check_commands
from sandbox.drills.conditions import Condition
from sandbox.errors import UsageError, suggest
from sandbox.spec.actions import ACTIONS
from sandbox.spec.drill import MEASURES, Defaults, Drill
from sandbox.spec.incidents import Incident
from sandbox.spec.loading import build, load_scenario
from sandbox.spec.source import Source, read_source
from sandbox.world import Catalogue

__all__ = ["LoadedDrill", "drill_names", "load_drill"]

FOLDER = "drills"
DEFAULTS = "defaults.yaml"
DAY = 86400.0


@dataclass(frozen=True)
class LoadedDrill:
    """A drill, checked, and where it comes from."""

    scenario: str
    name: str
    folder: Path
    """The scenario's."""
    drill: Drill
    defaults: Defaults
    incidents: Mapping[str, Incident]
    """What is hidden, with onsets counted from day 0 of the run."""
    fingerprint: str
    """Of everything that decides what happens: drill, defaults, scenario, design and world."""

    @property
    def id(self) -> str:
        """``scenario/name``."""
        return f"{self.scenario}/{self.name}"

    @property
    def onset(self) -> float:
        """Onset of what the drill is about, the last one hidden, since the arrival [s].

        NaN where nothing is hidden.
        """
        onsets = [incident.start - self.drill.start for incident in self.incidents.values()]
        return onsets[-1] if onsets else math.nan

    @property
    def days(self) -> int:
        """Length of the run, from day 0 [days]."""
        return math.ceil((self.drill.start + self.drill.budget.time) / DAY)

    @property
    def actions(self) -> tuple[str, ...]:
        """Actions on offer."""
        return self.drill.actions or tuple(ACTIONS)

    @property
    def people(self) -> Mapping[str, str]:
        """Who can be paged, and what they answer."""
        return {**self.defaults.people, **self.drill.people}


def drill_names(roots: Sequence[Path]) -> tuple[str, ...]:
    """Return ``scenario/name`` of every drill, in alphabetical order."""
    catalogue = Catalogue(roots)
    return tuple(
        f"{name}/{file.stem}"
        for name in catalogue.names()
        for file in sorted((catalogue.folder(name) / FOLDER).glob("*.yaml"))
        if file.name != DEFAULTS
    )


def load_drill(drill_id: str, roots: Sequence[Path]) -> LoadedDrill:
    """Read and check a drill.

    Raises
    ------
    UsageError
        If there is none of that name, or a file says something impossible.
    """
    scenario_name, _, name = drill_id.partition("/")
    known = drill_names(roots)
    if drill_id not in known:
        raise UsageError(
            "unknown drill", got=drill_id, hint=suggest(drill_id, known),
            expected=f"one of {', '.join(known)}" if known else "a file in a scenario's drills/",
        )  # fmt: skip
    folder = Catalogue(roots).folder(scenario_name)
    source = read_source(folder / FOLDER / f"{name}.yaml")
    drill = build(Drill, source)
    defaults = build(Defaults, read_source(folder / FOLDER / DEFAULTS))
    incidents = dict(_incidents(drill, source, folder))
    loaded = LoadedDrill(
        scenario_name, name, folder, drill, defaults, incidents, _fingerprint(folder, name)
    )
    _check(loaded, source)
    return loaded


def _incidents(drill: Drill, source: Source, folder: Path) -> Iterator[tuple[str, Incident]]:
    scenario, _ = load_scenario(folder / "scenario.yaml")
    for index, hidden in enumerate(drill.hidden):
        place = ("hidden", index, "incident")
        _known(source, place, "incident", hidden.incident, scenario.incidents)
        try:
            incident = scenario.incidents[hidden.incident].placed(
                drill.start + hidden.at, hidden.change, hidden.mended_by
            )
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            key = ".".join(map(str, problem["loc"]))
            raise source.error(
                ("hidden", index), f"the incident cannot be changed so ({key}: {problem['msg']})"
            ) from None
        yield f"{hidden.incident}-{index + 1}", incident


def _fingerprint(folder: Path, name: str) -> str:
    digest = hashlib.sha256()
    drills = folder / FOLDER
    for file in (
        drills / f"{name}.yaml", drills / DEFAULTS, folder / "scenario.yaml",
        folder / "design.yaml", folder / "world.py",
    ):  # fmt: skip
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _check(loaded: LoadedDrill, source: Source) -> None:
    """Hold what a drill names against what there is."""
    drill, causes = loaded.drill, loaded.defaults.causes
    for place, cause in ((("diagnosis",), drill.diagnosis), *_numbered("accept", drill.accept)):
        _known(source, place, "cause", cause, causes)
    for place, kind in _numbered("actions", drill.actions):
        _known(source, place, "action", kind, ACTIONS)
    for name in drill.passes:
        _known(source, ("pass", name), "measure", name, MEASURES)
    for index, hint in enumerate(drill.hints):
        Condition.parse(hint.when, source.where(("hints", index, "when")))
    commands: dict[tuple[str | int, ...], Sequence[str]] = {("solution",): drill.solution}
    commands |= {("wrong", i, "steps"): w.steps for i, w in enumerate(drill.wrong)}
    for place, steps in commands.items():
        check_commands(steps, source, place, loaded.actions, tuple(causes), tuple(loaded.people))


def _numbered(key: str, values: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, value in enumerate(values):
        yield (key, index), value


def _known(
    source: Source, place: Sequence[str | int], what: str, got: str, known: Mapping[str, Any]
) -> None:
    if got not in known:
        raise source.error(
            place, f"unknown {what}", got=got, expected=f"one of {', '.join(known)}",
            hint=suggest(got, known),
        )  # fmt: skip
