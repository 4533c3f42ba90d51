from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from sandbox.monitor.binning import COARSE_WIDTH, FINE_WIDTH, Binner

Floats = NDArray[Any]

VALUES = st.one_of(
    st.floats(-50, 50, width=32), st.sampled_from([0.0, 1.0, float("nan"), float("inf")])
)
MATRICES = st.integers(1, 3).flatmap(
    lambda f: st.tuples(
        arrays(np.float32, st.tuples(st.integers(1, 120), st.just(f)), elements=VALUES),
        arrays(np.float32, st.tuples(st.integers(0, 40), st.just(f)), elements=VALUES),
    )
)


@settings(max_examples=150, deadline=None)
@given(MATRICES)
def test_every_value_is_counted_once_in_fine_and_coarse_bins(
    matrices: tuple[Floats, Floats],
) -> None:
    reference, current = matrices
    binner = Binner(reference)
    fine = binner.counts(current)
    coarse = binner.coarse(fine)
    assert fine.shape == (reference.shape[1], FINE_WIDTH)
    assert coarse.shape == (reference.shape[1], COARSE_WIDTH)
    assert (fine >= 0).all()
    assert (fine.sum(axis=1) == len(current)).all()
    assert (coarse.sum(axis=1) == len(current)).all()
    missing = np.isnan(current).sum(axis=0)
    assert (fine[:, -1] == missing).all()
    assert (coarse[:, -1] == missing).all()


@settings(max_examples=80, deadline=None)
@given(MATRICES)
def test_coarse_bins_do_not_split_the_order(matrices: tuple[Floats, Floats]) -> None:
    reference, current = matrices
    binner = Binner(reference)
    for feature in range(reference.shape[1]):
        column = np.sort(current[:, feature][~np.isnan(current[:, feature])])
        bins = []
        for value in column:
            row = np.full((1, reference.shape[1]), value, dtype=np.float32)
            bins.append(int(binner.coarse(binner.counts(row))[feature].argmax()))
        assert bins == sorted(bins)


def test_continuous_reference_fills_bins_evenly() -> None:
    reference = np.random.default_rng(0).normal(size=(10_000, 1))
    binner = Binner(reference)
    fine = binner.counts(reference)
    assert fine[0, :50].tolist() == [200] * 50
    assert binner.coarse(fine)[0].tolist() == [1000] * 10 + [0, 0, 0]
    assert binner.bins.tolist() == [10]


def test_values_between_are_found_by_the_definition_of_the_bins() -> None:
    rng = np.random.default_rng(1)
    reference, current = rng.normal(size=(500, 2)), rng.normal(size=(300, 2))
    binner = Binner(reference)
    ordered = np.sort(reference.astype(np.float32), axis=0)
    cuts = ordered[[k * 50 - 1 for k in range(1, 10)]]
    for feature in range(2):
        at = np.searchsorted(cuts[:, feature], current[:, feature].astype(np.float32), side="left")
        expected = np.bincount(at, minlength=10)
        assert binner.coarse(binner.counts(current))[feature, :10].tolist() == expected.tolist()


def test_a_constant_column_shows_new_values_on_both_sides() -> None:
    binner = Binner(np.full((20, 1), 3.0))
    counts = binner.coarse(binner.counts([[2.0], [3.0], [3.0], [4.0]]))
    assert counts[0, :3].tolist() == [1, 2, 1]


def test_an_all_missing_reference_still_counts() -> None:
    binner = Binner(np.full((5, 1), np.nan))
    assert binner.counts([[1.0], [np.nan]])[0, [0, -1]].tolist() == [1, 1]


def test_many_ties_merge_cuts() -> None:
    column = np.concatenate([np.zeros(900), np.arange(1, 101)])[:, None]
    binner = Binner(column)
    coarse = binner.coarse(binner.counts(column))
    assert coarse[0, :2].tolist() == [900, 100]
    assert binner.bins.tolist() == [2]


def test_no_rows_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Binner(np.empty((0, 2)))
