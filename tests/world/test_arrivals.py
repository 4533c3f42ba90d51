from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.spec.incidents import StackFault
from sandbox.spec.scenario import Load
from sandbox.world import LoadCurve, sample_arrivals

DAY = 86400.0
START = 1767571200.0  # 2026-01-05, a Monday
MINUTES = START + np.arange(0, 7 * DAY, 60.0)


def curve(seed: int = 0, spikes: tuple[StackFault, ...] = (), **load: object) -> LoadCurve:
    spec = Load.model_validate({"mean": "100/s", "bursts": {"per_week": 0}, **load})
    return LoadCurve(spec, START, np.random.default_rng(seed), spikes)


@settings(max_examples=25, deadline=None)
@given(
    ratio=st.floats(1.0, 20.0), weekend=st.floats(0.1, 3.0), peak=st.integers(0, 23),
)  # fmt: skip
def test_an_ordinary_week_has_the_mean_rate(ratio: float, weekend: float, peak: int) -> None:
    load = curve(daily={"peak": f"{peak}:00", "ratio": ratio}, weekly={"weekend": weekend})
    assert load.rate(MINUTES).mean() == pytest.approx(100.0, rel=1e-6)


def test_the_daily_cycle_has_its_peak_and_ratio() -> None:
    load = curve(daily={"peak": "19:00", "ratio": 4}, weekly={"weekend": 1})
    day = load.rate(MINUTES[:1440])
    assert np.argmax(day) == 19 * 60
    assert day.max() / day.min() == pytest.approx(4.0)


def test_weekends_have_their_level() -> None:
    rate = curve(weekly={"weekend": 0.5}).rate(START + np.array([4.5, 5.5, 6.5]) * DAY)
    assert rate[1] / rate[0] == pytest.approx(0.5)
    assert rate[2] == pytest.approx(rate[1])


def test_load_grows_by_the_year_from_day_0() -> None:
    load = curve(growth=0.2, weekly={"weekend": 1})
    level = load.rate(START + np.array([-365.0, 0.0, 365.0]) * DAY)
    assert level / level[1] == pytest.approx([1 / 1.2, 1.0, 1.2])


def test_planned_peaks_happen_once_or_recur() -> None:
    quiet = curve(weekly={"weekend": 1})
    busy = curve(
        weekly={"weekend": 1},
        events=[
            {"name": "sale", "at": "10d", "for": "2d", "ratio": 3},
            {"name": "payday", "every": "30d", "ratio": 2},
            {"name": "from day 5", "every": "30d", "at": "5d", "ratio": 5},
        ],
    )
    times = (
        START + np.array([-29.5, -24.5, 0.5, 1.5, 5.5, 9.99, 10.0, 11.99, 12.0, 30.5, 35.5]) * DAY
    )
    assert busy.rate(times) / quiet.rate(times) == pytest.approx([2, 1, 2, 1, 5, 1, 3, 3, 1, 2, 5])


def test_bursts_are_short_random_and_repeatable() -> None:
    bursts = {"per_week": 20, "for": "30min", "ratio": 2}
    times = START + np.arange(0, 70 * DAY, 300.0)
    load = curve(3, bursts=bursts).rate(times) / curve().rate(times)
    assert set(np.round(load, 9)) == {1.0, 2.0}
    assert (load > 1.5).mean() == pytest.approx(20 * 1800 / (7 * DAY), rel=0.25)
    again = curve(3, bursts=bursts).rate(times) / curve().rate(times)
    other = curve(4, bursts=bursts).rate(times) / curve().rate(times)
    assert np.array_equal(load, again)
    assert not np.array_equal(load, other)


def test_a_load_spike_raises_the_rate_while_it_lasts_and_other_faults_do_not() -> None:
    spike = StackFault.model_validate({"kind": "load_spike", "factor": 10, "at": "1d", "for": "1h"})
    loss = StackFault.model_validate({"kind": "worker_loss", "factor": 7, "at": "1d", "for": "1h"})
    times = START + DAY + np.array([-1.0, 0.0, 3599.0, 3600.0])
    factor = curve(spikes=(spike, loss)).rate(times) / curve().rate(times)
    assert factor == pytest.approx([1, 10, 10, 1])


def test_arrivals_are_poisson_with_the_rate_of_the_slice() -> None:
    load = curve(daily={"ratio": 1}, weekly={"weekend": 1})
    rng = np.random.default_rng(5)
    counts = [len(sample_arrivals(load, START, START + 600, 100.0, rng)) for _ in range(800)]
    assert np.mean(counts) == pytest.approx(600, rel=0.01)
    assert np.var(counts) == pytest.approx(600, rel=0.2)


def test_arrivals_follow_the_daily_cycle() -> None:
    load = curve(daily={"peak": "19:00", "ratio": 4}, weekly={"weekend": 1})
    times = sample_arrivals(load, START, START + 20 * DAY, 1000.0, np.random.default_rng(1))
    hours = np.bincount(((times % DAY) / 3600).astype(int), minlength=24)
    assert hours[18:20].sum() / hours[6:8].sum() == pytest.approx(4.0, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(length=st.floats(0.0, 4000.0), seed=st.integers(0, 1000))
def test_arrivals_are_sorted_inside_the_block_and_repeatable(length: float, seed: int) -> None:
    load = curve()
    first = sample_arrivals(load, START, START + length, 50.0, np.random.default_rng(seed))
    again = sample_arrivals(load, START, START + length, 50.0, np.random.default_rng(seed))
    assert np.array_equal(first, again)
    assert (np.diff(first) >= 0).all()
    assert ((first >= START) & (first < START + length)).all()


@pytest.mark.parametrize(("end", "population"), [(START - 1, 1.0), (START + 1, 0.0)])
def test_impossible_blocks_are_refused(end: float, population: float) -> None:
    with pytest.raises(ValueError, match="expected start <= end"):
        sample_arrivals(curve(), START, end, population, np.random.default_rng(0))
