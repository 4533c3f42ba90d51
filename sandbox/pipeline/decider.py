"""Decider: from features to decisions, with a champion, a canary and rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.decide import DECISIONS, Decisions, Thresholds, decide, uniforms
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.design import Design

__all__ = ["Answer", "Decider", "Rule", "Scorer", "Serving", "Spreader"]

_CANARY = 1 << 20
"""Apart from other uses of `uniforms`."""
Scorer = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From a feature matrix (n, features) to scores, shape (n,)."""
Spreader = Callable[[NDArray[np.float32]], NDArray[np.float64] | None]
"""From a feature matrix to how far off each score may be, shape (n,); None: it does not say."""


def _says_nothing(features: NDArray[np.float32]) -> None:
    return None


class Answer(NamedTuple):
    """What the model said of events, and what happens to them. Arrays of shape (n,)."""

    decisions: Decisions
    score: NDArray[np.float64]
    """NaN without a model."""
    spread: NDArray[np.float64] | None
    version: NDArray[np.int16]
    """Of the model that decided; 0 without one."""


@dataclass(frozen=True)
class Rule:
    """An action for the events that a condition picks, whatever their score."""

    picks: Callable[[Batch], NDArray[np.bool_]]
    """From a batch of event columns and features by name to the rows picked."""
    decision: int
    """Code into `DECISIONS`."""


@dataclass(frozen=True)
class Serving:
    """The model that decides at present."""

    score: Scorer
    thresholds: Thresholds
    version: int
    canary: Serving | None = None
    """A challenger that decides a share of the events."""
    canary_share: float = 0.0
    rules: tuple[Rule, ...] = ()
    """In order; a later one overrules an earlier one."""
    spread: Spreader = _says_nothing
    """Where it says something, thresholds are held against it and not against the score."""


class Decider:
    """Scores events and says what happens to them.

    Parameters
    ----------
    plan
        Names the columns of the features.
    design
        Says what happens without the model, and how much is let through for its labels.
    seed
        Decides which would-be blocked events are let through.
    """

    def __init__(self, plan: FeaturePlan, design: Design, seed: int = 0) -> None:
        self._plan, self._seed = plan, seed
        self._fallback = DECISIONS.index(design.decision.fallback)
        self.explore = design.decision.explore
        """Share of would-be blocked events that are let through."""

    def decide(
        self,
        valid: Batch,
        features: NDArray[np.float32],
        serving: Serving | None,
        answered: NDArray[np.bool_] | None = None,
    ) -> Answer:
        """Return what happens to each accepted event, its score and the version that gave it.

        Parameters
        ----------
        valid
            Accepted events, n rows.
        features
            Shape (n, features).
        serving
            The model; without one the fallback answers everything, with scores NaN and version 0.
        answered
            Where the model answered in time; everywhere if absent.
        """
        score, version = np.full(len(valid), np.nan), np.zeros(len(valid), dtype=np.int16)
        spread = None
        if serving is not None and len(valid):
            score[:] = serving.score(features)
            spread = serving.spread(features)
            version[:] = serving.version
        decisions = self._act(score, spread, serving, valid, answered)
        if serving is None or not len(valid):
            return Answer(decisions, score, spread, version)
        if serving.canary is not None:
            # The challenger's rows are a fixed share of ids, drawn apart from the explored ones.
            mine = uniforms(valid[self._plan.id], self._seed + _CANARY) < serving.canary_share
            other = np.asarray(serving.canary.score(features), dtype=np.float64)
            width = serving.canary.spread(features)
            tried = self._act(other, width, serving.canary, valid, answered)
            for champion, challenger in zip(decisions, tried, strict=True):
                champion[mine] = challenger[mine]
            score[mine], version[mine] = other[mine], serving.canary.version
            if spread is not None and width is not None:
                spread[mine] = width[mine]
        self._rule(decisions, serving.rules, valid, features)
        return Answer(decisions, score, spread, version)

    def _rule(
        self,
        decisions: Decisions,
        rules: Sequence[Rule],
        valid: Batch,
        features: NDArray[np.float32],
    ) -> None:
        """Let rules decide, in place. They need no model, but they need the answer in time."""
        if not rules:
            return
        known = set(valid.names)
        columns = {n: features[:, i] for i, n in enumerate(self._plan.names) if n not in known}
        rows = valid.with_columns(**columns)
        for rule in rules:
            picked = rule.picks(rows) & ~decisions.fallback
            decisions.decision[picked] = rule.decision
            decisions.explored[picked] = False
            decisions.ruled[picked] = True

    def _act(
        self,
        score: NDArray[np.float64],
        spread: NDArray[np.float64] | None,
        serving: Serving | None,
        valid: Batch,
        answered: NDArray[np.bool_] | None,
    ) -> Decisions:
        return decide(
            score if spread is None else spread,
            serving.thresholds if serving is not None else Thresholds(),
            explore=self.explore,
            uniform=uniforms(valid[self._plan.id], self._seed) if self.explore else None,
            answered=answered,
            fallback=self._fallback,
        )
