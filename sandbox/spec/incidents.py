"""Incidents: drift of the world; faults in the data, the stack, and what the model is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.units import Duration, Factor, Share

__all__ = ["DataFault", "Drift", "Incident", "Remedy", "ServingFault", "StackFault"]


class Drift(Spec):
    """A world knob turned over time."""

    kind: Literal["covariate", "prior", "concept", "label_delay"]
    """What drifts: P(x), P(y), P(y|x), or the time until the truth is known."""
    knob: str
    """Name of the knob, as the world declares it."""
    to: Factor
    """Value when fully turned."""
    at: Duration
    """Onset, counted from day 0."""
    ramp: Duration = 0.0
    """Time from onset to the full value."""
    for_: Duration | None = Field(default=None, alias="for", gt=0)
    """How long it lasts; for ever when absent."""
    shape: Literal["sudden", "gradual", "incremental", "recurring", "seasonal"] = "sudden"
    """sudden: at once (or a linear ramp); gradual: old and new alternate with a growing share of
    new; incremental: a smooth ramp; recurring: on and off every `every`; seasonal: a sine."""
    every: Duration | None = Field(default=None, gt=0)
    """Period of recurring and seasonal drift."""

    @model_validator(mode="after")
    def _period(self) -> Drift:
        if self.shape in ("recurring", "seasonal") and not self.every:
            raise ValueError(f"shape {self.shape} needs `every`, expected a period such as 14d")
        if self.shape in ("gradual", "incremental") and not self.ramp:
            raise ValueError(f"shape {self.shape} needs `ramp`, expected a duration such as 10d")
        return self


class DataFault(Spec):
    """Damage to events on their way in; the truth stays as it is."""

    kind: Literal[
        "nulls", "unit_change", "rename", "duplicates", "late", "out_of_order", "stale", "thinning"
    ]
    """nulls: values go missing; unit_change: times `factor`; rename: the field arrives under
    another name; duplicates: events are sent twice; late: held back by `delay`; out_of_order:
    jittered by up to `delay`; stale: the last value repeats; thinning: events are lost."""
    field: str | None = None
    """The damaged field, where the kind has one."""
    where: str | None = None
    """Only these events: ``channel == online``."""
    share: Share = 1.0
    """Share of the events that are hit."""
    factor: Factor = 100.0
    """Multiplier of a unit change."""
    delay: Duration = 3600.0
    """Delay or jitter of late and out-of-order events."""
    at: Duration
    """Onset, counted from day 0."""
    for_: Duration | None = Field(default=None, alias="for", gt=0)
    """How long it lasts; for ever when absent."""

    @model_validator(mode="after")
    def _field(self) -> DataFault:
        if self.kind in ("nulls", "unit_change", "rename", "stale") and self.field is None:
            raise ValueError(f"fault {self.kind} needs `field`, expected an event column")
        return self


class StackFault(Spec):
    """Trouble with load or machines."""

    kind: Literal[
        "load_spike", "worker_loss", "slow_model", "broker_slow", "hot_key", "retry_storm"
    ]
    """load_spike: rate times `factor`; worker_loss: `workers` gone; slow_model: scoring time times
    `factor`; broker_slow: hop time times `factor`; hot_key: one key alone brings `share` of all
    events; retry_storm: clients send every unanswered event again, `factor` times."""
    factor: Factor = 3.0
    """Multiplier of the rate or of the time that the kind is about."""
    workers: int = Field(default=1, ge=1)
    """Workers lost."""
    share: Share = 0.3
    """Share of all events that a hot key brings."""
    at: Duration
    """Onset, counted from day 0."""
    for_: Duration | None = Field(default=None, alias="for", gt=0)
    """How long it lasts; for ever when absent."""


class ServingFault(Spec):
    """The model is told other features than the events have."""

    kind: Literal["stale", "blank", "scale"]
    """stale: a key's features stay as they were at onset; blank: they are those of a key that was
    never seen; scale: times `factor`."""
    features: tuple[str, ...] = Field(min_length=1)
    """Names of features, or patterns such as ``mean_*``."""
    by: str | None = None
    """Key column whose features go stale, and whose keys `share` counts."""
    share: Share = 1.0
    """Share of the keys that are hit; of the events where `by` is absent."""
    factor: Factor = 100.0
    """Multiplier of ``scale``."""
    logged: bool = True
    """Whether the decision log keeps what the model saw. False: the log is filled from another
    place, and training and serving skew."""
    at: Duration
    """Onset, counted from day 0."""
    for_: Duration | None = Field(default=None, alias="for", gt=0)
    """How long it lasts; for ever when absent."""

    @model_validator(mode="after")
    def _key(self) -> ServingFault:
        if self.kind == "stale" and self.by is None:
            raise ValueError("stale features need `by`, expected a key column")
        return self


class Remedy(Spec):
    """What ends an incident when somebody on call does it."""

    do: Literal["redeploy", "rebuild", "throttle", "page"]
    """The action."""
    who: str | None = None
    """Who must be paged; anybody when absent."""
    after: Duration = 0.0
    """How long it takes."""


class Incident(Spec):
    """A scheduled event with a story; exactly one of drift, fault, stack, serving."""

    story: str
    """What happened, told afterwards."""
    drift: Drift | None = None
    """A knob of the world turns."""
    fault: DataFault | None = None
    """Events are damaged on their way in."""
    stack: StackFault | None = None
    """Load or machines misbehave."""
    serving: ServingFault | None = None
    """The model is told something else."""
    mended_by: tuple[Remedy, ...] = ()
    """What ends it early; nothing does by itself."""

    @model_validator(mode="after")
    def _one(self) -> Incident:
        parts = (self.drift, self.fault, self.stack, self.serving)
        if sum(part is not None for part in parts) != 1:
            raise ValueError("expected exactly one of drift, fault, stack, serving")
        if self.drift and self.mended_by:
            raise SpecError("the world cannot be mended, expected a fault", "mended_by")
        return self

    @property
    def cause(self) -> Drift | DataFault | StackFault | ServingFault:
        """The one part that is set."""
        part = self.drift or self.fault or self.stack or self.serving
        assert part is not None
        return part

    @property
    def kind(self) -> str:
        """Kind in one word, for tables: ``concept drift``, ``nulls fault``, ``worker_loss``."""
        if self.drift:
            return f"{self.drift.kind} drift"
        if self.serving:
            return f"{self.serving.kind} features"
        return f"{self.fault.kind} fault" if self.fault else self.cause.kind

    @property
    def start(self) -> float:
        """Onset [s after day 0]."""
        return self.cause.at

    @property
    def end(self) -> float:
        """End [s after day 0]; infinity when it lasts for ever."""
        return float("inf") if self.cause.for_ is None else self.cause.at + self.cause.for_

    def placed(
        self,
        at: float,
        change: Mapping[str, Any],
        mended_by: Sequence[Mapping[str, Any]] | None = None,
    ) -> Incident:
        """Return the same incident at another time, with other values of its own keys.

        Parameters
        ----------
        at
            Onset [s after day 0]; nothing begins before day 0.
        change
            Keys of its cause as in a file, such as ``to: 60%``.
        mended_by
            Who can end it; as it is when absent.

        Raises
        ------
        ValidationError
            If the incident has no such key, or not such a value.
        """
        (part,) = [p for p in ("drift", "fault", "stack", "serving") if getattr(self, p)]
        told = getattr(self, part).model_dump(by_alias=True, exclude_none=True)
        told |= {**change, "at": max(at, 0.0)}
        remedies = mended_by or [remedy.model_dump() for remedy in self.mended_by]
        return Incident.model_validate({"story": self.story, part: told, "mended_by": remedies})
