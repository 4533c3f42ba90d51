"""Decider: from features to decisions, with a champion, a canary and rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.decide import (
    DECISIONS,
    Decisions,
    Thresholds,
    decide,
    decide_slates,
    uniforms,
)
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.design import Design

__all__ = ["Answer", "Decider", "Rule", "Scorer", "Serving", "Spreader"]

_CANARY = 1 << 20
_CONTROL = 1 << 21
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
    control: NDArray[np.bool_] | None = None
    """Ranked by the baseline, to see what the model is worth; of a ranking only."""


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
    baseline: Scorer | None = None
    """The model of the control group of a ranking."""


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
        self._show, self._control = design.decision.show, design.decision.control
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
        if self._show is not None:
            return self._rank(valid, features, serving, answered, self._show)
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

    def _rank(
        self,
        valid: Batch,
        features: NDArray[np.float32],
        serving: Serving | None,
        answered: NDArray[np.bool_] | None,
        show: int,
    ) -> Answer:
        """Order the candidates of each request; see `decide`.

        A request is one model's: that of the champion, of a canary, or of the control group.
        """
        rows = len(valid)
        score, version = np.full(rows, np.nan), np.zeros(rows, dtype=np.int16)
        control = np.zeros(rows, dtype=np.bool_)
        assert self._plan.slate is not None
        request = features[:, self._plan.slate.request].astype(np.int64)
        if serving is not None and rows:
            score[:], version[:] = serving.score(features), serving.version
            other = serving.canary
            if other is not None:
                mine = uniforms(request, self._seed + _CANARY) < serving.canary_share
                score[mine], version[mine] = other.score(features)[mine], other.version
            if serving.baseline is not None and self._control:
                control = uniforms(request, self._seed + _CONTROL) < self._control
                score[control] = serving.baseline(features)[control]
        if answered is not None:
            score = np.where(answered, score, np.nan)
        luck = uniforms(valid[self._plan.id], self._seed) if self.explore else None
        decisions = decide_slates(score, request, show, explore=self.explore, uniform=luck)
        self._rule(decisions, serving.rules if serving else (), valid, features)
        return Answer(decisions, score, None, version, control)

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
