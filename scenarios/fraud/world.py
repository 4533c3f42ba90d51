"""Card payments: customers, terminals, and the fraud among them.

Inspired by the simulator of the *Fraud Detection Handbook* (Le Borgne et al., 2022), with habits,
places, channels and two mechanisms more. Everything that lasts (who lives where, which terminal is
skimmed when) is drawn once; a block of events is then a handful of array operations.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sandbox.batch import Batch
from sandbox.world import Duration, Knob, Share, Spec, World

__all__ = ["FraudWorld"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rng = np.random.Generator
DAY = 86400.0
HOUR = 3600.0
PERIODS = 256
"""Length of the timetables of crime; they repeat after this many periods."""
HIGH_AMOUNT, COMPROMISED_TERMINAL, STOLEN_CARD, RING, TAKEOVER = 1, 2, 3, 4, 5
BASE_MIX = (0.30, 0.37, 0.33)
"""High amounts, compromised terminals, stolen cards among the fraud of an ordinary day."""
MAP = (500.0, 350.0)
"""Size of the country [km]."""
RING_TURN, RING_BUSY = 6 * HOUR, 2 * HOUR
"""The ring takes another terminal every turn and works there for a part of it."""
TAKEOVER_TURN = 40 * 60.0
"""How long thieves use one account before the next."""
NIGHT = (1.0, 5.0)
"""Hours of account takeovers."""
YOUNG_HOURS = np.where(np.arange(24) >= 17, 1.6, 0.65)
"""When the new segment pays; about 1 on average over the daily load."""


class FraudParams(Spec):
    """Size of the world and its ordinary fraud."""

    customers: int = Field(default=5000, ge=50, le=200_000)
    """People who already pay by card."""
    new_customers: int = Field(default=600, ge=10, le=200_000)
    """People of the segment that `new_segment_share` brings."""
    terminals: int = Field(default=10_000, ge=400, le=500_000)
    """Shops' card readers and online checkouts."""
    online_terminals: Share = 0.15
    """Share of the terminals that are online checkouts."""
    areas: int = Field(default=60, ge=5, le=1000)
    """Towns."""
    fraud_share: Share = 0.005
    """Share of payments that are fraud on an ordinary day."""
    travel: Share = 0.04
    """Share of card-present payments away from home."""
    compromised: int = Field(default=14, ge=1, le=1000)
    """Skimmed terminals at any time."""
    compromised_for: Duration = 28 * DAY
    """How long a terminal stays skimmed."""
    stolen: int = Field(default=12, ge=1, le=1000)
    """Stolen cards in use at any time."""
    stolen_for: Duration = 14 * DAY
    """How long a stolen card stays in use."""
    ring_terminals: int = Field(default=15, ge=2, le=100)
    """Terminals of the ring's cluster."""
    ring_cards: int = Field(default=5, ge=1, le=100)
    """Cards that the ring uses at one terminal."""
    ring_moves: Duration = 3 * DAY
    """How long the ring stays with a cluster."""
    night_traffic: float = Field(default=0.12, gt=0, le=1)
    """Share of the payments between 1 and 5 o'clock; spreads takeovers over the night."""


class Places:
    """Terminals: online checkouts and shops in towns, few of them popular."""

    def __init__(self, params: FraudParams, rng: Rng) -> None:
        self.areas = params.areas
        self.size = 0.3 + rng.pareto(1.5, params.areas)
        self.size /= self.size.sum()
        self.centre = rng.random((params.areas, 2)) * MAP
        online = max(int(params.terminals * params.online_terminals), 1)
        shops = params.terminals - online
        # Every town has a core of shops, so that clusters exist; the rest follows its size.
        core = np.arange(shops) % params.areas
        area = np.where(rng.random(shops) < 0.25, core, _pick(self.size, rng.random(shops)))
        area[: params.areas] = np.arange(params.areas)
        self.area = np.concatenate([area, np.full(online, params.areas)])
        self.at = np.concatenate(
            [self.centre[area] + rng.normal(0, 7, (shops, 2)), np.zeros((online, 2))]
        )
        self.by_area, self.first, self.count, self.cumulative = self._popularity(rng)

    def _popularity(self, rng: Rng) -> tuple[Ints, Ints, Ints, Floats]:
        """Return terminals by (area, rank), and cumulative Zipf weights with area a in (a, a+1]."""
        n = len(self.area)
        by_area = np.lexsort((rng.random(n), self.area))
        count = np.bincount(self.area, minlength=self.areas + 1)
        first = np.concatenate([[0], np.cumsum(count)[:-1]])
        rank = np.arange(n) - first[self.area[by_area]]
        weight = (rank + 3.0) ** -1.0
        total = np.cumsum(weight)
        before = np.where(first > 0, total[first - 1], 0.0)
        mass = np.bincount(self.area[by_area], weights=weight, minlength=self.areas + 1)
        of = self.area[by_area]
        return by_area, first, count, of + (total - before[of]) / mass[of]

    def choose(self, area: Ints, uniform: Floats) -> Ints:
        """Return a terminal in each area, the popular ones more often."""
        place = np.searchsorted(self.cumulative, area + uniform, side="right")
        return np.asarray(self.by_area[np.minimum(place, self.first[area] + self.count[area] - 1)])

    def ranked(self, area: Ints, share: Floats) -> Ints:
        """Return the terminal at a relative rank in each area: 0 the busiest, 1 the quietest."""
        rank = np.minimum((share * self.count[area]).astype(np.int64), self.count[area] - 1)
        return np.asarray(self.by_area[self.first[area] + rank])


