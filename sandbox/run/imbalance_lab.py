"""The imbalance laboratory: every strategy learns from the same past and is judged on later weeks.

Strategies are fitted on the training slice of a fold; calibrators are fitted and cut-offs are
chosen on its calibration slice, and all are measured on its test slice
(see `sandbox.run.imbalance_folds`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError, suggest
from sandbox.model import (
    METHODS,
    STRATEGIES,
    Evidence,
    ScoredRows,
    block_threshold,
    compare,
    daily_capacity,
    decision_cost,
    fit,
    fit_calibrator,
)
from sandbox.record import LabRecord
from sandbox.run.imbalance_folds import Slices, cut_slices, plan_folds, play_history
from sandbox.run.imbalance_lesson import lesson
from sandbox.run.seeds import stream
from sandbox.run.setup import DAY, Prepared
from sandbox.spec.design import Champion, Imbalance, Logistic
from sandbox.task.metrics import reliability_curve

__all__ = ["choose_strategies", "run_imbalance_lab"]

METRICS = ("pr_auc", "roc_auc", "brier", "calibration_error", "recall_at_capacity")
_BASELINE = Champion(logistic_regression=Logistic())
_CURVE_POINTS = 200
_BINS = 20
_90_PERCENT = 1.645
"""Standard errors from the middle of a 90 % interval to its edge."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Trial:
    """One model of one fold: scores of the test slice, and figures, by correction."""

    strategy: str
    model: str
    scores: dict[str, Floats]
    figures: dict[str, dict[str, float]]


def choose_strategies(asked: str) -> tuple[Imbalance, ...]:
    """Return the strategies of ``all`` or ``a,b``; `none` is always among them, as the reference.

    Raises
    ------
    UsageError
        For an unknown name.

    Examples
    --------
    >>> choose_strategies("smote,weight")
    ('none', 'weight', 'smote')
    """
    names = {name.strip() for name in asked.split(",")}
    for name in sorted(names - {"all", *STRATEGIES}):
        raise UsageError(
            "unknown strategy",
            where="--strategies",
            got=name,
            expected=f"all, or some of {','.join(STRATEGIES)}",
            hint=suggest(name, STRATEGIES),
        )
    return tuple(s for s in STRATEGIES if s in names or s == "none" or "all" in names)


def run_imbalance_lab(
    prepared: Prepared,
    strategies: Sequence[Imbalance],
    command: str,
    tell: Callable[[str], None] = lambda text: None,
) -> LabRecord:
    """Hold imbalance strategies against each other on a scenario's history.

    Parameters
    ----------
    prepared
        Scenario and design. Family, ratio, slices, capacity and costs are theirs.
    strategies
        Names, `none` among them.
    command
        What was typed, for the record.
    tell
        Told of progress, in words.

    Raises
    ------
    UsageError
        If the task has no such metrics, or the history is too short.
    CannotTrain
        If a slice holds too few positives.
    """
    if prepared.task.strategies == ("none",):
        raise UsageError(
            f"{prepared.name}: nothing is rare in task {prepared.task.name}, so there is no "
            "strategy to compare",
            expected="a scenario of task binary",
        )
    prepared.task.check_metrics(METRICS, where="task")
    scenario, training = prepared.scenario, prepared.design.model.training
    folds = plan_folds(scenario.history, training, scenario.start_time)
    tell(f"{scenario.history / DAY:g} days of history")
    log = play_history(prepared)
    parts = [cut_slices(prepared, log, fold) for fold in folds]
    trials: list[list[_Trial]] = []
    for number, part in enumerate(parts):
        tell(f"fold {number + 1} of {len(folds)}")
        trials.append(_fold_trials(prepared, part, strategies, number))
    folded = enumerate(zip(trials, parts, strict=True))
    differences = [_differences(prepared, *pair, number) for number, pair in folded]
    rows = tuple(_rows(trials, differences))
    return LabRecord(
        kind="imbalance",
        title=f"{scenario.title}: imbalance strategies",
        command=command,
        facts=_facts(prepared, parts),
        lesson=lesson(rows),
        rows=rows,
        notes=_NOTES,
        curves=_curves(trials[0], parts[0]),
    )


