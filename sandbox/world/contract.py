"""What every world is: parameters, knobs, and events with their truth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.spec.base import Spec

__all__ = ["Knob", "KnobKind", "World"]

KnobKind = Literal["covariate", "prior", "concept", "label_delay"]


@dataclass(frozen=True)
class Knob:
    """Something that drift can turn.

    Parameters
    ----------
    name
        How an incident names it.
    unit
        Unit of the value, for people: ``ratio``, ``share``.
    neutral
        The value of an ordinary day.
    low, high
        Range of valid values.
    kind
        What it drifts: P(x), P(y), P(y|x), or the time until the truth is known.
    about
        One line for people.

    Raises
    ------
    ValueError
        If the neutral value is out of range.
    """

    name: str
    unit: str
    neutral: float
    low: float
    high: float
    kind: KnobKind
    about: str

    def __post_init__(self) -> None:
        if not self.low <= self.neutral <= self.high:
            raise ValueError(f"knob {self.name}: expected low <= neutral <= high")


class World(ABC):
    """A source of events and of the truth about them. It never sees a design.

    A subclass sets `Params`, `knobs` and `mechanisms`, draws its population in ``__init__`` and
    turns arrival times into events. State between blocks may depend on time and on the generators
    handed in, never on decisions: two designs under one seed must meet the same world.
    """

    Params: ClassVar[type[Spec]]
    """What ``world:`` in scenario.yaml may say."""
    knobs: ClassVar[tuple[Knob, ...]] = ()
    """What drift can turn. The label delay can always be turned and is not listed here."""
    together: int = 1
    """Events that come at one time, such as the candidates of a request."""
    mechanisms: ClassVar[tuple[str, ...]] = ("ordinary",)
    """How an event can come about; the `mechanism` column holds an index into it."""
    slices: ClassVar[tuple[str, ...]] = ()
    """Category columns by which quality is worth slicing."""

    @abstractmethod
    def __init__(self, params: Spec, rng: np.random.Generator) -> None:
        """Draw the population that lives through the whole run."""

    def arrivals(self, start: float, end: float) -> NDArray[np.float64] | None:
        """Return the sorted times of all events in ``[start, end)`` [s since epoch], or None.

        None, as here, leaves them to the scenario's load curve. A world that knows its own times,
        such as a recording, returns them; it is asked block by block in order of time, and
        `events` then gets the same array.
        """
        return None

    @abstractmethod
    def events(
        self,
        event_time: NDArray[np.float64],
        knobs: Mapping[str, NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> Batch:
        """Return one event for each arrival, with its truth.

        Parameters
        ----------
        event_time
            Sorted arrival times, shape (n,) [s since epoch]. Consecutive calls continue in time.
        knobs
            Value of every knob at every arrival, each of shape (n,).
        rng
            Randomness of this block.

        Returns
        -------
        Batch
            The id column, `event_time`, the columns of the event schema, and the truth that no
            pipeline receives: `label` (float64) and `mechanism` (int8, index into `mechanisms`).
            With a column `label_time` (float64 [s since epoch], +inf for never) it also says when
            the truth becomes known; otherwise the scenario's label delay does.
        """
