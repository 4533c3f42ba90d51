"""Designs and profiles as several commands take them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.places import scenario_roots

if TYPE_CHECKING:
    from sandbox.run.setup import Prepared

__all__ = ["DesignFile", "ProfileFile", "prepare_design", "prepare_live"]

DesignFile = Annotated[
    Path | None,
    typer.Option("--design", metavar="FILE", help="Your design [the scenario's design.yaml]."),
]
ProfileFile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="FILE",
        help="What work costs: a file, or `reference` [yours if calibrated, else reference].",
    ),
]


def prepare_design(
    name: str,
    design: Path | None,
    seed: int,
    overrides: list[str] | None,
    scenarios: list[Path] | None,
) -> Prepared:
    """Read and check a scenario and a design, for commands that play no history.

    Raises
    ------
    UsageError
        Saying what is wrong, and where.
    """
    from sandbox.run.setup import prepare

    return prepare(
        name, design=design, seed=seed, days=1, overrides=overrides or (), incidents=(),
        roots=scenario_roots(scenarios or ()),
    )  # fmt: skip


def prepare_live(
    name: str,
    design: Path | None,
    seed: int,
    overrides: list[str] | None,
    scenarios: list[Path] | None,
) -> Prepared:
    """Do as `prepare_design`, for a system that lives; what cannot be lived is refused."""
    from sandbox.run.setup import check_live

    prepared = prepare_design(name, design, seed, overrides, scenarios)
    check_live(prepared)
    return prepared
