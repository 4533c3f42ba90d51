from __future__ import annotations

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

FOLDER = Path(__file__).parents[2] / "scenarios" / "fraud"
SCENARIO, _ = load_scenario(FOLDER / "scenario.yaml")
FRAUD = load_world_class(FOLDER)
DAY = 86400.0
BLOCK = DAY / 4
CODE = {name: code for code, name in enumerate(FRAUD.mechanisms)}


def live(days: int, seed: int = 0, **turned: float) -> Batch:
    """Return the payments of the first days with knobs turned all the time."""
    world = build_world(FRAUD, SCENARIO.world, np.random.default_rng([seed, 0]))
    start = SCENARIO.start_time
    curve = LoadCurve(SCENARIO.load, start, np.random.default_rng([seed, 1]))
    curves = KnobCurves(FRAUD.knobs, {}, np.random.default_rng(0))
    blocks = []
    for index in range(days * 4):
        begin = start + index * BLOCK
        rng = np.random.default_rng([seed, 2, index])
        times = sample_arrivals(curve, begin, begin + BLOCK, SCENARIO.population, rng)
        knobs = curves.values(times - start)
        knobs |= {name: np.full(len(times), value) for name, value in turned.items()}
        blocks.append(world.events(times, knobs, rng))
        assert check_events(blocks[-1], times, SCENARIO.event, FRAUD) == ()
    return Batch.concat(blocks)


@pytest.fixture(scope="module")
def calm() -> Batch:
    return live(40)


@pytest.fixture(scope="module")
def ring() -> Batch:
    return live(30, ring_share=0.45)


def share(events: Batch, *mechanisms: str) -> float:
    return float(np.isin(events["mechanism"], [CODE[m] for m in mechanisms]).mean())


def of(events: Batch, mechanism: str) -> Batch:
    return events.take(events["mechanism"] == CODE[mechanism])


def test_the_same_seed_gives_the_same_world() -> None:
    first, again, other = live(2), live(2), live(2, seed=1)
    for name in first.names:
        assert np.array_equal(first[name], again[name])
    assert len(first) != len(other) or not np.array_equal(first["amount"], other["amount"])


def test_the_slice_has_the_announced_size(calm: Batch) -> None:
    day = (calm["event_time"] - SCENARIO.start_time) / DAY
    weeks = (day >= 1) & (day < 29)  # between two paydays
    assert weeks.sum() / 28 == pytest.approx(5760, rel=0.025)
    assert np.array_equal(calm["transaction_id"], np.arange(len(calm)))


def test_amounts_are_positive_with_two_decimals(calm: Batch) -> None:
    amount = calm["amount"]
    assert amount.min() >= 0.01 and amount.max() <= 20_000
    assert np.array_equal(amount, np.round(amount, 2))
    assert 20 < np.median(amount) < 45


def test_online_payments_have_no_distance_and_their_own_terminals(calm: Batch) -> None:
    online = calm["channel"] == 1
    assert (calm["distance"][online] == 0).all()
    assert (calm["distance"][~online] > 0).mean() > 0.99
    assert not set(calm["terminal_id"][online]) & set(calm["terminal_id"][~online])


def test_people_pay_near_home_and_at_popular_places(calm: Batch) -> None:
    shop = calm.take((calm["channel"] == 0) & (calm["label"] == 0))
    assert np.median(shop["distance"]) < 15
    assert (shop["distance"] > 60).mean() == pytest.approx(0.036, abs=0.012)
    visits = np.sort(np.bincount(shop["terminal_id"], minlength=10_000))[::-1]
    assert visits[:1000].sum() > 0.3 * visits.sum()


def test_customers_have_levels_rates_and_hours_of_their_own(calm: Batch) -> None:
    honest = calm.take(calm["label"] == 0)
    customer, count = np.unique(honest["customer_id"], return_counts=True)
    assert len(customer) > 4500 and count.max() > 5 * np.median(count)
    busy = customer[np.argsort(count)[-60:]]
    log, hour = np.log(honest["amount"]), honest["event_time"] % DAY / 3600
    within = [log[honest["customer_id"] == c].std() for c in busy]
    assert np.mean(within) < 0.9 * log.std()
    usual = [hour[honest["customer_id"] == c].mean() for c in busy]
    assert np.std(usual) > 4 * hour.std() / np.sqrt(count[np.argsort(count)[-60:]].mean()) / 2


def test_about_one_payment_in_200_is_fraud_from_three_mechanisms(calm: Batch) -> None:
    assert calm["label"].mean() == pytest.approx(0.005, rel=0.12)
    assert np.array_equal(calm["label"], calm["mechanism"] > 0)
    for mechanism in ("high_amount", "compromised_terminal", "stolen_card"):
        assert share(calm, mechanism) == pytest.approx(0.005 / 3, rel=0.25)


def test_ring_and_takeover_wait_for_their_knobs(calm: Batch) -> None:
    assert share(calm, "ring", "takeover") == 0.0


def test_the_ring_adds_its_share_to_the_base(calm: Batch, ring: Batch) -> None:
    assert share(ring, "ring") / ring["label"].mean() == pytest.approx(0.45, abs=0.05)
    base = ("high_amount", "compromised_terminal", "stolen_card")
    assert share(ring, *base) == pytest.approx(share(calm, *base), rel=0.12)


