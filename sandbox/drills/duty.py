"""A drill's run: lived step by step by whoever is on call."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from sandbox.drills.catalogue import LoadedDrill
from sandbox.errors import UsageError, suggest
from sandbox.run.execution import VirtualRun
from sandbox.run.interventions import Intervention, parse_action, parse_interventions
from sandbox.run.setup import DAY, Prepared, prepare
from sandbox.spec.actions import ACTIONS

__all__ = ["CHANGES", "Duty"]

CHANGES = frozenset(ACTIONS) - {"page", "retrain", "shadow"}
"""Actions that change what is decided about the events."""
BY_HAND = ("retraining=never", "retraining.promotion=by_hand")
_PRICED = ("retrain", "page", "redeploy", "rebuild", "throttle")


class Duty(VirtualRun):
    """The run of one drill under one seed, from its history to where the learner stands.

    Parameters
    ----------
    loaded
        The drill.
    seed
        Of the world.
    roots
        Folders of scenarios.

    Attributes
    ----------
    spent
        What acting has cost so far, without workers [USD].
    done
        Actions taken, in order.

    Raises
    ------
    SandboxError
        If the drill cannot be run.
    """

    def __init__(self, loaded: LoadedDrill, seed: int, roots: tuple[Path, ...]) -> None:
        prepared = prepare_drill(loaded, seed, roots)
        super().__init__(prepared, None, lambda: False)
        self.loaded, self.drill = loaded, loaded.drill
        self.spent = 0.0
        self.done: list[Intervention] = []
        self._worker_days = 0.0
        before = parse_interventions(self.drill.before, prepared)
        self.begin()
        for one in before:
            self.go_on(one.at)
            self._act(one)
        self.go_on(self.drill.start)

    @property
    def now(self) -> float:
        """Where the learner stands [s since day 0]."""
        return self.plane.now

    @property
    def arrival(self) -> float:
        """Day of the run on which the learner arrived."""
        return self.drill.start / DAY

    @property
    def elapsed(self) -> float:
        """Time since the learner's arrival [s]."""
        return self.now - self.drill.start

    @property
    def left(self) -> float:
        """Time left [s]."""
        return self.drill.start + self.drill.budget.time - self.now

    @property
    def price(self) -> float:
        """What acting has cost, workers included [USD]."""
        return self.spent + self._worker_days * self.loaded.defaults.prices.worker_day

    def advance(self, seconds: float) -> None:
        """Let time pass, at most to the end of the drill."""
        seconds = min(seconds, self.left)
        extra = max(self.stack.workers - self.prepared.design.pipeline.workers, 0)
        self._worker_days += extra * len(self.prepared.plan.stages) * seconds / DAY
        self.go_on(self.now + seconds)

    def read(self, text: str) -> Intervention:
        """Read an action and check that it can be taken now; nothing happens yet.

        Raises
        ------
        UsageError
            If it is none, is not on offer here, or cannot be paid.
        """
        one = parse_action(text, self.prepared, self.now)
        offered = self.loaded.actions
        if one.kind not in offered:
            raise UsageError(
                "not on offer in this drill", where="do", got=one.kind,
                expected=f"one of {', '.join(offered)}",
            )  # fmt: skip
        if one.kind == "page" and one.who not in self.loaded.people:
            people = self.loaded.people
            raise UsageError(
                "nobody of that name", where="do page", got=one.who,
                expected=f"who= one of {', '.join(people)}", hint=suggest(one.who, people),
            )  # fmt: skip
        if not self.affords(one.kind):
            raise UsageError(
                "the money for acting is used up", where=f"do {one.kind}",
                got=f"{self.price:,.0f} USD spent of {self.drill.budget.money:,.0f}",
                expected="an action that costs nothing",
            )  # fmt: skip
        return one

    def affords(self, kind: str) -> bool:
        """Return whether there is money left for an action of a kind."""
        return self.price + self._price_of(kind) <= self.drill.budget.money

    def act(self, one: Intervention) -> str:
        """Take an action that `read` accepted, and return what came of it."""
        self.spent += self._price_of(one.kind)
        self.done.append(one)
        outcome = self._act(one)
        return self.loaded.people[one.who] if one.kind == "page" else outcome

    def digest(self) -> str:
        """Return a fingerprint of the state: what happened so far, to the last digit."""
        ledger = self.service.ledger.totals.as_dict()
        told = [
            self.now, self.service.events, dict(sorted(self.service.counts.items())), ledger,
            len(self.alerts), self.lifecycle.champion, self.lifecycle.challenger,
            [[one.text, one.outcome] for one in self.interventions], repr(self.price),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def _act(self, one: Intervention) -> str:
        return self.on_call.act(one, self.now)

    def _price_of(self, kind: str) -> float:
        return float(getattr(self.loaded.defaults.prices, kind)) if kind in _PRICED else 0.0


def prepare_drill(loaded: LoadedDrill, seed: int, roots: tuple[Path, ...]) -> Prepared:
    """Make a drill ready to run under a seed; nothing is retrained or promoted by itself."""
    prepared = prepare(
        loaded.scenario,
        design=None,
        seed=seed,
        days=loaded.days,
        overrides=(*BY_HAND, *loaded.defaults.set, *loaded.drill.set),
        incidents=(),
        roots=roots,
    )
    return replace(prepared, incidents=loaded.incidents)
