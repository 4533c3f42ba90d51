"""Files to checked specifications: one clear error, or an object that needs no further checks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sandbox.spec.checks import check_design, check_scenario
from sandbox.spec.design import Design
from sandbox.spec.problems import explain
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Key, Source, read_source

__all__ = [
    "build",
    "check_design",
    "check_scenario",
    "design_from",
    "load_design",
    "load_scenario",
    "scenario_from",
]

Model = TypeVar("Model", bound=BaseModel)


def build(model: type[Model], source: Source, at: Key = ()) -> Model:
    """Validate the part `at` of a source, or all of it, as `model`.

    Raises
    ------
    UsageError
        For the first problem, at the user's own line and key.
    """
    part = source.at(at) if source.locate(at) == tuple(at) else {}
    try:
        return model.model_validate(part)
    except ValidationError as error:
        raise explain(error, model, source, tuple(at)) from None


def load_scenario(path: str | os.PathLike[str]) -> tuple[Scenario, Source]:
    """Read and check ``scenario.yaml``.

    Raises
    ------
    UsageError
        If the file cannot be read or says something impossible.
    """
    source = read_source(path)
    return scenario_from(source), source


def load_design(path: str | os.PathLike[str]) -> tuple[Design, Source]:
    """Read a design; `check_design` then holds it against a scenario.

    Raises
    ------
    UsageError
        If the file cannot be read or says something impossible.
    """
    source = read_source(path)
    return design_from(source), source


def scenario_from(source: Source) -> Scenario:
    """Build a scenario and check it in itself.

    Raises
    ------
    UsageError
        At the user's own line and key.
    """
    scenario = build(Scenario, source)
    check_scenario(scenario, source)
    return scenario


def design_from(source: Source) -> Design:
    """Build a design; its title is the file's name where it gives none.

    Raises
    ------
    UsageError
        At the user's own line and key.
    """
    design = build(Design, source)
    return design if design.title else design.model_copy(update={"title": Path(source.name).stem})
