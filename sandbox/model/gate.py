"""The promotion gate: may this challenger decide? With reasons that a person can check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.errors import UsageError, suggest
from sandbox.model.evidence import Evidence, ScoredRows
from sandbox.spec.design import Gate
from sandbox.task import Task

__all__ = ["Comparison", "GateVerdict", "compare", "judge"]

REPLICATES = 100
CALIBRATION_SLACK = 0.05
"""Relative loss of the calibration metric that is noise rather than news."""
BLOCK_GROWTH = 2.0
BLOCK_FLOOR = 0.001
"""A challenger may block twice the champion's share of negatives, or 0.1 % more."""

Array = NDArray[Any]
Floats = NDArray[np.float64]
_Measure = Callable[[Array | None], list[float]]
_NO_NAMES: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True)
class GateVerdict:
    """The answer, the reasons as sentences (for acceptance too), and the figures in them."""

    passed: bool
    reasons: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def unopposed(cls) -> GateVerdict:
        """Return the verdict on a model that there is no champion for, or no gate."""
        return cls(True, ("Nothing to hold it against.",))


@dataclass(frozen=True)
class Comparison:
    """One metric of two models on the same rows, with a 90 % interval of the difference."""

    challenger: float
    champion: float
    low: float
    high: float
    cases: str
    """How much evidence there is: ``120 positives``."""
    higher_is_better: bool

    @property
    def difference(self) -> float:
        """Challenger minus champion."""
        return self.challenger - self.champion

    @property
    def loss(self) -> float:
        """How much worse the challenger is; negative where it is better."""
        return -self.difference if self.higher_is_better else self.difference

    @property
    def surely_worse(self) -> bool:
        """Whether the whole interval is on the wrong side of 0."""
        return self.high < 0 if self.higher_is_better else self.low > 0

    def text(self, metric: str) -> str:
        """Return the numbers as the beginning of a sentence."""
        decimals = 3 if max(abs(self.challenger), abs(self.champion)) >= 0.05 else 5
        return (
            f"{metric} {self.challenger:.{decimals}f} against the champion's "
            f"{self.champion:.{decimals}f} (difference {self.difference:+.{decimals}f}, 90 % "
            f"interval {self.low:+.{decimals}f} to {self.high:+.{decimals}f}) "
            f"on {self.cases}"
        )


@dataclass(frozen=True)
class _Check:
    passed: bool
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Case:
    gate: Gate
    task: Task
    evidence: Evidence
    champion: ScoredRows
    metric: str
    capacity: float
    rng: np.random.Generator

    def compare(self, rows: NDArray[np.bool_] | None) -> Comparison:
        return compare(
            self.task, self.metric, self.evidence, rows, capacity=self.capacity, rng=self.rng
        )


def judge(
    gate: Gate,
    task: Task,
    evidence: Evidence,
    *,
    capacity: float,
    rng: np.random.Generator,
    slice_names: Mapping[str, Sequence[str]] = _NO_NAMES,
) -> GateVerdict:
    """Hold a challenger against the champion on label-mature rows that neither was fitted on.

    Parameters
    ----------
    capacity
        Cases a day, for metrics at capacity.
    rng
        Drives the bootstrap.
    slice_names
        Values of category columns by code, to name slices.

    Notes
    -----
    - The metric may not be worse by more than `gate.not_worse_by`. The point estimate decides;
      the paired bootstrap interval tells how much to trust it.
    - On a slice the same loss refuses only if it is beyond chance, as slices are small. A slice
      with fewer positives than `gate.min_positives` is not judged, and that is said.
    - The calibration metric may not be worse by more than 5 % of the champion's.
    - The share of good events blocked may not exceed twice the champion's or 0.1 % more,
      whichever is larger, unless its blocking loses less money all the same.
    - Where blocked events never get a label, the champion's own best catches are missing from the
      evidence: it is biased in favour of the challenger, the more so the more is blocked.

    Raises
    ------
    UsageError
        If the gate names a metric or a slice that does not exist.
    """
    metric = gate.metric or task.gate_metric
    task.check_metrics([metric], where="retraining.gate.metric")
    _check_slices_known(gate, evidence)
    if task.cases_in(evidence.label) < gate.min_positives:
        return _too_few(gate, task, evidence)
    if evidence.champion is None:
        return _first(metric, task, evidence, capacity)
    case = _Case(gate, task, evidence, evidence.champion, metric, capacity, rng)
    checks = [_metric(case)]
    for column in gate.slices:
        checks += _slices(column, slice_names.get(column, ()), case)
    if gate.calibration and task.calibration_metrics:
        checks.append(_calibration(case))
    money = _money(case)
    checks += [_blocked(case, money.figures), money]
    figures = {name: value for check in checks for name, value in check.figures.items()}
    passed = all(check.passed for check in checks)
    return GateVerdict(passed, tuple(check.reason for check in checks), figures)


