"""What each kind of fault does to a plant when it begins and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.capacity.crew import Crew
from sandbox.capacity.faults import Fault
from sandbox.capacity.plant import trees
from sandbox.simulate.control import ControlPlane, Phase
from sandbox.simulate.network import Network
from sandbox.simulate.network_stage import StageState
from sandbox.spec.capacity import Profile
from sandbox.spec.design import Design

__all__ = ["Effects"]

Change = Callable[[float], None]


@dataclass
class Effects:
    """Faults in force, and the levers that they pull."""

    network: Network
    crew: Crew
    plane: ControlPlane
    design: Design
    profile: Profile
    carry: Change
    """Brings the network to the present."""
    load: float = 1.0
    """Factor on the arrival rate, now."""
    slowed: float = 1.0
    """Factor on scoring, now."""

    def of(self, fault: Fault) -> tuple[Change, Change]:
        """Return what to do at the fault's begin and end."""
        value = fault.value
        pairs: Mapping[str, tuple[Change, Change]] = {
            "load_spike": (lambda _: self._spike(value), lambda _: self._spike(1 / value)),
            "slow_model": (lambda _: self._slow(value), lambda _: self._slow(1 / value)),
            "slow_dependency": (lambda _: self._wait(value), lambda _: self._wait(-value)),
            "broker_slow": (lambda _: self._stretch(value), lambda _: self._stretch(1 / value)),
            "hot_key": (lambda _: self._skew(value), lambda _: self._skew(0.0)),
            "retraining": (lambda _: self._cpu(1 / (1 - value)), lambda _: self._cpu(1 - value)),
            "rebalance": (lambda now: self._stop(now, value), lambda _: None),
        }
        begin, finish = pairs[fault.kind] if fault.kind in pairs else self._loss(fault)
        return self._carried(begin), self._carried(finish)

    def _carried(self, change: Change) -> Change:
        def act(now: float) -> None:
            self.carry(now)
            change(now)

        return act

    def _loss(self, fault: Fault) -> tuple[Change, Change]:
        """Return how machines go and come back."""
        crew, number = self.crew, round(fault.value)
        if fault.kind == "worker_loss":
            losses = dict.fromkeys(crew.workers, number)
        elif fault.kind == "outage":
            losses = {stage: crew.size[stage] for stage in crew.workers}
        elif fault.kind == "broker_loss":
            losses = dict.fromkeys(crew.brokers, number)
        else:
            share = number / self.design.pipeline.zones
            losses = {stage: math.ceil(size * share) for stage, size in enumerate(crew.size)}

        def begin(now: float) -> None:
            noticed = now + crew.lose(losses)
            if noticed < fault.end:
                deal = self._carried(lambda at: crew.deal(list(losses), at))
                self.plane.at(noticed, deal, Phase.RECOVERY)

        return begin, lambda now: crew.regain(losses, now)

    def _last(self) -> StageState:
        return self.network.states[self.crew.workers[-1]]

    def _spike(self, factor: float) -> None:
        self.load *= factor

    def _slow(self, factor: float) -> None:
        """Multiply what scoring adds to the last stage of workers."""
        state, score = self._last(), self.profile.score
        more = self.slowed * (factor - 1.0)
        self.slowed *= factor
        state.rules = state.rules._replace(
            call=state.rules.call + more * score.call,
            event=state.rules.event + more * score.event * trees(self.design),
        )

    def _wait(self, seconds: float) -> None:
        state = self._last()
        state.rules = state.rules._replace(call=state.rules.call + seconds)

    def _cpu(self, factor: float) -> None:
        for stage in self.crew.workers:
            state = self.network.states[stage]
            call, event = state.rules.call * factor, state.rules.event * factor
            state.rules = state.rules._replace(call=call, event=event)

    def _stretch(self, factor: float) -> None:
        self.network.first_hop *= factor
        for state in self.network.states:
            state.next_hop *= factor

    def _skew(self, share: float) -> None:
        """Let the key that falls into the first partition have a share of the events."""
        for state in self.network.states:
            hot = state.stage.share * (1.0 - share)
            hot[0] += share * float(state.stage.share.sum())
            state.skew(hot)

    def _stop(self, now: float, times: float) -> None:
        for stage in self.crew.workers:
            self.network.states[stage].halt(slice(None), now + times * self.profile.rebalance)
