"""Regression of logarithms in a world where some rows are much noisier than others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge as Peer

from sandbox.errors import UsageError
from sandbox.model import (
    Trained,
    TrainingData,
    load_version,
    save_version,
    version_from_files,
)
from sandbox.model.calibration import Conformal, calibrator_from_dict, fit_conformal
from sandbox.model.evidence import cross_fitted_spread
from sandbox.model.regression import LogRegression, Straight, fit_regression, load_regression
from sandbox.spec.design import Champion, Ridge
from sandbox.task.regression import interval_coverage
from tests.model.homes import TREES, WINDOW, homes, run, spec, spread_of


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return homes()


@pytest.fixture(scope="module")
def fresh() -> TrainingData:
    return homes(seed=99)


@pytest.fixture(scope="module")
def trained(data: TrainingData) -> Trained:
    return run(data)


@pytest.mark.parametrize("champion", [TREES, {"ridge": {}}])
def test_spread_is_wide_where_the_noise_is(champion: dict[str, object]) -> None:
    rows, rng = homes(), np.random.default_rng(1)
    model = fit_regression(Champion.model_validate(champion), rows.features, rows.label, rng)
    spread, noisy = model.spread(rows.features), rows.features[:, 1] > 0
    assert np.median(spread[noisy]) / np.median(spread[~noisy]) == pytest.approx(4.0, rel=0.35)
    assert np.median(spread[noisy]) == pytest.approx(1.645 * 0.2, rel=0.25)


def test_errors_are_learnt_on_rows_that_a_fit_has_not_seen() -> None:
    """Trees that know every row by heart would otherwise say that they are never wrong."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 4)).astype(np.float32)
    label = np.exp(0.3 * rng.normal(size=600))
    champion = Champion.model_validate(
        {"xgboost": {"trees": 200, "depth": 10, "learning_rate": 0.5, "l2": 0}}
    )
    model = fit_regression(champion, x, label, np.random.default_rng(0))
    by_heart = np.abs(np.log(label / model.predict(x)))
    assert np.quantile(by_heart, 0.9) < 0.02
    assert np.median(model.spread(x)) > 0.3


def test_intervals_hold_nine_in_ten_of_fresh_rows(trained: Trained, fresh: TrainingData) -> None:
    version = trained.version
    score, spread = version.predict(fresh.features), spread_of(version, fresh.features)
    assert interval_coverage(fresh.label, score, spread) > 0.88
    noisy = fresh.features[:, 1] > 0
    for rows in (noisy, ~noisy):
        held = interval_coverage(fresh.label[rows], score[rows], spread[rows])
        assert held == pytest.approx(0.9, abs=0.07)


def test_conformal_holds_under_heavy_tails_and_none_does_not() -> None:
    data, later = homes(tails=True), homes(seed=98, tails=True)
    held = {}
    for calibration in ("none", "conformal"):
        version = run(data, spec(calibration=calibration)).version
        spread = spread_of(version, later.features)
        held[calibration] = interval_coverage(later.label, version.predict(later.features), spread)
    assert held["conformal"] == pytest.approx(0.9, abs=0.03)
    assert held["none"] < 0.86


def test_conformal_by_hand() -> None:
    # Nine ratios, 1 to 9: rank ceil(10 * 0.9) = 9. Nineteen: ceil(20 * 0.9) = 18 of 19.
    for number, coverage, ratio in ((9, 0.9, 9.0), (19, 0.9, 18.0), (9, 0.5, 5.0), (4, 0.9, 4.0)):
        spread = np.linspace(0.1, 0.4, number)
        ratios = np.random.default_rng(number).permutation(np.arange(1.0, number + 1))
        fitted = fit_conformal(ratios * spread, spread, coverage)
        assert fitted.factor == pytest.approx(ratio), (number, coverage)
    assert fit_conformal(np.empty(0), np.empty(0), 0.9) == Conformal(1.0)
    assert calibrator_from_dict(Conformal(1.25).to_dict()) == Conformal(1.25)
    assert Conformal(3.0).apply(np.array([2.0])).tolist() == [2.0]


@given(
    st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(0.01, 2.0)), min_size=1, max_size=60),
    st.floats(0.05, 0.95),
)
def test_the_factor_holds_its_share_of_the_rows_it_saw(
    rows: list[tuple[float, float]], coverage: float
) -> None:
    error, spread = (np.array(column) for column in zip(*rows, strict=True))
    factor = fit_conformal(error, spread, coverage).factor
    assert np.mean(error / spread <= factor) >= coverage or len(rows) + 1 < 1 / (1 - coverage)
    smaller = np.mean(error / spread < factor)
    assert smaller < np.ceil((len(rows) + 1) * coverage) / len(rows)


def test_no_row_has_a_part_in_its_own_spread() -> None:
    rng = np.random.default_rng(4)
    day, raw = np.arange(200) // 20, rng.uniform(0.1, 0.3, 200)
    error = np.abs(rng.normal(size=200)) * raw
    usual = cross_fitted_spread(error, raw, day, 0.9)
    for parity in (0, 1):
        mine = day % 2 == parity
        wild = np.where(mine, error * rng.uniform(5, 50, 200), error)
        changed = cross_fitted_spread(wild, raw, day, 0.9)
        np.testing.assert_array_equal(changed[mine], usual[mine])
        assert (changed[~mine] > 4 * usual[~mine]).all()
        other = fit_conformal(error[~mine], raw[~mine], 0.9).factor
        np.testing.assert_allclose(usual[mine], other * raw[mine])


