"""What choices about the model do, seen at once: trained on the past, judged on later days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import SandboxError
from sandbox.model import block_threshold, daily_capacity, decision_cost, fit, fit_calibrator
from sandbox.run.imbalance_folds import Slices, cut_slices, plan_folds, play_history
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
    yours = prepare(design)
    tell("training your model and its baseline")
    part = _slices(yours)
    spec = yours.design.model
    rows = [_row("your model", yours, part, spec)]
    rows.append(_row("the baseline on your features", yours, part, replace_champion(spec)))
    if spec.imbalance != "none":
        plain = spec.model_copy(update={"imbalance": "none", "calibration": "isotonic"})
        rows.append(_row("yours without resampling, calibrated", yours, part, plain))
    tell("training the reference")
    reference = prepare(None)
    rows.append(_row("the reference", reference, _slices(reference), reference.design.model))
    return {"rows": rows, "facts": _facts(part, yours)}


def replace_champion(spec: ModelSpec) -> ModelSpec:
    """Return the same job for the baseline family, unweighted."""
    return spec.model_copy(
        update={"champion": _BASELINE, "imbalance": "none", "calibration": "isotonic"}
    )


def _slices(prepared: Prepared) -> Slices:
    scenario = prepared.scenario
    training = prepared.design.model.training
    fold = plan_folds(scenario.history, training, scenario.start_time)[0]
    return cut_slices(prepared, play_history(replace(prepared, incidents={})), fold)


def _row(who: str, prepared: Prepared, part: Slices, spec: ModelSpec) -> dict[str, Any]:
    rng = stream(prepared.seed, "interview", spec.champion.family, spec.imbalance)
    train, known, later = part.train, part.calibrate, part.test
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
    return {"who": who, "model": model, **dict(_figures(prepared, part, chosen, score))}


def _figures(
    prepared: Prepared, part: Slices, chosen: Floats, score: Floats
) -> Iterator[tuple[str, float]]:
    known, later = part.calibrate, part.test
    decision = prepared.design.decision
    capacity = daily_capacity(decision)
    measured = prepared.task.measure(METRICS, later.label, score, day=later.day, capacity=capacity)
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


def _facts(part: Slices, prepared: Prepared) -> str:
    train, later = part.train, part.test
    maturity = prepared.design.model.training.label_maturity / 86400
    return (
        f"Trained on {len(train.label):,} past events with {train.positives:,} known positives, "
        f"judged on {len(later.label):,} later ones with {later.positives:,}; labels are at least "
        f"{maturity:g} days old."
    )