def compare(
    task: Task,
    metric: str,
    evidence: Evidence,
    rows: NDArray[np.bool_] | None,
    *,
    capacity: float,
    rng: np.random.Generator,
) -> Comparison:
    """Measure challenger and champion on the same rows, with a paired bootstrap of rows.

    Each of 100 replicates draws as many rows (of a ranking: requests) with replacement and
    measures both models on them;
    the interval runs from the 5th to the 95th percentile of the difference (Efron and Tibshirani,
    1993). `rows` is a mask of shape (n,); None takes all. NaN where a model cannot be measured.
    """
    if evidence.champion is None:
        raise ValueError("there is no champion to compare with")
    kept = np.flatnonzero(np.ones(len(evidence.label), bool) if rows is None else rows)
    label, day = evidence.label[kept], evidence.day[kept]
    level = metric in task.calibration_metrics
    models = (evidence.challenger, evidence.champion)
    scores = [(model.fresh if level else model.score)[kept] for model in models]
    spreads = [None if model.spread is None else model.spread[kept] for model in models]
    group = None if evidence.group is None else evidence.group[kept]
    # What is drawn: rows, or requests.
    names, unit = (kept, None) if group is None else np.unique(group, return_inverse=True)
    measure = _by_request(task, metric, label, scores, group) or _by_row(
        task, metric, label, scores, day, capacity, spreads, group, unit
    )
    challenger, champion = measure(None)
    differences = []
    for _ in range(REPLICATES if len(kept) else 0):
        drawn = rng.integers(0, len(names), len(names))
        one, other = measure(np.bincount(drawn, minlength=len(names)).astype(np.float64))
        differences.append(one - other)
    known = [d for d in differences if np.isfinite(d)]
    low, high = np.percentile(known, [5, 95]) if known else (np.nan, np.nan)
    cases = f"{task.cases_in(label):,.0f} {task.cases}"
    better = task.higher_is_better(metric)
    return Comparison(challenger, champion, float(low), float(high), cases, better)


def _by_request(
    task: Task, metric: str, label: Floats, scores: Sequence[Floats], group: Array | None
) -> _Measure | None:
    """Return how to measure both models by weights of requests; None where that cannot be."""
    worth = [task.worth(metric, label, score, group) for score in scores]
    known = [one for one in worth if one is not None]
    return (lambda weight: [one.mean(weight) for one in known]) if known else None


def _by_row(
    task: Task, metric: str, label: Floats, scores: Sequence[Floats], day: NDArray[np.int64],
    capacity: float, spreads: Sequence[Floats | None], group: Array | None, unit: Array | None,
) -> _Measure:  # fmt: skip
    """Return how to measure both models by weights of rows, or of the unit that each belongs to."""
    # Sorted once, each replicate's sort finds its work done.
    orders = [np.argsort(-score, kind="stable") for score in scores]
    groups = [None if group is None else group[o] for o in orders]
    units = [o if unit is None else unit[o] for o in orders]
    ranked = [
        (label[o], s[o], day[o], None if width is None else width[o])
        for s, o, width in zip(scores, orders, spreads, strict=True)
    ]

    def measure(weight: Array | None) -> list[float]:
        return [
            task.measure(
                [metric], y, s, day=d, capacity=capacity,
                weight=None if weight is None else weight[u], spread=width, group=g,
            )[metric]
            for (y, s, d, width), g, u in zip(ranked, groups, units, strict=True)
        ]  # fmt: skip

    return measure


def _metric(case: _Case) -> _Check:
    metric, allowed = case.metric, case.gate.not_worse_by
    result = case.compare(None)
    figures = {
        f"{metric}.challenger": result.challenger,
        f"{metric}.champion": result.champion,
        f"{metric}.difference": result.difference,
        f"{metric}.low": result.low,
        f"{metric}.high": result.high,
        "positives": float(case.task.cases_in(case.evidence.label)),
    }
    if np.isnan(result.loss):
        return _Check(False, f"{metric} cannot be measured on these rows: refused.", figures)
    if result.loss <= allowed:
        reason = f"{result.text(metric)}: not worse by more than {allowed:g}."
        return _Check(True, reason, figures)
    return _Check(
        False, f"{result.text(metric)}: worse by more than {allowed:g}, refused.", figures
    )


def _slices(column: str, names: Sequence[str], case: _Case) -> list[_Check]:
    checks = []
    codes = case.evidence.slices[column]
    for code in np.unique(codes[codes >= 0]):
        name = f"{column} = {names[code] if code < len(names) else code}"
        rows = codes == code
        cases = int(case.task.cases_in(case.evidence.label[rows]))
        if cases < max(case.gate.min_positives, 1):
            text = f"{name}: {cases} {case.task.cases}, too few to judge the slice by itself."
            checks.append(_Check(True, text))
        else:
            checks.append(_slice(name, case, case.compare(rows)))
    return checks


