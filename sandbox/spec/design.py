"""What ``design.yaml`` may say: the learner's answer."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from sandbox.spec.alerts import (
    ALERT_KINDS,
    DETECTOR_KINDS,
    DRIFT_KINDS,
    QUALITY_KINDS,
    STREAMS,
    AlertSpec,
)
from sandbox.spec.base import Spec, SpecError
from sandbox.spec.cleaning import CleanStep
from sandbox.spec.features import FeatureSpec
from sandbox.spec.model import (
    Champion,
    Imbalance,
    Logistic,
    ModelSpec,
    Ridge,
    Training,
    XGBoost,
)
from sandbox.spec.units import Duration, Rate, Share

__all__ = [
    "ALERT_KINDS",
    "DETECTOR_KINDS",
    "DRIFT_KINDS",
    "QUALITY_KINDS",
    "STREAMS",
    "AlertSpec",
    "Autoscale",
    "Champion",
    "Decision",
    "Design",
    "Gate",
    "Imbalance",
    "Ingest",
    "Logistic",
    "ModelSpec",
    "Monitoring",
    "Pipeline",
    "Retraining",
    "Ridge",
    "Training",
    "Trigger",
    "XGBoost",
]

DAY = 86400.0


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


class Ingest(Spec):
    """The event log."""

    partitions: int = Field(default=12, ge=1, le=4096)
    """Ordered logs that the topic is split into; they bound how many workers can share it."""
    key: str | None = None
    """Column that keys the topic and so the first stage; the first feature key if absent."""
    acks: Annotated[Literal["all", "1", "0"], BeforeValidator(_as_text)] = "all"
    """Replicas that must have an event before the producer goes on."""
    compression: Literal["none", "gzip", "lz4", "snappy", "zstd"] = "lz4"
    """How batches are packed on the wire and on disk."""
    retention: Duration = Field(default=7 * DAY, gt=0)
    """How long the log keeps events for a replay."""
    brokers: int = Field(default=3, ge=1, le=1000)
    """Machines of the event log, for `sandbox capacity`."""
    timeout: Duration | None = Field(default=None, gt=0)
    """After which callers give up waiting and ask again, for `sandbox capacity`."""
    retries: int = Field(default=0, ge=0, le=10)
    """How often a caller asks again; 0 for never."""

    @model_validator(mode="after")
    def _retries_need_a_timeout(self) -> Ingest:
        if self.retries and self.timeout is None:
            raise SpecError("retries need a timeout, expected `timeout` such as 1s", "retries")
        return self


class Autoscale(Spec):
    """Workers by how busy they are, for `sandbox capacity`."""

    target: Share = Field(default=0.6, gt=0, lt=1)
    """Share of their time that workers should be busy."""
    most: int = Field(default=12, ge=1, le=4096)
    """Largest number of workers a stage."""
    every: Duration = Field(default=30.0, gt=0)
    """How often the rule looks."""
    delay: Duration = 60.0
    """From the decision to a process that works."""
    cooldown: Duration = 300.0
    """Shortest time between the last change and fewer workers."""


class Pipeline(Spec):
    """Workers and micro-batches."""

    workers: int = Field(default=4, ge=1, le=4096)
    """Processes a stage; more than partitions stand idle."""
    max_batch: int = Field(default=500, ge=1, le=100_000)
    """Events that a worker takes at once."""
    linger: Duration = 0.005
    """How long a worker waits to fill a batch."""
    allowed_lateness: Duration = 600.0
    """How much older than the watermark an event may be; older ones are dead letters."""
    budget: Duration = Field(default=0.2, gt=0)
    """Event-to-decision time after which the fallback answers instead of the model."""
    invalid: Literal["dead_letter", "drop"] = "dead_letter"
    """Where events go that break the schema; both are answered by the fallback."""
    zones: int = Field(default=3, ge=1, le=100)
    """Data centres that workers and brokers are spread over, for `sandbox capacity`."""
    shed_after: Duration | None = Field(default=None, gt=0)
    """Age at which an event is left to the fallback instead of processed; null for never."""
    autoscale: Autoscale | None = None
    """Null: always `workers`."""


class Review(Spec):
    """People who look at cases."""

    capacity: Rate = 100 / DAY
    """Cases a day (in the simulated slice)."""
    above: Share | None = None
    """Score that sends a case to review; chosen for the capacity when absent."""


class Block(Spec):
    """Automatic refusal."""

    above: Share | None = None
    """Score that blocks; chosen from the costs when absent."""


class Decision(Spec):
    """From score to action."""

    review: Review | None = Review()
    """Null: nobody looks at cases."""
    block: Block | None = Block(above=0.9)
    """Null: nothing is refused by itself."""
    show: int | None = Field(default=None, ge=1, le=1000)
    """Of a ranking: how many candidates of a request go through, the first by score; the rest is
    blocked. Neither review nor block then."""
    control: Share = 0.0
    """Of a ranking: share of requests that the baseline ranks, to see what the model is worth."""
    explore: Share = 0.0
    """Share of would-be blocked events that are let through, so that labels keep coming."""
    fallback: Literal["allow", "review", "block"] = "allow"
    """The answer when the model cannot give one in time."""

    @property
    def of_refused(self) -> str:
        """The answer to an event that the schema check refused; a page does without it."""
        return self.fallback if self.show is None else "block"

    @model_validator(mode="before")
    @classmethod
    def _slates_alone(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("show") is not None:
            return {"review": None, "block": None, **value}
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Decision:
        if self.show is None and self.control:
            raise SpecError("only a ranking has a control, expected `show` beside it", "control")
        if self.show is not None and (self.review or self.block):
            given = "review" if self.review else "block"
            raise SpecError("a ranking shows or hides, expected `show` alone", given)
        return self

    @model_validator(mode="after")
    def _ordered(self) -> Decision:
        review = self.review.above if self.review else None
        block = self.block.above if self.block else None
        if review is not None and block is not None and review > block:
            raise SpecError(f"expected at most block.above, {block:g}", "review", "above")
        return self


class Monitoring(Spec):
    """Reference against current data, and the alerts on it."""

    reference: Duration = Field(default=14 * DAY, gt=0)
    """Data before the champion went live that current data are held against."""
    current: Duration = Field(default=DAY, gt=0)
    """Data of now."""
    every: Duration = Field(default=DAY, gt=0)
    """How often monitors look."""
    alerts: tuple[AlertSpec, ...] = ()
    """What wakes somebody up."""


class Trigger(Spec):
    """When to retrain: ``every 28d`` or ``on performance``."""

    every: Duration | None = Field(default=None, gt=0)
    """Distance between scheduled training jobs."""
    on: str | None = None
    """Kind of the alert that triggers; ``drift`` and ``alert`` stand for several kinds."""

    @model_validator(mode="before")
    @classmethod
    def _phrase(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.match(r"^(every|on)\s+(\S+)$", value.strip())
        if match is None:
            raise ValueError(_PHRASES)
        return {match[1]: match[2]}

    @model_validator(mode="after")
    def _one(self) -> Trigger:
        if (self.every is None) == (self.on is None):
            raise ValueError(_PHRASES)
        known = ("drift", "alert", *ALERT_KINDS)
        if self.on is not None and self.on not in known:
            raise SpecError(
                f"unknown trigger {self.on!r}, expected one of {', '.join(known)}", "on"
            )
        return self

    def fires_on(self, kind: str) -> bool:
        """Return whether an alert of this kind asks for training."""
        return self.on in (kind, "alert") or (self.on == "drift" and kind in DRIFT_KINDS)


_PHRASES = "expected `every 28d`, `on performance`, `on drift` or `on alert`"


class Gate(Spec):
    """What a challenger must show on mature labels before it may be promoted."""

    metric: str | None = None
    """Metric of the task; its primary one when absent."""
    not_worse_by: float = Field(default=0.01, ge=0)
    """Loss of the metric that is still accepted."""
    calibration: bool = True
    """Refuse a challenger that is calibrated worse."""
    slices: tuple[str, ...] = ()
    """Category columns on whose slices the metric must hold too."""
    min_positives: int = Field(default=30, ge=0)
    """Cases (positives; of a regression, known labels) in the validation slice below which nobody
    can tell."""


class Rollback(Spec):
    """Going back to the former champion by itself."""

    on: tuple[str, ...] = ()
    """Objectives that must not break after a promotion."""
    within: Duration = 2 * DAY
    """How long after a promotion they are watched."""


class Retraining(Spec):
    """When to train, and what a challenger goes through. ``never`` stands for no triggers."""

    when: tuple[Trigger, ...] = ()
    """Triggers: ``every 28d``, ``on performance``, ``on drift``."""
    cooldown: Duration = 5 * DAY
    """Shortest distance between two training jobs."""
    gate: Gate | None = Gate()
    """Absent: every challenger is promoted."""
    shadow: Duration = 2 * DAY
    """How long a challenger scores beside the champion before it decides."""
    canary: Share = 0.0
    """Share of events that the challenger decides during its last shadow day."""
    rollback: Rollback = Rollback()
    """When the former champion comes back by itself."""
    promotion: Literal["automatic", "by_hand"] = "automatic"
    """by_hand: a challenger stays in shadow, whatever the gate says, until somebody acts."""

    @model_validator(mode="before")
    @classmethod
    def _never(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value != "never":
                raise ValueError("expected `never` or keys such as `when: [every 28d]`")
            return {}
        return value

    @model_validator(mode="after")
    def _canary_in_shadow(self) -> Retraining:
        if self.canary and not self.shadow:
            raise SpecError("a canary needs a shadow period, expected 0 or `shadow` > 0", "canary")
        return self


class Design(Spec):
    """The learner's answer."""

    title: str = ""
    """A short name; the file's name when absent."""
    ingest: Ingest = Ingest()
    """The event log."""
    pipeline: Pipeline = Pipeline()
    """Workers and micro-batches."""
    clean: tuple[CleanStep, ...] = ()
    """What is put right in an event before features are made of it."""
    features: tuple[FeatureSpec, ...] = Field(min_length=1)
    """What the model sees, declared once for training and serving."""
    model: ModelSpec = ModelSpec()
    """The model, how it is trained and calibrated."""
    decision: Decision = Decision()
    """From score to action."""
    monitoring: Monitoring = Monitoring()
    """Reference against current data, and the alerts on it."""
    retraining: Retraining = Retraining()
    """When to train, and what a challenger goes through. ``never`` stands for no triggers."""

    @model_validator(mode="after")
    def _distinct_features(self) -> Design:
        seen = set[str]()
        for position, feature in enumerate(self.features):
            twice = sorted(seen.intersection(feature.names))
            if twice:
                raise SpecError(
                    f"feature {twice[0]!r} is declared twice, expected distinct features",
                    "features",
                    position,
                )
            seen.update(feature.names)
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the feature matrix, in order."""
        return tuple(name for feature in self.features for name in feature.names)
