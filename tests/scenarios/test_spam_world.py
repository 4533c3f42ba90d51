"""The world of scenario `spam`: its events fit the schema, and each knob does what it says."""

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

FOLDER = Path(__file__).parents[2] / "scenarios" / "spam"
SCENARIO, _ = load_scenario(FOLDER / "scenario.yaml")
SPAM = load_world_class(FOLDER)
DAY = 86400.0
CODE = {name: code for code, name in enumerate(SPAM.mechanisms)}
DIGITS = [str(digit).encode() for digit in range(10)]


@cache
def live(days: int = 14, seed: int = 0, **turned: float) -> Batch:
    """Return the messages of the first days with knobs turned all the time."""
    world = build_world(SPAM, SCENARIO.world, np.random.default_rng([seed, 0]))
    start = SCENARIO.start_time
    curve = LoadCurve(SCENARIO.load, start, np.random.default_rng([seed, 1]))
    curves = KnobCurves(SPAM.knobs, {}, np.random.default_rng(0))
    blocks = []
    for day in range(days):
        begin = start + day * DAY
        rng = np.random.default_rng([seed, 2, day])
        times = sample_arrivals(curve, begin, begin + DAY, SCENARIO.population, rng)
        knobs = curves.values(times - start)
        knobs |= {name: np.full(len(times), value) for name, value in turned.items()}
        blocks.append(world.events(times, knobs, rng))
        assert check_events(blocks[-1], times, SCENARIO.event, SPAM) == ()
    return Batch.concat(blocks)


def same(one: Batch, other: Batch, rows: np.ndarray, *but: str) -> None:
    """Hold rows of two worlds against each other, in all columns but some."""
    for name in one.names:
        if name not in but:
            assert np.array_equal(one[name][rows], other[name][rows]), name


def with_digits(events: Batch) -> np.ndarray:
    return np.array([any(digit in body for digit in DIGITS) for body in events["body"].tolist()])


def words(events: Batch, rows: np.ndarray) -> set[str]:
    return set(b" ".join(events["body"][rows].tolist()).decode().split())


def test_the_same_seed_gives_the_same_world() -> None:
    first, other = live(2), live(2, seed=1)
    live.cache_clear()
    same(first, live(2), np.arange(len(first)))
    assert len(first) != len(other) or not np.array_equal(first["body"], other["body"])


def test_an_ordinary_day() -> None:
    calm = live()
    assert len(calm) / 14 == pytest.approx(1000, rel=0.05)
    assert calm["label"].mean() == pytest.approx(0.165, abs=0.015)
    assert np.array_equal(calm["label"], calm["mechanism"] > 0)
    assert set(np.unique(calm["mechanism"])) == {0, CODE["campaign"], CODE["hijacked"]}
    assert calm["body"].dtype == np.dtype("S160")
    empty = calm["body"] == b""
    assert 0 < empty.mean() < 0.05 and (calm["attachment"][empty] == 1).all()
    assert not with_digits(calm).any()


def test_reports_come_within_a_day_and_not_for_all_spam() -> None:
    calm = live()
    spam, known = calm["label"] == 1, np.isfinite(calm["label_time"])
    assert not known[~spam].any()
    assert known[spam].mean() == pytest.approx(0.92, abs=0.02)
    delay = (calm["label_time"] - calm["event_time"])[known]
    assert np.median(delay) == pytest.approx(5 * 3600, rel=0.1)
    assert np.quantile(delay, 0.95) == pytest.approx(30 * 3600, rel=0.15)


def test_spam_keeps_the_vocabulary_of_its_campaigns_and_good_mail_its_own() -> None:
    calm = live()
    spam = calm["label"] == 1
    bad, good = (" ".join(map(bytes.decode, calm["body"][rows])).split() for rows in (spam, ~spam))
    for word in ("claim", "urgent", "winner"):
        assert bad.count(word) / len(bad) > 3 * good.count(word) / len(good)
    assert np.unique(calm["sender_id"][spam]).size > 100


def test_obfuscation_writes_digits_into_telling_words_of_spam_only() -> None:
    calm, turned = live(), live(obfuscation=1.0)
    spam = calm["label"] == 1
    same(calm, turned, ~spam)
    same(calm, turned, spam, "body", "mechanism")
    assert (turned["mechanism"][spam] == CODE["obfuscated"]).all()
    assert with_digits(turned)[spam].mean() > 0.85
    assert not {"velorex", "casino", "urgent", "click"} & words(turned, spam)


def test_new_campaigns_sell_what_nobody_sold() -> None:
    calm, turned = live(), live(new_campaigns=0.7)
    spam = calm["label"] == 1
    same(calm, turned, ~spam)
    new = turned["mechanism"] == CODE["new_campaign"]
    assert new[spam].mean() == pytest.approx(0.7, abs=0.05)
    novel = {"zanicoin", "solaroof", "streambox", "visapass"}
    assert novel & words(turned, new) and not novel & words(turned, ~new)


def test_image_only_leaves_no_text() -> None:
    calm, turned = live(), live(image_only=0.6)
    spam = calm["label"] == 1
    same(calm, turned, ~spam)
    drawn = turned["mechanism"] == CODE["image_only"]
    assert drawn[spam].mean() == pytest.approx(0.6, abs=0.05)
    assert (turned["body"][drawn] == b"").all() and (turned["attachment"][drawn] == 1).all()


def test_spam_scale_is_the_share_of_spam() -> None:
    calm, turned = live(), live(spam_scale=2.0)
    assert turned["label"].mean() == pytest.approx(2 * calm["label"].mean(), rel=0.05)
    same(calm, turned, (calm["label"] == 1) | (turned["label"] == 0))


def test_greetings_change_the_words_of_good_mail_only() -> None:
    calm, turned = live(), live(greetings=0.5)
    spam = calm["label"] == 1
    same(calm, turned, spam)
    same(calm, turned, ~spam, "body")
    assert "cheers" in words(turned, ~spam)


@pytest.mark.parametrize(("knob", "value", "share", "median"), [
    ("reports", 0.33, 0.30, 5.0), ("label_delay", 6.0, 0.92, 30.0),
])  # fmt: skip
def test_labels_fail_without_anything_else_changing(
    knob: str, value: float, share: float, median: float
) -> None:
    calm, turned = live(), live(**{knob: value})
    same(calm, turned, np.arange(len(calm)), "label_time")
    known = np.isfinite(turned["label_time"])
    assert known[turned["label"] == 1].mean() == pytest.approx(share, abs=0.03)
    delay = (turned["label_time"] - turned["event_time"])[known]
    assert np.median(delay) == pytest.approx(median * 3600, rel=0.15)


def test_every_incident_fits() -> None:
    for name, incident in SCENARIO.incidents.items():
        KnobCurves(SPAM.knobs, {name: incident}, np.random.default_rng(0))
        DataFaultEngine({name: incident}, SCENARIO.event, SCENARIO.start_time)
