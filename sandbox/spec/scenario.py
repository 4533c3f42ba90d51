"""What ``scenario.yaml`` may say: the question, never the answer."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Literal

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.bound import Bound
from sandbox.spec.incidents import Incident
from sandbox.spec.units import (
    ClockTime,
    Duration,
    Factor,
    Money,
    Rate,
    parse_quantity,
)

__all__ = [
    "Column",
    "Cost",
    "Costs",
    "DelayDistribution",
    "EventSchema",
    "Labels",
    "Load",
    "ObjectiveSpec",
    "Scenario",
    "Slate",
]


RESERVED = ("event_time", "processing_time", "label", "label_time", "mechanism")
"""Columns that every event has besides those of its schema."""


class Column(Spec):
    """One column of an event, as a producer promises it."""

    type: Literal["key", "number", "category", "text"]
    """``key`` (an integer id), ``number`` (float), ``category`` (a code into `values`) or ``text``
    (UTF-8)."""
    unit: str = ""
    """Unit of a number, for people."""
    values: tuple[str, ...] = ()
    """The categories, in the order of their codes 0, 1, 2, ..."""
    min: float | None = None
    """Smallest valid number."""
    max: float | None = None
    """Largest valid number."""
    decimals: int = Field(default=2, ge=0, le=6)
    """Decimals that count: sums are kept in integers of this unit, hence exact."""
    nullable: bool = False
    """Whether a missing value (NaN, code -1, or no text) is valid."""
    max_bytes: int = Field(default=160, ge=1, le=1000)
    """Longest text that is kept, as UTF-8; what is longer is cut there."""
    about: str = ""
    """One line for people."""

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.type == "category" and not self.values:
            raise ValueError("a category needs `values`, expected a list of names")
        if len(set(self.values)) != len(self.values):
            raise SpecError("values repeat, expected distinct names", "values")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise SpecError("expected min <= max", "min")
        return self

    @property
    def dtype(self) -> str:
        """NumPy type of the column in a batch."""
        fixed = {"key": "i8", "number": "f8", "category": "i2"}
        return fixed.get(self.type, f"S{self.max_bytes}")


class Slate(Spec):
    """Events that are candidates for one slate, such as a page of ten out of 25.

    The candidates of a request come together, at one `event_time`. Three key columns, and one that
    counts.
    """

    request: str
    """What they are candidates for."""
    user: str
    """Who sees it."""
    item: str
    """What each candidate is."""
    size: str | None = None
    """Number column: how many candidates the request has, the same in each of them. Live workers
    know by it when a request is complete."""


class EventSchema(Spec):
    """The schema of an event. `event_time` [s since epoch] is always there."""

    id: str
    """Name of the unique id column."""
    columns: dict[str, Column]
    """The other columns by name."""
    slate: Slate | None = None
    """Columns that make events candidates of a request; for the task ranking."""

    @model_validator(mode="after")
    def _names(self) -> EventSchema:
        for name in self.columns:
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                raise SpecError("expected a name of a-z, 0-9 and _", "columns", name)
            if name in (*RESERVED, self.id):
                raise SpecError("this name is taken, expected another one", "columns", name)
        for part in ("request", "user", "item") if self.slate else ():
            if getattr(self.slate, part) not in self.keys:
                raise SpecError(
                    f"expected a key column, one of {', '.join(self.keys)}", "slate", part
                )
        size = self.slate.size if self.slate else None
        numbers = [name for name, column in self.columns.items() if column.type == "number"]
        if size is not None and size not in numbers:
            raise SpecError(
                f"expected a number column, one of {', '.join(numbers)}", "slate", "size"
            )
        return self

    @property
    def request(self) -> str | None:
        """Column that names the request of a candidate; None where events are no candidates."""
        return self.slate.request if self.slate else None

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that can key a stage."""
        return tuple(name for name, c in self.columns.items() if c.type == "key")


class DailyCycle(Spec):
    """A smooth daily cycle."""

    peak: ClockTime = 19 * 3600.0
    """Time of day of the peak."""
    ratio: Factor = Field(default=4.0, ge=1)
    """Peak rate over the lowest rate of the day (>= 1)."""


class WeeklyCycle(Spec):
    """A weekly cycle."""

    weekend: Factor = 0.8
    """Weekend rate over weekday rate."""


class LoadEvent(Spec):
    """A planned peak: once (`at`) or again and again (`every`)."""

    name: str
    """What people call it."""
    at: Duration | None = None
    """Start, counted from day 0. With `every`: the first one."""
    every: Duration | None = Field(default=None, gt=0)
    """Distance between recurrences."""
    for_: Duration = Field(default=86400.0, alias="for", gt=0)
    """Length."""
    ratio: Factor
    """Rate during the peak over the usual rate."""

    @model_validator(mode="after")
    def _when(self) -> LoadEvent:
        if self.at is None and self.every is None:
            raise ValueError("expected `at` (a day) or `every` (a distance)")
        return self


class Bursts(Spec):
    """Short random surges."""

    per_week: float = Field(default=3.0, ge=0)
    """Mean number of surges a week."""
    for_: Duration = Field(default=900.0, alias="for", gt=0)
    """Length of one."""
    ratio: Factor = 1.8
    """Rate during a surge over the usual rate."""


