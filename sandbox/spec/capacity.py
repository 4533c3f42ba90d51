"""What a calibration profile and a price file may say."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from sandbox.spec.base import Spec
from sandbox.spec.units import Duration

__all__ = ["CostLine", "Prices", "Produced", "Profile"]


class CostLine(Spec):
    """What a batch of n costs: ``call + event * n`` seconds, give or take."""

    call: float = Field(ge=0)
    """Cost of a batch whatever its size [s]."""
    event: float = Field(gt=0)
    """Cost of one more in it [s]."""
    spread: float = Field(default=0.0, ge=0)
    """Standard deviation of measured over fitted cost."""


class Produced(Spec):
    """From a producer's send to the broker's answer, by `acks` [s]."""

    none: Duration = 0.0005
    """acks 0: nobody answers."""
    leader: Duration = 0.001
    """acks 1: the leader has it."""
    all: Duration = 0.002
    """acks all: all replicas in step have it."""


class Profile(Spec):
    """What work costs on a machine; one process has one core."""

    machine: str
    """Processor and versions, for people."""
    measured: dt.date
    """When."""
    notes: tuple[str, ...] = ()
    """What was not measured, and where it comes from."""
    fetch: CostLine
    """The client's work to get an event from a broker."""
    decode: CostLine
    """Reading an event's message."""
    check: CostLine
    """Holding an event against the schema."""
    feature: CostLine
    """Keeping the state of a stage and computing one feature column of an event."""
    text: CostLine = CostLine(call=0.00013, event=0.000011)
    """Hashing the words of one text; runs of characters are several times as many."""
    score: CostLine
    """Walking an event through one tree of the model."""
    decide: CostLine
    """Turning a score into a decision, and writing that message."""
    encode: CostLine
    """Writing an event's message, for the next stage."""
    send: CostLine
    """The client's work to hand an event to a broker."""
    append: CostLine
    """A broker's work on one copy of an event."""
    cold: float = Field(default=0.0, ge=0)
    """By how much a batch takes longer after 2 ms of idleness: caches cool down."""
    produced: Produced = Produced()
    """Waiting for the broker's answer."""
    fetched: Duration = 0.001
    """From the broker to a waiting consumer."""
    detection: Duration = 10.0
    """Until a silent consumer counts as gone (session timeout)."""
    rebalance: Duration = 3.0
    """No progress while partitions move."""
    election: Duration = 2.0
    """Until the partitions of a lost broker have a new leader."""
    pause_every: Duration = 30.0
    """Mean time between pauses of a process, such as collections of garbage."""
    pause: Duration = 0.02
    """How long a pause is."""
    effective_keys: float = Field(default=1000.0, gt=0)
    """``1 / sum(q**2)`` over the keys' shares q of the load: how unevenly partitions fill."""
    event_bytes: float = Field(default=250.0, gt=0)
    """Size of an event on the wire and on disk, compressed."""


class Prices(Spec):
    """What machines cost, in USD."""

    source: str
    """Where the figures come from."""
    as_of: dt.date
    """When they held."""
    worker_hour: float = Field(ge=0)
    """A core with 4 GB for a worker process."""
    broker_hour: float = Field(ge=0)
    """A broker machine."""
    storage_gb_month: float = Field(ge=0)
    """A gigabyte of log for a month, each replica."""
    cross_zone_gb: float = Field(ge=0)
    """A gigabyte from one zone to another."""
    training_hour: float = Field(ge=0)
    """A machine that trains."""
