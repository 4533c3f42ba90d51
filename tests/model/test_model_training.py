from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.model import (
    CannotTrain,
    Trained,
    TrainingData,
    TrainingWindow,
    check_model,
    daily_capacity,
    refit,
    train,
)
from sandbox.spec.design import Decision, ModelSpec
from sandbox.task import get_task

DAY = 86400.0
WINDOW = TrainingWindow(0.0, 14 * DAY, 21 * DAY)
TREES = {"xgboost": {"trees": 30, "depth": 3}}
MODEL = ModelSpec.model_validate({"champion": TREES})
DECISION = Decision.model_validate({"review": {"capacity": "20/day"}, "block": {}})


def run(data: TrainingData, names: tuple[str, ...], **changes: object) -> Trained:
    settings: dict[str, object] = {"now": 35 * DAY, "seed": 7, "names": names} | changes
    model, decision = settings.pop("model", MODEL), settings.pop("decision", DECISION)
    window = settings.pop("window", WINDOW)
    return train(data, model, decision, get_task("binary"), window, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(data: TrainingData, names: tuple[str, ...]) -> Trained:
    return run(data, names)


def test_candidate_is_measured_beside_the_baseline(trained: Trained, data: TrainingData) -> None:
    version, task = trained.version, get_task("binary")
    assert tuple(version.offline) == (*version.offline_baseline,) and not version.offline_champion
    assert set(version.offline) == {*task.metrics, "cost"}
    assert all(np.isfinite(list(version.offline.values())))
    assert version.offline["pr_auc"] > 5 * data.label.mean()
    assert version.rows == WINDOW.training_rows(data.event_time).sum()
    later = WINDOW.validation_rows(data.event_time)
    score = version.predict(data.features[later])
    np.testing.assert_array_equal(score, trained.evidence.challenger.score)
    reviewed = (score > version.review_above) & (score <= version.block_above)
    assert reviewed.sum() == pytest.approx(20 * 7, abs=1)
    assert score.mean() == pytest.approx(data.label[later].mean(), rel=0.02)
    assert "theory says" in version.block_reason


def test_nothing_later_than_its_slice_reaches_the_model(
    trained: Trained, data: TrainingData, names: tuple[str, ...]
) -> None:
    label = np.where(data.event_time >= WINDOW.validation_to, 1 - data.label, data.label)
    late = np.where(WINDOW.validation_rows(data.event_time), 0.5, 0.0)
    other = run(replace(data, label=label, cost_missed=data.cost_missed + late), names)
    files, others = trained.version.files(), other.version.files()
    assert files["scorer/trees.ubj"] == others["scorer/trees.ubj"]
    # The broken twin: a label of the training slice does change it.
    label = np.where(WINDOW.training_rows(data.event_time), 1 - data.label, data.label)
    flipped = run(replace(data, label=label), names)
    assert files["scorer/trees.ubj"] != flipped.version.files()["scorer/trees.ubj"]


def test_same_seed_same_bytes(trained: Trained, data: TrainingData, names: tuple[str, ...]) -> None:
    assert run(data, names).version.files() == trained.version.files()


def test_calibration_metrics_are_cross_fitted(trained: Trained) -> None:
    evidence = trained.evidence
    assert not np.array_equal(evidence.challenger.fresh, evidence.challenger.score)
    memorised = get_task("binary").measure(
        ["brier"], evidence.label, evidence.challenger.score, day=evidence.day, capacity=20
    )
    assert trained.version.offline["brier"] > memorised["brier"]


def test_champion_is_compared_on_rows_it_has_not_seen(
    trained: Trained, data: TrainingData, names: tuple[str, ...]
) -> None:
    older = replace(trained.version, window=TrainingWindow(0, 10 * DAY, 17 * DAY))
    candidate = run(data, names, champion=older, number=2, trigger="performance")
    evidence = candidate.evidence
    assert evidence.champion is not None and evidence.day.min() == 17
    assert len(evidence.slices["channel"]) == len(evidence.label) == len(evidence.champion.score)
    assert set(candidate.version.offline_champion) == set(candidate.version.offline)
    everything_seen = run(data, names, champion=trained.version, number=2)
    assert len(everything_seen.evidence.label) == 0
    assert np.isnan(everything_seen.version.offline_champion["pr_auc"])


@pytest.mark.parametrize("calibration", ["isotonic", "closed_form"])
def test_refit_learns_from_validation_too(
    calibration: str, data: TrainingData, names: tuple[str, ...]
) -> None:
    model = ModelSpec.model_validate(
        {"champion": TREES, "imbalance": "under_sample", "calibration": calibration}
    )
    first = run(data, names, model=model)
    again = refit(first, data, model, get_task("binary"), seed=7)
    assert again.refitted and again.rows == WINDOW.validation_rows(data.event_time).sum() + (
        first.version.rows
    )
    assert again.review_above == first.version.review_above
    assert again.offline == first.version.offline
    score = again.predict(data.features)
    assert score.mean() == pytest.approx(data.label.mean(), rel=0.3)
    assert again.files() != first.version.files()


def test_unknown_labels_and_costs(data: TrainingData, names: tuple[str, ...]) -> None:
    label, cost = data.label.copy(), data.cost_missed.copy()
    label[::10], cost[::7] = np.nan, np.nan
    version = run(replace(data, label=label, cost_missed=cost), names).version
    assert version.rows == (WINDOW.training_rows(data.event_time) & ~np.isnan(label)).sum()
    assert np.isfinite(version.offline["cost"])


@pytest.mark.parametrize(
    ("slice_name", "empty"), [("training", (0, 14 * DAY)), ("validation", (14 * DAY, 21 * DAY))]
)
def test_too_few_positives(
    slice_name: str, empty: tuple[float, float], data: TrainingData, names: tuple[str, ...]
) -> None:
    inside = (data.event_time >= empty[0]) & (data.event_time < empty[1])
    quiet = replace(data, label=np.where(inside, 0.0, data.label))
    with pytest.raises(CannotTrain, match=f"{slice_name} slice; got '0 positives in"):
        run(quiet, names)


def test_parts_that_do_not_go_together() -> None:
    task = get_task("binary")
    check_model(MODEL, task)
    model = ModelSpec.model_validate({"imbalance": "smote", "calibration": "closed_form"})
    with pytest.raises(UsageError, match="no closed-form"):
        check_model(model, task)


def test_cut_offs_of_the_design_win(data: TrainingData, names: tuple[str, ...]) -> None:
    decision = Decision.model_validate({"review": {"above": 0.2}, "block": {"above": 0.8}})
    version = run(data, names, decision=decision).version
    assert (version.review_above, version.block_above) == (0.2, 0.8)
    nothing = run(data, names, decision=Decision(review=None, block=None)).version
    assert nothing.review_above == nothing.block_above == np.inf
    assert daily_capacity(Decision(review=None)) == 0.0
    assert daily_capacity(DECISION) == pytest.approx(20.0)


def test_arrays_of_different_lengths_are_a_programming_error(data: TrainingData) -> None:
    with pytest.raises(ValueError, match="rows"):
        replace(data, label=data.label[:-1])
