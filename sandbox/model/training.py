"""A training job: fit on the past, calibrate and choose cut-offs on what came later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import SandboxError, UsageError
from sandbox.model.calibration import Calibrator, Identity, fit_calibrator, fit_conformal
from sandbox.model.evidence import Evidence, ScoredRows, cross_fitted, cross_fitted_spread
from sandbox.model.fitting import Fitted, fit_both, fit_for
from sandbox.model.regression import LogRegression
from sandbox.model.splits import TrainingWindow
from sandbox.model.threshold import block_threshold, review_threshold
from sandbox.model.version import ModelVersion, Scorer
from sandbox.spec.design import Decision, ModelSpec
from sandbox.task import Task
from sandbox.task.regression import COVERAGE
from sandbox.task.slates import SlateColumns

__all__ = ["CannotTrain", "Trained", "TrainingData", "daily_capacity", "refit", "train"]

DAY = 86400.0
MIN_POSITIVES = 10
MIN_VALIDATION_POSITIVES = 5
_NO_CODES: Mapping[str, NDArray[Any]] = {}


class CannotTrain(SandboxError):
    """There is too little to learn from; a run notes it and goes on with the champion it has."""


@dataclass(frozen=True)
class TrainingData:
    """Logged decisions joined with the labels known now. Every array has n rows.

    Raises
    ------
    ValueError
        If the arrays differ in length.
    """

    features: NDArray[np.float32]
    """Shape (n, f), as logged when the decision was made."""
    label: NDArray[np.float64]
    """NaN where the truth will never be known (a blocked event); those are left out."""
    event_time: NDArray[np.float64]
    """On the clock of the `TrainingWindow` [s]; midnight is a multiple of 86,400."""
    cost_missed: NDArray[np.float64]
    """USD lost if the row is positive and goes through; NaN where a column it needs is missing."""
    cost_false_decline: NDArray[np.float64]
    """USD lost if the row is negative and is blocked."""
    slices: Mapping[str, NDArray[Any]] = field(default_factory=lambda: _NO_CODES)
    """Category codes by column, for the gate."""

    def __post_init__(self) -> None:
        columns = (self.label, self.event_time, self.cost_missed, self.cost_false_decline)
        for column in (*columns, *self.slices.values()):
            if len(column) != len(self.features):
                raise ValueError(f"expected {len(self.features)} rows, got {len(column)}")

    def rows(self, mask: NDArray[np.bool_]) -> TrainingData:
        """Return the rows of a mask whose label is known; unknown costs count as the mean."""
        kept = np.flatnonzero(mask & ~np.isnan(self.label))
        return TrainingData(
            self.features[kept],
            self.label[kept],
            self.event_time[kept],
            _filled(self.cost_missed[kept]),
            _filled(self.cost_false_decline[kept]),
            {name: codes[kept] for name, codes in self.slices.items()},
        )

    @property
    def positives(self) -> int:
        """Number of rows with label 1."""
        return int(np.count_nonzero(self.label == 1))

    @property
    def day(self) -> NDArray[np.int64]:
        """Day number of each row."""
        return np.floor(self.event_time / DAY).astype(np.int64)


@dataclass(frozen=True)
class Trained:
    """A candidate, and the evidence to judge it by."""

    version: ModelVersion
    evidence: Evidence


def daily_capacity(decision: Decision) -> float:
    """Return the cases a day that people can review; 0 without a review band."""
    return decision.review.capacity * DAY if decision.review else 0.0


def train(
    data: TrainingData,
    model: ModelSpec,
    decision: Decision,
    task: Task,
    window: TrainingWindow,
    *,
    now: float,
    seed: int,
    names: tuple[str, ...],
    number: int = 1,
    trigger: str = "initial",
    champion: ModelVersion | None = None,
    slate: SlateColumns | None = None,
) -> Trained:
    """Train a candidate on the training slice and measure it on the validation slice.

    Parameters
    ----------
    now
        When the job runs, on the clock of `window` [s]; recorded, not read from any clock.
    seed
        With `number` it seeds all randomness: the same data gives the same candidate.
    names
        Columns of ``data.features``.
    champion
        The model of the time. Candidate, champion and baseline are then measured on the validation
        rows that the champion has not seen itself; all of them without a champion.
    slate
        Columns of the features that name request, user and item; of a ranking only.

    Raises
    ------
    CannotTrain
        If a slice holds too little to learn from, too few positives for example.
    UsageError
        If model family, calibration and strategy do not go together.
    """
    check_model(model, task)
    past, later = _slices(data, window, model, task)
    rng = _rng(seed, number)
    slate = _with_kind(slate, model, names)
    seen = _blinded(past.features, names, model)
    fitted, plain = fit_both(model, task, seen, past.label, rng, slate)
    baseline = Scorer(plain, Identity())
    scorer, candidate = _calibrated(model, fitted, later)
    span = (window.validation_to - window.train_to) / DAY
    review_above, block_above, reason = _cut_offs(decision, task, later, scorer, span)
    candidate = replace(candidate, block_above=block_above)
    version = ModelVersion(
        number=number,
        scorer=scorer,
        baseline=baseline,
        names=names,
        review_above=review_above,
        block_above=block_above,
        block_reason=reason,
        trained_at=now,
        window=window,
        trigger=trigger,
        rows=len(past.label),
        positives=int(task.cases_in(past.label)),
    )
    evidence = _evidence(later, candidate, baseline, champion, slate)
    return _with_offline(version, evidence, task, daily_capacity(decision))


def refit(
    trained: Trained, data: TrainingData, model: ModelSpec, task: Task, *, seed: int,
    slate: SlateColumns | None = None,
) -> ModelVersion:  # fmt: skip
    """Fit an accepted candidate again on training and validation slices together.

    The newest mature week is the most like what comes next; it has done its service as a judge.
    Calibrator and cut-offs stay as they were chosen on rows the candidate had not seen (a
    closed-form correction follows the new class ratio). Offline metrics stay those of the
    candidate: the refitted model has no unseen mature rows left to be measured on. The baseline is
    not fitted again: it decides nothing.
    """
    version = trained.version
    window = version.window
    mask = window.training_rows(data.event_time) | window.validation_rows(data.event_time)
    rows = data.rows(mask)
    rng = _rng(seed, version.number)
    slate = _with_kind(slate, model, version.names)
    seen = _blinded(rows.features, version.names, model)
    fitted = fit_for(model.champion, model, task, seen, rows.label, rng, slate)
    calibrator = version.scorer.calibrator
    if model.calibration == "closed_form":
        calibrator = fit_calibrator("closed_form", rows.label, rows.label, fitted.odds_factor)
    return replace(
        version,
        scorer=Scorer(fitted.estimator, calibrator),
        rows=len(rows.label),
        positives=int(task.cases_in(rows.label)),
        refitted=True,
    )


def check_model(model: ModelSpec, task: Task) -> None:
    """Raise `UsageError` if the parts of a model do not go together; no data is needed."""
    if model.champion.family not in task.families:
        raise UsageError(
            f"model family cannot learn task {task.name}",
            where="model.champion",
            got=model.champion.family,
            expected=f"one of {', '.join(task.families)}",
        )
    for what, got, known in (
        ("baseline", model.baseline or task.baseline, (task.baseline,)),
        ("calibration", model.calibration, task.calibrations),
        ("imbalance", model.imbalance, task.strategies),
    ):
        if got not in known:
            raise UsageError(
                f"means nothing to task {task.name}",
                where=f"model.{what}",
                got=got,
                expected=f"one of {', '.join(known)}" if len(known) > 1 else known[0],
            )
    if model.retrieval is not None and not task.has_groups:
        raise UsageError(
            f"means nothing to task {task.name}", where="model.retrieval", expected="no such key"
        )
    factor = None if model.imbalance == "smote" else 1.0
    if model.calibration == "closed_form":
        fit_calibrator("closed_form", np.empty(0), np.empty(0), factor)


def _filled(cost: NDArray[np.float64]) -> NDArray[np.float64]:
    unknown = np.isnan(cost)
    if not unknown.any():
        return cost
    mean = 0.0 if unknown.all() else float(cost[~unknown].mean())
    return np.where(unknown, mean, cost)


def _rng(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng((seed, number))


def _blinded(
    features: NDArray[np.float32], names: tuple[str, ...], model: ModelSpec
) -> NDArray[np.float32]:
    """Return the features with those that the model may not see held at one value.

    What is constant in training splits no tree and gets no weight, so that prediction needs no
    mask.
    """
    hidden = [names.index(name) for name in model.without]
    if not hidden:
        return features
    seen = features.copy()
    seen[:, hidden] = 0.0
    return seen


def _with_kind(
    slate: SlateColumns | None, model: ModelSpec, names: tuple[str, ...]
) -> SlateColumns | None:
    """Return the columns that name things, with that of an item's kind where the model wants it."""
    kind = model.retrieval.kind if model.retrieval else None
    return slate if slate is None or kind is None else replace(slate, kind=names.index(kind))