def _slice(name: str, case: _Case, result: Comparison) -> _Check:
    text, figures = f"{name}: {result.text(case.metric)}", {f"{name}.difference": result.difference}
    gate = case.gate
    if result.loss <= gate.not_worse_by:
        return _Check(True, f"{text}: not worse by more than {gate.not_worse_by:g}.", figures)
    if result.surely_worse:
        verdict = f"worse by more than {gate.not_worse_by:g} and beyond chance, refused."
        return _Check(False, f"{text}: {verdict}", figures)
    return _Check(True, f"{text}: worse, but within chance for a slice of this size.", figures)


def _calibration(case: _Case) -> _Check:
    evidence, metric = case.evidence, case.task.calibration_metrics[0]
    ours, theirs = (
        case.task.measure(
            [metric], evidence.label, model.fresh, day=evidence.day, capacity=case.capacity
        )[metric]
        for model in (evidence.challenger, case.champion)
    )
    figures = {f"{metric}.challenger": ours, f"{metric}.champion": theirs}
    change = (ours - theirs) / theirs if theirs > 0 else (0.0 if ours <= theirs else np.inf)
    text = f"Calibration: {metric} {ours:.5f} against the champion's {theirs:.5f} ({change:+.1%})"
    if change <= CALIBRATION_SLACK:
        return _Check(True, f"{text}: not worse by more than {CALIBRATION_SLACK:.0%}.", figures)
    return _Check(False, f"{text}: worse by more than {CALIBRATION_SLACK:.0%}, refused.", figures)


def _money(case: _Case) -> _Check:
    evidence = case.evidence
    ours, theirs = (
        evidence.cost(case.task, model) for model in (evidence.challenger, case.champion)
    )
    days = len(np.unique(evidence.day))
    alone = "The order" if case.task.has_groups else "Blocking alone, without reviews,"
    text = (
        f"{alone} would have lost {ours:,.0f} USD in {days} days with it "
        f"and {theirs:,.0f} USD with the champion (for information)."
    )
    return _Check(True, text, {"cost.challenger": ours, "cost.champion": theirs})


def _blocked(case: _Case, cost: Mapping[str, float]) -> _Check:
    ours, theirs = (
        case.evidence.good_blocked(case.task, model)
        for model in (case.evidence.challenger, case.champion)
    )
    figures = {"good_blocked.challenger": ours, "good_blocked.champion": theirs}
    limit = max(BLOCK_GROWTH * theirs, theirs + BLOCK_FLOOR)
    act = "hide" if case.task.has_groups else "block"
    text = f"It would {act} {ours:.3%} of the {case.task.good}, the champion {theirs:.3%}"
    if ours <= limit:
        return _Check(True, f"{text}: within the limit of {limit:.3%}.", figures)
    text += f": above the limit of {limit:.3%}"
    if cost["cost.challenger"] < cost["cost.champion"]:
        return _Check(True, f"{text}, but it loses less money.", figures)
    return _Check(False, f"{text} and no cheaper, refused.", figures)


def _too_few(gate: Gate, task: Task, evidence: Evidence) -> GateVerdict:
    days, cases = len(np.unique(evidence.day)), int(task.cases_in(evidence.label))
    reason = (
        f"{cases} {task.cases} with mature labels in {days} days that the champion has "
        f"not seen, {gate.min_positives} needed: nobody can tell which model is better, refused."
    )
    return GateVerdict(False, (reason,), {"positives": float(cases)})


def _first(metric: str, task: Task, evidence: Evidence, capacity: float) -> GateVerdict:
    ours, base = (
        evidence.offline(task, model, capacity)[metric]
        for model in (evidence.challenger, evidence.baseline)
    )
    cases, baseline = int(task.cases_in(evidence.label)), task.baseline.partition("_")[0]
    reason = (
        f"First version, no champion to hold it against: {metric} {ours:.3f}, {baseline} baseline "
        f"{base:.3f}, on {cases:,} {task.cases}."
    )
    figures = {f"{metric}.challenger": ours, f"{metric}.baseline": base}
    return GateVerdict(True, (reason,), figures | {"positives": float(cases)})


def _check_slices_known(gate: Gate, evidence: Evidence) -> None:
    for column in gate.slices:
        if column not in evidence.slices:
            known = ", ".join(evidence.slices) or "none: the events have no category column"
            raise UsageError(
                "unknown slice",
                where="retraining.gate.slices",
                got=column,
                expected=f"one of {known}",
                hint=suggest(column, evidence.slices),
            )
