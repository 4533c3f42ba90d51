"""A worker as busy as a design's, for measuring what work costs; its model knows nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.capacity.calibrate import Supply, between, calibrate, ready
from sandbox.capacity.plant import trees
from sandbox.capacity.twin import TwinRecord, drive_rounds, hold
from sandbox.model.calibration import Identity
from sandbox.model.fitting import fit_for
from sandbox.model.version import Scorer
from sandbox.pipeline.codec import EventCodec
from sandbox.pipeline.decide import Thresholds
from sandbox.pipeline.handler import Handler
from sandbox.pipeline.pipeline import Pipeline, Serving
from sandbox.run.setup import Prepared
from sandbox.spec.capacity import Profile

__all__ = ["run_twin_of", "stand_in_handler"]

ROWS = 4_000
THRESHOLDS = Thresholds(review_above=0.9, block_above=0.99)


def stand_in_handler(prepared: Prepared) -> Handler:
    """Return a handler with a fresh state, and a model of the design's kind fitted to noise.

    Its trees have as many levels as the design allows, so walking them costs what it does in a
    model fitted to events, or a little more.
    """
    rng = np.random.default_rng(prepared.seed)
    model = prepared.design.model
    features = rng.standard_normal((ROWS, len(prepared.plan.names))).astype(np.float32)
    label = (rng.uniform(size=ROWS) < 0.5).astype(np.float64)
    slate, task = prepared.plan.slate, prepared.task
    if slate is not None:
        features[:, slate.all] = rng.integers(0, 200, (ROWS, 3))
    target = 1.0 + label if task.has_spread else label
    fitted = fit_for(model.champion, model, task, features, target, rng, slate)
    scorer = Scorer(fitted.estimator, Identity())
    schema = prepared.scenario.event
    return Handler(
        EventCodec(schema),
        Pipeline(schema, prepared.design, prepared.seed),
        Serving(scorer.predict, THRESHOLDS, 1, spread=scorer.spread),
    )


def run_twin_of(
    prepared: Prepared, reference: Profile, seconds: float, tell: Callable[[str], None],
    progress: Callable[[float], None],
) -> TwinRecord:  # fmt: skip
    """Hold the predictions for one worker against a real one.

    The machine is measured before and after: it may have become slower or faster meanwhile.

    Parameters
    ----------
    reference
        Where what is not measured comes from.
    seconds
        Length of each round.
    """
    schema, design = prepared.scenario.event, prepared.design
    tell("what work costs here, before")
    profile = calibrate(stand_in_handler(prepared), schema, trees(design), reference, progress)
    tell("a worker at 30, 60 and 80 % of its top speed")
    handler = stand_in_handler(prepared)
    supply = Supply(handler, schema, np.random.default_rng(prepared.seed))
    ready(handler, supply)
    rounds = drive_rounds(design, profile, handler, supply, progress, seconds)
    tell("what work costs here, after")
    after = calibrate(stand_in_handler(prepared), schema, trees(design), reference, progress)
    names = (prepared.name, prepared.design_name)
    return hold(names, design, prepared.plan, between(profile, after), rounds)
