"""Training, refitting and judging models of regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.model import (
    CannotTrain,
    GateVerdict,
    Trained,
    TrainingData,
    TrainingWindow,
    check_model,
    judge,
    refit,
)
from sandbox.model.calibration import Conformal
from sandbox.spec.design import Decision, Gate
from sandbox.task import get_task
from sandbox.task.regression import interval_coverage
from tests.model.homes import DAY, TASK, WINDOW, homes, run, spec, spread_of


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return homes()


@pytest.fixture(scope="module")
def trained(data: TrainingData) -> Trained:
    return run(data)


def test_candidate_is_measured_beside_the_baseline(trained: Trained, data: TrainingData) -> None:
    version = trained.version
    assert set(version.offline) == {*TASK.metrics, "cost"} == set(version.offline_baseline)
    assert all(np.isfinite(list(version.offline.values())))
    assert version.rows == version.positives == WINDOW.training_rows(data.event_time).sum()
    assert 0.05 < version.offline["mape"] < 0.2 and version.offline["r2"] > 0.7
    assert version.offline["interval_coverage"] == pytest.approx(0.9, abs=0.03)
    later = WINDOW.validation_rows(data.event_time)
    spread = spread_of(version, data.features[later])
    looked_at = (spread > version.review_above) & (spread <= 0.5)
    assert looked_at.sum() == pytest.approx(20 * 7, abs=2)
    assert version.block_above == 0.5 and version.block_reason == "set by the design"


def test_cut_off_of_what_it_costs_goes_by_spread(data: TrainingData) -> None:
    dear = replace(data, cost_missed=np.full(len(data.label), 200.0))
    cheap = replace(data, cost_missed=np.full(len(data.label), 0.01))
    decision = Decision.model_validate({"review": {"capacity": "20/day"}, "block": {}})
    blocks = []
    for rows in (dear, cheap):
        version = run(rows, decision=decision).version
        spread = spread_of(version, rows.features)
        blocks.append(float(np.mean(spread > version.block_above)))
        # "theory says" is about probabilities, which spreads are not.
        assert "theory" not in version.block_reason
    assert blocks[0] > 0.4 and blocks[1] < 0.02


def test_nothing_later_than_its_slice_reaches_the_model(
    trained: Trained, data: TrainingData
) -> None:
    late = data.event_time >= WINDOW.validation_to
    other = run(replace(data, label=np.where(late, 2 * data.label, data.label)))
    assert other.version.files() == trained.version.files()
    later = WINDOW.validation_rows(data.event_time)
    shifted = run(replace(data, label=np.where(later, 2 * data.label, data.label)))
    files, others = trained.version.files(), shifted.version.files()
    assert files["scorer/value/trees.ubj"] == others["scorer/value/trees.ubj"]
    assert isinstance(shifted.version.scorer.calibrator, Conformal)
    assert isinstance(trained.version.scorer.calibrator, Conformal)
    assert shifted.version.scorer.calibrator.factor > 2 * trained.version.scorer.calibrator.factor
    again = run(data)
    assert again.version.files() == files
    assert run(data, seed=8).version.files() != files


def test_refit_learns_from_validation_too(trained: Trained, data: TrainingData) -> None:
    later = refit(trained, data, spec(), TASK, seed=7)
    assert later.refitted and later.rows == later.positives == len(data.label)
    assert later.scorer.calibrator == trained.version.scorer.calibrator
    assert later.offline == trained.version.offline
    assert later.files() != trained.version.files()
    unseen = homes(seed=97)
    spread = spread_of(later, unseen.features)
    assert interval_coverage(unseen.label, later.predict(unseen.features), spread) > 0.86


def verdict(trained: Trained, gate: Gate) -> GateVerdict:
    return judge(
        gate, TASK, trained.evidence, capacity=20, rng=np.random.default_rng(0),
        slice_names={"street": ("High", "Low")},
    )  # fmt: skip


GATE = Gate(metric="mape", not_worse_by=0.01, slices=("street",))


def blinded(data: TrainingData) -> TrainingData:
    """The same, but nobody knows how large a home is."""
    x = data.features.copy()
    x[:, 0] = 0.0
    return replace(data, features=x)


def test_a_better_challenger_passes_and_a_worse_is_refused(data: TrainingData) -> None:
    # A champion that has seen nothing of these weeks, so that all of them judge.
    blind = replace(run(blinded(data)).version, window=TrainingWindow(-20 * DAY, -9 * DAY, 0.0))
    sighted = replace(run(data).version, window=blind.window)
    better = verdict(run(data, champion=blind, number=2), GATE)
    assert better.passed
    assert better.reasons[0].startswith("mape 0.") and " known labels: " in better.reasons[0]
    assert "not worse by more than 0.01." in better.reasons[0]
    assert any(reason.startswith("street = High: mape") for reason in better.reasons)
    assert any("% of the right estimates, the champion" in reason for reason in better.reasons)
    assert not any("negatives" in r or "positives" in r for r in better.reasons)
    assert not any(reason.startswith("Calibration") for reason in better.reasons)

    evidence = run(data, champion=sighted, number=2).evidence
    hidden = run(blinded(data), champion=sighted, number=2)
    worse = replace(hidden, evidence=replace(hidden.evidence, champion=evidence.champion))
    refused = verdict(worse, GATE)
    assert not refused.passed and "refused" in refused.reasons[0]
    assert refused.figures["mape.difference"] > 0.1 and refused.figures["mape.low"] > 0
    assert better.figures["mape.difference"] < -0.1


def test_a_challenger_whose_intervals_lie_is_refused_where_they_are_judged(
    data: TrainingData,
) -> None:
    champion = replace(run(data).version, window=TrainingWindow(-20 * DAY, -9 * DAY, 0.0))
    honest = run(data, champion=champion, number=2)
    gate = Gate(metric="interval_coverage", not_worse_by=0.05)
    assert verdict(honest, gate).passed
    told = honest.evidence.challenger
    assert told.spread is not None
    bold = replace(told, spread=told.spread / 3)
    refused = verdict(replace(honest, evidence=replace(honest.evidence, challenger=bold)), gate)
    assert not refused.passed and refused.reasons[0].startswith("interval_coverage ")


def test_too_few_labels_for_a_verdict(trained: Trained) -> None:
    few = verdict(trained, Gate(min_positives=10**6))
    assert not few.passed and "known labels with mature labels" in few.reasons[0]
    first = verdict(trained, Gate())
    assert first.passed and "mape" in first.reasons[0] and "ridge baseline" in first.reasons[0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("few", r"training slice; got '\d+ known labels in \d+ rows.*at least 50 known labels"),
        ("zero", r"training slice; got .*expected positive labels only"),
        ("late", r"validation slice; got '0 known labels in 0 rows.*at least 25 known labels"),
    ],
)
def test_too_little_to_learn_from(change: str, text: str, data: TrainingData) -> None:
    label, early = data.label.copy(), data.event_time < 14 * DAY
    if change == "few":
        label[np.flatnonzero(early)[49:]] = np.nan
    elif change == "zero":
        label[0] = 0.0
    else:
        label[~early] = np.nan
    with pytest.raises(CannotTrain, match=text) as caught:
        run(replace(data, label=label))
    assert "\n" not in caught.value.line()


def test_rows_without_a_label_are_left_out(data: TrainingData) -> None:
    label = data.label.copy()
    label[::5] = np.nan
    version = run(replace(data, label=label)).version
    known = WINDOW.training_rows(data.event_time) & ~np.isnan(label)
    assert version.rows == version.positives == known.sum()


@pytest.mark.parametrize(
    ("changes", "where", "got", "expected"),
    [
        (
            {"champion": "logistic_regression"}, "model.champion",
            "logistic_regression", "one of xgboost, ridge",
        ),
        ({"calibration": "isotonic"}, "model.calibration", "isotonic", "one of none, conformal"),
        ({"calibration": "sigmoid"}, "model.calibration", "sigmoid", "one of none, conformal"),
        ({"imbalance": "smote"}, "model.imbalance", "smote", "none"),
        ({"baseline": "logistic_regression"}, "model.baseline", "logistic_regression", "ridge"),
    ],
)  # fmt: skip
def test_parts_that_do_not_go_together(
    changes: dict[str, object], where: str, got: str, expected: str, data: TrainingData
) -> None:
    check_model(spec(), TASK)
    check_model(spec(baseline="ridge", champion="ridge", calibration="none"), TASK)
    for call in (
        lambda: check_model(spec(**changes), TASK),
        lambda: run(data, spec(**changes)),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        error = caught.value
        assert (error.where, error.got, error.expected) == (where, got, expected)
        assert "task regression" in error.line()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"champion": "ridge", "calibration": "none"}, "model.champion"),
        ({"champion": "xgboost", "calibration": "conformal"}, "model.calibration"),
        ({"champion": "xgboost", "calibration": "none", "baseline": "ridge"}, "model.baseline"),
    ],
)
def test_and_the_other_way_round(changes: dict[str, object], where: str) -> None:
    with pytest.raises(UsageError, match=f"{where}: .*task binary"):
        check_model(spec(**changes), get_task("binary"))
