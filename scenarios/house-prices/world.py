"""Homes for sale: what they are, what agents type about them, and what they sell for months later.

The law of prices and the habits of agents are drawn once: a town on a grid of cells, dear in the
middle, and agents of whom some type square metres, some an old name of the district. A block of
listings is then a handful of array operations. The price is that of the day of the listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sandbox.batch import Batch
from sandbox.world import Duration, Knob, Share, Spec, World

__all__ = ["HousePricesWorld"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rng = np.random.Generator
Columns = dict[str, NDArray[Any]]
DAY = 86400.0
WEEK = 7 * DAY
YEAR = 365.2425 * DAY
EPOCH = 56.0
"""Years from 1970 to the middle of the price path, 2026."""
ORDINARY, SQUARE_METRES, TYPO, FLATTERED, NEW_DISTRICT, FAMILY = range(6)
HOUSE, TERRACE, FLAT = range(3)
POOR, FAIR, GOOD, NEW = range(4)

WIDTH, HEIGHT = 8, 7
"""Cells of the town; a cell is a mile wide."""
NEW_CELLS = 6
"""Cells that nobody had built on before."""
PER_CELL = 6
"""Agents who are likely to get a listing of a cell."""
DISTRICTS: tuple[tuple[str, ...], ...] = (
    ("old_town", "old_twn", "oldtown"),
    ("harbour", "harbor"),
    ("riverside", "river_side"),
    ("hillcrest", "hill_crest"),
    ("north_end",),
    ("garden_city", "gardencity"),
    ("mill_quarter", "mills"),
    ("university", "uni"),
    ("lakeside",),
)
"""Names of each district, the official one first; `lakeside` is the new one."""
LAKESIDE = len(DISTRICTS) - 1

BASE = float(np.log(330_000.0))
"""Log price [USD] of a terrace of 1,200 sqft in fair reach of the centre in 2026."""
GRADIENT = 0.13
"""What a mile from the centre costs, in log price."""
USUAL_AREA = (1750.0, 1250.0, 850.0)
"""Median area of each kind [sqft]."""
SPREAD_AREA = (0.30, 0.22, 0.30)
ELASTICITY = (0.65, 0.75, 0.85)
"""How log price grows with log area: a house is also a garden, a flat is its floor."""
KIND_LEVEL = (0.14, 0.0, -0.04)
CONDITION_LEVEL = (-0.30, -0.12, 0.0, 0.13)
RATE_LEVEL = (-0.070, -0.062, -0.055)
"""What a point of the mortgage rate does to the log price of each kind."""
NOISE = (1.15, 0.95, 0.80)
"""How uncertain prices of each kind are: houses differ in more than a listing says."""
AREA_RANGE = (320.0, 6000.0)
LARGEST = 20_000.0
"""The largest area that the form accepts [sqft]."""
SQFT = 10.764
"""Square feet in a square metre."""


class HousePricesParams(Spec):
    """Size of the world, and how well its listings are filled in."""

    agents: int = Field(default=240, ge=10, le=10_000)
    """Agents who list homes."""
    noise: Share = 0.08
    """Spread of prices that nothing in a listing explains, in log price."""
    trend: float = Field(default=0.03, ge=-0.3, le=0.3)
    """Growth of prices a year."""
    family_sales: Share = 0.01
    """Share of homes that are sold to relatives, far below their worth."""
    square_metres: Share = 0.15
    """Share of agents who type square metres into the field for square feet."""
    old_names: Share = 0.35
    """Chance that an agent has another name for a district than the official one."""
    typos: Share = 0.006
    """Share of areas with a digit too many or too few."""
    missing_area: Share = 0.03
    """Share of listings without an area."""
    missing_rooms: Share = 0.10
    """Share of listings without a number of rooms."""
    missing_built: Share = 0.10
    """Share of listings without a year."""
    missing_condition: Share = 0.08
    """Share of listings without a condition."""
    no_year: Share = 0.05
    """Share of listings with 0 for a year."""
    withdrawn: Share = 0.12
    """Share of listings that never end in a sale."""
    sale_median: Duration = 50 * DAY
    """Half of the sales are known by then."""
    sale_p95: Duration = 80 * DAY
    """95 % of the sales are known by then."""
    sale_first: Duration = 30 * DAY
    """No sale is known earlier: contracts take a month."""
    sale_last: Duration = 90 * DAY
    """What has not sold by then sells at that time."""


class Town:
    """Cells: how far out they are, how dear, how busy, and in which district."""

    def __init__(self, rng: Rng) -> None:
        y, x = np.divmod(np.arange(WIDTH * HEIGHT), WIDTH)
        east, north = x - (WIDTH - 1) / 2, y - (HEIGHT - 1) / 2
        out = np.hypot(east, north)
        # Bumps over several cells make neighbours alike; what is left is a cell's own.
        at, high = rng.uniform(-4, 4, (14, 2)), rng.normal(0, 0.24, 14)
        gap = (east[:, None] - at[:, 0]) ** 2 + (north[:, None] - at[:, 1]) ** 2
        smooth = np.exp(-gap / 4.5) @ high
        own = rng.normal(0, 0.05, len(out))
        busy = rng.gamma(6.0, 1 / 6, len(out)) * np.exp(-0.12 * out)
        sector = (np.arctan2(north, east) / (2 * np.pi) % 1.0 * (LAKESIDE - 1)).astype(np.int64)
        new = np.arange(NEW_CELLS)
        self.built_up = len(out)
        self.out = np.concatenate([out, 4.5 + 0.2 * new])
        self.level = np.concatenate([smooth + own, 0.45 + 0.04 * new])
        """Log price beside the way to the centre. People pay for a view of the lake."""
        self.district = np.concatenate(
            [np.where(out < 1.3, 0, 1 + sector), np.full(NEW_CELLS, LAKESIDE)]
        )
        self._busy = np.cumsum(busy)
        self.middle = float(np.average(out, weights=busy))

    def cell(self, uniform: Floats, new: Mask) -> Ints:
        """Return a cell for each uniform number, the busy ones more often."""
        place = np.searchsorted(self._busy, uniform * self._busy[-1], side="right")
        fresh = self.built_up + (uniform * NEW_CELLS).astype(np.int64)
        return np.asarray(np.where(new, fresh, np.minimum(place, self.built_up - 1)))


class Agents:
    """Who lists where, in which unit, and by which names."""

    def __init__(self, params: HousePricesParams, cells: int, rng: Rng) -> None:
        self._count = params.agents
        self._near = rng.integers(0, params.agents, (cells, PER_CELL))
        self.metric = rng.random(params.agents) < params.square_metres
        first = np.cumsum([0, *map(len, DISTRICTS)])[:-1]
        others = np.array([len(names) - 1 for names in DISTRICTS])
        habit = rng.random((2, params.agents, len(DISTRICTS)))
        variant = 1 + (habit[1] * others).astype(np.int64)
        self.name = first + np.where((habit[0] < params.old_names) & (others > 0), variant, 0)
        """Code of the name that each agent has for each district."""

    def of(self, cell: Ints, uniform: Floats) -> Ints:
        """Return an agent for each listing: nine in ten are local."""
        local = self._near[cell, (uniform / 0.9 % 1.0 * PER_CELL).astype(np.int64)]
        anyone = (uniform * 1e6 % 1.0 * self._count).astype(np.int64)
        return np.asarray(np.where(uniform < 0.9, local, anyone))


class Climate:
    """Prices and mortgage rates of an ordinary year: they hardly move."""

    def __init__(self, trend: float, rng: Rng) -> None:
        self._trend = trend
        self._phase = rng.random(2) * 2 * np.pi

    def level(self, time: Floats) -> Floats:
        """Return the log of the price level; springs are dear."""
        years = time / YEAR - EPOCH
        spring = np.sin(2 * np.pi * (years - 0.12))
        slow = np.sin(2 * np.pi * years / 0.7 + self._phase[0])
        return np.asarray(self._trend * years + 0.015 * spring + 0.01 * slow)

    def rate(self, time: Floats) -> Floats:
        """Return the mortgage rate of the week [%]."""
        week = np.floor(time / WEEK) * WEEK
        return np.asarray(4.0 + 0.1 * np.sin(2 * np.pi * week / YEAR / 0.45 + self._phase[1]))


class HousePricesWorld(World):
    """Listings of a town, and the prices that they sell for."""

    Params = HousePricesParams
    mechanisms = (
        "ordinary", "square_metres", "typo", "flattered", "new_district", "family",
    )  # fmt: skip
    slices = ("kind", "condition")
    district_names = tuple(name for names in DISTRICTS for name in names)
    """Every name that agents use, in the order of the codes."""
    knobs = (
        Knob("market", "ratio", 1.0, 0.4, 2.0, "concept", "Level of all prices."),
        Knob(
            "rate", "points", 0.0, 0.0, 6.0, "concept",
            "Mortgage rate above the usual: prices fall, houses more, and flats are listed more.",
        ),
        Knob(
            "exodus", "share", 0.0, 0.0, 1.0, "concept",
            "How much of the way from the centre no longer counts; flats lose, houses gain.",
        ),
        Knob(
            "flattery", "share", 0.0, 0.0, 1.0, "concept",
            "Share of listings that call the condition one step better than it is.",
        ),
        Knob(
            "new_district", "share", 0.0, 0.0, 0.6, "covariate",
            "Share of listings in cells and a district that nobody had seen.",
        ),
        Knob(
            "large_homes", "share", 0.0, 0.0, 0.8, "covariate",
            "Share of listings that are large houses; what a home is worth stays.",
        ),
        Knob(
            "withdrawn", "share", 0.0, 0.0, 1.0, "label_delay",
            "Share of the usual sales that do not happen.",
        ),
    )  # fmt: skip

    def __init__(self, params: HousePricesParams, rng: Rng) -> None:
        self._params = params
        self._town = Town(rng)
        self._agents = Agents(params, len(self._town.out), rng)
        self._climate = Climate(params.trend, rng)
        self._next_id = 0

    def events(self, event_time: Floats, knobs: Mapping[str, Floats], rng: Rng) -> Batch:
        """Return one listing for each arrival; see `World.events`."""
        n = len(event_time)
        uniform, normal = rng.random((20, n)), rng.standard_normal((4, n))
        home = self._home(event_time, knobs, uniform, normal)
        family = uniform[9] < self._params.family_sales
        price = self._price(event_time, home, knobs, normal[2])
        price = np.where(family, price * (0.55 + 0.2 * uniform[10]), price)
        told, slips = self._told(home, knobs, uniform)
        new = home["cell"] >= self._town.built_up
        # The first that fits: what says most about the error of an estimate.
        mechanism = np.select([family, new, *slips.values()],
                              [FAMILY, NEW_DISTRICT, *slips], ORDINARY)  # fmt: skip
        first, self._next_id = self._next_id, self._next_id + n
        return Batch(
            {
                "listing_id": np.arange(first, first + n),
                "event_time": event_time,
                "cell_id": home["cell"],
                **told,
                "mortgage_rate": np.round(self._climate.rate(event_time) + knobs["rate"], 2),
                "label": np.round(price),
                "mechanism": mechanism.astype(np.int8),
                "label_time": self._sold(event_time, knobs, uniform[11], normal[3]),
            }
        )

    def _home(
        self, time: Floats, knobs: Mapping[str, Floats], uniform: Floats, normal: Floats
    ) -> Columns:
        """Return what each home is, whatever its listing says."""
        cell = self._town.cell(uniform[0], uniform[1] < knobs["new_district"])
        out = self._town.out[cell]
        flat = np.clip(0.62 - 0.09 * out + 0.03 * knobs["rate"], 0.1, 0.95)
        house = (1 - flat) * np.clip(0.25 + 0.10 * out, 0.2, 0.8)
        kind = np.select([uniform[2] < flat, uniform[2] > 1 - house], [FLAT, HOUSE], TERRACE)
        large = uniform[3] < knobs["large_homes"]
        kind = np.where(large, HOUSE, kind)
        usual, spread = np.array(USUAL_AREA)[kind], np.array(SPREAD_AREA)[kind]
        area = usual * np.exp(spread * normal[0]) * np.where(large, 1.3, 1.0)
        year = 1970 + np.floor(time / YEAR)
        age = np.floor(110 * uniform[4] ** 1.4 * np.exp(-0.10 * out) * 1.3)
        age = np.where(cell >= self._town.built_up, np.floor(3 * uniform[4]), age)
        # New homes are in new condition; the older the rest, the more is left to do.
        wear = uniform[5] + 0.003 * np.minimum(age, 80.0)
        condition = np.select([age < 3, wear > 1.02, wear > 0.70, wear > 0.16],
                              [NEW, POOR, FAIR, GOOD], NEW)  # fmt: skip
        return {
            "cell": cell, "kind": kind, "age": age, "built": year - age, "condition": condition,
            "area": np.clip(area, *AREA_RANGE),
        }  # fmt: skip

    def _price(
        self, time: Floats, home: Columns, knobs: Mapping[str, Floats], normal: Floats
    ) -> Floats:
        """Return the price of each home [USD] if strangers buy it on the open market."""
        kind, condition, age, area = (home[k] for k in ("kind", "condition", "age", "area"))
        out, exodus = self._town.out[home["cell"]], knobs["exodus"]
        character, poor = home["built"] < 1925, condition == POOR
        way = GRADIENT * (self._town.middle - out)
        log = BASE + self._climate.level(time) + np.log(knobs["market"])
        log += self._town.level[home["cell"]] + way * (1 - exodus)
        log += np.array(KIND_LEVEL)[kind] + np.array((0.06, 0.0, -0.09))[kind] * exodus
        # Flats gain by the centre, houses by the rim.
        log += np.where(kind == FLAT, 0.05, -0.02) * (self._town.middle - out) * (1 - exodus)
        log += np.array(ELASTICITY)[kind] * np.log(area / 1200.0)
        log += np.array(CONDITION_LEVEL)[condition] - np.where(poor & (age > 60), 0.08, 0.0)
        log += -0.003 * np.minimum(age, 50.0) + np.where(character, 0.16, 0.0)
        rate = self._climate.rate(time) - 4.0 + knobs["rate"]
        log += np.array(RATE_LEVEL)[kind] * rate
        spread = np.array(NOISE)[kind] * np.where(poor, 1.6, 1.0)
        spread *= np.where(character, 1.4, 1.0) * np.where(area > 2400, 1.3, 1.0)
        return np.asarray(np.exp(log + self._params.noise * spread * normal))

    def _told(
        self, home: Columns, knobs: Mapping[str, Floats], uniform: Floats
    ) -> tuple[Columns, dict[int, Mask]]:
        """Return what agents type, and by mechanism the listings that mislead."""
        params, cell = self._params, home["cell"]
        agent = self._agents.of(cell, uniform[6])
        metric = self._agents.metric[agent]
        flattered = (uniform[7] < knobs["flattery"]) & (home["condition"] < NEW)
        typo = uniform[8] < params.typos
        area = np.where(metric, home["area"] / SQFT, home["area"])
        more = (uniform[8] < params.typos / 2) & (area * 10 <= LARGEST)
        area = np.round(np.where(typo, np.where(more, area * 10, area / 10), area))
        rooms = np.round(1.2 + home["area"] / 330.0 + uniform[12] - 0.5)
        condition = home["condition"] + flattered
        built = np.where(uniform[13] < params.no_year, 0.0, home["built"])
        told = {
            "agent_id": agent,
            "district": self._agents.name[agent, self._town.district[cell]].astype(np.int16),
            "kind": home["kind"].astype(np.int16),
            "condition": _without(condition, uniform[14] < params.missing_condition, np.int16),
            "area": _without(area, uniform[15] < params.missing_area),
            "rooms": _without(rooms, uniform[16] < params.missing_rooms),
            "built": _without(built, uniform[17] < params.missing_built),
        }
        return told, {TYPO: typo, SQUARE_METRES: metric, FLATTERED: flattered}

    def _sold(
        self, time: Floats, knobs: Mapping[str, Floats], uniform: Floats, normal: Floats
    ) -> Floats:
        """Return when each sale is known [s since epoch]; +inf for never."""
        params, factor = self._params, knobs["label_delay"]
        spread = np.log(params.sale_p95 / params.sale_median) / 1.6449
        delay = params.sale_median * np.exp(spread * normal) * factor
        delay = np.clip(delay, params.sale_first, params.sale_last * np.maximum(factor, 1.0))
        sold = uniform < (1 - params.withdrawn) * (1 - knobs["withdrawn"])
        return np.where(sold, time + delay, np.inf)


def _without(values: NDArray[Any], gone: Mask, kind: type = np.float64) -> NDArray[Any]:
    """Return the values, missing (NaN, -1) where they are gone."""
    blank = np.nan if kind is np.float64 else -1
    return np.where(gone, blank, values).astype(kind)
