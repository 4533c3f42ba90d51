"""Cleaner: what a design puts right in events before features are made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch, is_missing
from sandbox.spec.cleaning import CleanStep
from sandbox.spec.scenario import Column, EventSchema

__all__ = ["NOTHING_TO_CLEAN", "Cleaner"]

Values = NDArray[Any]
_Step = tuple[str, Callable[[Values], Values]]


@dataclass(frozen=True)
class Cleaner:
    """Steps in order, each a function of one column: no state, so any batching gives the same."""

    steps: tuple[_Step, ...] = ()

    @classmethod
    def compile(cls, steps: Sequence[CleanStep], schema: EventSchema) -> Cleaner:
        """Lay out steps that fit the schema (see `sandbox.spec.columns.clean_problems`).

        Examples
        --------
        >>> schema = EventSchema.model_validate(
        ...     {"id": "id", "columns": {"area": {"type": "number"}}})
        >>> step = CleanStep.model_validate({"scale": {"of": "area", "below": 250, "by": 10}})
        >>> Cleaner.compile([step], schema).clean(Batch({"area": [80.0, 900.0]}))["area"].tolist()
        [800.0, 900.0]
        """
        return cls(tuple((s.of, _function(s, schema.columns[s.of])) for s in steps))

    def clean(self, events: Batch) -> Batch:
        """Return events with what the steps put right; the batch itself stays as it is."""
        for name, function in self.steps:
            if name in events:
                events = events.with_columns(**{name: function(events[name])})
        return events


NOTHING_TO_CLEAN = Cleaner()


def _function(step: CleanStep, column: Column) -> Callable[[Values], Values]:
    if step.step == "merge":
        return lambda codes: _renamed(codes, step.as_, column.values)
    if step.step == "fill":
        named = column.type == "category"
        value = column.values.index(str(step.with_)) if named else float(step.with_ or 0.0)
        return lambda values: np.where(is_missing(values), value, values).astype(values.dtype)
    if step.step == "scale":
        return lambda values: np.where(_outside(values, step), values * step.by, values)
    return lambda values: np.where(_outside(values, step), np.nan, values)


def _outside(values: Values, step: CleanStep) -> NDArray[np.bool_]:
    below = -np.inf if step.below is None else step.below
    above = np.inf if step.above is None else step.above
    return np.asarray((values < below) | (values > above))


def _renamed(codes: Values, names: dict[str, str], values: Sequence[str]) -> Values:
    """Return category codes with some taken for others; -1, a missing one, stays."""
    table = np.append(np.arange(len(values)), -1)
    for name, other in names.items():
        table[values.index(name)] = values.index(other)
    return table[codes].astype(codes.dtype)
