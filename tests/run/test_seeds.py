from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.run.seeds import stream

Names = st.lists(st.text(max_size=8) | st.integers(-(2**20), 2**20), max_size=3).map(tuple)


def first(seed: int, *names: str | int) -> list[float]:
    return [float(x) for x in stream(seed, *names).random(4)]


@given(st.integers(0, 2**32), Names)
def test_the_same_names_give_the_same_numbers(seed: int, names: tuple[str | int, ...]) -> None:
    assert first(seed, *names) == first(seed, *names)


@given(st.integers(0, 2**32), Names, Names)
def test_other_names_give_other_numbers(
    seed: int, one: tuple[str | int, ...], other: tuple[str | int, ...]
) -> None:
    # NumPy ignores zeros at the end of a seed, and the checksum of an empty name is one.
    same = (*one, "end") == (*other, "end")
    assert (first(seed, *one, "end") == first(seed, *other, "end")) == same


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_other_seeds_give_other_numbers(one: int, other: int) -> None:
    assert (first(one, "world", 3) == first(other, "world", 3)) == (one == other)


def test_blocks_before_and_after_day_0_are_told_apart() -> None:
    assert first(1, "events", -1) != first(1, "events", 1)
    assert first(1, "a", "b") != first(1, "b", "a")
