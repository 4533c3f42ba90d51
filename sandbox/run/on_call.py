"""The hands of a person on call: what each intervention does to a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sandbox.pipeline.decide import DECISIONS
from sandbox.pipeline.pipeline import Rule
from sandbox.record import InterventionRecord
from sandbox.run.interventions import Intervention, Repair
from sandbox.run.setup import DAY
from sandbox.run.system import RunSystem
from sandbox.run.traffic import Block
from sandbox.simulate.control import ControlPlane, Phase
from sandbox.spec.incidents import Incident, Remedy

__all__ = ["OnCall"]


class OnCall:
    """Acts on a run and notes what came of it.

    Parameters
    ----------
    run, plane
        The system and its clock.
    retrain
        Starts a training job at a time [s since day 0].
    promote
        Makes a challenger the champion: (time, number of the version).
    """

    def __init__(
        self,
        run: RunSystem,
        plane: ControlPlane,
        retrain: Callable[[float], None],
        promote: Callable[[float, int], None],
    ) -> None:
        self._run, self._plane = run, plane
        self._retrain_now, self._promote_now = retrain, promote
        self._repairs: list[Repair] = []
        self._ended: set[str] = set()

    def act(self, one: Intervention, now: float) -> str:
        """Do it at `now` [s since day 0] and return what came of it."""
        acts: dict[str, Callable[[Intervention, float], str]] = {
            "retrain": self._retrain, "promote": self._promote, "rollback": self._roll_back,
            "canary": self._canary, "shadow": self._canary, "threshold": self._threshold,
            "explore": self._explore, "rule": self._rule, "repair": self._repair,
            "quarantine": self._repair, "workers": self._workers, "shed": self._shed,
        }  # fmt: skip
        outcome = acts.get(one.kind, self._ask)(one, now)
        self._mend(one, now)
        self._run.interventions.append(InterventionRecord(now / DAY, one.text, outcome))
        return outcome

    def mended(self, block: Block) -> Block:
        """Return a block as it is after the repairs in force."""
        for repair in self._repairs:
            if block.start < repair.until:
                block = replace(block, observed=repair.mend(block.observed))
        return block

    def _retrain(self, one: Intervention, now: float) -> str:
        lifecycle = self._run.lifecycle
        if one.model is not None:
            lifecycle.use(one.model)
        if self._plane.training:
            return "a training job is running already"
        by_hand = self._run.prepared.design.retraining.promotion == "by_hand"
        if lifecycle.challenger and not by_hand:
            return f"v{lifecycle.challenger} is in shadow already"
        self._retrain_now(now)
        return "a training job began"

    def _promote(self, one: Intervention, now: float) -> str:
        number = self._run.lifecycle.challenger
        if not number:
            return "there is no challenger"
        self._promote_now(now, number)
        return f"v{number} decides"

    def _roll_back(self, one: Intervention, now: float) -> str:
        lifecycle = self._run.lifecycle
        if not lifecycle.can_roll_back():
            return "there is no former champion"
        lifecycle.roll_back(now, "by hand")
        self._run.new_champion(now)
        return f"v{lifecycle.champion} decides again"

    def _canary(self, one: Intervention, now: float) -> str:
        lifecycle = self._run.lifecycle
        if not lifecycle.challenger:
            return "there is no challenger"
        lifecycle.canary(one.share)
        share = f"decides {one.share:.0%} of the events" if one.share else "only scores"
        return f"v{lifecycle.challenger} {share}"

    def _threshold(self, one: Intervention, now: float) -> str:
        lifecycle = self._run.lifecycle
        lifecycle.act_above(one.review, one.block, now)
        return f"v{lifecycle.champion} acts by it until another version takes over"

    def _explore(self, one: Intervention, now: float) -> str:
        self._run.service.explore(one.share)
        self._run.lifecycle.explore(one.share, now)
        return f"{one.share:.1%} of what would be blocked goes through"

    def _rule(self, one: Intervention, now: float) -> str:
        rules = self._run.service.rules
        if one.decision is None:
            known = rules.pop(one.condition, None)
            return "the rule is gone" if known else "there was no such rule"
        assert one.rows is not None
        rules[one.condition] = Rule(one.rows.mask, one.decision)
        return f"{DECISIONS[one.decision]} where {one.condition}"

    def _repair(self, one: Intervention, now: float) -> str:
        assert one.repair is not None
        self._repairs.append(one.repair)
        until = one.repair.until
        end = f"day {until / DAY:g}" if until < float("inf") else "the end"
        return f"events are mended until {end}"

    def _workers(self, one: Intervention, now: float) -> str:
        self._run.stack.scale(one.workers, now)
        return f"{one.workers} workers a stage, after a rebalance"

    def _shed(self, one: Intervention, now: float) -> str:
        self._run.stack.shed = one.share
        fallback = self._run.prepared.design.decision.fallback
        return f"{one.share:.0%} of the events get {fallback} at once"

    def _ask(self, one: Intervention, now: float) -> str:
        """Tell what others were asked for; what they can mend, `_mend` has them mend."""
        asked = {
            "throttle": "every key is held to its usual rate",
            "redeploy": "the former release is back",
            "rebuild": "the state is built anew from the log",
            "page": f"{one.who} is awake",
        }
        return asked[one.kind]

    def _mend(self, one: Intervention, now: float) -> None:
        for name, incident in self._run.prepared.incidents.items():
            remedy = _remedy(incident, one)
            if remedy is None or not incident.start <= now < incident.end or name in self._ended:
                continue
            self._ended.add(name)
            self._plane.at(now + remedy.after, partial(self._end, name), Phase.RECOVERY)

    def _end(self, name: str, now: float) -> None:
        incident = self._run.prepared.incidents[name]
        if incident.fault is not None:
            self._run.traffic.end_fault(name, now)
        elif incident.stack is not None:
            self._run.stack.clear_fault(name, now)
        else:
            self._run.service.faults.end(name, now)


def _remedy(incident: Incident, one: Intervention) -> Remedy | None:
    """Return how an action ends an incident; None if it does not."""
    for remedy in incident.mended_by:
        if remedy.do == one.kind and remedy.who in (None, one.who):
            return remedy
    return None