_NOTES = (
    "Figures are means over the folds; curves are those of the newest fold.",
    "Noise is two standard errors of the mean difference in PR-AUC: the larger of the one from a "
    "paired bootstrap of test rows and the one from the spread between folds. With so few "
    "folds it is itself a rough figure.",
    "Labels are those known at the time, as on a job: what is not reported yet is as unknown to "
    "the strategies as to the test.",
    "Cost is that of blocking alone, without reviews.",
)


def _fold_trials(
    prepared: Prepared, part: Slices, strategies: Sequence[Imbalance], fold: int
) -> list[_Trial]:
    spec = prepared.design.model
    asked: list[tuple[Champion, Imbalance]] = [(spec.champion, s) for s in strategies]
    if spec.champion.family != _BASELINE.family:
        asked.append((_BASELINE, "none"))
    # Fits do not hold Python's lock, and each has random numbers of its own: two at a time give
    # the same figures in little more than half the time.
    pool = ThreadPoolExecutor(max_workers=2)
    try:
        return list(pool.map(lambda a: _trial(prepared, part, a[0], a[1], fold), asked))
    finally:
        pool.shutdown(cancel_futures=True)


def _trial(
    prepared: Prepared, part: Slices, champion: Champion, strategy: Imbalance, fold: int
) -> _Trial:
    known, later = part.calibrate, part.test
    features, label = part.train.features, part.train.label
    rng = stream(prepared.seed, "imbalance", champion.family, strategy, fold)
    fitted = fit(champion, strategy, prepared.design.model.ratio, features, label, rng)
    factor = fitted.odds_factor
    raw = fitted.estimator.predict(known.features)
    raw_later = fitted.estimator.predict(later.features)
    trial = _Trial(strategy, champion.family, {}, {})
    for method in METHODS:
        # Nothing was done to the odds, or nobody knows what: no closed form to show.
        if method == "closed_form" and (factor is None or factor == 1.0):
            continue
        calibrator = fit_calibrator(method, raw, known.label, factor)
        name = "raw" if method == "none" else method
        trial.scores[name] = calibrator.apply(raw_later)
        chosen = calibrator.apply(raw)
        trial.figures[name] = _figures(prepared, part, chosen, trial.scores[name])
    return trial


def _figures(prepared: Prepared, part: Slices, chosen: Floats, score: Floats) -> dict[str, float]:
    """Measure scores of the test slice; `chosen` are those of the calibration slice."""
    known, later = part.calibrate, part.test
    capacity = daily_capacity(prepared.design.decision)
    measured = prepared.task.measure(METRICS, later.label, score, day=later.day, capacity=capacity)
    costs = (later.cost_false_decline, later.cost_missed)
    choice = block_threshold(chosen, known.label, known.cost_false_decline, known.cost_missed)
    days = len(np.unique(later.day))
    at = {"cost": choice.above, "cost_at_theory": choice.theory}
    money = {k: decision_cost(later.label, score, v, *costs) / days for k, v in at.items()}
    return {
        **measured,
        "promised": float(score.mean() / later.label.mean()),
        **money,
    }


def _differences(
    prepared: Prepared, trials: Sequence[_Trial], part: Slices, fold: int
) -> list[tuple[float, float]]:
    """Return each trial's PR-AUC minus that of `none`, and its standard error."""
    capacity = daily_capacity(prepared.design.decision)
    reference = trials[0].scores["raw"]
    found = []
    for trial in trials:
        if trial is trials[0]:
            found.append((0.0, 0.0))
            continue
        score, test = trial.scores["raw"], part.test
        held = ScoredRows(reference, reference)
        evidence = Evidence(
            test.label, test.day, test.cost_missed, test.cost_false_decline,
            challenger=ScoredRows(score, score), baseline=held, champion=held,
        )  # fmt: skip
        rng = stream(prepared.seed, "bootstrap", fold)
        result = compare(prepared.task, "pr_auc", evidence, None, capacity=capacity, rng=rng)
        found.append((result.difference, (result.high - result.low) / (2 * _90_PERCENT)))
    return found


