"""Folds of the imbalance laboratory: jobs ordered in time, each with a later test slice.

Folds are as a training job meets them (prequential evaluation; Gama, Sebastião and Rodrigues,
2013)::

    |---- training ----|- calibration -|-- labels maturing --|- test -|-- labels maturing --|
                                                            job

What a job could not know it does not see; the test slice is measured against the labels that are
known one maturity after its end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sandbox.errors import UsageError
from sandbox.model import CannotTrain, TrainingData, TrainingWindow, plan_training
from sandbox.run.log import DecisionLog
from sandbox.run.service import Service
from sandbox.run.setup import DAY, Prepared
from sandbox.run.traffic import BLOCK, Traffic
from sandbox.spec.design import Training

__all__ = ["FOLDS", "Fold", "Slices", "cut_slices", "plan_folds", "play_history"]

FOLDS = 3
"""Most folds; fewer where the history is short."""
_LEAST_POSITIVES = 10


@dataclass(frozen=True)
class Fold:
    """One training job and the later events that judge it. Times as in its window [s]."""

    window: TrainingWindow
    job: float
    """When the job starts, and the test slice with it."""
    test_to: float
    known_at: float
    """When the labels of the test slice are read."""


@dataclass(frozen=True)
class Slices:
    """What one fold learns from, calibrates on and is measured on."""

    train: TrainingData
    calibrate: TrainingData
    test: TrainingData
    unreported: int
    """Positives of the test slice that nobody has reported yet."""


def plan_folds(history: float, training: Training, start: float = 0.0) -> tuple[Fold, ...]:
    """Plan up to `FOLDS` jobs, newest first; their test slices do not overlap.

    Parameters
    ----------
    history
        Length of the history [s].
    training
        Slices of a job. A test slice is as long as the validation slice, or what is left.
    start
        The end of the history, as a time [s].

    Raises
    ------
    UsageError
        If the history is too short for one fold with a day of test.
    """
    before = training.window + training.validation + 2 * training.label_maturity
    length = min(training.validation, math.floor((history - before) / DAY) * DAY)
    if length < DAY:
        raise UsageError(
            "the history is too short to train, calibrate and test on",
            where="history",
            got=f"{history / DAY:g}d",
            expected=f"at least {math.ceil((before + DAY) / DAY)}d: training window, validation, "
            "twice the label maturity, and a day of test",
            hint="Try --set history=..., or shorten model.training.window.",
        )
    count = min(FOLDS, int((history - before) / length))
    folds = []
    for number in range(count):
        known_at = start - number * length
        test_to = known_at - training.label_maturity
        job = test_to - length
        folds.append(Fold(plan_training(job, training), job, test_to, known_at))
    return tuple(folds)


def play_history(prepared: Prepared) -> DecisionLog:
    """Return the log of the days before day 0, in which nobody decides anything."""
    traffic, service = Traffic(prepared), Service(prepared)
    for index in range(-math.ceil(prepared.scenario.history / BLOCK), 0):
        service.remember(traffic.block(index))
    return service.log


def cut_slices(prepared: Prepared, log: DecisionLog, fold: Fold) -> Slices:
    """Return the rows of a fold with the labels known at the time.

    Raises
    ------
    CannotTrain
        If a slice holds too few cases, such as positives.
    """
    window = fold.window
    train = _known(prepared, log, window.train_from, window.train_to, fold.job)
    calibrate = _known(prepared, log, window.train_to, window.validation_to, fold.job)
    test = _known(prepared, log, fold.job, fold.test_to, fold.known_at)
    truth = _known(prepared, log, fold.job, fold.test_to, math.inf)
    for rows, name in ((train, "training"), (calibrate, "calibration"), (test, "test")):
        missing = prepared.task.why_too_little(rows.label, least=_LEAST_POSITIVES)
        if missing:
            cases = prepared.task.cases_in(rows.label)
            raise CannotTrain(
                f"too little to learn from in the {name} slice",
                got=f"{cases:.0f} {prepared.task.cases} in {len(rows.label)} rows",
                expected=missing,
                hint="Lengthen model.training.validation or the history.",
            )
    return Slices(train, calibrate, test, truth.positives - test.positives)


def _known(
    prepared: Prepared, log: DecisionLog, begin: float, end: float, now: float
) -> TrainingData:
    """Return valid events of ``[begin, end)`` with the labels known at `now` (inf: the truth)."""
    time = log.column("event_time")
    rows = np.flatnonzero((log.column("dead") == 0) & (time >= begin) & (time < end))
    absence = prepared.scenario.labels.absence_means
    data = TrainingData(
        features=log.features[rows],
        label=log.column("label")[rows] if now == math.inf else log.known_label(rows, now, absence),
        event_time=time[rows],
        cost_missed=log.column("cost_missed")[rows],
        cost_false_decline=log.column("cost_false_decline")[rows],
    )
    return data.rows(np.ones(len(rows), dtype=np.bool_))
