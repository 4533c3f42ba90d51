"""What choices about the model do, seen at once: trained on the past, judged on later days."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import SandboxError
from sandbox.model import (
    Evidence,
    ScoredRows,
    TrainingData,
    block_threshold,
    daily_capacity,
    decision_cost,
    fit,
    fit_calibrator,
    train,
)
from sandbox.run.imbalance_folds import Fold, Slices, cut_slices, plan_folds, play_history
from sandbox.run.seeds import stream
from sandbox.run.setup import Prepared
from sandbox.spec.design import Champion, Logistic, ModelSpec

__all__ = ["train_choices"]

METRICS = ("pr_auc", "roc_auc", "brier", "calibration_error", "recall_at_capacity")
_BASELINE = Champion(logistic_regression=Logistic())
Floats = NDArray[np.float64]
Prepare = Callable[[Path | None], Prepared]


def train_choices(prepare: Prepare, design: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Train the candidate's model, its baseline, and the reference's on the same history.

    Parameters
    ----------
    prepare
        Makes a design file ready; None for the reference.
    design
        The candidate's.
    tell
        Told what takes time.

    Returns
    -------
    dict
        ``rows``: figures of each model on later, unseen days; ``facts``: on what, in a sentence.
    """
    yours = _bench(prepare(design))
    tell("training your model and its baseline")
    rows = list(yours.rows())
    tell("training the reference")
    rows.append({**next(_bench(prepare(None)).rows()), "who": "the reference"})
    return {"rows": rows, "facts": yours.facts()}


def replace_champion(spec: ModelSpec) -> ModelSpec:
    """Return the same job for the baseline family, unweighted."""
    return spec.model_copy(
        update={"champion": _BASELINE, "imbalance": "none", "calibration": "isotonic"}
    )


class _Bench(ABC):
    """Slices of a design's history, and the models that are trained and judged on them."""

    def __init__(self, prepared: Prepared) -> None:
        scenario, self.prepared = prepared.scenario, prepared
        training = prepared.design.model.training
        self.fold: Fold = plan_folds(scenario.history, training, scenario.start_time)[0]
        log = play_history(replace(prepared, incidents={}))
        self.part: Slices = cut_slices(prepared, log, self.fold)

    @abstractmethod
    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield figures of each model on the later slice: the design's own, then the baseline."""

    @abstractmethod
    def facts(self) -> str:
        """Return what was trained and judged on, in a sentence."""

    def maturity(self) -> str:
        """Return how old labels are."""
        days = self.prepared.design.model.training.label_maturity / 86400
        return f"labels are at least {days:g} days old."


class _Chances(_Bench):
    """Of a binary task: parts of a training job one by one, whatever they are worth together."""

    def rows(self) -> Iterator[dict[str, Any]]:
        spec = self.prepared.design.model
        yield self._row("your model", spec)
        yield self._row("the baseline on your features", replace_champion(spec))
        if spec.imbalance != "none":
            plain = spec.model_copy(update={"imbalance": "none", "calibration": "isotonic"})
            yield self._row("yours without resampling, calibrated", plain)

    def _row(self, who: str, spec: ModelSpec) -> dict[str, Any]:
        rng = stream(self.prepared.seed, "interview", spec.champion.family, spec.imbalance)
        train, known, later = self.part.train, self.part.calibrate, self.part.test
        fitted = fit(spec.champion, spec.imbalance, spec.ratio, train.features, train.label, rng)
        raw = fitted.estimator.predict(known.features)
        method, factor = spec.calibration, fitted.odds_factor
        if method == "closed_form" and factor is None:
            raise SandboxError(
                "no closed form for this strategy", where="calibration", got=spec.imbalance,
                expected="weight or under_sample",
            )  # fmt: skip
        calibrator = fit_calibrator(method, raw, known.label, factor)
        chosen = calibrator.apply(raw)
        score = calibrator.apply(fitted.estimator.predict(later.features))
        model = spec.champion.family.replace("_", " ")
        if spec.imbalance != "none":
            model += f", {spec.imbalance}"
        return {"who": who, "model": model, **dict(self._figures(chosen, score))}

    def _figures(self, chosen: Floats, score: Floats) -> Iterator[tuple[str, float]]:
        known, later = self.part.calibrate, self.part.test
        decision = self.prepared.design.decision
        measured = self.prepared.task.measure(
            METRICS, later.label, score, day=later.day, capacity=daily_capacity(decision)
        )
        yield from ((name, float(value)) for name, value in measured.items())
        yield "promised", float(score.mean() / later.label.mean())
        above = np.inf
        if decision.block is not None:
            above = (
                decision.block.above
                if decision.block.above is not None
                else block_threshold(
                    chosen, known.label, known.cost_false_decline, known.cost_missed
                ).above
            )
        days = len(np.unique(later.day))
        costs = (later.cost_false_decline, later.cost_missed)
        yield "cost", float(decision_cost(later.label, score, float(above), *costs) / days)
        yield "refused", float((score[later.label == 0] > above).mean())

    def facts(self) -> str:
        train, later = self.part.train, self.part.test
        return (
            f"Trained on {len(train.label):,} past events with {train.positives:,} known "
            f"positives, judged on {len(later.label):,} later ones with {later.positives:,}; "
            f"{self.maturity()}"
        )


