from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.monitor.drift import DriftMonitor

Floats = NDArray[Any]

NAMES = ("a", "b")


def data(seed: int, rows: int, shift: float = 0.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 2)).astype(np.float32)
    matrix[:, 1] += shift
    return matrix, rng.beta(1, 20, rows)


@pytest.fixture
def monitor() -> DriftMonitor:
    return DriftMonitor(NAMES, *data(0, 20_000), periods=3)


def test_quiet_data_stay_near_the_noise(monitor: DriftMonitor) -> None:
    for seed in range(1, 4):
        monitor.add(*data(seed, 1000))
    values, noise = monitor.distances(), monitor.expected_psi()
    assert monitor.subjects == ("a", "b", "score")
    assert monitor.current_rows == 3000
    for subject in monitor.subjects:
        assert values["psi"][subject] < 4 * noise[subject]
        assert values["ks"][subject] < 0.05
        assert values["js"][subject] < 0.1


def test_a_shifted_column_is_named_and_others_are_not(monitor: DriftMonitor) -> None:
    for seed in range(1, 4):
        monitor.add(*data(seed, 1000, shift=1.0))
    for kind, threshold in (("psi", 0.25), ("ks", 0.15), ("js", 0.1)):
        values = monitor.distances()[kind]
        assert values["b"] > threshold
        assert values["a"] < threshold
        assert values["score"] < threshold


def test_the_window_forgets_old_periods(monitor: DriftMonitor) -> None:
    monitor.add(*data(1, 1000, shift=3.0))
    moved = monitor.distances()["psi"]["b"]
    for seed in range(2, 5):
        monitor.add(*data(seed, 1000))
    assert moved > 1
    assert monitor.distances()["psi"]["b"] < 0.02


def test_incremental_counts_equal_one_pass(monitor: DriftMonitor) -> None:
    parts = [data(seed, 700) for seed in (5, 6)]
    for part in parts:
        monitor.add(*part)
    other = DriftMonitor(NAMES, *data(0, 20_000), periods=1)
    other.add(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
    assert monitor.distances() == other.distances()


def test_reset_takes_a_new_reference(monitor: DriftMonitor) -> None:
    monitor.reset(*data(7, 5000, shift=2.0))
    assert monitor.current_rows == 0
    monitor.add(*data(8, 1000, shift=2.0))
    assert monitor.distances()["psi"]["b"] < 0.05


def test_too_few_rows_say_nothing(monitor: DriftMonitor) -> None:
    monitor.add(np.empty((0, 2)), np.empty(0))
    assert np.isnan(list(monitor.missing().values())).all()
    assert np.isnan(list(monitor.expected_psi().values())).all()
    monitor.add(*data(1, 99, shift=9.0))
    assert all(np.isnan(v) for kind in monitor.distances().values() for v in kind.values())
    monitor.add(*data(1, 1, shift=9.0))
    assert monitor.distances()["psi"]["b"] > 1


def test_missing_counts_against_the_reference(monitor: DriftMonitor) -> None:
    matrix, scores = data(0, 20_000)
    matrix[: 20_000 // 10, 0] = np.nan
    monitor.reset(matrix, scores)
    current, scores = data(1, 1000)
    current[:300, 0] = np.nan
    monitor.add(current, scores)
    assert monitor.missing()["a"] == pytest.approx(0.3)
    assert monitor.missing_excess() == pytest.approx({"a": 0.2, "b": 0.0, "score": 0.0})


def test_wrong_shapes_are_programming_errors(monitor: DriftMonitor) -> None:
    with pytest.raises(ValueError, match="expected 2 feature columns"):
        monitor.add(np.zeros((5, 3)), np.zeros(5))
    with pytest.raises(ValueError, match="needs a period"):
        DriftMonitor(NAMES, *data(0, 10), periods=0)
