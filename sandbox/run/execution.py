"""A run in virtual time: SimPy moves the clock, everything else reacts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import simpy

from sandbox.record import AlertRecord, InterventionRecord, LiveState, RunRecord
from sandbox.run.interventions import Intervention
from sandbox.run.live import Stopwatch, live_state
from sandbox.run.on_call import OnCall
from sandbox.run.results import finish_record
from sandbox.run.setup import DAY, Prepared
from sandbox.run.system import RunSystem
from sandbox.run.traffic import BLOCK
from sandbox.simulate.control import ControlPlane, Phase

__all__ = ["RunObserver", "VirtualRun", "execute"]

TRAINING_TIME = 2 * 3600.0
"""How long a training job takes [s]."""
BY_HAND = "by hand"
"""What asked for a training job, where a person did."""
TRAINING_CPU = 0.3
"""Share of every worker's CPU that a training job takes."""


class RunObserver(Protocol):
    """Somebody who watches."""

    def update(self, state: LiveState) -> None:
        """Be told of a finished simulated day."""
        ...


def execute(
    prepared: Prepared,
    observer: RunObserver | None = None,
    stop: Callable[[], bool] | None = None,
    interventions: Sequence[Intervention] = (),
) -> RunRecord:
    """Play a prepared run from its history to its last day.

    Parameters
    ----------
    prepared
        What to run.
    observer
        Told of every simulated day.
    stop
        Asked between blocks; once it says True the run ends there, and the record says so.
    interventions
        What a person on call does meanwhile.

    Raises
    ------
    SandboxError
        If the world does not keep its promises, or no first model can be trained.
    """
    return VirtualRun(prepared, observer, stop or (lambda: False), interventions).play()


