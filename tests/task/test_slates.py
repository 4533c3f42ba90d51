"""Metrics of slates against scikit-learn, naive versions, and their own corner cases."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from sandbox.task import slates as s

Array = NDArray[Any]
Metric = Callable[..., float]
AT_K: tuple[Metric, ...] = (s.ndcg_at, s.hit_rate_at, s.precision_at)


@st.composite
def scored(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Labels, scores with many ties, groups in any order."""
    n = draw(st.integers(2, 60))
    label = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    grid = st.integers(0, 12).map(lambda i: i / 12)
    score = np.array(draw(st.lists(grid, min_size=n, max_size=n)))
    group = np.array(draw(st.lists(st.integers(-2, 6), min_size=n, max_size=n)), dtype=np.int64)
    return label, score, group


def naive(label: Array, score: Array, group: Array, k: int) -> dict[Metric, float]:
    """The four metrics, group by group and place by place."""
    ndcg, hit, first, shown = [], [], [], []
    for one in sorted(set(group.tolist())):
        rows = [i for i in range(len(group)) if group[i] == one]
        ranked = [label[i] for i in sorted(rows, key=lambda i: (-score[i], i))]
        gain = sum(y / math.log2(i + 2) for i, y in enumerate(ranked[:k]))
        best = sum(y / math.log2(i + 2) for i, y in enumerate(sorted(ranked)[::-1][:k]))
        if best > 0:
            ndcg.append(gain / best)
        hit.append(1.0 if any(ranked[:k]) else 0.0)
        first.append(next((1 / (i + 1) for i, y in enumerate(ranked) if y), 0.0))
        shown += ranked[:k]
    return {
        s.ndcg_at: float(np.mean(ndcg)) if ndcg else math.nan,
        s.hit_rate_at: float(np.mean(hit)),
        s.precision_at: float(np.mean(shown)),
        s.mean_reciprocal_rank: float(np.mean(first)),
    }


@given(scored(), st.integers(1, 8))
def test_metrics_equal_a_naive_version(rows: tuple[Array, Array, Array], k: int) -> None:
    expected = naive(*rows, k)
    for function in AT_K:
        assert function(*rows, k) == pytest.approx(expected[function], nan_ok=True)
    assert s.mean_reciprocal_rank(*rows) == pytest.approx(expected[s.mean_reciprocal_rank])


@pytest.mark.parametrize("k", [1, 3, 10, 40])
@pytest.mark.parametrize("grades", [2, 5])
def test_ndcg_equals_scikit_learn(k: int, grades: int) -> None:
    rng = np.random.default_rng(k)
    label, score = rng.integers(0, grades, (30, 25)), rng.random((30, 25))
    label[:, 0] = 1
    group = np.repeat(np.arange(30), 25)
    mine = s.ndcg_at(label.ravel(), score.ravel(), group, k)
    assert mine == pytest.approx(ndcg_score(label, score, k=k))


@given(scored(), st.integers(1, 8), st.data())
def test_the_order_of_groups_does_not_matter(
    rows: tuple[Array, Array, Array], k: int, data: st.DataObject
) -> None:
    label, score, group = rows
    tied = score + np.arange(len(score)) * 1e-6
    order = np.array(data.draw(st.permutations(range(len(score)))))
    for function in AT_K:
        shuffled = function(label[order], tied[order], group[order] * 1000, k)
        assert shuffled == pytest.approx(function(label, tied, group, k), nan_ok=True)


@given(scored(), st.integers(1, 8), st.data())
def test_weights_repeat_groups(
    rows: tuple[Array, Array, Array], k: int, data: st.DataObject
) -> None:
    label, score, group = rows
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=9, max_size=9)))[group]
    copies = [np.flatnonzero(times > copy) for copy in range(3)]
    again = np.concatenate(copies)
    apart = np.concatenate([group[rows] + 100 * i for i, rows in enumerate(copies)])
    for function in AT_K:
        repeated = function(label[again], score[again], apart, k)
        assert function(label, score, group, k, times) == pytest.approx(repeated, nan_ok=True)
    repeated = s.mean_reciprocal_rank(label[again], score[again], apart)
    weighted = s.mean_reciprocal_rank(label, score, group, times)
    assert weighted == pytest.approx(repeated, nan_ok=True)


