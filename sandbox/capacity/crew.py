"""Crew: who is there to work at every stage, and what happens when that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sandbox.capacity.plant import Plant
from sandbox.simulate.network import Network
from sandbox.spec.capacity import Profile

__all__ = ["Crew"]


class Crew:
    """Machines of a plant's stages.

    Attributes
    ----------
    size
        Machines by stage, lost ones included.
    workers, brokers
        Places of the stages that are either.
    """

    def __init__(self, plant: Plant, network: Network, profile: Profile) -> None:
        self._plant, self._network, self._profile = plant, network, profile
        self.size = [stage.workers for stage in plant.stages]
        self._gone = [0] * len(plant.stages)
        self.workers = [s for s, broker in enumerate(plant.brokers) if not broker]
        self.brokers = [s for s, broker in enumerate(plant.brokers) if broker]

    def lose(self, losses: Mapping[int, int]) -> float:
        """Stop machines at once; return how long [s] it takes until somebody notices."""
        for stage, number in losses.items():
            gone = self._gone[stage] = min(self._gone[stage] + number, self.size[stage])
            there = self.size[stage] - gone
            self._network.states[stage].halt(range(there, self.size[stage]), np.inf)
        brokers = any(self._plant.brokers[stage] for stage in losses)
        return self._profile.election if brokers else self._profile.detection

    def regain(self, losses: Mapping[int, int], now: float) -> None:
        """Have machines back."""
        for stage, number in losses.items():
            self._gone[stage] = max(self._gone[stage] - number, 0)
        self.deal(list(losses), now)

    def resize(self, workers: int, now: float) -> None:
        """Have so many workers at every stage of workers."""
        for stage in self.workers:
            self.size[stage] = workers
        self.deal(self.workers, now)

    def deal(self, stages: Sequence[int], now: float) -> None:
        """Give the partitions to those who are left; nothing moves during the rebalance."""
        for stage in stages:
            state, left = self._network.states[stage], self.size[stage] - self._gone[stage]
            if left <= 0:
                continue
            pause = 0.0 if self._plant.brokers[stage] else self._profile.rebalance
            state.revive(np.flatnonzero(~np.isfinite(state.workers.free)).tolist(), now)
            state.deal(np.arange(len(state.stage.share)) % left, left, now + pause)
