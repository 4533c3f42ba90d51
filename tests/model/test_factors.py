"""Factors: taste is found, popularity stands in, and what is stored comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.model.factors import Factors, fit_factors, load_factors

Array = NDArray[Any]


def shown(seed: int = 0, users: int = 60, items: int = 40, rows: int = 12_000) -> tuple[Array, ...]:
    """Users of two tastes, items of two kinds; ids with gaps. Kind 0 is popular with all."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, users, rows), rng.integers(0, items, rows)
    chance = np.where(user % 2 == item % 2, 0.5, 0.1) + np.where(item < 10, 0.2, 0.0)
    return 100 + 7 * user, 1000 + 3 * item, (rng.random(rows) < chance).astype(float)


def fitted(rank: int = 4, seed: int = 0) -> Factors:
    return fit_factors(*shown(), rank, np.random.default_rng(seed))


def everybody(factors: Factors) -> tuple[Array, Array]:
    user = np.repeat(factors.users, len(factors.items))
    return user, np.tile(factors.items, len(factors.users))


def test_who_likes_what_is_found() -> None:
    factors = fitted()
    user, item = everybody(factors)
    alike = (user - 100) // 7 % 2 == (item - 1000) // 3 % 2
    affinity = factors.affinity(user, item)
    assert affinity[alike].mean() > affinity[~alike].mean() + 0.2
    assert factors.rank == 4 and factors.user_vectors.shape == (60, 4)


def test_factors_are_about_taste_and_not_about_popularity() -> None:
    factors = fitted()
    user, item = everybody(factors)
    taste = factors.affinity(user, item) - factors.affinity(np.full(len(item), -1), item)
    known = np.isin(item, factors.items[:10])
    assert abs(taste[known].mean() - taste[~known].mean()) < 0.02
    assert factors.popularity[:10].mean() > factors.popularity[10:].mean() + 0.15


def test_popularity_stands_in_for_an_unknown_user_and_the_mean_for_an_unknown_item() -> None:
    factors = fitted()
    item = np.array([1000, 1003, 999, 5000])
    affinity = factors.affinity(np.full(4, 10**15), item)
    assert affinity[:2].tolist() == factors.popularity[:2].tolist()
    assert affinity[2:].tolist() == [factors.mean] * 2
    assert factors.affinity(np.array([100]), np.array([999])).tolist() == [factors.mean]
    assert len(factors.affinity(np.zeros(0, np.int64), np.zeros(0, np.int64))) == 0


def test_what_was_seldom_shown_is_drawn_to_the_mean() -> None:
    user, item, clicked = shown()
    once = fit_factors(
        np.append(user, 100), np.append(item, 9), np.append(clicked, 1.0), 2,
        np.random.default_rng(0),
    )  # fmt: skip
    assert once.items[0] == 9
    assert once.mean < once.popularity[0] < once.mean + 0.05


def test_the_same_rows_and_seed_give_the_same_bytes() -> None:
    assert fitted().files() == fitted().files()
    user, item, clicked = shown()
    order = np.random.default_rng(1).permutation(len(user))
    other = fit_factors(user[order], item[order], clicked[order], 4, np.random.default_rng(0))
    pair = everybody(other)
    assert np.allclose(other.affinity(*pair), fitted().affinity(*pair), atol=1e-5)


def test_a_pair_has_the_same_affinity_in_whatever_batch() -> None:
    factors = fitted()
    user, item = everybody(factors)
    alone = [factors.affinity(user[i : i + 1], item[i : i + 1])[0] for i in range(50)]
    assert alone == factors.affinity(user, item)[:50].tolist()


def test_what_is_stored_comes_back() -> None:
    factors = fitted()
    again = load_factors(factors.files())
    user, item = everybody(factors)
    assert np.array_equal(again.affinity(user, item), factors.affinity(user, item))
    assert again.files() == factors.files()


def test_bad_files_are_refused() -> None:
    files = fitted().files()
    with pytest.raises(KeyError):
        load_factors({name: files[name] for name in files if name != "items.npy"})
    for broken in (b"", b"\x93NUMPY", b"no array at all"):
        with pytest.raises(ValueError, match=r"users\.npy"):
            load_factors({**files, "users.npy": broken})
    with pytest.raises(ValueError, match="do not fit"):
        load_factors({**files, "users.npy": files["items.npy"]})
    with pytest.raises(ValueError, match="do not fit"):
        load_factors({**files, "item_vectors.npy": files["popularity.npy"]})


def test_so_little_that_there_is_no_taste() -> None:
    one, two = np.array([5, 5]), np.array([1, 2])
    factors = fit_factors(one, two, np.array([1.0, 0.0]), 8, np.random.default_rng(0))
    affinity = factors.affinity(one, two)
    assert affinity[0] > affinity[1] > 0
    alone = load_factors(factors.files())
    assert np.array_equal(alone.affinity(one, two), affinity)


@pytest.mark.parametrize("rank", [0, -1])
def test_what_makes_no_sense_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match="rank >= 1"):
        fit_factors(*shown(), rank, np.random.default_rng(0))


def test_no_rows_are_refused() -> None:
    none = np.zeros(0)
    with pytest.raises(ValueError, match="one length"):
        fit_factors(none, none, none, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match="one length"):
        fit_factors(np.zeros(2), np.zeros(2), np.zeros(3), 2, np.random.default_rng(0))


def test_a_kind_says_what_somebody_likes_of_items_that_nobody_has_met() -> None:
    user, item, clicked = shown(rows=1500, items=600)
    kind = (item - 1000) // 3 % 2
    told = np.where(item % 5 == 0, -1, kind)
    factors = fit_factors(user, item, clicked, 4, np.random.default_rng(0), told)
    who = np.repeat(factors.users, 2)
    alike = (who - 100) // 7 % 2 == np.tile([0, 1], len(factors.users))
    taste = factors.taste(who, np.tile([0, 1], len(factors.users)))
    assert (taste[alike] > 0).mean() > 0.9 and (taste[~alike] < 0).mean() > 0.9
    assert factors.kind_vectors.shape == (2, 4) and len(factors.item_vectors) == len(factors.items)
    assert factors.taste(np.array([100, 100, 99]), np.array([-1, 2, 0])).tolist() == [0.0] * 3
    again = load_factors(factors.files())
    assert np.array_equal(again.taste(who[:9], told[:9]), factors.taste(who[:9], told[:9]))
    assert fitted().taste(np.array([100]), np.array([0])).tolist() == [0.0]