def _calibrated(model: ModelSpec, fitted: Fitted, later: TrainingData) -> tuple[Scorer, ScoredRows]:
    """Calibrate on the later rows; return the scorer, and what it says about these rows."""
    raw, day = fitted.estimator.predict(later.features), later.day
    estimator = fitted.estimator
    if isinstance(estimator, LogRegression):
        spread, error = estimator.spread(later.features), np.abs(np.log(later.label / raw))
        calibrator: Calibrator = Identity()
        if model.calibration == "conformal":
            calibrator = fit_conformal(error, spread, COVERAGE)
            spread = cross_fitted_spread(error, spread, day, COVERAGE)
        return Scorer(estimator, calibrator), ScoredRows(raw, raw, spread=spread)
    calibrator = fit_calibrator(model.calibration, raw, later.label, fitted.odds_factor)
    score = calibrator.apply(raw)
    fresh = cross_fitted(model.calibration, raw, later.label, day, fitted.odds_factor, score)
    return Scorer(estimator, calibrator), ScoredRows(score, fresh)


def _slices(
    data: TrainingData, window: TrainingWindow, model: ModelSpec, task: Task
) -> tuple[TrainingData, TrainingData]:
    past = data.rows(window.training_rows(data.event_time))
    later = data.rows(window.validation_rows(data.event_time))
    fitted = model.calibration in ("sigmoid", "isotonic", "conformal")
    least = MIN_VALIDATION_POSITIVES if fitted else 0
    for rows, name, cases in ((past, "training", MIN_POSITIVES), (later, "validation", least)):
        missing = task.why_too_little(rows.label, least=cases)
        if missing:
            raise CannotTrain(
                f"too little to learn from in the {name} slice",
                got=f"{task.cases_in(rows.label):.0f} {task.cases} in {len(rows.label)} rows with "
                "known labels",
                expected=missing,
                hint="Lengthen the slice, or wait for labels.",
            )
    return past, later


