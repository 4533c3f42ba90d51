"""Videos: what people are offered on their start page, and what they would click.

A request asks for a page for one person; a cache of candidates answers with a pool of videos, and
each (request, video) is an event. People and videos have latent factors, drawn once. Videos enter
the catalogue one after the other and leave it again, so that what is on offer follows from the
time alone; a block of requests is then a few operations on matrices of requests by videos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sandbox.batch import Batch
from sandbox.world import Duration, Knob, Share, Spec, World

__all__ = ["RecommendationsWorld"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rng = np.random.Generator
Knobs = Mapping[str, Floats]
DAY = 86400.0
TABLE = 4096
"""Rows of the tables of videos and of newcomers; streams go round in them."""
GENRES = 8
POPULAR, RECENT, SIMILAR, RANDOM = range(4)
MIX = (0.35, 0.2, 0.25, 0.2)
"""Shares of the four sources in a pool."""
ORDINARY, TURNED, NEWCOMER, LAUNCHED, BOT = range(5)
SESSION = 20 * 60.0
"""People come for about this long [s]."""
AT_A_TIME = 3
"""People of the slice who are here at a time."""
SESSIONS = 8192
"""Length of the timetable of sessions; it repeats after this many."""
NEWCOMERS_A_DAY, NEW_FOR = 60.0, 3 * DAY
"""How many people register, and how long one of them counts as new."""
LAUNCHES_A_DAY, LAUNCHED_KEPT = 20.0, 200
"""Videos of the new catalogue: how many enter it, and how many are on offer at a time."""
FIRST_NEWCOMER, FIRST_LAUNCHED, FIRST_BOT = 1_000_000, 10_000_000, 15_000_000
PROMOTED = 0.04
"""Share of videos that bots are paid for."""
BY_RECALL = 0.5
"""Share of the similar videos that are like what somebody saw long ago; the rest are like now."""


class RecommendationsParams(Spec):
    """Size of the world and the tastes in it."""

    users: int = Field(default=600, ge=20, le=100_000)
    """People who have been here for long."""
    items: int = Field(default=800, ge=100, le=2000)
    """Videos on offer at a time."""
    item_for: Duration = 100 * DAY
    """How long a video is on offer."""
    pool: int = Field(default=25, ge=2, le=100)
    """Candidates that come together in one request."""
    tastes: int = Field(default=8, ge=2, le=32)
    """Latent factors of people and videos."""
    taste_weight: float = Field(default=4.5, ge=0.0, le=10.0)
    """Log-odds of a click between a video that is nothing to somebody and one that is all."""
    base: float = Field(default=-5.0, ge=-8.0, le=2.0)
    """Log-odds of a click on a video that nothing speaks for or against."""
    newcomer_share: Share = 0.05
    """Share of requests by newcomers on an ordinary day."""
    bots: int = Field(default=30, ge=1, le=1000)
    """Accounts of the bots that `bot_share` brings."""


@dataclass(frozen=True)
class Videos:
    """Attributes of videos, shape (TABLE,) each; a video's row is its running number modulo."""

    genre: Ints
    factors: Floats
    """Shape (TABLE, tastes), length 1."""
    quality: Floats
    """Standard normal: how well made."""
    length: Floats
    """[min]"""
    promoted: Mask

    @classmethod
    def draw(cls, centres: Floats, rng: Rng) -> Videos:
        """Draw videos around the centres of their genres, shape (GENRES, tastes)."""
        genre = rng.integers(0, GENRES, TABLE)
        noise = rng.normal(0.0, 0.8 / np.sqrt(centres.shape[1]), (TABLE, centres.shape[1]))
        quality = rng.normal(0.0, 1.0, TABLE)
        length = np.exp(rng.normal(2.3, 0.7, TABLE) + 0.15 * (genre - 3.5))
        promoted = rng.random(TABLE) < PROMOTED
        # Nobody pays for clicks on what is clicked anyway.
        quality[promoted] = -np.abs(quality[promoted]) - 0.5
        length = np.asarray(np.round(length, 1), dtype=np.float64)
        return cls(genre, _unit(centres[genre] + noise), quality, length, promoted)


