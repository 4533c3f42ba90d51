from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sandbox.simulate.faults import Regime, Timeline
from sandbox.spec.incidents import StackFault

SPIKE = StackFault(kind="load_spike", factor=3.0, at=0)
LOSS = StackFault(kind="worker_loss", workers=1, at=0)


def test_without_changes_one_neutral_regime() -> None:
    assert Timeline(3.0).regimes(0.0, 10.0) == [(0.0, 10.0, Regime())]


def test_factors_multiply_and_losses_add() -> None:
    timeline = Timeline(3.0)
    for name, kind in (("a", "slow_model"), ("b", "slow_model"), ("c", "broker_slow")):
        timeline.change(5.0, name, StackFault(kind=kind, factor=2.0, at=0))  # type: ignore[arg-type]
    timeline.change(5.0, "d", LOSS)
    timeline.change(5.0, "e", LOSS.model_copy(update={"workers": 2}))
    timeline.change(5.0, "training", 0.25)
    ((_, _, regime),) = timeline.regimes(5.0, 6.0)
    assert regime == Regime(3, 1.0, 4.0, 2.0, 0.25, resumes=8.0)


def test_a_rebalance_ends_by_itself() -> None:
    timeline = Timeline(3.0)
    timeline.change(10.0, "loss", LOSS)
    timeline.change(60.0, "loss", None)
    pieces = [(low, high, r.lost, r.resumes) for low, high, r in timeline.regimes(0.0, 100.0)]
    assert pieces == [
        (0.0, 10.0, 0, -np.inf),
        (10.0, 13.0, 1, 13.0),
        (13.0, 60.0, 1, 13.0),
        (60.0, 63.0, 0, 63.0),
        (63.0, 100.0, 0, 63.0),
    ]


def test_a_change_during_a_rebalance_prolongs_only_if_workers_change() -> None:
    timeline = Timeline(3.0)
    timeline.change(10.0, "loss", LOSS)
    timeline.change(11.0, "spike", SPIKE)
    assert [low for low, _, _ in timeline.regimes(0.0, 100.0)] == [0.0, 10.0, 11.0, 13.0]
    timeline.change(12.0, "other", LOSS)
    assert [low for low, _, _ in timeline.regimes(0.0, 100.0)] == [0.0, 10.0, 11.0, 12.0, 15.0]


def test_the_last_word_at_one_time_counts() -> None:
    timeline = Timeline(3.0)
    timeline.change(5.0, "spike", None)
    timeline.change(5.0, "spike", SPIKE)
    assert timeline.active(5.0) == {"spike": SPIKE}
    timeline.change(5.0, "spike", None)
    assert timeline.active(5.0) == {}


def test_load_factor_by_time() -> None:
    timeline = Timeline(3.0)
    timeline.change(20.0, "spike", None)
    timeline.change(10.0, "spike", SPIKE)
    factors = timeline.load_factor(np.array([0.0, 9.9, 10.0, 19.9, 20.0]))
    np.testing.assert_array_equal(factors, [1.0, 1.0, 3.0, 3.0, 1.0])


@given(
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from("abc"), st.booleans()), max_size=12),
    st.floats(0, 100),
    st.floats(0, 100),
)
def test_regimes_tile_any_interval(
    changes: list[tuple[float, str, bool]], one: float, other: float
) -> None:
    timeline = Timeline(3.0)
    for at, name, on in changes:
        timeline.change(at, name, LOSS if on else None)
    start, end = min(one, other), max(one, other)
    pieces = timeline.regimes(start, end)
    edges = [low for low, _, _ in pieces] + [end]
    assert edges[0] == start
    assert [high for _, high, _ in pieces] == edges[1:]
    for low, _, regime in pieces:
        assert regime.lost == len(timeline.active(low))
