"""The regression task: metrics by hand and by scikit-learn, intervals, and what estimates miss."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, r2_score

from sandbox.errors import UsageError
from sandbox.task import RegressionTask, Task, get_task
from sandbox.task.regression import TOLERANCE, interval_coverage, mae, mape, r2, within

ROWS = 40_000
Z90 = 1.6448536269514722
Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def task() -> Task:
    return get_task("regression")


@pytest.fixture(scope="module")
def world() -> Rows:
    """Log labels that are normal around log scores, half of them three times as far off."""
    rng = np.random.default_rng(0)
    score = rng.lognormal(10.0, 0.6, ROWS)
    deviation = np.where(rng.random(ROWS) < 0.5, 0.04, 0.12)
    label = score * np.exp(deviation * rng.normal(size=ROWS))
    return label, score, Z90 * deviation, np.arange(ROWS) * 7 // ROWS


pairs = st.lists(
    st.tuples(st.floats(0.5, 1e7), st.floats(0.5, 1e7), st.integers(1, 4)), min_size=2, max_size=30
)


@given(pairs)
def test_metrics_are_those_of_scikit_learn(rows: list[tuple[float, float, int]]) -> None:
    label, score, _ = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert mae(label, score) == pytest.approx(mean_absolute_error(label, score))
    assert mape(label, score) == pytest.approx(mean_absolute_percentage_error(label, score))
    if np.ptp(label) > 1e-3 * label.max():
        assert r2(label, score) == pytest.approx(r2_score(label, score))


@given(pairs)
def test_a_weight_is_a_repetition(rows: list[tuple[float, float, int]]) -> None:
    label, score, _ = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    times = np.array([row[2] for row in rows])
    task, spread = get_task("regression"), np.linspace(0.05, 1.0, len(label))
    day = np.zeros(len(label), dtype=np.int64)
    names = [n for n in task.metrics if n != "r2" or np.ptp(label) > 1e-3 * label.max()]
    weighted = task.measure(
        names, label, score, day=day, capacity=0, weight=times.astype(float), spread=spread
    )
    repeated = task.measure(
        names, np.repeat(label, times), np.repeat(score, times), day=np.repeat(day, times),
        capacity=0, spread=np.repeat(spread, times),
    )  # fmt: skip
    assert weighted == pytest.approx(repeated, rel=1e-6)


def test_coverage_and_width_by_hand(task: Task) -> None:
    label = np.array([100.0, 120.0, 80.0, 100.0])
    score = np.array([100.0, 100.0, 100.0, 0.0])
    spread = np.array([0.0, 0.19, 0.19, 5.0])
    # exp(0.19) is 1.209: 120 is inside; 1 / 1.209 is 0.827: 80 is not; no estimate covers nothing.
    assert interval_coverage(label, score, spread) == 0.5
    told = task.measure(
        ["interval_width", "interval_coverage", "within_10_percent"], label, score,
        day=np.zeros(4, np.int64), capacity=0, spread=np.log([1.0, 1.1, 1.2, 1.3]),
    )  # fmt: skip
    assert tuple(told) == ("interval_width", "interval_coverage", "within_10_percent")
    assert told["interval_width"] == pytest.approx((0 + 0.21 + 0.44 + 0.69) / 4)
    assert told["within_10_percent"] == 0.25
    without = task.measure(task.metrics, label, score, day=np.zeros(4, np.int64), capacity=0)
    assert [n for n, v in without.items() if np.isnan(v)] == ["interval_coverage", "interval_width"]


def test_a_tenth_of_the_label_counts_and_not_of_the_score() -> None:
    assert within(np.array([100.0, 100.0, 100.0]), np.array([90.0, 110.0, 111.0])) == (
        pytest.approx(2 / 3)
    )
    # 110 is off by a tenth of itself from 121 but by less than a tenth of the label.
    assert within(np.array([110.0]), np.array([122.0])) == 0.0
    assert within(np.array([122.0]), np.array([110.0])) == 1.0
    assert within(np.array([100.0]), np.array([120.0]), tolerance=0.2) == 1.0


def test_nothing_to_measure_is_nan(task: Task) -> None:
    nothing = np.empty(0)
    none = np.empty(0, np.int64)
    measured = task.measure(task.metrics, nothing, nothing, day=none, capacity=0, spread=nothing)
    assert tuple(measured) == task.metrics and all(np.isnan(list(measured.values())))
    estimated = task.estimate(task.metrics, nothing, day=none, capacity=0, spread=nothing)
    assert tuple(estimated) == task.metrics and all(np.isnan(list(estimated.values())))
    two = np.array([5.0, 5.0])
    assert np.isnan(r2(two, np.array([4.0, 5.0])))
    assert np.isnan(mae(two, two, np.zeros(2)))
    blind = task.estimate(task.metrics, two, day=np.zeros(2, np.int64), capacity=0)
    assert all(np.isnan(list(blind.values())))


def test_bad_is_off_by_more_than_a_tenth_or_never_said(task: Task) -> None:
    label = np.array([100.0, 100.0, 100.0, 100.0, np.nan, 100.0])
    score = np.array([91.0, 89.0, 111.0, 0.0, 0.0, np.nan])
    assert task.is_bad(label, score).tolist() == [False, True, True, True, False, True]
    assert task.is_bad(np.array([100.0]), np.array([90.0])).tolist() == [False]


def test_chance_of_bad_is_what_happens(task: Task) -> None:
    rng = np.random.default_rng(1)
    for deviation in (0.03, 0.06, 0.1, 0.4):
        label = np.exp(deviation * rng.normal(size=ROWS))
        happened = task.is_bad(label, np.ones(ROWS)).mean()
        (told,) = task.bad_chance(np.array([1.0]), np.array([Z90 * deviation]))
        assert told == pytest.approx(happened, abs=0.01)
    certain = task.bad_chance(np.array([7.0, 9.0]), np.array([0.0, 50.0]))
    assert certain[0] == 0.0 and 0.99 < certain[1] < 1.0
    assert task.bad_chance(np.array([7.0, 9.0])).tolist() == [1.0, 1.0]
    widths = task.bad_chance(np.ones(50), np.linspace(0.01, 2.0, 50))
    assert (np.diff(widths) >= 0).all() and widths[0] < 1e-6


def test_what_was_never_estimated_is_bad_for_sure(task: Task) -> None:
    """Where the model did not answer, the log holds score 0 and spread 0: that is no certainty."""
    score, spread = np.array([100.0, 0.0]), np.array([0.01, 0.0])
    assert task.bad_chance(score, spread)[1] == 1.0
    day = np.zeros(2, np.int64)
    told = task.estimate(["within_10_percent", "mape"], score, day=day, capacity=0, spread=spread)
    true = task.measure(
        ["within_10_percent", "mape"], np.array([100.0, 100.0]), score, day=day, capacity=0
    )
    assert told == pytest.approx(true, abs=0.01)


def test_estimate_meets_truth_when_errors_are_as_told(task: Task, world: Rows) -> None:
    label, score, spread, day = world
    true = task.measure(task.metrics, label, score, day=day, capacity=5, spread=spread)
    told = task.estimate(task.metrics, score, day=day, capacity=5, spread=spread)
    assert tuple(told) == task.metrics and np.isnan(told.pop("interval_coverage"))
    assert true.pop("interval_coverage") == pytest.approx(0.9, abs=0.006)
    for name, value in told.items():
        assert value == pytest.approx(true[name], rel=0.04), name
    assert told["interval_width"] == true["interval_width"]


def test_estimate_follows_harder_cases(task: Task, world: Rows) -> None:
    label, score, spread, day = world
    hard = spread > np.median(spread)
    assert hard.any() and not hard.all()
    for rows in (hard, ~hard):
        names, place = ["within_10_percent", "mape"], {"day": day[rows], "capacity": 5}
        true = task.measure(names, label[rows], score[rows], **place)
        told = task.estimate(names, score[rows], spread=spread[rows], **place)
        # The label may be a little farther above than below: 1 / 0.9 is more than 1.1.
        assert told == pytest.approx(true, rel=0.06)


def test_estimate_is_blind_when_all_prices_fall(task: Task, world: Rows) -> None:
    label, score, spread, day = world
    fallen = 0.8 * label
    names = ["within_10_percent", "mape", "mae"]
    before = task.measure(names, label, score, day=day, capacity=5)
    after = task.measure(names, fallen, score, day=day, capacity=5)
    told = task.estimate(names, score, day=day, capacity=5, spread=spread)
    assert after["mape"] > 3 * before["mape"] and after["within_10_percent"] < 0.3
    assert told == pytest.approx(before, rel=0.04)
    covered = task.measure(["interval_coverage"], fallen, score, day=day, capacity=5, spread=spread)
    assert covered["interval_coverage"] < 0.6


def test_cases_are_known_labels(task: Task) -> None:
    assert task.cases_in(np.array([3.0, np.nan, 5.0])) == 2
    assert task.cases_in(np.empty(0)) == 0


def test_too_little_to_learn_from(task: Task) -> None:
    assert task.why_too_little(np.full(50, 3.0), least=10) == ""
    assert task.why_too_little(np.full(49, 3.0), least=10) == "at least 50 known labels"
    assert "positive labels" in task.why_too_little(np.array([1.0] * 99 + [0.0]), least=10)
    assert "positive labels" in task.why_too_little(np.array([1.0] * 99 + [-2.0]), least=10)
    assert task.why_too_little(np.empty(0), least=0) == ""
    assert task.why_too_little(np.empty(0), least=1) == "at least 5 known labels"


def test_names_and_directions(task: Task) -> None:
    assert isinstance(task, RegressionTask) and task.has_spread and not task.calibration_metrics
    assert {task.primary, task.gate_metric, *task.watched} <= set(task.metrics)
    assert task.baseline in task.families
    better = [name for name in task.metrics if task.higher_is_better(name)]
    assert better == ["within_10_percent", "r2", "interval_coverage"]
    with pytest.raises(UsageError, match=r"got 'regresion'.*Did you mean regression"):
        get_task("regresion")
    with pytest.raises(UsageError, match=r"unknown metric of task regression; got 'mapa'.*mape"):
        task.higher_is_better("mapa")
    with pytest.raises(UsageError, match="pr_auc"):
        task.measure(["pr_auc"], np.ones(1), np.ones(1), day=np.zeros(1, np.int64), capacity=0)


def test_numbers_as_people_read_them(task: Task) -> None:
    assert task.show(12345.6) == "12,346" and task.show_label(999.4) == "999"
    said = task.describe_labels(np.arange(1.0, 102.0) * 1000)
    assert said == "median 51,000, nine in ten from 6,000 to 96,000"


def test_reliability_is_tenths_by_estimate(task: Task) -> None:
    rng = np.random.default_rng(2)
    score = rng.permutation(np.arange(1.0, 101.0))
    mean, label, rows = task.reliability(2.0 * score, score)
    assert mean.tolist() == [5.5 + 10 * i for i in range(10)]
    assert label.tolist() == (2 * mean).tolist() and rows.tolist() == [10] * 10
    few = task.reliability(np.array([4.0, 2.0]), np.array([3.0, 1.0]))
    assert [part.tolist() for part in few] == [[1.0, 3.0], [2.0, 4.0], [1, 1]]
    assert [len(part) for part in task.reliability(np.empty(0), np.empty(0))] == [0, 0, 0]


def test_score_edges_hold_hours_and_houses(task: Task) -> None:
    edges = task.score_edges()
    assert edges[0] == 0 and edges[1] == 1 and edges[-1] == pytest.approx(1e8)
    ratio = edges[2:] / edges[1:-1]
    assert ratio == pytest.approx(np.full(len(ratio), ratio[0])) and (np.diff(edges) > 0).all()
    counts, _ = np.histogram([0.0, 0.2, 5.0, 3e5, 9e7], edges)
    assert counts.sum() == 5 and counts[0] == 2


def test_tolerance_is_the_one_that_the_chance_is_about(task: Task) -> None:
    # log(1.1) is one standard deviation here: of a normal distribution 15.87 % lie below -1. The
    # other side, log(1 / 0.9), is 1.1054 of them away, with 13.45 % above.
    (chance,) = task.bad_chance(np.ones(1), np.array([Z90 * math.log1p(TOLERANCE)]))
    assert chance == pytest.approx(0.1587 + 0.1345, abs=1e-4)
