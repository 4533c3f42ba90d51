from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.spec.scenario import DelayDistribution, Labels
from sandbox.world import after_decision, label_times, sample_delays

DAY = 86400.0


def delay(**body: object) -> DelayDistribution:
    return DelayDistribution.model_validate(body)


LOGNORMAL = delay(lognormal={"median": "7d", "p95": "30d"}, min="1d", max="60d")


def test_lognormal_quantiles() -> None:
    delays = sample_delays(LOGNORMAL, 200_000, np.random.default_rng(0)) / DAY
    assert np.quantile(delays, [0.5, 0.95]) == pytest.approx([7, 30], rel=0.02)
    assert (delays.min(), delays.max()) == (1.0, 60.0)


def test_a_factor_stretches_delays_and_their_upper_bound() -> None:
    delays = sample_delays(LOGNORMAL, 200_000, np.random.default_rng(0), 2.0) / DAY
    assert np.quantile(delays, [0.5, 0.95]) == pytest.approx([14, 60], rel=0.02)
    assert (delays.min(), delays.max()) == (1.0, 120.0)


def test_a_factor_can_differ_by_event_and_changes_no_draw() -> None:
    plain = sample_delays(LOGNORMAL, 4, np.random.default_rng(1))
    mixed = sample_delays(LOGNORMAL, 4, np.random.default_rng(1), np.array([1.0, 1.5, 1.0, 1.5]))
    assert mixed == pytest.approx(plain * [1, 1.5, 1, 1.5])


def test_constant_delay() -> None:
    assert (
        sample_delays(delay(constant="3d"), 2, np.random.default_rng(0)).tolist() == [3 * DAY] * 2
    )


@settings(max_examples=50, deadline=None)
@given(factor=st.floats(0.05, 20), seed=st.integers(0, 99))
def test_delays_stay_in_bounds(factor: float, seed: int) -> None:
    delays = sample_delays(LOGNORMAL, 100, np.random.default_rng(seed), factor)
    assert (delays >= DAY).all()
    assert (delays <= max(60 * DAY * factor, DAY)).all()


def labels(**more: object) -> Labels:
    return Labels.model_validate({"delay": {"constant": "2d"}, **more})


TIMES, TRUTH = np.array([0.0, 10.0, 20.0]), np.array([1.0, 0.0, 1.0])


def test_every_label_arrives_where_absence_means_nothing() -> None:
    arrival = label_times(TIMES, TRUTH, labels(), np.random.default_rng(0))
    assert arrival.tolist() == [2 * DAY, 10 + 2 * DAY, 20 + 2 * DAY]


def test_only_reported_labels_arrive_where_absence_means_something() -> None:
    arrival = label_times(TIMES, TRUTH, labels(absence_means=0), np.random.default_rng(0))
    assert arrival.tolist() == [2 * DAY, np.inf, 20 + 2 * DAY]


def test_decisions_silence_labels() -> None:
    decision = np.array([0, 1, 2], dtype=np.int8)
    spec = labels(missing_when=["block"])
    assert after_decision(TIMES, decision, spec).tolist() == [0.0, 10.0, np.inf]
    assert after_decision(TIMES, decision, labels()).tolist() == TIMES.tolist()
    assert after_decision(
        TIMES, decision, labels(missing_when=["block", "review"])
    ).tolist() == [0.0, np.inf, np.inf]  # fmt: skip
