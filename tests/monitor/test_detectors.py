from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.errors import UsageError
from sandbox.monitor.detectors import DETECTORS, Change, Detector, binary_only

Floats = NDArray[Any]


@dataclass(frozen=True)
class Limits:
    """What a detector does on 0/1 streams of 2,000 values at 0.2, then 1,500 at 0.5, 6 seeds."""

    false_alarms: int
    """Most changes reported in all stationary parts together."""
    detected: int
    """Fewest shifted parts in which a change is reported."""


# KSWIN misses 0/1 shifts (its subsamples of 30 tie); EDDM is known for false alarms.
LIMITS = {
    "adwin": Limits(0, 6),
    "page_hinkley": Limits(1, 6),
    "ddm": Limits(3, 5),
    "eddm": Limits(50, 2),
    "hddm_a": Limits(0, 6),
    "hddm_w": Limits(3, 6),
    "kswin": Limits(2, 0),
}


def feed(detector: Detector, values: Floats) -> list[Change]:
    return [c for part in np.array_split(values, 10) for c in detector.update(part)]


@pytest.mark.parametrize("name", DETECTORS)
def test_contract(name: str) -> None:
    false_alarms = detected = 0
    seeds, limits = 6 if name != "kswin" else 1, LIMITS[name]
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        detector = Detector(name)
        false_alarms += len(feed(detector, (rng.random(2000) < 0.2).astype(float)))
        detected += bool(feed(detector, (rng.random(1500) < 0.5).astype(float)))
    assert false_alarms <= limits.false_alarms
    assert detected >= limits.detected


@pytest.mark.parametrize("name", [n for n in DETECTORS if not binary_only(n)])
def test_detectors_of_any_value_see_a_large_shift_of_real_values(name: str) -> None:
    rng = np.random.default_rng(0)
    detector = Detector(name)
    size, scale = (180, 1.0) if name == "kswin" else (1000, 0.2)
    assert not detector.update(rng.normal(0, scale, size))
    assert detector.update(rng.normal(3, scale, size))


@pytest.mark.parametrize("name", DETECTORS)
def test_reset_forgets_and_detection_is_reproducible(name: str) -> None:
    rng = np.random.default_rng(1)
    stream = (rng.random(400) < np.repeat([0.1, 0.6], 200)).astype(float)
    used, fresh = Detector(name), Detector(name)
    first = used.update(stream)
    used.reset()
    assert used.update(stream) == first == fresh.update(stream)


@pytest.mark.parametrize("name", ["ddm", "eddm", "hddm_a", "hddm_w"])
def test_detectors_of_errors_take_zeros_and_ones_only(name: str) -> None:
    assert binary_only(name)
    with pytest.raises(ValueError, match="0 and 1"):
        Detector(name).update([0.0, 0.3])


def test_position_and_means_of_a_change() -> None:
    values = np.r_[np.tile([0.0, 0.0, 0.0, 1.0], 250), np.ones(300)]
    (change,) = Detector("adwin").update(values)
    assert 1000 < change.position < 1100
    assert change.before == pytest.approx(0.25, abs=0.01)
    assert change.after > change.before


def test_warm_up_holds_detections_back_and_starts_anew_after_one() -> None:
    stream = np.r_[np.zeros(60), np.ones(60), np.zeros(60), np.ones(60)]
    assert Detector("page_hinkley", warm_up=0).update(np.r_[np.zeros(150), np.full(30, 9.0)])
    assert Detector("adwin", warm_up=0).update(stream)
    assert not Detector("adwin", warm_up=240).update(stream)
    changes = Detector("adwin", warm_up=100).update(np.tile(np.repeat([0.0, 1.0], 40), 20))
    positions = [c.position for c in changes]
    assert len(positions) > 1
    assert min(np.diff(positions)) > 100


def test_missing_values_are_skipped() -> None:
    rng = np.random.default_rng(2)
    stream = (rng.random(1200) < np.repeat([0.1, 0.7], 600)).astype(float)
    holes = np.repeat(stream, 2)
    holes[1::2] = np.nan
    plain, holed = Detector("adwin").update(stream), Detector("adwin").update(holes)
    assert plain
    assert [2 * c.position for c in plain] == [c.position for c in holed]
    assert Detector("adwin").update([]) == ()


def test_a_long_update_is_thinned() -> None:
    stream = np.repeat([0.0, 1.0], 20_000)
    (change,) = Detector("hddm_a").update(stream)
    assert 20_000 <= change.position < 21_000


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean adwin") as error:
        Detector("adwim")
    assert error.value.exit_code == 2
