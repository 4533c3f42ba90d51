"""A design that grows with every decision, as data until it is run."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.errors import UsageError
from sandbox.spec.design import Design
from sandbox.spec.loading import check_design, design_from
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source, dump_yaml, source_from_text
from sandbox.task import get_task

__all__ = ["APPEND", "Assembly"]

NAME = "your design"
APPEND = "+"
"""A key that ends so appends to a list."""


class Assembly:
    """The design so far.

    Parameters
    ----------
    start
        Keys before the first decision.
    scenario
        What the design is for.
    diagram
        Lines of its flowchart before the first decision.
    """

    def __init__(
        self, start: Mapping[str, Any], scenario: Scenario, diagram: Sequence[str] = ()
    ) -> None:
        self.data: dict[str, Any] = copy.deepcopy(dict(start))
        self.scenario = scenario
        self._lines = list(diagram)

    def apply(self, sets: Mapping[str, Any], draws: Sequence[str] = ()) -> None:
        """Set keys such as ``model.imbalance``, and add lines to the diagram.

        Raises
        ------
        UsageError
            If a key lies below a plain value.
        """
        for key, value in sets.items():
            self._set(key, copy.deepcopy(value))
        self._lines += [line for line in draws if line not in self._lines]

    def design(self) -> Design:
        """Return the design as it is, checked.

        Raises
        ------
        UsageError
            If it is none.
        """
        try:
            return self._checked(Source(NAME, self.data))
        except UsageError:  # again as a file, for a message with the line
            return self._checked(self.source())

    def text(self) -> str:
        """Return the design as a file."""
        return dump_yaml(self.data)

    def source(self) -> Source:
        """Return the design as a file that was read."""
        return source_from_text(self.text(), NAME)

    def mermaid(self) -> str:
        """Return its flowchart."""
        return "\n".join(("flowchart LR", *(f"  {line}" for line in self._lines)))

    def digest(self) -> str:
        """Return a short name for exactly this design."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]

    def _checked(self, source: Source) -> Design:
        design = design_from(source)
        check_design(design, source, self.scenario, metrics=get_task(self.scenario.task).metrics)
        return design

    def _set(self, key: str, value: Any) -> None:
        *above, last = key.removesuffix(APPEND).split(".")
        node = self.data
        for part in above:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                below = node[part] = {}
            node = below
        if not key.endswith(APPEND):
            node[last] = value
            return
        there = node.setdefault(last, [])
        if not isinstance(there, list) or not isinstance(value, list):
            raise UsageError("only lists can be appended to", where=key, got=value)
        there += [item for item in value if item not in there]