class _Errors(_Bench):
    """Of the other tasks: a whole training job as the service does it."""

    def rows(self) -> Iterator[dict[str, Any]]:
        prepared, later = self.prepared, self.part.test.features
        spec, task = prepared.design.model, prepared.task
        version = train(
            _joined(self.part.train, self.part.calibrate), spec, prepared.design.decision, task,
            self.fold.window, now=self.fold.job, seed=prepared.seed, names=prepared.plan.names,
            slate=prepared.plan.slate,
        ).version  # fmt: skip
        pairs = (
            ("your model", spec.champion.family, version.scorer),
            ("the baseline on your features", task.baseline, version.baseline),
        )
        for who, family, scorer in pairs:
            score = scorer.predict(later)
            judged = ScoredRows(score, score, version.block_above, scorer.spread(later))
            model = family.replace("_", " ")
            yield {"who": who, "model": model, **self._figures(judged)}

    def _figures(self, judged: ScoredRows) -> dict[str, float]:
        later, task, slate = self.part.test, self.prepared.task, self.prepared.plan.slate
        group = None if slate is None else later.features[:, slate.request].astype(np.int64)
        names = tuple(dict.fromkeys((task.gate_metric, *task.watched)))
        measured = task.measure(
            names, later.label, judged.score, day=later.day, spread=judged.spread, group=group,
            capacity=daily_capacity(self.prepared.design.decision),
        )  # fmt: skip
        evidence = Evidence(
            later.label, later.day, later.cost_missed, later.cost_false_decline, judged, judged,
            group=group,
        )  # fmt: skip
        return {
            **{name: float(value) for name, value in measured.items()},
            "cost": evidence.cost(task, judged) / len(np.unique(later.day)),
            "refused": evidence.good_blocked(task, judged),
        }

    def facts(self) -> str:
        train, later = self.part.train, self.part.test
        describe = self.prepared.task.describe_labels
        return (
            f"Trained on {len(train.label):,} past events with a known label "
            f"({describe(train.label)}), judged on {len(later.label):,} later ones; "
            f"{self.maturity()}"
        )


def _bench(prepared: Prepared) -> _Bench:
    return (_Chances if prepared.task.name == "binary" else _Errors)(prepared)


def _joined(first: TrainingData, second: TrainingData) -> TrainingData:
    return TrainingData(
        np.concatenate([first.features, second.features]),
        np.concatenate([first.label, second.label]),
        np.concatenate([first.event_time, second.event_time]),
        np.concatenate([first.cost_missed, second.cost_missed]),
        np.concatenate([first.cost_false_decline, second.cost_false_decline]),
    )