class Load(Spec):
    """Full-scale arrival rate over time: a non-homogeneous Poisson process."""

    mean: Rate = Field(gt=0)
    """Mean rate over an ordinary week at day 0."""
    daily: DailyCycle = DailyCycle()
    """How the rate moves through a day."""
    weekly: WeeklyCycle = WeeklyCycle()
    """How the rate moves through a week."""
    events: tuple[LoadEvent, ...] = ()
    """Planned peaks such as paydays and sales."""
    bursts: Bursts = Bursts()
    """Unplanned short surges."""
    growth: float = Field(default=0.0, ge=-0.9, le=10.0)
    """Growth of the rate a year: 0.2 is 20 %."""


class LogNormal(Spec):
    """Log-normal delay by its median and 95th percentile."""

    median: Duration
    """Half of the labels are known by then."""
    p95: Duration
    """95 % of the labels are known by then."""

    @model_validator(mode="after")
    def _ordered(self) -> LogNormal:
        if not 0 < self.median < self.p95:
            raise ValueError("expected 0 < median < p95")
        return self


class DelayDistribution(Spec):
    """How long after the event the truth becomes known."""

    lognormal: LogNormal | None = None
    """A log-normal delay."""
    constant: Duration | None = None
    """Always the same delay."""
    min: Duration = 86400.0
    """No truth arrives earlier than this."""
    max: Duration = 60 * 86400.0
    """No truth arrives later than this."""

    @model_validator(mode="after")
    def _one(self) -> DelayDistribution:
        if (self.lognormal is None) == (self.constant is None):
            raise ValueError("expected exactly one of lognormal, constant")
        if self.min > self.max:
            raise ValueError("expected min <= max")
        return self


class Labels(Spec):
    """The label feed: what it says, when, and when it stays silent."""

    delay: DelayDistribution
    """From the event to its label."""
    missing_when: tuple[Literal["block", "review"], ...] = ()
    """Decisions after which the truth never arrives (selective labels)."""
    absence_means: float | None = None
    """The value that a missing label stands for once mature: 0 where only positives report."""
    review_turnaround: Duration = 86400.0
    """Time from the event to the verdict of a reviewed case."""


class Cost(Spec):
    """A cost that is linear in event columns: ``amount + 25 USD``."""

    fixed: float = 0.0
    """USD an event."""
    per: dict[str, float] = Field(default_factory=dict)
    """USD for each unit of a column."""

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, dict | Cost):
            return value
        return _parse_cost(value)


def _parse_cost(value: object) -> dict[str, object]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_COST)
    fixed, per = 0.0, dict[str, float]()
    for term in str(value).split("+"):
        times = re.fullmatch(r"(?:([0-9]+(?:\.[0-9]*)?)\s*\*\s*)?([a-z_][a-z_0-9]*)", term.strip())
        if times:
            per[times[2]] = per.get(times[2], 0.0) + float(times[1] or 1.0)
            continue
        try:
            quantity = parse_quantity(term)
        except ValueError:
            raise ValueError(_COST) from None
        if quantity.unit not in ("USD", ""):
            raise ValueError(_COST)
        fixed += float(quantity)
    return {"fixed": fixed, "per": per}


_COST = "expected a cost such as 8 USD or amount + 25 USD"


class Costs(Spec):
    """What mistakes and reviews cost."""

    missed: Cost
    """A positive that went through."""
    false_decline: Cost
    """A negative that was blocked."""
    review: Money = 0.0
    """One reviewed case."""


class ObjectiveSpec(Bound):
    """One requirement: a bound on a measured quantity."""

    window: Duration = Field(default=7 * 86400.0, gt=0)
    """Rolling window over which the quantity is measured."""
    must_hold: Literal["at_end", "on_average", "always"] = "on_average"
    """At the end of the run, over the whole run, or in the worst window."""
    about: str = ""
    """One line for people."""


class Scenario(Spec):
    """The question: a world, its load, labels, costs, objectives and incidents."""

    title: str
    """A short name for people."""
    about: str = ""
    """One line for tables."""
    task: str
    """The machine-learning task; it decides metrics, objectives and model family."""
    prompt: str
    """The interview question, vague on purpose."""
    start: dt.date = dt.date(2026, 1, 5)
    """Calendar date of day 0."""
    days: int = Field(default=120, ge=1, le=3650)
    """Default length of a run."""
    history: Duration = Field(default=80 * 86400.0, gt=0)
    """How long the world has lived before day 0; trains the first model."""
    event: EventSchema
    """What one event looks like."""
    world: dict[str, Any] = Field(default_factory=dict)
    """Parameters of ``world.py``; the world checks them."""
    population: Factor = Field(default=1.0, gt=0)
    """One simulated entity stands for this many; the stack carries the full load."""
    load: Load
    """How many events arrive, and when."""
    labels: Labels
    """When the truth becomes known."""
    costs: Costs
    """What mistakes cost."""
    objectives: dict[str, ObjectiveSpec]
    """Requirements by the name of the measured quantity."""
    incidents: dict[str, Incident] = Field(default_factory=dict)
    """Drift and faults by name, for `timeline` and for ``--incident``."""
    timeline: tuple[str, ...] = ()
    """Incidents of the default run."""
    diagram: str = ""
    """Mermaid data flow for `show` and the report."""

    @property
    def start_time(self) -> float:
        """Day 0 in seconds since the epoch (UTC)."""
        midnight = dt.datetime.combine(self.start, dt.time(), tzinfo=dt.UTC)
        return midnight.timestamp()

    @model_validator(mode="after")
    def _timeline_known(self) -> Scenario:
        for position, name in enumerate(self.timeline):
            if name not in self.incidents:
                known = f"one of {', '.join(self.incidents)}" if self.incidents else "no name"
                raise SpecError(
                    f"unknown incident {name!r}, expected {known}", "timeline", position
                )
        return self
