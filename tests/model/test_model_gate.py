"""Accepted and refused, with sentences; every refusal has an accepted twin."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.model import Evidence, GateVerdict, ScoredRows, compare, judge
from sandbox.spec.design import Gate
from sandbox.task import get_task

TASK = get_task("binary")
ROWS = 6_000


def evidence(seed: int = 0) -> Evidence:
    """Two calibrated models: the champion does not know one of three causes."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, ROWS))

    def probability(margin: np.ndarray, rate: float) -> np.ndarray:
        odds = np.exp(margin)
        scale = rate / odds.mean()
        return np.asarray(odds * scale / (1 + odds * scale))

    good = probability(1.5 * x[0] + 1.2 * x[1] + 1.0 * x[2], 0.02)
    fair = probability(1.5 * x[0] + 1.2 * x[1], 0.02)
    label = (rng.random(ROWS) < good).astype(float)
    return Evidence(
        label=label,
        day=np.arange(ROWS) * 7 // ROWS,
        cost_missed=np.full(ROWS, 60.0),
        cost_false_decline=np.full(ROWS, 8.0),
        challenger=ScoredRows(good, good, 0.9),
        baseline=ScoredRows(fair, fair, 0.9),
        champion=ScoredRows(fair, fair, 0.9),
        slices={"channel": rng.integers(0, 2, ROWS)},
    )


def swapped(rows: Evidence) -> Evidence:
    assert rows.champion is not None
    return replace(rows, challenger=rows.champion, champion=rows.challenger)


def verdict(rows: Evidence, gate: Gate | None = None, **names: tuple[str, ...]) -> GateVerdict:
    rng = np.random.default_rng(0)
    return judge(gate or Gate(), TASK, rows, capacity=50, rng=rng, slice_names=names)


def test_better_is_accepted_and_worse_refused() -> None:
    yes, no = verdict(evidence()), verdict(swapped(evidence()))
    assert yes.passed and not no.passed
    number = r"[+-]?\d\.\d{3}"
    sentence = (
        rf"^pr_auc {number} against the champion's {number} \(difference {number}, 90 % interval "
        rf"{number} to {number}\) on \d+ positives: "
    )
    assert re.match(sentence + r"not worse by more than 0.01.$", yes.reasons[0])
    assert re.match(sentence + r"worse by more than 0.01, refused.$", no.reasons[0])
    assert yes.figures["pr_auc.difference"] == pytest.approx(-no.figures["pr_auc.difference"])
    assert yes.figures["pr_auc.low"] > 0 > no.figures["pr_auc.high"]


def test_equal_models_pass_with_no_difference() -> None:
    rows = evidence()
    same = verdict(replace(rows, champion=rows.challenger))
    assert same.passed
    assert same.figures["pr_auc.low"] == same.figures["pr_auc.high"] == 0.0


def test_tolerance_decides() -> None:
    loss = -verdict(swapped(evidence())).figures["pr_auc.difference"]
    gate = Gate(not_worse_by=loss + 0.001, calibration=False)
    assert verdict(swapped(evidence()), gate).passed
    assert not verdict(
        swapped(evidence()), gate.model_copy(update={"not_worse_by": loss - 0.001})
    ).passed


@pytest.mark.parametrize("metric", TASK.metrics)
def test_every_metric_can_be_the_gate(metric: str) -> None:
    rows, rng = evidence(), np.random.default_rng(0)
    assert rows.champion is not None
    result = compare(TASK, metric, rows, None, capacity=50, rng=rng)
    measured = [
        TASK.measure([metric], rows.label, m.score, day=rows.day, capacity=50)[metric]
        for m in (rows.challenger, rows.champion)
    ]
    assert [result.challenger, result.champion] == pytest.approx(measured)
    assert result.low <= result.difference <= result.high or metric == "calibration_error"
    if metric != "calibration_error":
        assert result.loss < 0


def test_bootstrap_interval_covers_the_truth() -> None:
    gate = Gate(metric="roc_auc")
    seen = [verdict(evidence(seed), gate).figures for seed in range(10)]
    truth = float(np.mean([f["roc_auc.difference"] for f in seen]))
    covered = sum(f["roc_auc.low"] <= truth <= f["roc_auc.high"] for f in seen)
    assert 7 <= covered <= 10


