"""Trouble for a plant, as typed: ``KIND[=VALUE][@START][/LENGTH]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sandbox.errors import UsageError, suggest
from sandbox.spec.units import parse_quantity

__all__ = ["KINDS", "Fault", "parse_fault"]


@dataclass(frozen=True)
class Kind:
    """What a kind of fault means and which values it takes."""

    about: str
    default: float
    low: float
    high: float


KINDS: Mapping[str, Kind] = MappingProxyType({
    "load_spike": Kind("the load is VALUE times as high", 3.0, 0.0, 1000.0),
    "worker_loss": Kind("VALUE machines die, one process of each stage on each", 1.0, 1.0, 4096.0),
    "zone_loss": Kind("VALUE zones are lost, workers and brokers", 1.0, 1.0, 100.0),
    "broker_loss": Kind("VALUE brokers die", 1.0, 1.0, 1000.0),
    "outage": Kind("no worker works: a bad deployment", 1.0, 1.0, 1.0),
    "slow_model": Kind("scoring takes VALUE times as long", 8.0, 1.0, 10_000.0),
    "slow_dependency": Kind("each batch of the last stage waits VALUE", 0.05, 0.0, 60.0),
    "broker_slow": Kind("hops take VALUE times as long", 10.0, 1.0, 10_000.0),
    "hot_key": Kind("one key gets a share VALUE of all events", 0.2, 0.0, 1.0),
    "retraining": Kind("training takes a share VALUE of every worker's CPU", 0.3, 0.0, 0.95),
    "rebalance": Kind("a consumer joins and leaves; VALUE times", 1.0, 1.0, 100.0),
})  # fmt: skip
_SHAPE = re.compile(r"^([a-z_]+)(?:=([^@/]+))?(?:@([^@/]+))?(?:/([^@/]+))?$")


@dataclass(frozen=True)
class Fault:
    """One trouble: what, how much, from when on and for how long [s]."""

    kind: str
    value: float
    start: float
    length: float

    @property
    def end(self) -> float:
        """When it is over [s]."""
        return self.start + self.length

    def __str__(self) -> str:
        """Say it as it is typed."""
        return f"{self.kind}={self.value:g}@{self.start:g}s/{self.length:g}s"


def parse_fault(text: str, start: float, length: float) -> Fault:
    """Read ``worker_loss=2@60s/2min``; onset and length have defaults.

    Raises
    ------
    UsageError
        Saying what is wrong and what would do.
    """
    match = _SHAPE.match(text.strip())
    if match is None:
        raise UsageError(
            "not a fault", where="--fault", got=text, expected="KIND[=VALUE][@START][/LENGTH]",
            hint="For example worker_loss=2@60s/2min.",
        )  # fmt: skip
    name, value, at, over = match.groups()
    if name not in KINDS:
        raise UsageError(
            "unknown fault", where="--fault", got=name, expected=f"one of {', '.join(KINDS)}",
            hint=suggest(name, KINDS),
        )  # fmt: skip
    kind = KINDS[name]
    amount = kind.default if value is None else _number(value, text)
    if not kind.low <= amount <= kind.high:
        raise UsageError(
            f"the value of {name} is out of range", where="--fault", got=value or "",
            expected=f"{kind.low:g} to {kind.high:g}: {kind.about}",
        )  # fmt: skip
    return Fault(
        name, amount, start if at is None else _seconds(at, text),
        length if over is None else _seconds(over, text),
    )  # fmt: skip


def _number(value: str, text: str) -> float:
    try:
        return float(parse_quantity(value))
    except ValueError:
        raise UsageError("not a number", where="--fault", got=text, expected="=VALUE") from None


def _seconds(value: str, text: str) -> float:
    try:
        quantity = parse_quantity(value)
    except ValueError:
        quantity = None
    if quantity is None or quantity.unit not in ("s", "") or quantity < 0:
        raise UsageError(
            "not a time", where="--fault", got=text, expected="a time such as 60s or 2min"
        )
    return float(quantity)
