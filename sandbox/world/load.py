"""Finding scenarios, and importing their worlds."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pydantic import ValidationError

from sandbox.errors import UsageError, suggest
from sandbox.spec.base import Spec
from sandbox.world.contract import World
from sandbox.world.mistakes import MISTAKES, line_in

__all__ = ["Catalogue", "build_world", "load_world_class"]


class Catalogue:
    """The scenarios under some folders; the first folder that has a name wins.

    A scenario is a folder with a ``scenario.yaml``.

    Parameters
    ----------
    roots
        Folders to look in, in order of precedence. Those that do not exist are skipped.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self._folders: dict[str, Path] = {}
        for root in self.roots:
            for file in sorted(root.glob("*/scenario.yaml")):
                self._folders.setdefault(file.parent.name, file.parent)

    def names(self) -> tuple[str, ...]:
        """Return the names in alphabetical order."""
        return tuple(sorted(self._folders))

    def folder(self, name: str) -> Path:
        """Return the folder of a scenario.

        Raises
        ------
        UsageError
            If there is none of that name.
        """
        if name in self._folders:
            return self._folders[name]
        known = ", ".join(self.names())
        raise UsageError(
            "unknown scenario",
            got=name,
            expected=f"one of {known}" if known else "a folder with scenario.yaml",
            hint=suggest(name, self._folders)
            or f"Looked in {', '.join(map(str, self.roots)) or 'no folder'}.",
        )


def load_world_class(folder: Path) -> type[World]:
    """Return the one `World` that ``world.py`` in a scenario's folder defines.

    Raises
    ------
    UsageError
        If the file is missing, does not import, or defines no or several worlds.
    """
    file = folder / "world.py"
    module = _import(file)
    worlds = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, World)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(worlds) != 1:
        raise UsageError(
            "world not clear",
            where=str(file),
            got=", ".join(w.__name__ for w in worlds) or "no complete subclass of World",
            expected="exactly one class that subclasses sandbox.world.World",
        )
    (world,) = worlds
    if not inspect.isclass(getattr(world, "Params", None)) or not issubclass(world.Params, Spec):
        raise UsageError(
            f"{world.__name__} declares no parameters",
            where=str(file),
            expected="a class attribute Params, a subclass of sandbox.world.Spec",
        )
    return world


def build_world(
    world_class: type[World], params: Mapping[str, Any], rng: np.random.Generator, where: str = ""
) -> World:
    """Return a world with checked parameters.

    Parameters
    ----------
    world_class
        What `load_world_class` returned.
    params
        The ``world:`` part of scenario.yaml.
    rng
        Draws the population.
    where
        Place of the parameters, for messages.

    Raises
    ------
    UsageError
        If a parameter is unknown or has an impossible value.
    """
    try:
        checked = world_class.Params.model_validate(dict(params))
    except ValidationError as error:
        raise _bad_parameter(error, world_class.Params, where) from None
    return world_class(checked, rng)


def _bad_parameter(error: ValidationError, params: type[Spec], where: str) -> UsageError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    place = f"{where} world.{name}".strip()
    if first["type"] == "extra_forbidden":
        return UsageError(
            "unknown parameter",
            where=place,
            got=name,
            expected=f"one of {', '.join(params.model_fields)}",
            hint=suggest(name, params.model_fields),
        )
    return UsageError(
        "impossible value",
        where=place,
        got=first["input"],
        expected=str(first["msg"]).removeprefix("Value error, ").removeprefix("expected "),
    )


def _import(file: Path) -> ModuleType:
    if not file.is_file():
        raise UsageError("no world", where=str(file), expected="a file world.py in the folder")
    name = _module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic resolves annotations through it
    try:
        spec.loader.exec_module(module)
    except MISTAKES as error:
        del sys.modules[name]
        raise UsageError(
            f"world.py does not import: {type(error).__name__}: {error}",
            where=f"{file}:{line_in(error, file) or 1}",
            hint="Mend the file; `python world.py` shows the whole traceback.",
        ) from error
    return module


def _module_name(file: Path) -> str:
    """Return a name by content: a copied folder brings compiled code along that asks for it."""
    try:
        content = file.read_bytes()
    except OSError:
        content = b""  # The import says what is wrong.
    return f"_sandbox_world_{zlib.crc32(content):08x}"
