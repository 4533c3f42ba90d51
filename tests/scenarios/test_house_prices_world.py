"""The world of scenario `house-prices`: its events fit the schema, each knob does what it says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.spec.loading import load_scenario
from sandbox.world import (
    DataFaultEngine,
    KnobCurves,
    LoadCurve,
    build_world,
    check_events,
    load_world_class,
    sample_arrivals,
)

FOLDER = Path(__file__).parents[2] / "scenarios" / "house-prices"
SCENARIO, _ = load_scenario(FOLDER / "scenario.yaml")
HOMES = load_world_class(FOLDER)
DAY = 86400.0
CODE = {name: code for code, name in enumerate(HOMES.mechanisms)}
CATEGORIES = {name: column.values for name, column in SCENARIO.event.columns.items()}
HOUSE, FLAT = (CATEGORIES["kind"].index(name) for name in ("house", "flat"))


@cache
def live(days: int = 60, seed: int = 0, **turned: float) -> Batch:
    """Return the listings of the first days with knobs turned all the time."""
    world = build_world(HOMES, SCENARIO.world, np.random.default_rng([seed, 0]))
    start = SCENARIO.start_time
    curve = LoadCurve(SCENARIO.load, start, np.random.default_rng([seed, 1]))
    curves = KnobCurves(HOMES.knobs, {}, np.random.default_rng(0))
    blocks = []
    for day in range(days):
        begin = start + day * DAY
        rng = np.random.default_rng([seed, 2, day])
        times = sample_arrivals(curve, begin, begin + DAY, SCENARIO.population, rng)
        knobs = curves.values(times - start)
        knobs |= {name: np.full(len(times), value) for name, value in turned.items()}
        blocks.append(world.events(times, knobs, rng))
        assert check_events(blocks[-1], times, SCENARIO.event, HOMES) == ()
    return Batch.concat(blocks)


def same(one: Batch, other: Batch, rows: np.ndarray, *but: str) -> None:
    """Hold rows of two worlds against each other, in all columns but some."""
    for name in one.names:
        if name not in but:
            assert np.array_equal(one[name][rows], other[name][rows], equal_nan=True), name


def everything(events: Batch) -> np.ndarray:
    return np.arange(len(events))


def districts(events: Batch, rows: np.ndarray) -> set[str]:
    return {CATEGORIES["district"][code] for code in np.unique(events["district"][rows])}


def test_the_same_seed_gives_the_same_world() -> None:
    first, other = live(2), live(2, seed=1)
    live.cache_clear()
    same(first, live(2), everything(first))
    assert len(first) != len(other) or not np.array_equal(first["label"], other["label"])


def test_names_of_districts_are_those_of_the_schema() -> None:
    assert CATEGORIES["district"] == HOMES.district_names


def test_an_ordinary_day() -> None:
    calm = live()
    assert len(calm) / 60 == pytest.approx(150, rel=0.05)
    assert np.median(calm["label"]) == pytest.approx(300_000, rel=0.25)
    assert calm["label"].min() > 10_000 and (calm["label"] == np.round(calm["label"])).all()
    assert np.unique(calm["cell_id"]).size == 56 and "lakeside" not in districts(
        calm, everything(calm)
    )
    assert np.bincount(calm["kind"]).min() / len(calm) > 0.2
    assert (
        set(np.unique(calm["mechanism"])) == {0, 1, 2, 5} == {CODE[name] for name in (
        "ordinary", "square_metres", "typo", "family")}
    )  # fmt: skip
    assert np.ptp(calm["mortgage_rate"]) < 0.3


def test_agents_type_what_they_are_used_to() -> None:
    calm = live()
    metric = calm["mechanism"] == CODE["square_metres"]
    assert metric.mean() == pytest.approx(0.15, abs=0.06)
    assert np.nanmedian(calm["area"][metric]) * 10.764 == pytest.approx(
        np.nanmedian(calm["area"][~metric]), rel=0.1
    )
    assert not set(calm["agent_id"][metric]) & set(calm["agent_id"][calm["mechanism"] == 0])
    assert (calm["built"] == 0).mean() == pytest.approx(0.045, abs=0.01)
    names = districts(calm, everything(calm))
    assert {"old_town", "oldtown", "mill_quarter", "mills"} <= names
    for name, share in (("area", 0.03), ("rooms", 0.10), ("built", 0.10)):
        assert np.isnan(calm[name]).mean() == pytest.approx(share, abs=0.015)
    assert (calm["condition"] < 0).mean() == pytest.approx(0.08, abs=0.015)


def test_prices_follow_place_and_size() -> None:
    calm = live()
    plain = (calm["mechanism"] == 0) & (calm["kind"] == FLAT) & (calm["area"] > 0)
    size, price = np.log(calm["area"][plain]), np.log(calm["label"][plain])
    assert np.polyfit(size, price, 1)[0] == pytest.approx(0.85, abs=0.1)
    cells = calm["cell_id"][plain]
    left = price - 0.85 * size
    within = np.mean(
        [left[cells == cell].std() for cell in range(56) if (cells == cell).sum() > 20]
    )
    assert within < 0.75 * left.std()


def test_sales_are_known_after_a_month_to_three_or_never() -> None:
    calm = live()
    sold = np.isfinite(calm["label_time"])
    assert sold.mean() == pytest.approx(0.88, abs=0.02)
    delay = (calm["label_time"] - calm["event_time"])[sold] / DAY
    assert delay.min() >= 30 and delay.max() <= 90 + 1e-6
    assert np.median(delay) == pytest.approx(50, rel=0.05)


def test_the_market_moves_every_price_alike_and_nothing_else() -> None:
    calm, turned = live(), live(market=0.78)
    same(calm, turned, everything(calm), "label")
    assert turned["label"] / calm["label"] == pytest.approx(0.78, abs=1e-4)


def test_rates_show_in_the_column_and_weigh_on_houses() -> None:
    calm, turned = live(), live(rate=3.0)
    assert turned["mortgage_rate"] == pytest.approx(calm["mortgage_rate"] + 3)
    kept = calm["kind"] == turned["kind"]
    fell = (turned["label"] / calm["label"])[kept]
    houses = calm["kind"][kept] == HOUSE
    assert np.median(fell[houses]) < np.median(fell[calm["kind"][kept] == FLAT]) < 0.9
    assert (turned["kind"] == FLAT).mean() > (calm["kind"] == FLAT).mean() + 0.05


def test_exodus_flattens_the_way_to_the_centre() -> None:
    calm, turned = live(), live(exodus=1.0)
    same(calm, turned, everything(calm), "label")
    ratio = turned["label"] / calm["label"]
    east, north = calm["cell_id"] % 8 - 3.5, calm["cell_id"] // 8 - 3.0
    out = np.hypot(east, north)
    assert np.median(ratio[out < 1]) < 0.85 < 1.1 < np.median(ratio[out > 4])


def test_flattery_is_in_the_listing_and_not_in_the_price() -> None:
    calm, turned = live(), live(flattery=0.8)
    same(calm, turned, everything(calm), "condition", "mechanism")
    known = calm["condition"] >= 0
    step = (turned["condition"] - calm["condition"])[known]
    assert set(np.unique(step)) == {0, 1}
    below = calm["condition"][known] < 3
    assert step[below].mean() == pytest.approx(0.8, abs=0.02)


def test_a_new_district_has_cells_of_its_own() -> None:
    calm, turned = live(), live(new_district=0.25)
    new = turned["mechanism"] == CODE["new_district"]
    fresh = turned["cell_id"] >= 56
    assert fresh.mean() == pytest.approx(0.25, abs=0.02)
    assert districts(turned, fresh) == {"lakeside"} and not new[~fresh].any()
    same(calm, turned, ~fresh)


def test_large_homes_are_worth_what_large_homes_are_worth() -> None:
    calm, turned = live(), live(large_homes=0.35)
    moved = calm["area"] != turned["area"]
    moved &= ~(np.isnan(calm["area"]) & np.isnan(turned["area"]))
    assert (turned["kind"][moved] == HOUSE).all()
    assert moved.mean() == pytest.approx(0.35, abs=0.03)
    assert np.nanmedian(turned["area"][moved]) > 1.5 * np.nanmedian(calm["area"])


@pytest.mark.parametrize(("knob", "value", "share", "median"), [
    ("withdrawn", 0.75, 0.22, 50), ("label_delay", 2.0, 0.88, 100),
])  # fmt: skip
def test_sales_fail_without_anything_else_changing(
    knob: str, value: float, share: float, median: float
) -> None:
    calm, turned = live(), live(**{knob: value})
    same(calm, turned, everything(calm), "label_time")
    sold = np.isfinite(turned["label_time"])
    assert sold.mean() == pytest.approx(share, abs=0.02)
    delay = (turned["label_time"] - turned["event_time"])[sold] / DAY
    assert np.median(delay) == pytest.approx(median, rel=0.05)


def test_every_incident_fits() -> None:
    for name, incident in SCENARIO.incidents.items():
        KnobCurves(HOMES.knobs, {name: incident}, np.random.default_rng(0))
        DataFaultEngine({name: incident}, SCENARIO.event, SCENARIO.start_time)
