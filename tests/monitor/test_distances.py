from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from sandbox.monitor.binning import Binner
from sandbox.monitor.distances import expected_psi, js, ks, psi

Floats = NDArray[Any]

COUNTS = arrays(np.int64, (2, 6), elements=st.integers(0, 5000)).filter(
    lambda c: bool((c[:, :-1].sum(axis=1) > 0).all())
)


@settings(max_examples=200, deadline=None)
@given(COUNTS)
def test_bounds_symmetry_and_identity(counts: Floats) -> None:
    p, q = counts
    for distance in (psi, ks, js):
        assert distance(p, q) >= 0
        assert distance(p, q) == pytest.approx(distance(q, p))
        assert distance(p, p) == pytest.approx(0, abs=1e-7)
    assert ks(p, q) <= 1
    assert js(p, q) <= 1


@settings(max_examples=100, deadline=None)
@given(COUNTS)
def test_js_is_scipys(counts: Floats) -> None:
    p, q = counts
    assert js(p, q) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-6)


def test_rows_are_independent() -> None:
    rng = np.random.default_rng(2)
    p, q = rng.integers(1, 100, (2, 5, 8))
    for distance in (psi, ks, js):
        together = distance(p, q)
        assert together.shape == (5,)
        assert together == pytest.approx([float(distance(a, b)) for a, b in zip(p, q, strict=True)])


def test_psi_by_hand() -> None:
    expected = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.7 - 0.5) * np.log(0.7 / 0.5)
    expected += (0.1 - 1e-4) * np.log(0.1 / 1e-4)
    assert psi(np.array([5, 5, 0]), np.array([2, 7, 1])) == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 2.0])
def test_binned_ks_is_a_lower_bound_within_two_points(shift: float) -> None:
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=5000), rng.normal(shift, 1, size=3000)
    binner = Binner(reference[:, None])
    binned = ks(binner.counts(reference[:, None]), binner.counts(current[:, None]))[0]
    exact = stats.ks_2samp(reference.astype(np.float32), current.astype(np.float32)).statistic
    assert binned <= exact + 1e-9
    assert binned >= exact - 0.02


def test_expected_psi_matches_simulation() -> None:
    rng = np.random.default_rng(4)
    share = np.full(10, 0.1)
    reference, current = rng.multinomial(5000, share, 400), rng.multinomial(500, share, 400)
    assert psi(reference, current).mean() == pytest.approx(expected_psi(10, 5000, 500), rel=0.1)


def test_no_rows_gives_nan() -> None:
    empty, some = np.zeros((1, 4)), np.ones((1, 4))
    for distance in (psi, ks, js):
        assert np.isnan(distance(some, empty)).all()
        assert np.isnan(distance(empty, some)).all()


def test_missing_moves_psi_and_js_but_not_ks() -> None:
    p, q = np.array([50, 50, 0]), np.array([25, 25, 50])
    assert psi(p, q) > 0.25
    assert js(p, q) > 0.1
    assert ks(p, q) == 0
