"""Champion, challenger, and what became of every version: train, judge, promote, roll back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from sandbox.errors import SandboxError
from sandbox.model import CannotTrain, ModelVersion, TrainingData, plan_training
from sandbox.record import VersionRecord
from sandbox.run.log import DecisionLog
from sandbox.run.setup import DAY, Prepared
from sandbox.run.training_job import Candidate, TrainingJob, category_columns
from sandbox.spec.design import ModelSpec

__all__ = ["Deciders", "Lifecycle"]

_NOBODY: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True)
class Deciders:
    """Who decides now."""

    champion: ModelVersion
    canary: ModelVersion | None = None
    """A challenger that decides `share` of the events."""
    share: float = 0.0


class Lifecycle:
    """Versions of the model, kept in memory, and how they come and go.

    Parameters
    ----------
    prepared
        Design, task and seed.
    log
        The decision log, which training data are made from.
    """

    def __init__(self, prepared: Prepared, log: DecisionLog) -> None:
        self._prepared, self._log = prepared, log
        self._models: dict[int, ModelVersion] = {}
        self._places: dict[int, int] = {}
        """Where in `records` the record of a version stands."""
        self._replaced: dict[int, int] = {}
        self._last = 0
        self._champion = 0
        self._challenger = 0
        self._canary = 0.0
        self._explored = [(-np.inf, prepared.design.decision.explore)]
        """From when on which share of would-be blocked events was let through [s since epoch]."""
        self._outcome = ""
        self._spec = prepared.design.model
        self.records: list[VersionRecord] = []
        self.refusals: list[str] = []
        """Training jobs that had too little to learn from, in words."""

    @property
    def champion(self) -> int:
        """Number of the version that decides; 0 before the first."""
        return self._champion

    @property
    def challenger(self) -> int:
        """Number of the version in shadow; 0 for none."""
        return self._challenger

    def model(self, number: int) -> ModelVersion:
        """Return a version."""
        return self._models[number]

    def can_roll_back(self) -> bool:
        """Tell whether the champion took the place of another."""
        return self._champion in self._replaced

    def replaced_by(self, number: int) -> ModelVersion | None:
        """Return the version that `number` took the place of."""
        former = self._replaced.get(number)
        return self._models[former] if former else None

    def deciders(self) -> Deciders:
        """Return who decides now."""
        champion = self._models[self._champion]
        if not (self._canary and self._challenger):
            return Deciders(champion)
        return Deciders(champion, self._models[self._challenger], self._canary)

    def describe(self) -> str:
        """Return champion and challenger in words."""
        record = self._record(self._champion)
        words = f"v{self._champion} champion since day {record.promoted_day or 0:.0f}"
        if self._challenger:
            words += f", v{self._challenger} in {'canary' if self._canary else 'shadow'}"
        return words

    def start(self, now: float) -> None:
        """Train the first champion on the history; there is nothing to hold it against.

        Raises
        ------
        SandboxError
            If the history does not suffice.
        """
        try:
            first = self.job(now, "before launch", first=True).run()
        except CannotTrain as error:
            raise self.no_first(error) from error
        self.begin(first, now)

    def no_first(self, error: CannotTrain) -> SandboxError:
        """Return what to say where the history does not suffice."""
        return SandboxError(
            f"the first model cannot be trained: {error.what}",
            where=self._prepared.design_name,
            got=error.got,
            expected=error.expected,
            hint="Shorten model.training, or give the scenario a longer history.",
        )

    def begin(self, first: Candidate, now: float) -> None:
        """Let the first champion decide."""
        self._champion = self._add(first)
        self._amend(self._champion, promoted_day=now / DAY)

    def challenge(self, now: float, trigger: str, *, keep: bool = False) -> bool:
        """Train a challenger on what is known at `now` [s since day 0] and put it to the gate.

        Parameters
        ----------
        keep
            Let it into shadow whatever the gate says: somebody else decides.

        Returns
        -------
        bool
            Whether it goes into shadow; the record of the version, or the last of `refusals`,
            says why or why not.
        """
        try:
            candidate = self.job(now, trigger, keep=keep).run()
        except CannotTrain as error:
            self.refuse(error, now, trigger)
            return False
        return self.take(candidate)

    def job(
        self, now: float, trigger: str, *, keep: bool = False, first: bool = False
    ) -> TrainingJob:
        """Return a training job on what is known at `now`, to be run by whoever asked.

        What came of it goes to `begin`, `take` or `refuse`.
        """
        return TrainingJob(
            self._prepared, self._spec, self._training_data(now), now, trigger,
            number=self._last + 1, champion=self._models.get(self._champion), keep=keep,
            first=first,
        )  # fmt: skip

    def take(self, candidate: Candidate) -> bool:
        """Note a version and put it into shadow if it may serve; return whether it does."""
        number, record = self._add(candidate), candidate.record
        if candidate.kept:
            self._challenger, self._canary = number, 0.0
        said = "passed the gate" if record.gate_passed else "failed the gate"
        self._outcome = f"v{number} {said}: {' '.join(record.reasons)}"
        return candidate.kept

    def refuse(self, error: CannotTrain, now: float, trigger: str) -> None:
        """Note that there was too little to learn from."""
        self.refusals.append(f"Day {now / DAY:.0f}, {trigger}: {error}")
        self._outcome = f"nothing was trained: {error}"

    def number_from(self, number: int) -> None:
        """Give the next version at least this number: lower ones are taken elsewhere."""
        self._last = max(self._last, number - 1)

    def adopt(self, version: ModelVersion, record: VersionRecord) -> None:
        """Note a version that was trained before this process began; it has no part yet."""
        self._add(Candidate(version, record, kept=False))

    def cast(
        self, champion: int, challenger: int = 0, replaced: Mapping[int, int] = _NOBODY
    ) -> None:
        """Give adopted versions their parts.

        Parameters
        ----------
        replaced
            For a champion, present or past, the version whose place it took.
        """
        self._champion, self._challenger, self._canary = champion, challenger, 0.0
        self._replaced.update(replaced)

    def last_outcome(self) -> str:
        """Return what came of the last `challenge`, in words."""
        return self._outcome

    def use(self, spec: ModelSpec) -> None:
        """Train like this from now on."""
        self._spec = spec

    def act_above(self, review: float | None, block: float | None, now: float) -> None:
        """Give the champion other thresholds; None leaves one as it is."""
        version = self._models[self._champion]
        self._models[self._champion] = replace(
            version,
            review_above=version.review_above if review is None else review,
            block_above=version.block_above if block is None else block,
            block_reason=version.block_reason if block is None else f"by hand, day {now / DAY:.0f}",
        )

    def explore(self, share: float, now: float) -> None:
        """Weigh rows explored from `now` [s since day 0] on for this share."""
        self._explored.append((self._prepared.scenario.start_time + now, share))

    def canary(self, share: float) -> None:
        """Let the challenger decide this share of the events; 0 puts it back into shadow."""
        self._canary = share if self._challenger else 0.0

    def promote(self, now: float) -> None:
        """Make the challenger the champion."""
        number, former = self._challenger, self._champion
        self._amend(former, retired_day=now / DAY)
        self._amend(number, promoted_day=now / DAY)
        self._replaced[number] = former
        self._champion, self._challenger, self._canary = number, 0, 0.0

    def roll_back(self, now: float, reason: str) -> None:
        """Put the former champion back."""
        bad = self._champion
        former = self._replaced[bad]
        record = self._record(bad)
        reasons = (*record.reasons, f"Rolled back on day {now / DAY:.0f}: {reason}.")
        self._amend(bad, retired_day=now / DAY, rolled_back=True, reasons=reasons)
        self._amend(former, retired_day=None)
        self._champion = former

    def _training_data(self, now: float) -> TrainingData:
        """Join the log with the labels known at `now`.

        Rows whose decision hides their label have none. An explored row stands for all the blocked
        rows like it, so it counts as often as one was drawn of the share explored when it came
        (inverse propensity).
        """
        epoch = self._prepared.scenario.start_time + now
        window = plan_training(epoch, self._spec.training)
        log, absence = self._log, self._prepared.scenario.labels.absence_means
        span = log.rows_between(window.train_from, window.validation_to)
        rows = np.arange(span.start, span.stop)[log.column("dead")[span] == 0]
        explored = log.column("explored")[rows]
        since, share = np.array(self._explored).T
        then = np.searchsorted(since, log.column("processing_time")[rows], side="right") - 1
        times = np.rint(1.0 / np.where(share[then] > 0, share[then], 1.0)).astype(np.int64)
        if not self._prepared.task.has_groups:  # a page with a candidate ten times is no page
            rows = np.repeat(rows, np.where(explored, times, 1))
        label = log.known_label(rows, epoch, absence)
        return TrainingData(
            features=log.features[rows],
            label=np.where(log.column("hidden")[rows], np.nan, label),
            event_time=log.column("event_time")[rows],
            cost_missed=log.column("cost_missed")[rows],
            cost_false_decline=log.column("cost_false_decline")[rows],
            slices={name: log.column(name)[rows] for name in category_columns(self._prepared)},
        )

    def _add(self, candidate: Candidate) -> int:
        number = candidate.version.number
        self._models[number] = candidate.version
        self._last = max(self._last, number)
        if number not in self._places:
            self._places[number] = len(self.records)
            self.records.append(candidate.record)
        return number

    def _record(self, number: int) -> VersionRecord:
        return self.records[self._places[number]]

    def _amend(self, number: int, **changes: Any) -> None:
        self.records[self._places[number]] = replace(self._record(number), **changes)