def test_worse_calibration_is_refused() -> None:
    rows = evidence()
    inflated = np.minimum(rows.challenger.score * 6, 1.0)
    bad = replace(rows, challenger=ScoredRows(inflated, inflated, 1.0))
    no = verdict(bad)
    assert not no.passed
    (reason,) = (r for r in no.reasons if r.startswith("Calibration"))
    assert "worse by more than 5%, refused." in reason
    assert verdict(bad, Gate(calibration=False)).passed
    fresh = replace(rows, challenger=ScoredRows(rows.challenger.score, inflated, 0.9))
    assert not verdict(fresh).passed, "calibration is judged on cross-fitted scores"


def test_a_slice_that_got_worse_is_refused_by_name() -> None:
    rows = evidence()
    online = rows.slices["channel"] == 1
    rng = np.random.default_rng(1)
    score = rows.challenger.score.copy()
    score[online] = rng.permutation(score[online])
    assert rows.champion is not None
    mixed = replace(rows, challenger=ScoredRows(score, score, 0.9))
    gate = Gate(slices=("channel",), not_worse_by=0.2, calibration=False)
    strict = Gate(slices=("channel",), not_worse_by=0.05, calibration=False)
    no = verdict(mixed, strict, channel=("present", "online"))
    (reason,) = (r for r in no.reasons if r.startswith("channel = online"))
    assert not no.passed and "beyond chance, refused." in reason
    (reason,) = (r for r in no.reasons if r.startswith("channel = present"))
    assert reason.endswith("not worse by more than 0.05.")
    assert verdict(rows, gate, channel=("present", "online")).passed
    few = verdict(rows, Gate(slices=("channel",), min_positives=int(rows.label.sum())))
    assert few.passed and sum("too few to judge the slice" in r for r in few.reasons) == 2


def test_too_few_positives_nobody_can_tell() -> None:
    no = verdict(evidence(), Gate(min_positives=5000))
    assert not no.passed and len(no.reasons) == 1
    assert "5000 needed: nobody can tell which model is better, refused." in no.reasons[0]
    rows = evidence()
    nothing = replace(rows, label=np.zeros(ROWS))
    no = verdict(nothing, Gate(min_positives=0))
    assert not no.passed and "cannot be measured" in no.reasons[0]


def test_blocking_many_more_negatives_is_refused_unless_cheaper() -> None:
    rows = evidence()
    score = rows.challenger.score
    eager = replace(rows, challenger=ScoredRows(score, score, 0.05))
    costly = replace(eager, cost_false_decline=np.full(ROWS, 500.0))
    no = verdict(costly)
    assert not no.passed and any("no cheaper, refused." in r for r in no.reasons)
    cheap = replace(eager, cost_false_decline=np.full(ROWS, 0.01))
    yes = verdict(cheap)
    assert yes.passed and any("but it loses less money." in r for r in yes.reasons)


def test_first_version_has_nothing_to_beat() -> None:
    first = verdict(replace(evidence(), champion=None))
    assert first.passed and "logistic baseline" in first.reasons[0]
    assert GateVerdict.unopposed().passed
    with pytest.raises(ValueError, match="no champion"):
        compare(
            TASK, "pr_auc", replace(evidence(), champion=None), None,
            capacity=5, rng=np.random.default_rng(0),
        )  # fmt: skip


def test_unknown_names_are_usage_errors() -> None:
    with pytest.raises(UsageError, match=r"retraining.gate.metric: .*Did you mean pr_auc"):
        verdict(evidence(), Gate(metric="pr_acu"))
    with pytest.raises(UsageError, match=r"retraining.gate.slices: .*Did you mean channel"):
        verdict(evidence(), Gate(slices=("chanel",)))


def test_same_generator_same_verdict() -> None:
    assert verdict(evidence()) == verdict(evidence())


def test_requests_that_are_sorted_once_give_what_rows_give(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(rng.permutation(200), rng.integers(3, 20, 200))
    label = (rng.random(len(group)) < 0.2).astype(float)
    ours, theirs = (np.round(label * weight + rng.random(len(group)), 1) for weight in (0.4, 0.2))
    rows = Evidence(
        label, group, np.ones(len(group)), np.ones(len(group)), ScoredRows(ours, ours),
        ScoredRows(theirs, theirs), ScoredRows(theirs, theirs), group=group,
    )  # fmt: skip
    task = get_task("ranking")

    def compared(metric: str) -> list[float]:
        found = compare(task, metric, rows, None, capacity=0.0, rng=np.random.default_rng(1))
        return [found.challenger, found.champion, found.low, found.high]

    metrics = ("ndcg_at_10", "hit_rate_at_10", "click_through")
    quick = [compared(metric) for metric in metrics]
    monkeypatch.setattr(type(task), "worth", lambda *given: None)
    assert np.allclose(quick, [compared(metric) for metric in metrics], atol=1e-12)
