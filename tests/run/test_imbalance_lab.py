"""Strategies on a small scenario; what the numbers say is held to numbers made up for it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.model import STRATEGIES, CannotTrain
from sandbox.record import LabRecord
from sandbox.run.imbalance_folds import FOLDS, cut_slices, plan_folds, play_history
from sandbox.run.imbalance_lab import choose_strategies, run_imbalance_lab
from sandbox.run.imbalance_lesson import lesson
from sandbox.run.setup import DAY, Prepared
from sandbox.spec.design import Training

Ready = Callable[..., Prepared]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def prepared(ready: Ready) -> Prepared:
    """Two folds of three days each; resampled to 1:1, so that the damage is plain."""
    return ready("history=27d", "model.ratio=1", "model.champion.xgboost.trees=30", incidents=())


@pytest.fixture(scope="module")
def record(prepared: Prepared) -> LabRecord:
    return run_imbalance_lab(prepared, STRATEGIES, "sandbox train parcels")


def rows_of(record: LabRecord) -> Rows:
    return [dict(row) for row in record.rows]


def raw(record: LabRecord, strategy: str, model: str = "xgboost") -> dict[str, Any]:
    wanted = (strategy, model, "raw")
    return next(r for r in rows_of(record) if (r["strategy"], r["model"], r["scores"]) == wanted)


@given(
    window=st.integers(1, 60),
    validation=st.integers(1, 14),
    maturity=st.integers(0, 30),
    spare=st.floats(1, 100),
)
def test_folds_are_ordered_in_time_and_wait_for_labels(
    window: int, validation: int, maturity: int, spare: float
) -> None:
    training = Training(
        window=window * DAY, label_maturity=maturity * DAY, validation=validation * DAY
    )
    history = (window + validation + 2 * maturity + spare) * DAY
    folds = plan_folds(history, training, start=1000 * DAY)
    assert 1 <= len(folds) <= FOLDS
    for fold in folds:
        slices = fold.window
        assert 1000 * DAY - history <= slices.train_from < slices.train_to < slices.validation_to
        assert slices.validation_to == fold.job - maturity * DAY
        assert fold.job < fold.test_to == fold.known_at - maturity * DAY
        assert fold.known_at <= 1000 * DAY
    for newer, older in pairwise(folds):
        assert older.test_to == newer.job, "no row is tested on twice"


def test_a_history_that_is_too_short_is_said_with_what_it_would_take() -> None:
    training = Training(window=10 * DAY, label_maturity=4 * DAY, validation=3 * DAY)
    assert len(plan_folds(22 * DAY, training)) == 1
    with pytest.raises(UsageError, match="at least 22d") as error:
        plan_folds(21.9 * DAY, training)
    assert "--set history=" in error.value.line()


def test_strategies_are_chosen_by_name_and_none_is_always_there() -> None:
    assert choose_strategies("all") == STRATEGIES
    assert choose_strategies("smote, none") == ("none", "smote")
    with pytest.raises(UsageError, match="Did you mean smote"):
        choose_strategies("smoat")


def test_slices_hold_only_what_is_known_at_the_time(prepared: Prepared) -> None:
    log = play_history(prepared)
    fold, *_ = plan_folds(
        prepared.scenario.history, prepared.design.model.training, prepared.scenario.start_time
    )
    part = cut_slices(prepared, log, fold)
    time, known_at = log.column("event_time"), log.column("label_time")
    for rows, begin, end, now in (
        (part.train, fold.window.train_from, fold.window.train_to, fold.job),
        (part.calibrate, fold.window.train_to, fold.window.validation_to, fold.job),
        (part.test, fold.job, fold.test_to, fold.known_at),
    ):
        inside = (time >= begin) & (time < end) & (log.column("dead") == 0)
        # These parcels all report in the end: a row without a label yet is left out.
        assert len(rows.label) == np.count_nonzero(inside & (known_at <= now))
        assert 0 < rows.positives < len(rows.label)
    later = (time >= fold.job) & (time < fold.test_to) & (log.column("label") == 1)
    assert part.unreported == np.count_nonzero(later) - part.test.positives > 0


def test_too_few_positives_are_said(ready: Ready) -> None:
    rare = ready("history=27d", "world.late_share=0.0001", incidents=())
    with pytest.raises(CannotTrain, match="training slice"):
        run_imbalance_lab(rare, ("none",), "")


def test_every_strategy_is_there_raw_and_corrected(record: LabRecord) -> None:
    found: dict[tuple[Any, Any], list[Any]] = {}
    for row in record.rows:
        found.setdefault((row["strategy"], row["model"]), []).append(row["scores"])
    fitted = ["sigmoid", "isotonic"]
    closed = ["raw", "closed_form", *fitted]
    assert found == {
        ("none", "xgboost"): ["raw", *fitted],
        ("weight", "xgboost"): closed,
        ("under_sample", "xgboost"): closed,
        ("smote", "xgboost"): ["raw", *fitted],
        ("balanced_bagging", "xgboost"): closed,
        ("none", "logistic_regression"): ["raw", *fitted],
    }


def test_strategies_break_calibration_and_corrections_mend_it(record: LabRecord) -> None:
    reference = raw(record, "none")
    for strategy in STRATEGIES[1:]:
        row = raw(record, strategy)
        assert row["brier"] > 1.5 * reference["brier"]
        assert row["promised"] > 1.5 * reference["promised"]
    for row in rows_of(record):
        broken = raw(record, row["strategy"], row["model"])
        if row["scores"] != "raw":
            assert row["pr_auc"] == pytest.approx(broken["pr_auc"], abs=1e-4), "order is kept"
            assert row["recall_at_capacity"] == pytest.approx(broken["recall_at_capacity"])
        if row["scores"] in ("closed_form", "isotonic") and row["model"] == "xgboost":
            assert row["brier"] < 1.2 * reference["brier"]


def test_differences_are_those_of_the_means_and_have_noise(record: LabRecord) -> None:
    base = raw(record, "none")["pr_auc"]
    compared = [r for r in rows_of(record) if r["difference"] is not None]
    assert len(compared) == len(STRATEGIES)  # all but none, and the other family
    for row in compared:
        assert row["scores"] == "raw"
        assert row["difference"] == pytest.approx(row["pr_auc"] - base)
        assert 0 < row["noise"] < 0.5


def test_the_same_seed_gives_the_same_record(prepared: Prepared, record: LabRecord) -> None:
    some = run_imbalance_lab(prepared, ("none", "under_sample"), "sandbox train parcels")
    kept = [r for r in record.rows if r["strategy"] in ("none", "under_sample")]
    assert list(some.rows) == kept


def test_curves_are_of_the_newest_fold(record: LabRecord) -> None:
    curve = record.curves["precision smote"]
    assert curve["recall"][-1] == 1.0
    assert all(0 < p <= 1 for p in curve["precision"])
    assert (np.diff(curve["recall"]) > 0).all()
    assert {"raw none", "closed_form weight", "isotonic logistic_regression"} <= set(record.curves)
    assert "closed_form smote" not in record.curves


def test_a_design_of_the_baseline_family_has_no_second_baseline(ready: Ready) -> None:
    linear = ready("history=27d", "model.champion={logistic_regression: {}}", incidents=())
    found = run_imbalance_lab(linear, ("none", "weight"), "")
    assert {r["model"] for r in found.rows} == {"logistic_regression"}
    assert len(found.lesson) == 4, "no sentence on a baseline"


def made_up(gain: float, brier: float, strategy: str = "weight") -> Rows:
    """One strategy beside none; noise 0.02."""
    base = {
        "strategy": "none", "model": "xgboost", "scores": "raw", "difference": None,
        "noise": None, "pr_auc": 0.5, "brier": 0.01, "promised": 1.0, "cost": 10.0,
        "cost_at_theory": 10.0,
    }  # fmt: skip
    other = base | {
        "strategy": strategy, "difference": gain, "noise": 0.02, "pr_auc": 0.5 + gain,
        "brier": brier, "promised": 9.0, "cost_at_theory": 80.0,
    }  # fmt: skip
    mended = other | {"scores": "isotonic", "brier": 0.011, "cost_at_theory": 12.0}
    return [base, base | {"scores": "isotonic"}, other, mended]


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        (0.05, "weight (+0.050) raised PR-AUC above none's 0.500 by more than the noise (0.020)."),
        (0.01, "no strategy's PR-AUC is above none's 0.500 by more than the noise; the best, "
               "weight, differs by +0.010 and the noise is 0.020."),
        (-0.05, "the noise is 0.020. Below it by more than the noise: weight (-0.050)."),
    ],
)  # fmt: skip
def test_the_lesson_on_ranking_follows_the_numbers(gain: float, says: str) -> None:
    assert says in lesson(made_up(gain, 0.05))[0]


def test_the_lesson_on_calibration_and_money_follows_the_numbers() -> None:
    _, calibration, repair, money = lesson(made_up(0.0, 0.05))
    assert "every strategy broke it" in calibration
    assert "weight 5.0 times (its scores promise 9.0 positives" in calibration
    assert "isotonic leaves at most 1.10 times" in repair
    assert "raw scores of weight it costs 80 USD a day, after isotonic calibration 12." in money
    calm = made_up(0.0, 0.0105)
    assert "every strategy broke it" in lesson(calm)[1], "its scores still promise 9 times as much"
    calm[2]["promised"] = 1.1
    assert "0 of 1 broke it" in lesson(calm)[1]
