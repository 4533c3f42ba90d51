"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.places import scenario_names, scenario_roots
from sandbox.errors import SandboxError

__all__ = [
    "Days",
    "Incidents",
    "Json",
    "Name",
    "NoIncidents",
    "Out",
    "Overrides",
    "Quiet",
    "Scenarios",
    "Seed",
    "Strict",
]


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Return the scenario names that begin with what was typed."""
    extra = [Path(folder) for folder in context.params.get("scenarios") or ()]
    try:
        names = scenario_names(scenario_roots(extra))
    except SandboxError:
        return []
    return [name for name in names if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A scenario; see `sandbox list`.", autocompletion=complete_name
    ),
]
Scenarios = Annotated[
    list[Path] | None,
    typer.Option(
        "--scenarios", metavar="DIR", help="Look for scenarios in DIR first (repeatable)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Days = Annotated[
    int | None,
    typer.Option("--days", min=1, max=3650, metavar="N", help="Simulated days [the scenario's]."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of all chance.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one setting: model.imbalance=smote, load.mean=500/s (repeatable).",
    ),
]
Incidents = Annotated[
    list[str] | None,
    typer.Option(
        "--incident",
        metavar="NAME[@DAY]",
        help="Run this incident instead of the timeline, at its day or at DAY (repeatable).",
    ),
]
NoIncidents = Annotated[bool, typer.Option("--no-incidents", help="Run an uneventful world.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where results go [runs/<id>].")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the verdict.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 3 when an objective fails.")]
