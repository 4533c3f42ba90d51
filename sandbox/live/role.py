"""Role: one of the processes of a live system, and what all of them are given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.adapters.event_log import EventLog
from sandbox.adapters.registry import Registry
from sandbox.live.metrics import LiveMetrics
from sandbox.live.topics import Topics
from sandbox.run.setup import Prepared

__all__ = ["Role", "Setting", "keep_going"]

PATIENCE = 0.2
"""How long a step may wait for something to do [s]."""


@dataclass(frozen=True)
class Setting:
    """What a role works with."""

    prepared: Prepared
    topics: Topics
    log: EventLog
    registry: Registry
    metrics: LiveMetrics
    name: str
    """Of this process, unlike any other's at the same time: ``worker-1``."""
    state: Path
    """Folder of this role's own, which may be lost at any time."""
    speed: float
    """Simulated seconds in one second."""
    now: Callable[[], float]
    """Wall clock [s since epoch]."""


class Role(Protocol):
    """A process of a live system, step by step."""

    def step(self, patience: float) -> None:
        """Do what there is to do, waiting up to `patience` [s] for it."""

    def ready(self) -> bool:
        """Tell whether it does its work (and not only starts)."""

    def why_not(self) -> str:
        """Say what it waits for; empty when it is ready."""

    def close(self) -> None:
        """End in order: nothing half-done stays."""


def keep_going(role: Role, stop: threading.Event) -> None:
    """Let a role work until told to stop, and end it in order."""
    try:
        while not stop.is_set():
            role.step(PATIENCE)
    finally:
        role.close()