def _cut_offs(
    decision: Decision, task: Task, later: TrainingData, scorer: Scorer, days: float
) -> tuple[float, float, str]:
    score, spread = scorer.predict(later.features), scorer.spread(later.features)
    risk = score if spread is None else spread
    block_above, reason = np.inf, "the design blocks nothing"
    if decision.block and decision.block.above is not None:
        block_above, reason = decision.block.above, "set by the design"
    elif decision.block:
        bad, costs = task.is_bad(later.label, score), (later.cost_false_decline, later.cost_missed)
        choice = block_threshold(risk, bad, *costs, probabilities=spread is None)
        block_above, reason = choice.above, choice.text
    review_above = np.inf
    if decision.review and decision.review.above is not None:
        review_above = decision.review.above
    elif decision.review:
        review_above = review_threshold(risk, days, daily_capacity(decision), block_above)
    return float(review_above), float(block_above), reason


def _evidence(
    later: TrainingData, candidate: ScoredRows, baseline: Scorer, champion: ModelVersion | None,
    slate: SlateColumns | None,
) -> Evidence:  # fmt: skip
    # On rows it was fitted or calibrated on, a champion would look better than it is.
    seen_to = -np.inf if champion is None else champion.window.validation_to
    kept = np.flatnonzero(later.event_time >= seen_to)
    seen = later.features[kept]
    base = baseline.predict(seen)
    held = None
    if champion is not None:
        score = champion.predict(seen)
        held = ScoredRows(score, score, champion.block_above, champion.spread(seen))
    spread = None if candidate.spread is None else candidate.spread[kept]
    return Evidence(
        label=later.label[kept],
        day=later.day[kept],
        cost_missed=later.cost_missed[kept],
        cost_false_decline=later.cost_false_decline[kept],
        challenger=ScoredRows(
            candidate.score[kept], candidate.fresh[kept], candidate.block_above, spread
        ),
        baseline=ScoredRows(base, base, candidate.block_above, baseline.spread(seen)),
        champion=held,
        slices={name: codes[kept] for name, codes in later.slices.items()},
        group=None if slate is None else seen[:, slate.request].astype(np.int64),
    )


def _with_offline(
    version: ModelVersion, evidence: Evidence, task: Task, capacity: float
) -> Trained:
    champion = evidence.champion
    measured = replace(
        version,
        offline=evidence.offline(task, evidence.challenger, capacity),
        offline_baseline=evidence.offline(task, evidence.baseline, capacity),
        offline_champion=evidence.offline(task, champion, capacity) if champion else {},
    )
    return Trained(measured, evidence)
