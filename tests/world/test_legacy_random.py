from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.world.legacy_order import quicksort_order
from sandbox.world.legacy_random import (
    below,
    new_stream,
    normal,
    poisson,
    seed_numpy,
    seed_python,
    uniform,
)

SEEDS = st.integers(0, 2**32 - 1)
MANY = 1500


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_mixed_draws_are_those_of_numpy(seed: int) -> None:
    stream, theirs = new_stream(), np.random.RandomState(seed)
    seed_numpy(stream, seed)
    for i in range(MANY):
        assert normal(stream, 3.0, 2.5) == theirs.normal(3.0, 2.5)
        assert poisson(stream, i % 10) == theirs.poisson(i % 10)
        assert uniform(stream, -1.0, 7.0) == theirs.uniform(-1.0, 7.0)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_choices_are_those_of_python(seed: int) -> None:
    stream, theirs = new_stream(), random.Random(seed)
    seed_python(stream, seed)
    for limit in (1, 2, 3, 64, 100, 10_000, 2**31) * (MANY // 7):
        assert below(stream, limit) == theirs.choice(range(limit))


def test_seeding_forgets_the_kept_normal() -> None:
    stream = new_stream()
    seed_numpy(stream, 5)
    first = normal(stream, 0.0, 1.0)
    seed_numpy(stream, 5)
    assert normal(stream, 0.0, 1.0) == first


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(1, 60), SEEDS)
def test_ties_come_as_numpy_leaves_them_for_times(size: int, distinct: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, distinct, size)
    theirs = values.astype("datetime64[s]").argsort(kind="quicksort")
    assert np.array_equal(quicksort_order(values), theirs)


@pytest.mark.parametrize("size", [50_000, 1_000_000])
def test_large_data_sort_alike_too(size: int) -> None:
    values = np.random.default_rng(size).integers(0, size // 3, size)
    theirs = values.astype("datetime64[s]").argsort(kind="quicksort")
    assert np.array_equal(quicksort_order(values), theirs)