def test_the_ring_is_small_far_clustered_and_moves(ring: Batch) -> None:
    tests = of(ring, "ring")
    assert tests["amount"].min() >= 1 and tests["amount"].max() <= 12
    assert np.median(tests["distance"]) > 100
    assert (tests["channel"] == 0).all()
    period = np.floor(tests["event_time"] / (3 * DAY))
    for now in np.unique(period):
        places = np.unique(tests["terminal_id"][period == now])
        before = np.unique(tests["terminal_id"][period == now - 1])
        assert len(places) <= 15
        assert not set(places) & set(before)


def test_the_ring_uses_several_cards_at_one_terminal_in_an_hour(ring: Batch) -> None:
    tests = of(ring, "ring")
    hour = np.floor(tests["event_time"] / 3600).astype(np.int64)
    cards = [
        len(np.unique(tests["customer_id"][hour == h])) for h in np.unique(hour)
    ]  # fmt: skip
    assert np.mean(cards) > 1.8
    quiet = ring.take(np.isin(ring["terminal_id"], tests["terminal_id"]))
    assert np.median(np.bincount(of(quiet, "ordinary")["terminal_id"])) <= 30


def test_skimmed_terminals_stay_skimmed_for_weeks(calm: Batch) -> None:
    fraud = of(calm, "compromised_terminal")
    terminal, count = np.unique(fraud["terminal_id"], return_counts=True)
    assert len(terminal) < 60
    for place in terminal[count > 10]:
        times = fraud["event_time"][fraud["terminal_id"] == place]
        assert np.ptp(times) <= 28 * DAY
    typical = np.median(fraud["amount"]) / np.median(of(calm, "ordinary")["amount"])
    assert typical == pytest.approx(1.0, abs=0.25)


def test_stolen_cards_pay_more_and_more_often(calm: Batch) -> None:
    fraud, honest = of(calm, "stolen_card"), of(calm, "ordinary")
    assert np.median(fraud["amount"]) > 3 * np.median(honest["amount"])
    card, count = np.unique(fraud["customer_id"], return_counts=True)
    busiest = card[np.argmax(count)]
    assert np.ptp(fraud["event_time"][fraud["customer_id"] == busiest]) <= 14 * DAY
    assert count.max() > 14


def test_high_amounts_are_far_above_the_habit(calm: Batch) -> None:
    fraud, honest = of(calm, "high_amount"), of(calm, "ordinary")
    assert np.median(fraud["amount"]) > 6 * np.median(honest["amount"])


def test_takeovers_happen_at_night_online_in_quick_succession() -> None:
    events = live(20, takeover_share=0.4)
    fraud = of(events, "takeover")
    assert share(events, "takeover") / events["label"].mean() == pytest.approx(0.4, abs=0.08)
    hour = fraud["event_time"] % DAY / 3600
    assert ((hour >= 1) & (hour < 5)).all()
    assert (fraud["channel"] == 1).all()
    _, count = np.unique(fraud["customer_id"], return_counts=True)
    assert count.mean() > 2
    ratio = np.median(fraud["amount"]) / np.median(of(events, "ordinary")["amount"])
    assert 1.4 < ratio < 3.5


def test_fraud_scale_multiplies_fraud(calm: Batch) -> None:
    assert live(15, fraud_scale=3.0)["label"].mean() == pytest.approx(0.015, rel=0.1)


def test_inflation_scales_honest_and_fraudulent_amounts_alike() -> None:
    plain, dear = live(4), live(4, amount_scale=2.0)
    assert np.array_equal(plain["mechanism"], dear["mechanism"])
    assert np.array_equal(plain["customer_id"], dear["customer_id"])
    inside = dear["amount"] < 20_000
    assert dear["amount"][inside] == pytest.approx(2 * plain["amount"][inside], abs=0.011)


def test_the_new_segment_pays_little_online_in_the_evening() -> None:
    events = live(8, new_segment_share=0.25)
    young = events["customer_id"] >= 5000
    assert young.mean() == pytest.approx(0.25, abs=0.03)
    assert (events["channel"][young] == 1).mean() > 0.75
    assert np.median(events["amount"][young]) < 0.6 * np.median(events["amount"][~young])
    evening = events["event_time"] % DAY >= 17 * 3600
    assert young[evening].mean() > 2 * young[~evening].mean()


def test_channel_shift_moves_shop_payments_online(calm: Batch) -> None:
    shop = 1 - live(5, online_shift=0.5)["channel"].mean()
    assert shop / (1 - calm["channel"].mean()) == pytest.approx(0.5, abs=0.05)


def test_a_block_may_be_empty() -> None:
    world = build_world(FRAUD, {}, np.random.default_rng(0))
    nothing = np.array([])
    knobs = {knob.name: nothing for knob in FRAUD.knobs}
    assert len(world.events(nothing, knobs, np.random.default_rng(0))) == 0


def test_every_incident_fits_the_world() -> None:
    KnobCurves(FRAUD.knobs, SCENARIO.incidents, np.random.default_rng(0))
    DataFaultEngine(SCENARIO.incidents, SCENARIO.event, SCENARIO.start_time)
    turned = {i.drift.knob for i in SCENARIO.incidents.values() if i.drift}
    assert turned == {knob.name for knob in FRAUD.knobs} | {"label_delay"}
    assert SCENARIO.timeline == ("ring", "new_segment", "cents")


def test_cents_stay_mostly_in_range(calm: Batch) -> None:
    online = calm["amount"][calm["channel"] == 1]
    assert 0.001 < (online * 100 > 20_000).mean() < 0.03