class People:
    """Tastes, habits and sessions. Rows: `users` of old, then TABLE newcomers."""

    def __init__(self, params: RecommendationsParams, centres: Floats, rng: Rng) -> None:
        self.count = params.users
        n = self.count + TABLE
        self.genre = rng.integers(0, GENRES, (2, n))
        """Favourite genre before and after somebody's taste turned."""
        self.genre[1] = (self.genre[0] + rng.integers(1, GENRES, n)) % GENRES
        second = rng.integers(0, GENRES, (2, n))
        noise = rng.normal(0.0, 0.5 / np.sqrt(params.tastes), (2, n, params.tastes))
        self.factors = _unit(centres[self.genre] + 0.5 * centres[second] + noise)
        self.keen = rng.normal(0.0, 0.3, n)
        self.turns = rng.random(n)
        """Somebody's taste has turned where the knob is above this."""
        busy = np.cumsum(rng.gamma(1.2, 1.0, self.count) + 0.05)
        place = np.searchsorted(busy, rng.random((SESSIONS, AT_A_TIME)) * busy[-1], side="right")
        self._sessions = np.minimum(place, self.count - 1)

    def here(self, time: Floats, uniform: Floats) -> Ints:
        """Return who of the people of old is on the page at each time."""
        session = (time / SESSION).astype(np.int64) % SESSIONS
        return np.asarray(self._sessions[session, (uniform * AT_A_TIME).astype(np.int64)])

    def new(self, time: Floats, uniform: Floats) -> tuple[Ints, Ints]:
        """Return (row, id) of somebody who registered lately."""
        number = np.floor((time - uniform * NEW_FOR) / (DAY / NEWCOMERS_A_DAY)).astype(np.int64)
        return self.count + number % TABLE, FIRST_NEWCOMER + number


@dataclass(frozen=True)
class Requests:
    """Who asks, shape (r,) each."""

    time: Floats
    row: Ints
    """In the tables of `People`."""
    user: Ints
    turned: Ints
    """1 where the taste has turned, else 0."""
    bot: Mask
    newcomer: Mask
    recalled: Ints
    """Genre that the cache holds for what they like."""


@dataclass(frozen=True)
class Offer:
    """All videos on offer at each request, shape (r, v) each."""

    item: Ints
    row: Ints
    """In the tables of `Videos`."""
    age: Floats
    """[s] since it entered the catalogue."""
    launched: Mask