class People:
    """Customers: how often, when, where, how and how much they pay."""

    def __init__(self, params: FraudParams, places: Places, rng: Rng) -> None:
        self.old, self.young = params.customers, params.new_customers
        n = self.old + self.young
        is_young = np.arange(n) >= self.old
        self.area = _pick(places.size, rng.random(n))
        self.home = places.centre[self.area] + rng.normal(0, 5, (n, 2))
        self.log_amount = np.where(is_young, rng.normal(2.2, 0.3, n), rng.normal(3.4, 0.42, n))
        self.spread = rng.uniform(0.35, 0.65, n)
        self.online = np.where(is_young, 0.85, rng.beta(2.0, 4.5, n))
        self.cumulative = self._hours(rng)
        self.neighbours = np.argsort(self.area[: self.old], kind="stable")
        self.count = np.bincount(self.area[: self.old], minlength=places.areas)
        self.first = np.concatenate([[0], np.cumsum(self.count)[:-1]])

    def _hours(self, rng: Rng) -> Floats:
        """Return cumulative weights of customers, hour h of the day in (h, h+1], flattened."""
        n = self.old
        rate = rng.gamma(1.6, 1.0, n) + 0.05
        favourite, focus = rng.normal(15.0, 4.0, n), rng.uniform(0.2, 1.6, n)
        angle = (2 * np.pi / 24) * (np.arange(24)[:, None] + 0.5 - favourite)
        weight = rate * np.exp(focus * np.cos(angle))
        total = np.cumsum(weight, axis=1)
        return (np.arange(24)[:, None] + total / total[:, -1:]).ravel()

    def choose(self, hour: Ints, young: NDArray[np.bool_], uniform: Floats) -> Ints:
        """Return who pays at each hour of the day."""
        flat = np.searchsorted(self.cumulative, hour + uniform, side="right") - hour * self.old
        person: Ints = np.minimum(flat, self.old - 1)
        rows = np.flatnonzero(young)
        person[rows] = self.old + (uniform[rows] * self.young).astype(np.int64)
        return person

    def near(self, area: Ints, uniform: Floats) -> Ints:
        """Return someone who lives in each area; anyone where nobody does."""
        count = self.count[area]
        local = self.neighbours[
            np.minimum(self.first[area] + (uniform * count).astype(np.int64), self.old - 1)
        ]
        return np.where(count > 0, local, (uniform * self.old).astype(np.int64))


