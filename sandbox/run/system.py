"""Everything that a run consists of but the clock."""

from __future__ import annotations

from sandbox.record import AlertRecord, InterventionRecord, MetricTable
from sandbox.run.lifecycle import Lifecycle
from sandbox.run.service import Service
from sandbox.run.setup import Prepared
from sandbox.run.stack import RunStack
from sandbox.run.traffic import Traffic
from sandbox.run.watch import Watch

__all__ = ["RunSystem"]


class RunSystem:
    """One world's traffic, the system that serves it, and those who watch it."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.metrics = MetricTable()
        self.traffic = Traffic(prepared)
        self.service = Service(prepared)
        self.stack = RunStack(prepared, self.metrics)
        self.lifecycle = Lifecycle(prepared, self.service.log)
        self.watch = Watch(prepared, self.service.log, self.metrics)
        self.alerts: list[AlertRecord] = []
        self.interventions: list[InterventionRecord] = []

    def new_champion(self, now: float) -> None:
        """Have the monitors start over with the champion of `now` [s since day 0]."""
        champion = self.lifecycle.model(self.lifecycle.champion)
        self.watch.new_champion(now, champion.predict)