@given(scored(), st.integers(1, 8))
def test_the_top_of_each_group(rows: tuple[Array, Array, Array], k: int) -> None:
    _, score, group = rows
    top = s.top_of_groups(score, group, k)
    for one in np.unique(group):
        mine = group == one
        assert top[mine].sum() == min(k, mine.sum())
        if not top[mine].all():
            assert score[mine & top].min() >= score[mine & ~top].max()


def test_equal_scores_are_taken_as_they_come_and_nan_last() -> None:
    score, group = np.array([np.nan, 0.5, 0.5, 0.5]), np.array([1, 1, 1, 1])
    assert s.top_of_groups(score, group, 2).tolist() == [False, True, True, False]
    assert s.ranks_in_groups(score, group).tolist() == [3, 0, 1, 2]


def test_a_group_without_a_click_is_left_out_of_ndcg_only() -> None:
    label, score = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.9, 0.1, 0.9, 0.1])
    group = np.array([1, 1, 2, 2])
    assert s.ndcg_at(label, score, group, 1) == 1.0
    assert s.hit_rate_at(label, score, group, 1) == 0.5
    assert s.precision_at(label, score, group, 1) == 0.5
    assert s.mean_reciprocal_rank(label, score, group) == 0.5


def test_what_is_undefined_is_nan() -> None:
    none, some = np.zeros(0), np.zeros(3)
    ids = np.zeros(0, dtype=np.int64)
    for function in AT_K:
        assert math.isnan(function(none, none, ids, 3))
        weightless = function(some, some, some.astype(np.int64), 3, some)
        assert math.isnan(weightless)
    assert math.isnan(s.mean_reciprocal_rank(none, none, ids))
    assert math.isnan(s.coverage(ids, none, ids, 3))
    assert math.isnan(s.ndcg_at(some, some, some.astype(np.int64), 3))
    assert len(s.top_of_groups(none, ids, 3)) == 0


def test_coverage_counts_what_is_shown_of_what_could_have_been() -> None:
    item, group = np.array([1, 2, 3, 1, 2, 4]), np.array([0, 0, 0, 1, 1, 1])
    score = np.array([0.9, 0.5, 0.1, 0.9, 0.5, 0.1])
    assert s.coverage(item, score, group, 1) == 0.25
    assert s.coverage(item, score, group, 2) == 0.5
    assert s.coverage(item, score, group, 3) == 1.0


def test_what_makes_no_sense_is_refused() -> None:
    three, two = np.zeros(3), np.zeros(2)
    ids = np.zeros(3, dtype=np.int64)
    with pytest.raises(ValueError, match="one length"):
        s.ndcg_at(two, three, ids, 1)
    with pytest.raises(ValueError, match="one length"):
        s.coverage(two, three, ids, 1)
    with pytest.raises(ValueError, match="k >= 1"):
        s.hit_rate_at(three, three, ids, 0)
    with pytest.raises(ValueError, match="k >= 1"):
        s.top_of_groups(three, ids, 0)
    with pytest.raises(ValueError, match="one weight"):
        s.precision_at(three, three, ids, 1, np.array([1.0, 1.0, 2.0]))


def test_requests_of_one_length_are_ordered_like_any_others() -> None:
    rng = np.random.default_rng(0)
    score = np.round(rng.random(400), 1)
    score[rng.random(400) < 0.1] = np.nan
    group = np.repeat(np.arange(40), 10)
    mixed = np.argsort(group % 7, kind="stable")
    table = s.ranks_in_groups(score, group)
    assert s.ranks_in_groups(score[mixed], group[mixed]).tolist() == table[mixed].tolist()
