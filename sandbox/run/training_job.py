"""A training job: everything it needs, so that it can run while the system goes on."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.model import (
    GateVerdict,
    ModelVersion,
    Trained,
    TrainingData,
    daily_capacity,
    judge,
    plan_training,
    refit,
    train,
)
from sandbox.record import VersionRecord
from sandbox.run.seeds import stream
from sandbox.run.setup import DAY, Prepared
from sandbox.spec.design import ModelSpec

__all__ = ["Candidate", "TrainingJob", "category_columns"]


@dataclass(frozen=True)
class Candidate:
    """What a training job gave."""

    version: ModelVersion
    record: VersionRecord
    kept: bool
    """Whether it may serve."""


@dataclass(frozen=True)
class TrainingJob:
    """Data and settings of one version to come. Running it changes nothing else."""

    prepared: Prepared
    spec: ModelSpec
    data: TrainingData
    asked: float
    """[s since day 0]"""
    trigger: str
    number: int
    champion: ModelVersion | None
    """Whom it is held against; None before there is one."""
    keep: bool = False
    """Let it serve whatever the gate says."""
    first: bool = False
    """There is nothing to hold it against."""

    def run(self) -> Candidate:
        """Train, put it to the gate, and fit it again on all its data if it may serve.

        Raises
        ------
        CannotTrain
            If there is too little to learn from.
        """
        trained = self._train()
        verdict = GateVerdict.unopposed() if self.first else self._judge(trained)
        kept = verdict.passed or self.keep
        version = trained.version
        if kept and self.spec.training.refit:
            version = refit(
                trained,
                self.data,
                self.spec,
                self.prepared.task,
                seed=self.prepared.seed,
                slate=self.prepared.plan.slate,
            )
        return Candidate(version, self._record(version, verdict), kept)

    def _train(self) -> Trained:
        design, epoch = self.prepared.design, self.prepared.scenario.start_time + self.asked
        return train(
            self.data,
            self.spec,
            design.decision,
            self.prepared.task,
            plan_training(epoch, self.spec.training),
            now=epoch,
            seed=self.prepared.seed,
            names=self.prepared.plan.names,
            number=self.number,
            trigger=self.trigger,
            champion=self.champion,
            slate=self.prepared.plan.slate,
        )

    def _judge(self, trained: Trained) -> GateVerdict:
        prepared = self.prepared
        gate = prepared.design.retraining.gate
        if gate is None:
            return GateVerdict.unopposed()
        columns = prepared.scenario.event.columns
        return judge(
            gate,
            prepared.task,
            trained.evidence,
            capacity=daily_capacity(prepared.design.decision),
            rng=stream(prepared.seed, "gate", self.number),
            slice_names={name: columns[name].values for name in category_columns(prepared)},
        )

    def _record(self, version: ModelVersion, verdict: GateVerdict) -> VersionRecord:
        start, window = self.prepared.scenario.start_time, version.window
        until = window.validation_to if version.refitted else window.train_to
        return VersionRecord(
            version=version.number,
            trigger=version.trigger,
            trained_day=self.asked / DAY,
            train_from_day=(window.train_from - start) / DAY,
            train_to_day=(until - start) / DAY,
            rows=version.rows,
            positives=version.positives,
            offline=dict(version.offline),
            offline_champion=dict(version.offline_champion),
            offline_baseline=dict(version.offline_baseline),
            gate_passed=verdict.passed,
            reasons=verdict.reasons,
        )


def category_columns(prepared: Prepared) -> tuple[str, ...]:
    """Return the event columns that quality is also judged by slices of."""
    columns = prepared.scenario.event.columns
    return tuple(name for name, column in columns.items() if column.type == "category")
