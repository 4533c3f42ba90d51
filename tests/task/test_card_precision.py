from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.task.card_precision import card_precision

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 6), st.integers(0, 3)),
    min_size=1,
    max_size=60,
)  # label, score, key, day


def naive(rows: list[tuple[int, int, int, int]], top: int) -> float:
    withdrawn: set[int] = set()
    shares = []
    for day in sorted({row[3] for row in rows}):
        today = [row for row in rows if row[3] == day and row[2] not in withdrawn]
        keys = sorted({row[2] for row in today})
        worst = {key: max(row[1] for row in today if row[2] == key) for key in keys}
        bad = {row[2] for row in today if row[0]}
        looked_at = sorted(keys, key=lambda key: (-worst[key], key))[:top]
        found = [key for key in looked_at if key in bad]
        withdrawn.update(found)
        shares.append(len(found) / top)
    return sum(shares) / len(shares)


@given(ROWS, st.integers(1, 4))
def test_equals_a_plain_reading(rows: list[tuple[int, int, int, int]], top: int) -> None:
    label, score, key, day = np.array(rows).T
    measured = card_precision(label, score.astype(float), key, day, top)
    assert measured == pytest.approx(naive(rows, top))


def test_a_found_card_does_not_count_again() -> None:
    label, score = np.ones(4), np.ones(4)
    key, day = np.array([1, 1, 1, 2]), np.array([0, 1, 2, 2])
    assert card_precision(label, score, key, day, top=1) == pytest.approx(2 / 3)


def test_nothing_to_look_at() -> None:
    nothing = np.empty(0)
    assert np.isnan(card_precision(nothing, nothing, nothing, nothing, top=1))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="one length"):
        card_precision(np.ones(2), np.ones(1), np.ones(1), np.ones(1), top=1)
    with pytest.raises(ValueError, match="top >= 1"):
        card_precision(np.ones(1), np.ones(1), np.ones(1), np.ones(1), top=0)