def test_evidence_has_spreads_that_have_not_seen_their_rows(
    trained: Trained, data: TrainingData
) -> None:
    later = WINDOW.validation_rows(data.event_time)
    seen = spread_of(trained.version, data.features[later])
    told = trained.evidence.challenger.spread
    assert told is not None
    ratio = told / seen
    odd = trained.evidence.day % 2 == 1
    assert np.ptp(ratio[odd]) < 1e-12 and np.ptp(ratio[~odd]) < 1e-12
    assert abs(ratio[odd][0] - ratio[~odd][0]) > 1e-6
    np.testing.assert_array_equal(trained.evidence.challenger.risk, told)
    baseline = trained.evidence.baseline
    assert baseline.spread is not None and not np.array_equal(baseline.spread, told)


@pytest.mark.parametrize("champion", [TREES, {"ridge": {}}])
def test_a_row_is_told_the_same_in_any_batch(
    champion: dict[str, object], data: TrainingData
) -> None:
    version = run(data, spec(champion=champion)).version
    x = data.features[:257]
    score, spread = version.predict(x), spread_of(version, x)
    for start, stop in ((0, 1), (3, 10), (100, 257)):
        np.testing.assert_array_equal(version.predict(x[start:stop]), score[start:stop])
        np.testing.assert_array_equal(spread_of(version, x[start:stop]), spread[start:stop])
    turned = np.random.default_rng(0).permutation(257)
    np.testing.assert_array_equal(version.predict(x[turned]), score[turned])
    np.testing.assert_array_equal(spread_of(version, x[turned]), spread[turned])
    assert version.predict(x[:0]).shape == spread_of(version, x[:0]).shape == (0,)


@pytest.mark.parametrize("champion", [TREES, {"ridge": {"penalty": 3}}])
@pytest.mark.parametrize("calibration", ["none", "conformal"])
def test_what_is_saved_comes_back(
    champion: dict[str, object], calibration: str, data: TrainingData, tmp_path: Path
) -> None:
    first = run(data, spec(champion=champion, calibration=calibration)).version
    save_version(first, tmp_path / "v1")
    back, x = load_version(tmp_path / "v1"), data.features[:500]
    np.testing.assert_array_equal(back.predict(x), first.predict(x))
    np.testing.assert_array_equal(spread_of(back, x), spread_of(first, x))
    np.testing.assert_array_equal(back.predict_baseline(x), first.predict_baseline(x))
    assert back.files() == first.files()
    assert back.block_above == 0.5 and back.review_above == first.review_above
    assert {Path(path).suffix for path in back.files()} <= {".json", ".ubj"}


def test_changed_bytes_are_refused(trained: Trained) -> None:
    files = trained.version.files()
    parts = [path for path in files if path != "version.json"]
    assert len(parts) == 6  # center, value and error of champion and baseline
    for part in parts:
        for content in (b"", b"{}", files[part] + b" ", b"\x80\x04nonsense"):
            with pytest.raises(UsageError, match=r"^shelf/v1: model .*changed after"):
                version_from_files({**files, part: content}, where="shelf/v1")
        rest = {path: content for path, content in files.items() if path != part}
        with pytest.raises(UsageError, match=r"^shelf/v1: model is incomplete"):
            version_from_files(rest, where="shelf/v1")
    card = json.loads(files["version.json"])
    card["scorer"]["family"] = "log_forest"
    with pytest.raises(UsageError, match="shelf/v1"):
        version_from_files({**files, "version.json": json.dumps(card).encode()}, where="shelf/v1")
    with pytest.raises(ValueError, match="log_forest"):
        load_regression("log_forest", {})


def test_ridge_is_that_of_scikit_learn(data: TrainingData) -> None:
    x, label = data.features[:800], data.label[:800]
    champion = Champion(ridge=Ridge(penalty=20.0))
    model = fit_regression(champion, x, label, np.random.default_rng(0))
    assert isinstance(model.value, Straight)
    known = np.where(np.isnan(x), np.nanmedian(x, axis=0), x).astype(np.float64)
    standard = (known - known.mean(axis=0)) / known.std(axis=0)
    peer = Peer(alpha=20.0).fit(standard, np.log(label))
    np.testing.assert_allclose(np.log(model.predict(x)), peer.predict(standard), rtol=1e-9)
    # A column that never changes gets no weight, and breaks nothing.
    flat = np.column_stack([x, np.full(len(x), 7.0)]).astype(np.float32)
    again = fit_regression(champion, flat, label, np.random.default_rng(0))
    np.testing.assert_allclose(again.predict(flat), model.predict(x), rtol=1e-6)


def test_estimates_are_proportions() -> None:
    rows, rng = homes(1000), np.random.default_rng
    champion = Champion.model_validate(TREES)
    one = fit_regression(champion, rows.features, rows.label, rng(0))
    thousand = fit_regression(champion, rows.features, 1000 * rows.label, rng(0))
    np.testing.assert_allclose(
        thousand.predict(rows.features), 1000 * one.predict(rows.features), rtol=1e-3
    )
    np.testing.assert_allclose(thousand.spread(rows.features), one.spread(rows.features), rtol=0.05)


def test_a_spread_has_an_end() -> None:
    never = Straight(np.zeros(1), np.zeros(1), 50.0)
    model = LogRegression("log_ridge", 0.0, Straight(np.zeros(1), np.zeros(1), 0.0), never)
    assert model.spread(np.zeros((2, 1), np.float32)).tolist() == [3.0, 3.0]
    sure = replace(model, error=replace(never, intercept=-50.0))
    assert 0 < sure.spread(np.zeros((1, 1), np.float32))[0] < 1e-3
