"""Tenure: how a challenger comes into office by itself, and how a champion loses it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sandbox.live.trainer.handover import Handover
from sandbox.live.trainer.office import Office
from sandbox.pipeline.decide import BLOCK as BLOCKED
from sandbox.run.setup import DAY
from sandbox.run.training_job import Candidate
from sandbox.spec.design import Retraining

__all__ = ["Tenure"]

WATCHED = "good_blocked"
"""What a promotion is watched for. Latency is for dashboards and their alerts."""


class Tenure:
    """Schedule, shadow, canary, promotion, rollback.

    Parameters
    ----------
    office
        What it works with.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._policy: Retraining = office.setting.prepared.design.retraining
        self._since = 0.0
        """When the challenger went into shadow [s since day 0]."""
        self._canary_due = False
        self._promoted = (-math.inf, 0)
        self._trained = 0.0
        self._looked = self._closed = 0.0

    def take_over(self, found: Handover) -> None:
        """Go on from where the trainer before stopped."""
        self._promoted, self._trained = found.promoted, found.trained
        self._looked = found.trained
        for version, record in found.versions:
            if version.number == found.challenger:
                self._since = record.trained_day * DAY
        self._canary_due = bool(found.challenger)

    def rested(self) -> bool:
        """Tell whether the last training job is long enough ago for another by itself."""
        return self._office.now - self._trained >= self._policy.cooldown

    def launch(self, made: Candidate) -> None:
        """Let the first champion decide."""
        office, number = self._office, made.version.number
        office.setting.registry.point("champion", number)
        office.setting.registry.point("challenger", None)
        office.lifecycle.begin(made, 0.0)
        office.publish()
        self._measure({"champion": made.record.offline, "baseline": made.record.offline_baseline})
        facts = {**_facts(made), "promoted": number, "at": 0.0}
        office.tell("promotion", f"v{number}, trained before launch, decides", facts=facts)
        office.setting.metrics.promotions.labels("launch").inc()

    def shadow(self, made: Candidate, who: str) -> None:
        """Note a challenger; it scores from now on if it passed the gate."""
        office, number = self._office, made.version.number
        if made.kept:
            office.setting.registry.point("challenger", number)
        office.lifecycle.take(made)
        if made.kept:
            self._since, self._canary_due = office.now, True
            office.publish()
        self._measure({
            "challenger": made.record.offline, "champion": made.record.offline_champion,
            "baseline": made.record.offline_baseline,
        })  # fmt: skip
        office.tell(
            "training", office.lifecycle.last_outcome(), who=who, ok=made.record.gate_passed,
            facts=_facts(made),
        )  # fmt: skip

    def look(self) -> None:
        """Do what is due: train on schedule, canary, promote, roll back.

        Raises
        ------
        SandboxError
            If the registry does not answer; what was due stays due.
        """
        now = self._office.now
        self._keep_to_schedule(now)
        self._bring_in(now)
        self._looked = max(self._looked, now)
        for end in self._office.journal.closed(self._closed):
            self._watch(end)
            self._closed = end

    def asked(self, now: float) -> None:
        """Note that a training job was asked for."""
        self._trained = now

    def promote(self, way: str, who: str = "") -> str:
        """Make the challenger the champion and return that in words.

        Raises
        ------
        SandboxError
            If the registry does not answer; nothing has changed then.
        """
        office = self._office
        life, now = office.lifecycle, office.now
        number, former = life.challenger, life.champion
        office.setting.registry.point("champion", number)
        office.setting.registry.point("challenger", None)
        life.promote(now)
        self._promoted = now, number
        office.publish()
        what = f"v{number} decides in place of v{former}, {way}"
        facts = {"promoted": number, "replaced": former, "way": way, "at": now}
        office.tell("promotion", what, who=who, facts=facts)
        office.setting.metrics.promotions.labels(way).inc()
        return what

    def roll_back(self, reason: str, who: str = "") -> str:
        """Put the former champion back and return that in words.

        Raises
        ------
        SandboxError
            If the registry does not answer; nothing has changed then.
        """
        office = self._office
        life, now = office.lifecycle, office.now
        bad, former = life.champion, life.replaced_by(life.champion)
        assert former is not None
        office.setting.registry.point("champion", former.number)
        life.roll_back(now, reason)
        office.publish()
        what = f"v{life.champion} decides again in place of v{bad}: {reason}"
        facts = {"champion": life.champion, "rolled_back": bad, "at": now}
        office.tell("rollback", what, who=who, facts=facts)
        office.setting.metrics.promotions.labels("rollback").inc()
        return what

    def _measure(self, qualities: Mapping[str, Mapping[str, float]]) -> None:
        """Show what the gate goes by."""
        setting, gate = self._office.setting, self._policy.gate
        task, metrics = setting.prepared.task, setting.metrics
        metric = (gate.metric if gate else None) or task.gate_metric
        shown = metrics.offline_value if metric in task.in_label_unit else metrics.offline
        for who, values in qualities.items():
            if metric in values:
                shown.labels(who).set(values[metric])

    def _keep_to_schedule(self, now: float) -> None:
        office, before = self._office, self._looked
        for trigger in self._policy.when:
            if not trigger.every or math.floor(now / trigger.every) <= before // trigger.every:
                continue
            if not (office.job or office.lifecycle.challenger) and self.rested():
                self.asked(now)
                office.train("on schedule")

    def _bring_in(self, now: float) -> None:
        policy, life = self._policy, self._office.lifecycle
        if not life.challenger or policy.promotion == "by_hand":
            return
        if now >= self._since + policy.shadow:
            self.promote("automatic")
            return
        last_day = now >= self._since + policy.shadow - DAY
        if self._canary_due and policy.canary and policy.shadow >= DAY and last_day:
            self._canary_due = False
            life.canary(policy.canary)
            self._office.publish()
            what = f"v{life.challenger} decides {policy.canary:.0%} of the events"
            facts = {"challenger": life.challenger, "canary": policy.canary}
            self._office.tell("promotion", what, facts=facts)

    def _watch(self, end: float) -> None:
        """Go back to the former champion where a promotion broke what it must not break."""
        policy, office = self._policy.rollback, self._office
        promoted, number = self._promoted
        if not DAY <= end - promoted <= policy.within or office.lifecycle.champion != number:
            return
        if WATCHED not in policy.on or not office.lifecycle.can_roll_back():
            return
        bound = office.setting.prepared.scenario.objectives[WATCHED].bound
        value = self._good_blocked(end)
        if value > bound:
            reason = (
                f"{WATCHED} was {value:.3g} in the day before, as the former champion sees it, "
                f"at most {bound:.3g} allowed"
            )
            self.roll_back(reason)

    def _good_blocked(self, end: float) -> float:
        """Return the share of good events that were blocked in the day before `end`.

        Nobody knows the labels of blocked events, least of all the model that blocked them: the
        one whose place it took is asked how probable it is that each was bad.
        """
        office = self._office
        former = office.lifecycle.replaced_by(office.lifecycle.champion)
        assert former is not None
        start, log = office.setting.prepared.scenario.start_time, office.journal.log
        rows = log.rows_between(start + end - DAY, start + end)
        answered = log.column("dead")[rows] == 0
        seen, task = log.features[rows][answered], office.setting.prepared.task
        negative = 1.0 - task.bad_chance(former.predict(seen), former.spread(seen))
        blocked = log.column("decision")[rows][answered] == BLOCKED
        total = float(negative.sum())
        return float(negative[blocked].sum()) / total if total > 0 else float(np.nan)


def _facts(made: Candidate) -> dict[str, Any]:
    record = made.record
    return {
        "version": record.version, "trigger": record.trigger, "gate_passed": record.gate_passed,
        "reasons": list(record.reasons), "rows": record.rows, "positives": record.positives,
        "offline": record.offline, "offline_champion": record.offline_champion,
    }  # fmt: skip