class RecommendationsWorld(World):
    """Requests for a start page by a slice of people."""

    Params = RecommendationsParams
    mechanisms = ("ordinary", "turned", "newcomer", "launched", "bot")
    slices = ("source",)
    knobs = (
        Knob(
            "taste_change", "share", 0.0, 0.0, 1.0, "concept",
            "Share of people who like something else than before.",
        ),
        Knob(
            "new_catalogue", "share", 0.0, 0.0, 0.9, "covariate",
            "Share of candidates from a catalogue that nobody knew.",
        ),
        Knob(
            "new_users", "share", 0.0, 0.0, 0.9, "covariate",
            "Share of requests by newcomers, over the usual ones.",
        ),
        Knob(
            "season", "share", 0.0, 0.0, 1.0, "covariate",
            "Share of the popular candidates that are of one genre, over the usual ones.",
        ),
        Knob(
            "bot_share", "share", 0.0, 0.0, 0.9, "concept",
            "Share of requests by bots, which click the videos that they are paid for.",
        ),
        Knob("appetite", "ratio", 1.0, 0.1, 2.0, "prior", "Chance of every click times this."),
    )  # fmt: skip

    def __init__(self, params: RecommendationsParams, rng: Rng) -> None:
        self._params = params
        self.together = params.pool
        """Events that come at one time: the candidates of a request."""
        centres = _centres(params.tastes, rng)
        self._videos = Videos.draw(centres, rng)
        self._people = People(params, centres, rng)
        self._season = int(rng.integers(0, GENRES))
        self._next_id = self._next_request = 0

    def events(self, event_time: Floats, knobs: Knobs, rng: Rng) -> Batch:
        """Return the candidates of each request: rows of one time. See `World.events`."""
        n = len(event_time)
        first = np.flatnonzero(np.diff(event_time, prepend=-np.inf) > 0)
        size = np.diff(np.append(first, n))
        at_first = {name: value[first] for name, value in knobs.items()}
        uniform = rng.random((3, n))
        asked = self._requests(event_time[first], at_first, rng)
        offer = self._offer(asked.time)
        request = np.repeat(np.arange(len(first)), size)
        place, source = self._candidates(asked, offer, at_first, size, uniform[:2], rng)
        who, what = asked.row[request], offer.row[request, place]
        launched, bot = offer.launched[request, place], asked.bot[request]
        age, turned = offer.age[request, place], asked.turned[request]
        chance = self._chance(event_time, who, what, age, turned) * knobs["appetite"]
        chance = np.where(bot, self._videos.promoted[what] * 1.0, np.minimum(chance, 1.0))
        kinds = [bot, launched, asked.newcomer[request], turned > 0]
        id_, asked_id = self._next_id, self._next_request
        self._next_id, self._next_request = id_ + n, asked_id + len(first)
        return Batch(
            {
                "candidate_id": np.arange(id_, id_ + n),
                "event_time": event_time,
                "request_id": asked_id + request,
                "user_id": asked.user[request],
                "item_id": offer.item[request, place],
                "candidates": size[request].astype(np.float64),
                "genre": self._videos.genre[what].astype(np.int16),
                "source": source,
                "item_age": np.round(age / DAY, 2),
                "length": self._videos.length[what],
                "label": (uniform[2] < chance).astype(np.float64),
                "mechanism": np.select(kinds, [BOT, LAUNCHED, NEWCOMER, TURNED], ORDINARY).astype(
                    np.int8
                ),
            }
        )

    def _requests(self, time: Floats, knobs: Knobs, rng: Rng) -> Requests:
        """Return who asks at each time."""
        people, uniform = self._people, rng.random((5, len(time)))
        usual = self._params.newcomer_share
        newcomer = uniform[0] < usual + (1 - usual) * knobs["new_users"]
        new_row, new_id = people.new(time, uniform[1])
        old = people.here(time, uniform[1])
        row, user = np.where(newcomer, new_row, old), np.where(newcomer, new_id, old)
        bot = uniform[2] < knobs["bot_share"]
        robot = FIRST_BOT + (uniform[3] * self._params.bots).astype(np.int64)
        turned = (people.turns[row] < knobs["taste_change"]).astype(np.int64)
        recalled = people.genre[np.where(uniform[4] < BY_RECALL, 0, turned), row]
        # The cache knows nothing of newcomers: any genre.
        recalled = np.where(newcomer, (uniform[4] * GENRES).astype(np.int64), recalled)
        user = np.where(bot, robot, user)
        return Requests(time, row, user, turned, bot, newcomer & ~bot, recalled)

    def _offer(self, time: Floats) -> Offer:
        """Return what is on offer: the newest of both streams of videos, launches last."""
        params = self._params
        parts = []
        for step, kept, base in (
            (params.item_for / params.items, params.items, 0),
            (DAY / LAUNCHES_A_DAY, LAUNCHED_KEPT, FIRST_LAUNCHED),
        ):
            newest = np.floor(time / step).astype(np.int64)
            number = newest[:, None] - np.arange(kept)
            age = time[:, None] - number * step
            parts.append((base + number, (number + (base > 0) * TABLE // 2) % TABLE, age))
        item, row, age = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        launched = np.broadcast_to(np.arange(item.shape[1]) >= params.items, item.shape)
        return Offer(item, row, age, launched)

    def _candidates(
        self, asked: Requests, offer: Offer, knobs: Knobs, size: Ints, uniform: Floats, rng: Rng
    ) -> tuple[Ints, NDArray[np.int16]]:
        """Return (place in the offer, source) of each candidate; no video twice in a pool.

        The smallest of exponential numbers over weights are a sample without replacement
        (Efraimidis and Spirakis, 2006).
        """
        by_source = self._weights(asked, offer, knobs)
        weight = by_source[0] + by_source[1]
        for more in by_source[2:]:
            weight += more
        keys = rng.standard_exponential(weight.shape)
        with np.errstate(divide="ignore"):
            keys /= weight
        most = max(size, default=0)
        chosen = np.argpartition(keys, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(keys, chosen, axis=1), axis=1)
        chosen = np.take_along_axis(chosen, order, axis=1)
        request = np.repeat(np.arange(len(size)), size)
        rank = np.arange(len(request)) - np.repeat(np.cumsum(size) - size, size)
        # Within a pool in no order: that of the draw would tell the popular ones.
        place = chosen[request, rank][np.lexsort((uniform[0], request))]
        share = np.cumsum([weight[request, place] for weight in by_source], axis=0)
        source = (uniform[1] * share[-1] >= share[:-1]).sum(axis=0)
        return place, source.astype(np.int16)

    def _weights(self, asked: Requests, offer: Offer, knobs: Knobs) -> list[Floats]:
        """Return the weight of each video for each source, shape (r, v); all sum to 1 a request."""
        videos = self._videos
        usual = offer.row[:, : self._params.items]
        genre, age = videos.genre[usual], offer.age[:, : self._params.items]
        popular = np.exp(1.8 * videos.quality)[usual] * _fading(age, 25 * DAY)
        season = knobs["season"]
        if season.any():
            of_season = _scaled(popular * (genre == self._season), season)
            popular = _scaled(popular, 1 - season) + of_season
        similar = np.exp(0.4 * videos.quality)[usual] * (genre == asked.recalled[:, None])
        kinds = (popular, _fading(age, 3 * DAY), similar, 1.0)
        new, wanted = knobs["new_catalogue"], 0.5 * asked.bot
        sources = []
        for mix, weight in zip(MIX, kinds, strict=True):
            source = np.zeros(offer.row.shape)
            source[:, : usual.shape[1]] = weight
            sources.append(_scaled(source, mix * (1 - new) * (1 - wanted)))
        if new.any():
            sources[RECENT] += _scaled(offer.launched.astype(np.float64), new * (1 - wanted))
        if wanted.any():
            paid = videos.promoted[offer.row] & ~offer.launched
            sources[RANDOM] += _scaled(paid.astype(np.float64), wanted)
        return sources

    def _chance(self, time: Floats, who: Ints, what: Ints, age: Floats, turned: Ints) -> Floats:
        """Return the chance that each person clicks each video."""
        people, videos, params = self._people, self._videos, self._params
        fits = np.einsum("ij,ij->i", people.factors[turned, who], videos.factors[what])
        evening = np.cos(2 * np.pi * (time % DAY / DAY - 21 / 24))
        long = (np.log(videos.length[what]) - 2.3) / 0.7
        odds = params.base + params.taste_weight * fits + people.keen[who]
        odds += 0.6 * videos.quality[what] + 0.7 * np.exp(-age / (7 * DAY)) + 0.3 * evening * long
        return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def _centres(tastes: int, rng: Rng) -> Floats:
    """Return the middle of each genre, shape (GENRES, tastes): at right angles if there is room."""
    drawn = rng.normal(0.0, 1.0, (GENRES, tastes))
    return np.asarray(np.linalg.qr(drawn.T)[0].T) if tastes >= GENRES else _unit(drawn)


def _unit(vectors: NDArray[Any]) -> Floats:
    """Return vectors of length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _fading(age: Floats, time: float) -> Floats:
    """Return ``exp(-age / time)`` of ages that differ from row to row by a shift only."""
    return np.asarray(np.exp((age[:1, :1] - age[:, :1]) / time) * np.exp(-age[:1] / time))


def _scaled(weight: Floats, total: NDArray[Any]) -> Floats:
    """Let each row of weights sum to its total, in place; those without any weight stay 0."""
    now = weight.sum(axis=1)
    weight *= np.divide(total, now, out=np.zeros(len(now)), where=now > 0)[:, None]
    return weight