class VirtualRun(RunSystem):
    """One design in one world, on SimPy's clock. Play it once."""

    def __init__(
        self, prepared: Prepared, observer: RunObserver | None, stop: Callable[[], bool],
        interventions: Sequence[Intervention] = (),
    ) -> None:  # fmt: skip
        super().__init__(prepared)
        self._observer, self._stop = observer, stop
        self._asked = interventions
        history = math.ceil(prepared.scenario.history / BLOCK) * BLOCK
        self.plane = ControlPlane(simpy.Environment(initial_time=-history))
        self.on_call = OnCall(self, self.plane, self._train_by_hand, self._promote)
        self._stopwatch = Stopwatch()
        self._last_training = 0.0
        self._promoted = (-math.inf, 0)
        """When which version became champion last."""

    def play(self) -> RunRecord:
        """Run to the end, or until told to stop, and return what happened."""
        plane, end = self.plane, self.prepared.days * DAY
        self.begin()
        for one in self._asked:
            plane.at(one.at, partial(self._intervene, one), Phase.RETRAIN)
        self.go_on(end)
        return finish_record(self, days=max(plane.now, 0.0) / DAY, complete=plane.now >= end)

    def begin(self) -> None:
        """Schedule all that will happen by itself."""
        plane, end = self.plane, self.prepared.days * DAY
        plane.every(BLOCK, self._traffic, Phase.TRAFFIC, until=end)
        plane.at(0.0, self._go_live, Phase.RETRAIN)
        plane.every(DAY, self._close_day, Phase.MONITOR, start=DAY, until=end)
        self._schedule_incidents()
        self._schedule_training(end)

    def go_on(self, until: float) -> None:
        """Let time pass until a border of blocks [s since day 0], or until told to stop."""
        while self.plane.now < until and not self._stop():
            self.plane.run(self.plane.now + BLOCK)

    def _schedule_incidents(self) -> None:
        for name, incident in self.prepared.incidents.items():
            if incident.stack is not None:
                self.plane.between(
                    incident.start,
                    incident.end,
                    partial(self.stack.set_fault, name, incident.stack),
                    partial(self.stack.clear_fault, name),
                )

    def _schedule_training(self, end: float) -> None:
        for trigger in self.prepared.design.retraining.when:
            if trigger.every:
                self.plane.every(
                    trigger.every,
                    lambda now: self._retrain(now, "on schedule"),
                    Phase.RETRAIN,
                    start=trigger.every,
                    until=end,
                )

    def _traffic(self, now: float) -> None:
        block = self.traffic.block(round(now / BLOCK) - 1)
        if block.start < 0:
            self.service.remember(block)
            return
        block = self.on_call.mended(block)
        answered = self.stack.advance(block.start, block.end, self.traffic.full_rate)
        self.service.serve(block, self.lifecycle.deciders(), answered)

    def _go_live(self, now: float) -> None:
        self.lifecycle.start(now)
        self.new_champion(now)

    def _close_day(self, now: float) -> None:
        self.service.close_day(now)
        alerts = self.watch.look(now, *self.service.refused_today())
        self.alerts += alerts
        self._write_day(now / DAY)
        if alerts and (reason := self._reason(alerts)):
            self._retrain(now, reason)
        self._watch_promotion(now)
        if self._observer is not None:
            self._observer.update(live_state(self, now, self._stopwatch.elapsed()))

    def _write_day(self, day: float) -> None:
        for (metric, series), value in self.service.today().items():
            self.metrics.add(day, metric, value, series)

    def _reason(self, alerts: list[AlertRecord]) -> str:
        """Return what a retraining is triggered by, in words; empty when nothing asks for one."""
        asked = {t.on for t in self.prepared.design.retraining.when if t.on}
        for alert in alerts:
            drift = alert.kind not in ("performance", "estimate", "missing", "invalid")
            if alert.kind in asked or "alert" in asked or ("drift" in asked and drift):
                return f"on {alert.kind}"
        return ""

    def _retrain(self, now: float, reason: str) -> None:
        rested = now - self._last_training >= self.prepared.design.retraining.cooldown
        if self.plane.training or self.lifecycle.challenger or not rested:
            return
        self._train(now, reason)

    def _train_by_hand(self, now: float) -> None:
        self._train(now, BY_HAND)

    def _train(self, now: float, reason: str) -> None:
        self._last_training = now
        self.plane.train_job(
            TRAINING_TIME,
            lambda done: self._trained(done, now, reason),
            lambda begun: self.stack.background(TRAINING_CPU, begun),
        )

    def _trained(self, now: float, asked: float, reason: str) -> None:
        self.stack.background(0.0, now)
        policy = self.prepared.design.retraining
        by_hand = policy.promotion == "by_hand"
        passed = self.lifecycle.challenge(asked, reason, keep=by_hand)
        if reason == BY_HAND:
            outcome = self.lifecycle.last_outcome()
            self.interventions.append(InterventionRecord(now / DAY, "training ended", outcome))
        if not passed or by_hand:
            return
        live = math.ceil((now + policy.shadow) / BLOCK) * BLOCK
        if policy.canary and policy.shadow >= DAY:
            share = policy.canary
            self.plane.at(live - DAY, lambda _: self.lifecycle.canary(share), Phase.RETRAIN)
        waiting = self.lifecycle.challenger
        self.plane.at(live, lambda at: self._promote(at, waiting), Phase.RETRAIN)

    def _promote(self, now: float, number: int) -> None:
        """Make a challenger the champion, unless somebody was faster."""
        if self.lifecycle.challenger != number:
            return
        self.lifecycle.promote(now)
        self._promoted = (now, number)
        self.new_champion(now)

    def _intervene(self, one: Intervention, now: float) -> None:
        self.on_call.act(one, now)

    def _watch_promotion(self, now: float) -> None:
        """Go back to the former champion where a promotion broke what it must not break."""
        policy = self.prepared.design.retraining.rollback
        promoted, number = self._promoted
        if not DAY <= now - promoted <= policy.within or self.lifecycle.champion != number:
            return
        for name in policy.on:
            bound = self.prepared.scenario.objectives[name].bound
            value = self._since_promotion(name, now)
            if value > bound:
                reason = f"{name} was {value:.3g} in the day before, at most {bound:.3g} allowed"
                self.lifecycle.roll_back(now, reason)
                self.new_champion(now)
                return

    def _since_promotion(self, name: str, now: float) -> float:
        """Return what an operator sees of an objective over the last day.

        A good customer who is refused complains at once, so `good_blocked` is known.
        """
        if name == "good_blocked":
            return self.service.today()["good_blocked", ""]
        days, values = self.metrics.series("latency_p99")
        return float(np.nanmedian(values[days >= now / DAY - 1.0]))
