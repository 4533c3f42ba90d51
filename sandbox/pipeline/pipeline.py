"""Pipeline: schema check, features, score, decision, as one object for every execution.

It knows events, labels that have arrived, and a model; neither truth nor simulation, neither broker
nor clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.decider import Decider, Rule, Scorer, Serving
from sandbox.pipeline.features.online import FeatureStore
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.pipeline.schema import SchemaCheck
from sandbox.pipeline.snapshot import pack, unpack
from sandbox.spec.design import Design
from sandbox.spec.scenario import EventSchema

__all__ = ["Decided", "Pipeline", "Rule", "Scorer", "Serving", "Told"]

Told = Callable[[Batch, NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""From events and their features to (the features that are logged, those the model is told)."""


@dataclass(frozen=True)
class Decided:
    """A batch after the pipeline, row by row; `dead` holds the rows that never entered it."""

    events: Batch
    """Accepted events in log order."""
    features: NDArray[np.float32]
    """(n, features): what the model saw; training data is made from it."""
    score: NDArray[np.float64]
    """NaN before the first model."""
    decision: NDArray[np.int8]
    """Code into `DECISIONS`."""
    explored: NDArray[np.bool_]
    fallback: NDArray[np.bool_]
    ruled: NDArray[np.bool_]
    version: NDArray[np.int16]
    """Of the model that decided each event; 0 before the first."""
    dead: Batch
    """Dead letters, see `SchemaCheck.check`."""
    spread: NDArray[np.float64] | None = None
    """How far off each score may be, in log units; None where the model does not say."""
    control: NDArray[np.bool_] | None = None
    """Ranked by the baseline; of a ranking only."""


class Pipeline:
    """Validate, compute features, score, decide.

    Parameters
    ----------
    schema
        Schema of the events.
    design
        The learner's design; its features must fit the schema.
    seed
        Decides which would-be blocked events are let through.
    """

    def __init__(self, schema: EventSchema, design: Design, seed: int = 0) -> None:
        lateness = design.pipeline.allowed_lateness
        self.plan = FeaturePlan.compile(
            design.features,
            schema,
            design.ingest.key,
            allowed_lateness=lateness,
            clean=design.clean,
        )
        self.check = SchemaCheck(schema, lateness)
        self.store = FeatureStore(self.plan)
        self.decider = Decider(self.plan, design, seed)

    def process(
        self,
        batch: Batch,
        labels: Batch | None = None,
        *,
        serving: Serving | None = None,
        answered: NDArray[np.bool_] | None = None,
        told: Told | None = None,
    ) -> Decided:
        """Take a batch from the log to decisions.

        Parameters
        ----------
        batch
            Events in log order.
        labels
            Labels that have arrived, see `FeatureStore.update`.
        serving
            The model; without one the fallback answers everything.
        answered
            For each row of `batch`: whether the model answers within the budget. Its state and
            score are kept up all the same.
        told
            What a faulty deployment tells the model and the log instead of the features.
        """
        if answered is not None and len(answered) != len(batch):
            raise ValueError(f"answered has {len(answered)} rows, the batch {len(batch)}")
        valid, dead = self.check.check(batch)
        if answered is not None and len(dead):
            answered = answered[self.check.accepted]
        features = self.store.update(valid, labels)
        seen = features
        if told is not None and len(valid):
            features, seen = told(valid, features)
        answer = self.decider.decide(valid, seen, serving, answered)
        return Decided(
            valid,
            features,
            answer.score,
            *answer.decisions,
            answer.version,
            dead,
            answer.spread,
            answer.control,
        )

    def snapshot(self) -> bytes:
        """Return the whole state, to go on from after a restart."""
        parts = {"check": self.check.snapshot(), "store": self.store.snapshot()}
        arrays = {name: np.frombuffer(part, dtype=np.uint8) for name, part in parts.items()}
        return pack(arrays, self.plan.fingerprint)

    def restore(self, data: bytes) -> None:
        """Go back to the state of a snapshot.

        Raises
        ------
        ValueError
            If the bytes are no snapshot of this version and this design's features.
        """
        arrays = unpack(data, self.plan.fingerprint)
        self.check.restore(arrays["check"].tobytes())
        self.store.restore(arrays["store"].tobytes())
