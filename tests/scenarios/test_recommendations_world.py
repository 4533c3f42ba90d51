"""The world of scenario `recommendations`: events fit the schema, each knob does what it says."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.model.factors import fit_factors
from sandbox.spec.loading import load_scenario
from sandbox.task.slates import ndcg_at
from sandbox.world import (
    DataFaultEngine,
    KnobCurves,
    LoadCurve,
    World,
    build_world,
    check_events,
    load_world_class,
    sample_arrivals,
)

FOLDER = Path(__file__).parents[2] / "scenarios" / "recommendations"
SCENARIO, _ = load_scenario(FOLDER / "scenario.yaml")
RECOMMENDATIONS = load_world_class(FOLDER)
DAY = 86400.0
POOL = 25
CODE = {name: code for code, name in enumerate(RECOMMENDATIONS.mechanisms)}
POPULAR, RECENT, SIMILAR, RANDOM = range(4)
NEWCOMERS, LAUNCHED, BOTS = 1_000_000, 10_000_000, 15_000_000


def built(seed: int = 0) -> World:
    return build_world(RECOMMENDATIONS, SCENARIO.world, np.random.default_rng([seed, 0]))


@cache
def live(days: int = 7, seed: int = 0, **turned: float) -> Batch:
    """Return the candidates of the first days with knobs turned all the time."""
    world = built(seed)
    start = SCENARIO.start_time
    curve = LoadCurve(SCENARIO.load, start, np.random.default_rng([seed, 1]))
    curves = KnobCurves(RECOMMENDATIONS.knobs, {}, np.random.default_rng(0))
    blocks = []
    for day in range(days):
        begin = start + day * DAY
        rng = np.random.default_rng([seed, 2, day])
        pages = sample_arrivals(curve, begin, begin + DAY, SCENARIO.population * POOL, rng)
        times = np.repeat(pages, POOL)
        knobs = curves.values(times - start)
        knobs |= {name: np.full(len(times), value) for name, value in turned.items()}
        blocks.append(world.events(times, knobs, rng))
        assert check_events(blocks[-1], times, SCENARIO.event, RECOMMENDATIONS) == ()
    return Batch.concat(blocks)


def same(one: Batch, other: Batch, rows: NDArray[np.bool_], *but: str) -> None:
    """Hold rows of two worlds against each other, in all columns but some."""
    for name in one.names:
        if name not in but:
            assert np.array_equal(one[name][rows], other[name][rows]), name


def clicked(events: Batch, rows: NDArray[np.bool_]) -> float:
    return float(events["label"][rows].mean())


def test_the_same_seed_gives_the_same_world() -> None:
    first, other = live(2), live(2, seed=1)
    live.cache_clear()
    same(first, live(2), np.ones(len(first), dtype=np.bool_))
    assert not np.array_equal(first["item_id"][:100], other["item_id"][:100])


def test_an_ordinary_day() -> None:
    calm = live()
    assert len(calm) / 7 == pytest.approx(10_000, rel=0.1)
    assert 0.08 < calm["label"].mean() < 0.13
    assert set(np.unique(calm["mechanism"])) == {CODE["ordinary"], CODE["newcomer"]}
    new = calm["user_id"] >= NEWCOMERS
    assert np.array_equal(new, calm["mechanism"] == CODE["newcomer"])
    assert new.mean() == pytest.approx(0.05, abs=0.02)
    assert (calm["item_id"] < LAUNCHED).all()
    assert max(calm["item_id"].max(), calm["user_id"].max()) < 2**24  # exact as float32


def test_candidates_of_a_request_come_together_and_none_twice() -> None:
    calm = live()
    pages = calm["request_id"].reshape(-1, POOL)
    assert (pages == pages[:, :1]).all() and (np.diff(pages[:, 0]) == 1).all()
    for name in ("event_time", "user_id"):
        page = calm[name].reshape(-1, POOL)
        assert (page == page[:, :1]).all()
    items = np.sort(calm["item_id"].reshape(-1, POOL), axis=1)
    assert (np.diff(items, axis=1) > 0).all()


def test_pools_may_be_of_any_size() -> None:
    size = np.array([3, 1, 40, 25])
    times = np.repeat(SCENARIO.start_time + np.array([10.0, 11.0, 12.5, 13.0]), size)
    knobs = {knob.name: np.full(len(times), knob.neutral) for knob in RECOMMENDATIONS.knobs}
    events = built().events(times, knobs, np.random.default_rng(0))
    assert check_events(events, times, SCENARIO.event, RECOMMENDATIONS) == ()
    assert np.bincount(events["request_id"]).tolist() == size.tolist()
    none = {name: np.zeros(0) for name in knobs}
    assert len(built().events(np.zeros(0), none, np.random.default_rng(0))) == 0


def test_what_each_source_offers() -> None:
    calm = live()
    source, age = calm["source"], calm["item_age"]
    share = np.bincount(source) / len(source)
    assert share == pytest.approx([0.35, 0.2, 0.25, 0.2], abs=0.05)
    assert np.median(age[source == RECENT]) < 4 < 20 < np.median(age[source == RANDOM])
    counts = np.sort(np.unique(calm["item_id"][source == POPULAR], return_counts=True)[1])[::-1]
    assert counts[: len(counts) // 10].sum() > 0.45 * counts.sum()
    assert age.max() < 101
    rates = [clicked(calm, source == code) for code in range(4)]
    assert rates[SIMILAR] > rates[POPULAR] > rates[RANDOM]


def test_people_come_in_sessions() -> None:
    calm = live()
    user, time = calm["user_id"][::POOL], calm["event_time"][::POOL]
    old = user < NEWCOMERS
    pages = sorted(zip(user[old].tolist(), time[old].tolist(), strict=True))
    gaps = np.array([b[1] - a[1] for a, b in pairwise(pages) if a[0] == b[0]])
    assert (gaps < 1200).mean() > 0.3
    assert (gaps > 6 * 3600).mean() > 0.2


def test_who_clicks_what_can_be_learnt_from_others() -> None:
    calm = live(21)
    past = calm["event_time"] < SCENARIO.start_time + 18 * DAY
    shown = [calm[name][past] for name in ("user_id", "item_id", "label")]
    factors = fit_factors(*shown, 8, np.random.default_rng(0))
    label, page, user, item = (
        calm[name][~past] for name in ("label", "request_id", "user_id", "item_id")
    )
    popular = ndcg_at(label, factors.affinity(np.full(len(item), -1), item), page, 10)
    liked = ndcg_at(label, factors.affinity(user, item), page, 10)
    chance = ndcg_at(label, np.random.default_rng(0).random(len(label)), page, 10)
    assert liked > popular + 0.08 > chance + 0.12


def test_tastes_turn_and_nothing_that_is_told_but_the_recall_of_the_cache() -> None:
    calm, turned = live(), live(taste_change=0.8)
    same(calm, turned, np.ones(len(calm), np.bool_), "item_id", "genre", "source", "item_age",
         "length", "label", "mechanism")  # fmt: skip
    other = turned["mechanism"] == CODE["turned"]
    assert other.mean() == pytest.approx(0.8 * 0.95, abs=0.08)
    assert calm["label"].mean() == pytest.approx(turned["label"].mean(), rel=0.25)
    # The same person and genre, another answer.
    mine = np.zeros((2, 600, 8))
    for row, events in enumerate((calm, turned)):
        old = events["user_id"] < 600
        pair = events["user_id"][old] * 8 + events["genre"][old]
        shown, clicks = (np.bincount(pair, w, 4800) for w in (None, events["label"][old]))
        mine[row] = ((clicks + 0.1) / (shown + 1.0)).reshape(600, 8)
    busy = np.bincount(calm["user_id"][calm["user_id"] < 600], minlength=600) > 20 * POOL
    assert (mine[0].argmax(axis=1) != mine[1].argmax(axis=1))[busy].mean() > 0.5


def test_a_new_catalogue_brings_videos_that_nobody_knew() -> None:
    calm, turned = live(), live(new_catalogue=0.4)
    new = turned["item_id"] >= LAUNCHED
    assert new.mean() == pytest.approx(0.4, abs=0.03)
    assert np.array_equal(new, turned["mechanism"] == CODE["launched"])
    assert turned["item_age"][new].max() < 11
    same(calm, turned, np.ones(len(calm), np.bool_), "item_id", "genre", "source", "item_age",
         "length", "label", "mechanism")  # fmt: skip


def test_new_users_are_people_who_registered_lately() -> None:
    calm, turned = live(), live(new_users=0.4)
    new = turned["user_id"] >= NEWCOMERS
    assert new.mean() == pytest.approx(0.05 + 0.95 * 0.4, abs=0.03)
    assert len(np.unique(turned["user_id"][new])) > 200
    same(calm, turned, (calm["user_id"] >= NEWCOMERS) | ~new)


def test_a_season_makes_one_genre_popular() -> None:
    calm, turned = live(), live(season=0.7)

    def largest(events: Batch) -> float:
        count = np.bincount(events["genre"][events["source"] == POPULAR], minlength=8)
        return float(count.max() / count.sum())

    assert largest(turned) > 0.65 > largest(calm) + 0.2
    assert set(np.unique(turned["mechanism"])) == set(np.unique(calm["mechanism"]))


def test_bots_click_what_they_are_paid_for_and_nothing_else() -> None:
    calm, turned = live(), live(bot_share=0.25)
    bot = turned["mechanism"] == CODE["bot"]
    assert bot.mean() == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(bot, turned["user_id"] >= BOTS)
    same(calm, turned, ~bot)
    paid = np.unique(turned["item_id"][bot & (turned["label"] == 1)])
    assert np.array_equal(np.isin(turned["item_id"], paid) & bot, bot & (turned["label"] == 1))
    assert len(paid) < 60
    assert clicked(turned, bot) > 0.3
    honest = clicked(calm, np.isin(calm["item_id"], paid))
    assert honest < 0.6 * calm["label"].mean()


def test_appetite_is_how_often_anything_is_clicked() -> None:
    calm, turned = live(), live(appetite=0.5)
    everything = np.ones(len(calm), np.bool_)
    same(calm, turned, everything, "label")
    assert turned["label"].mean() == pytest.approx(0.5 * calm["label"].mean(), rel=0.05)
    assert not (turned["label"] > calm["label"]).any()


def test_every_incident_fits() -> None:
    for name, incident in SCENARIO.incidents.items():
        KnobCurves(RECOMMENDATIONS.knobs, {name: incident}, np.random.default_rng(0))
        DataFaultEngine({name: incident}, SCENARIO.event, SCENARIO.start_time)