def _rows(
    trials: Sequence[Sequence[_Trial]], differences: Sequence[Sequence[tuple[float, float]]]
) -> list[dict[str, str | float | None]]:
    rows: list[dict[str, str | float | None]] = []
    for place, first in enumerate(trials[0]):
        same = [fold[place] for fold in trials]
        gain, noise = _pooled([fold[place] for fold in differences])
        for name, figures in first.figures.items():
            compared = name == "raw" and place > 0
            means = {k: float(np.mean([t.figures[name][k] for t in same])) for k in figures}
            rows.append({
                "strategy": first.strategy,
                "model": first.model,
                "scores": name,
                "difference": gain if compared else None,
                "noise": noise if compared else None,
                **means,
            })  # fmt: skip
    return rows


def _pooled(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the mean difference over folds, and two standard errors of it."""
    value, error = (np.array(column) for column in zip(*found, strict=True))
    folds = len(value)
    bootstrap = math.sqrt(float((error**2).sum())) / folds
    spread = float(value.std(ddof=1)) / math.sqrt(folds) if folds > 1 else 0.0
    return float(value.mean()), 2.0 * max(bootstrap, spread)


def _curves(trials: Sequence[_Trial], part: Slices) -> dict[str, dict[str, list[float]]]:
    """Return precision by recall of raw scores, and reliability of all, of one fold."""
    curves: dict[str, dict[str, list[float]]] = {}
    for trial in trials:
        name = trial.strategy if trial.model == trials[0].model else trial.model
        recall, precision = _precision_by_recall(part.test.label, trial.scores["raw"])
        curves[f"precision {name}"] = {"recall": recall, "precision": precision}
        for scores, score in trial.scores.items():
            mean, share, count = reliability_curve(part.test.label, score, _BINS)
            curves[f"{scores} {name}"] = {
                "mean_score": mean.tolist(),
                "share_positive": share.tolist(),
                "count": count.astype(np.float64).tolist(),
            }
    return curves


def _precision_by_recall(label: Floats, score: Floats) -> tuple[list[float], list[float]]:
    ranked = label[np.argsort(-score, kind="stable")]
    found = np.cumsum(ranked)
    # One point at each of many recalls; between them the curve only jitters.
    at = np.unique(np.linspace(1, found[-1], _CURVE_POINTS).astype(np.int64))
    rows = np.searchsorted(found, at)
    return (at / found[-1]).tolist(), (at / (rows + 1)).tolist()


def _facts(prepared: Prepared, parts: Sequence[Slices]) -> tuple[str, ...]:
    training, newest = prepared.design.model.training, parts[0]
    positives = sum(p.test.positives for p in parts)
    rows = sum(len(p.test.label) for p in parts)
    unreported = sum(p.unreported for p in parts)
    absent = prepared.scenario.labels.absence_means
    fate = "are left out" if absent is None else f"count as {absent:g}"
    idle = sum(p.test.cost_missed[p.test.label == 1].sum() for p in parts)
    days = sum(len(np.unique(p.test.day)) for p in parts)
    return (
        f"{len(parts)} {'jobs' if len(parts) > 1 else 'job'} on the history before day 0, in "
        "which nobody decides anything: "
        f"{training.window / DAY:g} days of training ({len(newest.train.label):,} rows, "
        f"{newest.train.positives:,} positives in the newest), {training.validation / DAY:g} of "
        f"calibration ({newest.calibrate.positives:,} positives), a gap of "
        f"{training.label_maturity / DAY:g} days for labels to mature, then the test.",
        f"Tests: {rows:,} later rows with {positives:,} known positives "
        f"({positives / rows:.2%}); labels are at least {training.label_maturity / DAY:g} days "
        f"old. {unreported:,} more positives had not been reported by then and {fate}.",
        f"Cut-offs are chosen on the calibration slice; the review capacity is "
        f"{daily_capacity(prepared.design.decision):,.4g} cases a day. Resampling aims at a "
        f"ratio of {prepared.design.model.ratio:g}. Blocking nothing costs {idle / days:,.0f} USD "
        "a day.",
    )