class Crime:
    """Timetables: which terminal, card or account is misused when.

    All are drawn at birth and looked up by time, so that what thieves do follows from the seed
    alone.
    """

    def __init__(self, params: FraudParams, people: People, places: Places, rng: Rng) -> None:
        self._params, self._places = params, places
        area = _pick(places.size, rng.random((params.compromised, PERIODS)))
        self._skimmed = places.ranked(area, rng.random(area.shape) * 0.04)
        self._skim_offset = rng.random(params.compromised)
        self._stolen = rng.integers(0, people.old, (params.stolen, PERIODS))
        self._stolen_offset = rng.random(params.stolen)
        town = np.resize(
            rng.permutation(places.areas), (PERIODS, 1)
        )  # never one town twice running
        rank = rng.uniform(0.5, 0.95, (PERIODS, params.ring_terminals))
        self._cluster = places.ranked(np.broadcast_to(town, rank.shape), rank)
        self._ring_cards = rng.integers(0, people.old, (PERIODS * 4, params.ring_cards))
        self._ring_begin = rng.random(PERIODS * 4) * (1 - RING_BUSY / RING_TURN)
        self._accounts = rng.integers(0, people.old, PERIODS * 36)

    def rates(self, time: Floats, knobs: Mapping[str, Floats]) -> Floats:
        """Return the chance of each mechanism for each event, shape (5, n)."""
        base = self._params.fraud_share * knobs["fraud_scale"]
        chance = np.empty((5, len(time)))
        np.multiply.outer(np.array(BASE_MIX), base, out=chance[:3])
        ring, takeover = knobs["ring_share"], knobs["takeover_share"]
        into = time / RING_TURN % 1.0 - self._ring_begin[self._turn(time)]
        busy = (into >= 0) & (into < RING_BUSY / RING_TURN)
        chance[3] = base * ring / (1 - ring) * busy * (RING_TURN / RING_BUSY)
        hour = time % DAY / HOUR
        night = (hour >= NIGHT[0]) & (hour < NIGHT[1])
        chance[4] = base * takeover / (1 - takeover) * night / self._params.night_traffic
        return chance

    def bound(self, knobs: Mapping[str, Floats]) -> float:
        """Return a chance of fraud that no event of the block exceeds."""
        ring, takeover = knobs["ring_share"], knobs["takeover_share"]
        extra = ring / (1 - ring) * (RING_TURN / RING_BUSY)
        extra += takeover / (1 - takeover) / self._params.night_traffic
        chance = self._params.fraud_share * knobs["fraud_scale"] * (1 + extra)
        return float(chance.max(initial=0.0)) * (1 + 1e-9)

    def skimmed(self, time: Floats, uniform: Floats) -> Ints:
        """Return a compromised terminal for each event."""
        slot = (uniform * len(self._skimmed)).astype(np.int64)
        period = np.floor(time / self._params.compromised_for + self._skim_offset[slot])
        return np.asarray(self._skimmed[slot, period.astype(np.int64) % PERIODS])

    def stolen(self, time: Floats, uniform: Floats) -> Ints:
        """Return a stolen card's owner for each event."""
        slot = (uniform * len(self._stolen)).astype(np.int64)
        period = np.floor(time / self._params.stolen_for + self._stolen_offset[slot])
        return np.asarray(self._stolen[slot, period.astype(np.int64) % PERIODS])

    def ring(self, time: Floats, uniform: Floats) -> tuple[Ints, Ints]:
        """Return (card's owner, terminal) of the ring for each event."""
        turn = self._turn(time)
        card = self._ring_cards[turn, (uniform * self._ring_cards.shape[1]).astype(np.int64)]
        period = (time / self._params.ring_moves).astype(np.int64) % PERIODS
        return card, self._cluster[period, turn % self._cluster.shape[1]]

    def account(self, time: Floats) -> Ints:
        """Return the owner of the account taken over at each time."""
        turn = (time / TAKEOVER_TURN).astype(np.int64)
        return np.asarray(self._accounts[turn % len(self._accounts)])

    def _turn(self, time: Floats) -> Ints:
        return (time / RING_TURN).astype(np.int64) % len(self._ring_begin)


