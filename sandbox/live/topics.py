"""Topics of a scenario: their names, their partitions, and which key goes where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.event_log import Place
from sandbox.pipeline.decide import uniforms
from sandbox.pipeline.features.plan import FeaturePlan

__all__ = ["Topics", "partition_of"]

_SPREAD = 7919
"""Apart from other uses of `uniforms`."""


@dataclass(frozen=True)
class Topics:
    """Names and partitions.

    Parameters
    ----------
    scenario
        Prefix of all names.
    stages
        Keys of the stages in order; the first is that of the events.
    partitions
        Of topics that carry events.
    """

    scenario: str
    stages: tuple[str, ...]
    partitions: int

    @classmethod
    def of(cls, scenario: str, plan: FeaturePlan, partitions: int) -> Topics:
        """Return the topics of a design."""
        return cls(scenario, plan.stages, partitions)

    @property
    def events(self) -> str:
        """Events, keyed by the first stage: JSON one by one; frames of history."""
        return f"{self.scenario}.events"

    def stage(self, key: str) -> str:
        """Return the topic that a stage reads: frames of events, and of the labels it needs."""
        if key == self.stages[0]:
            return self.events
        return f"{self.scenario}.repartition.{key}"

    def group(self, key: str) -> str:
        """Return the consumer group of a stage."""
        return f"{self.scenario}.{key}"

    @property
    def decisions(self) -> str:
        """Decided events with their features, as frames."""
        return f"{self.scenario}.decisions"

    @property
    def dead(self) -> str:
        """Messages that are no events, with the reason, as JSON."""
        return f"{self.scenario}.dead-letters"

    @property
    def labels(self) -> str:
        """Labels when they become known, as frames; one partition."""
        return f"{self.scenario}.labels"

    @property
    def truth(self) -> str:
        """What only the simulator knows, as frames; for the oracle's view alone; one partition."""
        return f"{self.scenario}.truth"

    @property
    def control(self) -> str:
        """Commands, as JSON; one partition."""
        return f"{self.scenario}.control"

    @property
    def happenings(self) -> str:
        """What happened and what came of commands, as JSON; one partition."""
        return f"{self.scenario}.happenings"

    @property
    def serving(self) -> str:
        """Which models decide how, as JSON, the newest counts; one partition."""
        return f"{self.scenario}.serving"

    def all(self) -> Mapping[str, int]:
        """Return every topic with its partitions."""
        wide = [self.stage(key) for key in self.stages] + [self.decisions, self.dead]
        single = [self.labels, self.truth, self.control, self.happenings, self.serving]
        return {**dict.fromkeys(wide, self.partitions), **dict.fromkeys(single, 1)}

    def places(self, topic: str) -> list[Place]:
        """Return the partitions of a topic."""
        return [Place(topic, number) for number in range(self.all()[topic])]


def partition_of(keys: NDArray[Any], partitions: int) -> NDArray[np.int64]:
    """Return the partition of each key, shape (n,); keys are integers, -1 where missing."""
    return (uniforms(keys.astype(np.int64), _SPREAD) * partitions).astype(np.int64)
