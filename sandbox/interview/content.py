"""An interview on disk: found, read, and held against its scenario."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.errors import UsageError
from sandbox.interview.naming import Shipped, names_for, shipped
from sandbox.spec.expression import Expression, ExpressionError
from sandbox.spec.loading import build, design_from, load_scenario
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source, read_source
from sandbox.spec.stated import show_number
from sandbox.spec.walkthrough import Walkthrough
from sandbox.world import Catalogue

__all__ = ["FILE", "PLACEHOLDER", "Loaded", "load_walkthrough", "walkthrough_names"]

FILE = "walkthrough.yaml"
REFERENCE = "design.yaml"
PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True)
class Loaded:
    """A checked interview, and where it comes from."""

    name: str
    """The scenario's."""
    folder: Path
    walkthrough: Walkthrough
    source: Source
    scenario: Scenario
    fingerprint: str
    """Of everything that decides what happens: walkthrough, scenario, designs and world."""
    costs: Shipped
    """Shipped costs of work and machines."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Numbers that texts name, where they are numbers."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """The same as texts."""

    @property
    def reference(self) -> Path:
        """The scenario's own design."""
        return self.folder / REFERENCE

    def fill(self, text: str) -> str:
        """Return a text with its numbers put in, on single lines."""
        put = PLACEHOLDER.sub(lambda m: self.shown.get(m[1], m[0]), text)
        return "\n".join(" ".join(part.split()) for part in put.strip().split("\n\n"))

    @property
    def prompt(self) -> str:
        """How the interview begins."""
        return self.fill(self.walkthrough.prompt or self.scenario.prompt)


def walkthrough_names(roots: Sequence[Path]) -> tuple[str, ...]:
    """Return the scenarios that have an interview, in alphabetical order."""
    catalogue = Catalogue(roots)
    return tuple(n for n in catalogue.names() if (catalogue.folder(n) / FILE).is_file())


def load_walkthrough(name: str, roots: Sequence[Path]) -> Loaded:
    """Read and check the interview of a scenario.

    Raises
    ------
    UsageError
        If there is none, or a file says something impossible.
    """
    folder = Catalogue(roots).folder(name)
    if not (folder / FILE).is_file():
        known = walkthrough_names(roots)
        raise UsageError(
            "this scenario has no interview", where=name, expected=f"a file {folder / FILE}",
            hint=f"There is one for {', '.join(known)}." if known else "",
        )  # fmt: skip
    source = read_source(folder / FILE)
    walkthrough = build(Walkthrough, source)
    scenario, _ = load_scenario(folder / "scenario.yaml")
    costs = shipped()
    figures, shown = _figures(walkthrough, source, scenario, folder, costs)
    return Loaded(
        name, folder, walkthrough, source, scenario, _fingerprint(folder), costs, figures, shown
    )


def _figures(
    walkthrough: Walkthrough, source: Source, scenario: Scenario, folder: Path, costs: Shipped
) -> tuple[dict[str, float], dict[str, str]]:
    """Reckon the numbers that texts name, in the file's order; later ones may use earlier ones."""
    design = design_from(read_source(folder / REFERENCE))
    figures: dict[str, float] = {}
    names = names_for(scenario, design, {}, figures, costs)
    shown: dict[str, str] = {}
    for name, figure in walkthrough.figures.items():
        if figure.show is not None:
            shown[name] = figure.show
            continue
        value = figure.value
        if figure.is_ is not None:
            try:
                value = Expression.parse(figure.is_).value(names)
            except ExpressionError as error:
                raise source.error(("figures", name, "is"), str(error)) from None
        assert value is not None
        figures[name] = float(value)
        shown[name] = show_number(float(value), figure.as_)
    return figures, shown


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (FILE, "scenario.yaml", REFERENCE, "world.py"):
        digest.update((folder / name).read_bytes() + b"\0")
    return digest.hexdigest()[:16]