class FraudWorld(World):
    """Card payments of a slice of customers."""

    Params = FraudParams
    mechanisms = (
        "ordinary", "high_amount", "compromised_terminal", "stolen_card", "ring", "takeover",
    )  # fmt: skip
    slices = ("channel",)
    knobs = (
        Knob("amount_scale", "ratio", 1.0, 0.1, 10.0, "covariate", "All amounts times this."),
        Knob(
            "new_segment_share", "share", 0.0, 0.0, 0.9, "covariate",
            "Share of payments by young customers: small, online, in the evening.",
        ),
        Knob(
            "online_shift", "share", 0.0, 0.0, 1.0, "covariate",
            "Share of shop payments that move online.",
        ),
        Knob("fraud_scale", "ratio", 1.0, 0.0, 20.0, "prior", "Share of fraud times this."),
        Knob(
            "ring_share", "share", 0.0, 0.0, 0.9, "concept",
            "Share of all fraud made by a ring that tests cards with small amounts.",
        ),
        Knob(
            "takeover_share", "share", 0.0, 0.0, 0.9, "concept",
            "Share of all fraud made through accounts taken over at night.",
        ),
    )  # fmt: skip

    def __init__(self, params: FraudParams, rng: Rng) -> None:
        self._params = params
        self._places = Places(params, rng)
        self._people = People(params, self._places, rng)
        self._crime = Crime(params, self._people, self._places, rng)
        self._next_id = 0

    def events(self, event_time: Floats, knobs: Mapping[str, Floats], rng: Rng) -> Batch:
        """Return one payment for each arrival; see `World.events`."""
        n = len(event_time)
        uniform = rng.random((8, n))
        normal = rng.standard_normal(n)
        mechanism, rows = self._mechanism(event_time, knobs, uniform[0])
        customer, forced = self._who(event_time, knobs, uniform, rows)
        online = self._online(customer, knobs, uniform[3], rows)
        terminal = self._where(customer, online, uniform, forced)
        amount = self._amount(customer, normal, uniform[6], rows) * knobs["amount_scale"]
        apart = self._people.home[customer] - self._places.at[terminal]
        distance = np.where(online, 0.0, np.hypot(apart[:, 0], apart[:, 1]))
        first, self._next_id = self._next_id, self._next_id + n
        return Batch(
            {
                "transaction_id": np.arange(first, first + n),
                "event_time": event_time,
                "customer_id": customer,
                "terminal_id": terminal,
                "amount": np.clip(np.round(amount, 2), 0.01, 20_000.0),
                "channel": online.astype(np.int8),
                "distance": np.round(distance, 1),
                "label": (mechanism > 0).astype(np.float64),
                "mechanism": mechanism,
            }
        )

    def _mechanism(
        self, time: Floats, knobs: Mapping[str, Floats], uniform: Floats
    ) -> tuple[NDArray[np.int8], list[Ints]]:
        """Return how each event comes about, and the rows of each mechanism."""
        mechanism = np.zeros(len(time), dtype=np.int8)
        # Most rows cannot be fraud whatever the timetables say: leave them out early.
        few = np.flatnonzero(uniform < self._crime.bound(knobs))
        chance = self._crime.rates(time[few], {name: value[few] for name, value in knobs.items()})
        below = (uniform[few] >= np.cumsum(chance, axis=0)).sum(axis=0)
        mechanism[few] = np.where(below == 5, 0, below + 1)
        return mechanism, [few[mechanism[few] == code] for code in range(6)]

    def _who(
        self, time: Floats, knobs: Mapping[str, Floats], uniform: Floats, rows: list[Ints]
    ) -> tuple[Ints, list[tuple[Ints, Ints]]]:
        """Return the cardholders, and (rows, terminals) where thieves choose the place."""
        hour = (time % DAY / HOUR).astype(np.int64)
        young = uniform[1] < knobs["new_segment_share"] * YOUNG_HOURS[hour]
        customer = self._people.choose(hour, young, uniform[2])
        pick = uniform[7]
        skim, stolen, ring, taken = rows[2:]
        skimmed = self._crime.skimmed(time[skim], pick[skim])
        customer[skim] = self._people.near(self._places.area[skimmed], uniform[2, skim])
        customer[stolen] = self._crime.stolen(time[stolen], pick[stolen])
        customer[ring], tested = self._crime.ring(time[ring], pick[ring])
        customer[taken] = self._crime.account(time[taken])
        return customer, [(skim, skimmed), (ring, tested)]

    def _online(
        self, customer: Ints, knobs: Mapping[str, Floats], uniform: Floats, rows: list[Ints]
    ) -> NDArray[np.bool_]:
        chance = self._people.online[customer]
        online = uniform < chance + knobs["online_shift"] * (1 - chance)
        online[rows[COMPROMISED_TERMINAL]] = False
        online[rows[RING]] = False
        online[rows[TAKEOVER]] = True
        return np.asarray(online)

    def _where(
        self, customer: Ints, online: NDArray[np.bool_], uniform: Floats,
        forced: list[tuple[Ints, Ints]],
    ) -> Ints:  # fmt: skip
        area = self._people.area[customer]
        away = np.flatnonzero(uniform[4] < self._params.travel)
        area[away] = _pick(self._places.size, uniform[4, away] / self._params.travel)
        area[online] = self._places.areas
        terminal = self._places.choose(area, uniform[5])
        for rows, place in forced:
            terminal[rows] = place
        return terminal

    def _amount(self, customer: Ints, normal: Floats, uniform: Floats, rows: list[Ints]) -> Floats:
        people = self._people
        log_amount = people.log_amount[customer] + people.spread[customer] * normal
        high, stolen, ring, taken = (rows[i] for i in (HIGH_AMOUNT, STOLEN_CARD, RING, TAKEOVER))
        log_amount[high] = people.log_amount[customer[high]] + np.log(4.0 + 10.0 * uniform[high])
        log_amount[stolen] += np.log(3.0 + 2.0 * uniform[stolen])
        log_amount[ring] = np.log(1.0 + 11.0 * uniform[ring])
        log_amount[taken] += np.log(1.5 + 1.5 * uniform[taken])
        return np.exp(log_amount)


def _pick(weight: Floats, uniform: Floats) -> Ints:
    """Return an index for each uniform number, in proportion to `weight`."""
    edges = np.cumsum(weight)
    return np.minimum(np.searchsorted(edges / edges[-1], uniform), len(weight) - 1)
