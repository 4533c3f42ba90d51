from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.capacity import calibrate as calibration
from sandbox.capacity import drive as driving
from sandbox.capacity.calibrate import STEPS, Supply, between, calibrate, fit_line, ready
from sandbox.capacity.files import load_profile, profile_text
from sandbox.capacity.twin import Rounds, drive_rounds, hold, one_worker, predict
from sandbox.errors import UsageError
from sandbox.report.twin import twin_html, twin_rows, twin_words
from sandbox.run.setup import prepare
from sandbox.run.stand_in import stand_in_handler
from sandbox.spec.capacity import Profile
from sandbox.spec.loading import build
from sandbox.spec.source import source_from_text
from tests.capacity.conftest import Fraud


@pytest.mark.parametrize("sizes", [[500.0] * 40, [1.0, 4.0, 250.0, 500.0] * 10])
def test_a_pause_is_found_whatever_the_sizes_of_batches(
    profile: Profile, sizes: list[float]
) -> None:
    number = np.array(sizes)
    took = 1e-3 + 1e-5 * number
    took[[7, 23]] += 0.2
    driven = driving.Driven(np.zeros(1), np.zeros(1), np.array([number, took]), 10.0)
    every, length = calibration.pauses(driven, profile)
    assert every == 5.0 and length == pytest.approx(0.2, rel=0.1)


def test_a_line_is_found_behind_noise() -> None:
    rng = np.random.default_rng(0)
    sizes = (1, 4, 16, 64, 256, 1024)
    took = [(2e-4 + 3e-6 * n) * rng.normal(1.0, 0.1, 400) for n in sizes]
    line = fit_line(sizes, took)
    assert line.call == pytest.approx(2e-4, rel=0.03)
    assert line.event == pytest.approx(3e-6, rel=0.03)
    assert line.spread == pytest.approx(0.1, rel=0.15)


@pytest.fixture
def measured(fraud: Fraud, profile: Profile, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A hasty measurement of this machine."""
    monkeypatch.setattr(calibration, "REPEATS", 3)
    monkeypatch.setattr(calibration, "SHIFT", 0.2)
    monkeypatch.setattr(calibration, "HISTORY", 2_000)
    prepared = fraud("model.champion.xgboost.trees=5")
    return calibrate(stand_in_handler(prepared), prepared.scenario.event, 5, profile)


def test_calibration_measures_every_step_and_keeps_the_rest(
    measured: Profile, profile: Profile
) -> None:
    assert measured.text == profile.text  # payments have none
    for name in STEPS:
        line = getattr(measured, name)
        if name == "text":
            continue
        assert line.event > 0 and line.call < 0.05
        assert line != getattr(profile, name)
    assert (measured.fetch, measured.send) == (profile.fetch, profile.send)
    assert measured.notes and 100 < measured.event_bytes < 500
    text = profile_text(measured)
    assert build(Profile, source_from_text(text, "profile.json")) == measured


def test_what_text_costs_is_measured_apart(
    project: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "REPEATS", 3)
    monkeypatch.setattr(calibration, "SHIFT", 0.2)
    monkeypatch.setattr(calibration, "HISTORY", 2_000)
    prepared = prepare(
        "spam", design=None, seed=7, days=1, overrides=("model.champion.xgboost.trees=5",),
        incidents=(), roots=[project / "scenarios"],
    )  # fmt: skip
    handler = stand_in_handler(prepared)
    measured = calibrate(handler, prepared.scenario.event, 5, profile)
    assert measured.text != profile.text
    assert 1e-6 < measured.text.event < 1e-3
    # Hashing is most of the work on a message, whether measured here or by the reference machine.
    plan = handler.pipeline.plan
    without = replace(plan, rows=tuple(row for row in plan.rows if row.operation != "hashed"))
    for one in (measured, profile):
        full, rest = (one_worker(prepared.design, p, one).full_rate for p in (plan, without))
        assert full < 0.7 * rest


def test_two_measurements_meet_in_the_middle(profile: Profile) -> None:
    slow = profile.model_copy(
        update={"score": profile.score.model_copy(update={"call": profile.score.call * 3})}
    )
    assert between(profile, slow).score.call == pytest.approx(2 * profile.score.call)
    assert between(profile, slow).fetch == profile.fetch


def test_a_prediction_beside_a_worker(
    fraud: Fraud, measured: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = fraud("model.champion.xgboost.trees=5")
    handler = stand_in_handler(prepared)
    supply = Supply(handler, prepared.scenario.event, np.random.default_rng(0))
    ready(handler, supply)
    rounds = drive_rounds(prepared.design, measured, handler, supply, seconds=0.05)
    record = hold(("fraud", "mine"), prepared.design, prepared.plan, measured, rounds)
    assert [point.load for point in record.points] == [0.3, 0.6, 0.8]
    for point in record.points:
        assert 0 < point.measured.p50 <= point.measured.p99
        assert point.p99_rounds[0] <= point.measured.p99 <= point.p99_rounds[1]
    assert len(twin_rows(record)) == 13 and twin_words(record)
    assert record.summary()["off"] and "<h1>" in twin_html(record)


def test_a_prediction_that_is_far_off_is_called_a_miss(fraud: Fraud, profile: Profile) -> None:
    prepared = fraud()
    stage = one_worker(prepared.design, prepared.plan, profile)
    rate = 0.3 * stage.full_rate
    good = predict(stage, rate, 0, 0.5)
    driven = driving.Driven(
        np.full(1000, good.p50), np.linspace(0.9 * good.p50, 1.01 * good.p99, 1000),
        np.ones((2, 3)), 1000 / rate,
    )  # fmt: skip
    slow = driving.Driven(driven.waits, 2.0 * driven.latencies, driven.batches, driven.length)
    speeds = (1.5 * stage.full_rate,)
    rounds = Rounds(0.5, speeds, ((slow,), (slow,), (slow,)))
    record = hold(("fraud", "mine"), prepared.design, prepared.plan, profile, rounds)
    said = "; ".join(record.misses())
    assert "top speed is off by -33%" in said and "p99 at 30%" in said


def test_open_loop_latency_counts_the_wait_behind_a_slow_batch(fraud: Fraud) -> None:
    class Slow:
        def handle(self, messages: list[bytes]) -> list[bytes]:
            driving.time.sleep(0.02)
            return messages

    due = np.arange(100) * 0.001
    driven = driving.drive(Slow(), [b""] * 100, due, 10, 0.0)  # type: ignore[arg-type]
    # 100 events in 0.1 s, but at most 10 in 0.02 s: the last wait for all batches before them.
    assert driven.latencies[-1] > 0.08
    assert driven.latencies[-1] > driven.latencies[0]


def test_profiles_come_from_a_file_this_machine_or_the_package(tmp_path, profile: Profile) -> None:  # type: ignore[no-untyped-def]
    own = tmp_path / "profile.json"
    assert load_profile(None, own)[1] == "reference"
    own.write_text(profile_text(profile.model_copy(update={"machine": "mine"})))
    assert load_profile(None, own)[0].machine == "mine"
    assert load_profile(str(own), None)[1] == "profile.json"
    own.write_text("{decode: 3}")
    with pytest.raises(UsageError, match="decode"):
        load_profile(None, own)
