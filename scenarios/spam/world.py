"""Messages: what people write each other, and the spam that comes in campaigns.

A message is a bag of words from groups: topics for people, offers for newsletters, products and
pressure for spam. Who writes about what, and which campaign runs when, is drawn once; a block of
messages is then a few array operations and one join a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sandbox.batch import Batch
from sandbox.world import Duration, Knob, Share, Spec, World

__all__ = ["SpamWorld"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rng = np.random.Generator
DAY = 86400.0
HOUR = 3600.0
PERIODS = 64
"""Length of the timetable of campaigns; it repeats after this many periods."""
ORDINARY, CAMPAIGN, HIJACKED, NEW_CAMPAIGN, OBFUSCATED, IMAGE_ONLY = range(6)
NONE, IMAGE, DOCUMENT = range(3)
MOST_WORDS = 16
"""Words of the longest message."""
VARIANTS = 12
"""Ways in which spammers disguise one word."""
SLIP = 0.05
"""Chance that a word comes from any group: people mention watches, spammers mention weather."""
NIGHT = 6.0
"""Spammers do not sleep: before this hour of the day their share is higher."""
BY_NIGHT, BY_DAY = 1.7, 0.88
HIJACK_TURN = 1.5 * DAY
"""How long one account is misused."""
STRANGERS, SPAMMERS = 10_000_000, 1_000_000_000
"""The first addresses of people who write once, and of campaigns."""
DISGUISE = str.maketrans("aeiost", "431057")
"""Digits that look like letters."""

TOPICS = (
    "soup recipe garlic oven dinner flour butter basil lentils pan salad taste bake onions rice",
    "train station ticket suitcase hotel beach map flight harbour passport island tent route hike",
    "match goal keeper league coach stadium referee training defender season kick "
    "trophy fans derby",
    "meeting agenda report slides budget deadline draft client minutes project schedule "
    "review desk",
    "guitar concert song drummer album chorus piano rehearsal stage lyrics band violin tune choir",
    "garden tomatoes seeds shovel roses compost weeds fence hedge watering spring bulbs lawn bees",
    "school teacher homework exam lesson kids class pupils maths playground essay term spelling",
    "bike chain brake tyre helmet saddle gears pedal spokes workshop puncture trail lock wheel",
)
COMMON = (
    "the and you we have this that with for will are was not can about when what there just see "
    "think today tomorrow maybe thanks please let know good time here yes really still back again"
)
NEWS = (
    "newsletter weekly edition readers story unsubscribe members event offer sale discount new "
    "collection autumn save voucher shop free join update preview"
)
NOTICES = (
    "order number parcel invoice delivery shipped receipt confirmed account payment courier total "
    "address track refund subscription booking reference balance statement"
)
GREETINGS = (
    "happy holidays wishes merry cheers family joyful festive candles health peace year warm "
    "greetings snow presents dear love celebrate blessings"
)
PRESSURE = (
    "now urgent winner act free click guaranteed limited offer cash secret exclusive instant risk "
    "prize claim today bonus verify expires congratulations selected"
)
PRODUCTS = (
    "velorex pills dosage pharmacy tablets relief prescription cure vitality capsules remedy",
    "loan credit debt mortgage approval lender rates refinance interest collateral payout",
    "watch replica luxury swiss leather designer handbag gold brand chronograph jewels",
    "casino jackpot slots roulette poker chips betting dealer spins wager lottery",
    "slimtrim diet fat belly keto weight slender calories miracle tea cleanse",
    "degree diploma university graduate transcript certificate accredited tuition honours",
    "investor shares stock profit broker dividend trader fund earnings margin portfolio",
    "singles dating lonely romance photos chat match passion meet profile flirt",
)
NOVELTIES = (
    "zanicoin wallet token mining staking ledger airdrop blockchain miner hashrate",
    "solaroof panels subsidy kilowatt inverter rooftop rebate installer battery tariff",
    "streambox channels decoder boxset episodes premium playlist antenna satellite",
    "visapass permit relocation embassy passports sponsor residency agency papers",
)


class SpamParams(Spec):
    """Size of the world and its ordinary spam."""

    people: int = Field(default=400, ge=20, le=100_000)
    """People with a mailbox here."""
    bulk_senders: int = Field(default=30, ge=2, le=10_000)
    """Newsletters and shops."""
    spam_share: Share = 0.16
    """Share of messages that are spam on an ordinary day."""
    bulk_share: Share = 0.22
    """Share of good messages from newsletters and shops."""
    stranger_share: Share = 0.14
    """Share of good messages from somebody who never wrote before."""
    hijacked_share: Share = 0.5
    """Share of spam that comes from the accounts of honest people."""
    campaigns: int = Field(default=8, ge=1, le=200)
    """Campaigns at any time."""
    campaign_for: Duration = 20 * DAY
    """How long a campaign runs."""
    pool: int = Field(default=14, ge=1, le=1000)
    """Addresses that a campaign uses at a time."""
    pool_for: Duration = 3 * DAY
    """How long a campaign uses them."""
    report_median: Duration = 5 * HOUR
    """Half of the reports of spam have come by then."""
    report_p95: Duration = 30 * HOUR
    """95 % of the reports have come by then."""
    silent: Share = 0.08
    """Share of spam that nobody ever reports."""


class Vocabulary:
    """All words by group, and the disguises of each.

    Codes below `size` are plain words; ``size + VARIANTS * code + k`` is disguise k of a word.
    """

    def __init__(self, rng: Rng) -> None:
        texts = (*TOPICS, COMMON, NEWS, NOTICES, GREETINGS, PRESSURE, *PRODUCTS, *NOVELTIES)
        groups = [text.split() for text in texts]
        self.count = np.array([len(group) for group in groups])
        self.first = np.cumsum(self.count) - self.count
        words = [word for group in groups for word in group]
        self.size, topics = len(words), len(TOPICS)
        self.common, self.news, self.notices, self.greetings, self.pressure = topics + np.arange(5)
        self.products = topics + 5 + np.arange(len(PRODUCTS))
        self.novelties = self.products[-1] + 1 + np.arange(len(NOVELTIES))
        self.telling = np.repeat(np.arange(len(groups)) >= self.pressure, self.count)
        """Words that spammers would rather not write."""
        chance = rng.random((self.size, VARIANTS, 2))
        disguised = [
            _disguise(word, *map(float, row))
            for word, rows in zip(words, chance, strict=True)
            for row in rows
        ]
        self.words = np.array(words + disguised, dtype=object)

    def choose(self, group: Ints, offset: Ints, uniform: Floats) -> Ints:
        """Return a word of each group; `offset` says which of its words come first."""
        count = self.count[group]
        place = (uniform * uniform * count).astype(np.int64)
        return np.asarray(self.first[group] + (place + offset) % count)


def _disguise(word: str, place: float, way: float) -> str:
    """Write a word so that people read it and a list of words does not have it."""
    at = 1 + int(place * max(len(word) - 1, 1))
    digits = word[:at].translate(DISGUISE) + word[at:]
    if way < 0.35:
        digits = word[:at] + word[at:].translate(DISGUISE)
    if way < 0.65 and digits != word:
        return digits
    return digits[:at] + "0123456789"[int(way * 1000) % 10] + digits[at:]


class People:
    """Who writes to whom, how often, and about what."""

    def __init__(self, params: SpamParams, rng: Rng) -> None:
        self.count, self.bulk = params.people, params.bulk_senders
        self._busy = np.cumsum(rng.gamma(1.2, 1.0, self.count) + 0.05)
        self.topic = rng.integers(0, len(TOPICS), (2, self.count + self.bulk))
        self.offset = rng.integers(0, 1000, self.count + self.bulk)
        self.links = np.concatenate(
            [rng.gamma(1.0, 0.3, self.count), rng.uniform(1.0, 5.0, self.bulk)]
        )
        self._hijacked = rng.integers(0, self.count, (30, PERIODS * 4))

    def writer(self, uniform: Floats) -> Ints:
        """Return a person for each uniform number, the busy ones more often."""
        place = np.searchsorted(self._busy, uniform * self._busy[-1], side="right")
        return np.asarray(np.minimum(place, self.count - 1))

    def friend(self, person: Ints, uniform: Floats) -> Ints:
        """Return one of about twenty people whom each person writes to."""
        return np.asarray((person + 1 + (uniform * uniform * 20).astype(np.int64)) % self.count)

    def hijacked(self, time: Floats, uniform: Floats) -> Ints:
        """Return the owner of an account that is misused at each time."""
        turn = (time / HIJACK_TURN).astype(np.int64) % self._hijacked.shape[1]
        return np.asarray(self._hijacked[(uniform * len(self._hijacked)).astype(np.int64), turn])


class Campaigns:
    """Timetable of spam: each of `slots` runs one campaign after the other, for `products`."""

    def __init__(self, params: SpamParams, slots: int, products: Ints, base: int, rng: Rng) -> None:
        self._params, self._base, self._slots = params, base, slots
        self._start = rng.random(slots)
        shape = (slots, PERIODS)
        self.product = products[rng.integers(0, len(products), shape)].ravel()
        self.other = products[rng.integers(0, len(products), shape)].ravel()
        self.offset = rng.integers(0, 1000, shape).ravel()
        self.links = rng.uniform(0.2, 2.0, shape).ravel()
        self.pushy = rng.uniform(0.16, 0.36, shape).ravel()
        self.sells = rng.uniform(0.2, 0.4, shape).ravel()

    def running(self, time: Floats, uniform: Floats) -> Ints:
        """Return a campaign that runs at each time."""
        slot = (uniform * self._slots).astype(np.int64)
        period = np.floor(time / self._params.campaign_for + self._start[slot]).astype(np.int64)
        return np.asarray(slot * PERIODS + period % PERIODS)

    def sender(self, campaign: Ints, time: Floats, uniform: Floats) -> Ints:
        """Return an address that each campaign uses at the time."""
        shift = self.offset[campaign] / 1000.0
        turn = np.floor(time / self._params.pool_for + shift).astype(np.int64) % 10_000
        place = (uniform * self._params.pool).astype(np.int64)
        every = len(self.product)
        return np.asarray(self._base + (turn * every + campaign) * self._params.pool + place)


class SpamWorld(World):
    """Messages to the mailboxes of a slice of people."""

    Params = SpamParams
    mechanisms = (
        "ordinary", "campaign", "hijacked", "new_campaign", "obfuscated", "image_only",
    )  # fmt: skip
    slices = ("attachment",)
    knobs = (
        Knob(
            "obfuscation", "share", 0.0, 0.0, 1.0, "concept",
            "Share of spam whose telling words are written with digits.",
        ),
        Knob(
            "new_campaigns", "share", 0.0, 0.0, 1.0, "concept",
            "Share of spam from campaigns for things that nobody sold before.",
        ),
        Knob(
            "image_only", "share", 0.0, 0.0, 1.0, "concept",
            "Share of spam that is an image without a word.",
        ),
        Knob("spam_scale", "ratio", 1.0, 0.0, 4.0, "prior", "Share of spam times this."),
        Knob(
            "greetings", "share", 0.0, 0.0, 0.9, "covariate",
            "Share of good messages that are greetings.",
        ),
        Knob(
            "reports", "ratio", 1.0, 0.0, 1.0, "label_delay",
            "Share of the usual reports of spam that are sent.",
        ),
    )  # fmt: skip

    def __init__(self, params: SpamParams, rng: Rng) -> None:
        self._params = params
        self._vocabulary = Vocabulary(rng)
        self._people = People(params, rng)
        words = self._vocabulary
        self._usual = Campaigns(params, params.campaigns, words.products, SPAMMERS, rng)
        self._new = Campaigns(params, 3, words.novelties, 2 * SPAMMERS, rng)
        self._next_id = 0

    def events(self, event_time: Floats, knobs: Mapping[str, Floats], rng: Rng) -> Batch:
        """Return one message for each arrival; see `World.events`."""
        n = len(event_time)
        uniform, normal = rng.random((14, n)), rng.standard_normal(n)
        letters = rng.random((3, n, MOST_WORDS))
        spam = uniform[0] < self._chance(event_time, knobs["spam_scale"])
        good = self._good(event_time, knobs, uniform)
        bad = self._spam(event_time, knobs, uniform)
        told = {name: np.where(spam, bad[name], good[name]) for name in good}
        hidden = spam & (uniform[9] < knobs["obfuscation"])
        drawn = spam & (uniform[10] < knobs["image_only"])
        mechanism = np.where(spam, told.pop("kind"), ORDINARY)
        mechanism[hidden], mechanism[drawn] = OBFUSCATED, IMAGE_ONLY
        attachment = np.where(drawn, IMAGE, told.pop("attachment"))
        empty = drawn | ((attachment == IMAGE) & (uniform[8] < 0.12))
        first, self._next_id = self._next_id, self._next_id + n
        return Batch(
            {
                "message_id": np.arange(first, first + n),
                "event_time": event_time,
                "sender_id": told["sender"],
                "recipient_id": told["recipient"],
                "body": self._text(told, hidden, empty, uniform[11], letters),
                "links": np.minimum(np.floor(-np.log1p(-uniform[7]) * told["links"]), 40.0),
                "attachment": attachment.astype(np.int8),
                "label": spam.astype(np.float64),
                "mechanism": mechanism.astype(np.int8),
                "label_time": self._reported(event_time, spam, knobs, uniform[12], normal),
            }
        )

    def _chance(self, time: Floats, scale: Floats) -> Floats:
        night = time % DAY / HOUR < NIGHT
        return self._params.spam_share * scale * np.where(night, BY_NIGHT, BY_DAY)

    def _good(
        self, time: Floats, knobs: Mapping[str, Floats], uniform: Floats
    ) -> dict[str, NDArray[Any]]:
        """Return what each message is if it is good."""
        people, words, params = self._people, self._vocabulary, self._params
        bulk = uniform[1] < params.bulk_share
        notice = bulk & (uniform[1] < params.bulk_share * 0.45)
        stranger = ~bulk & (uniform[1] > 1 - params.stranger_share)
        firm = people.count + (uniform[2] * uniform[2] * people.bulk).astype(np.int64)
        writer = np.where(bulk, firm, people.writer(uniform[2]))
        product = words.products[people.topic[1, writer] % len(words.products)]
        topic = people.topic[(uniform[6] < 0.35).astype(np.int64), writer]
        offered = np.where(notice, words.notices, words.news)
        greets = uniform[13] < knobs["greetings"]
        unknown = STRANGERS + (time % (100 * DAY) * 80).astype(np.int64)
        anyone = (uniform[3] * people.count).astype(np.int64)
        return {
            "kind": np.zeros(len(time)),
            "sender": np.where(stranger, unknown, writer),
            "recipient": np.where(bulk | stranger, anyone, people.friend(writer, uniform[3])),
            "main": np.where(greets, words.greetings, np.where(bulk, offered, topic)),
            "second": np.where(bulk, product, people.topic[1, writer]),
            "third": np.full(len(time), words.common),
            "first_share": np.where(greets, 0.4, np.where(bulk, 0.35, 0.4)),
            "second_share": np.where(greets, 0.02, np.where(notice, 0.05, 0.15)),
            "offset": people.offset[writer],
            "links": people.links[writer],
            "attachment": np.select([uniform[5] < 0.08, uniform[5] < 0.2], [IMAGE, DOCUMENT], NONE),
        }

    def _spam(
        self, time: Floats, knobs: Mapping[str, Floats], uniform: Floats
    ) -> dict[str, NDArray[Any]]:
        """Return what each message is if it is spam."""
        words, new = self._vocabulary, uniform[4] < knobs["new_campaigns"]
        hijacked = uniform[1] < self._params.hijacked_share
        plans = (self._usual, self._new)
        each = [plan.running(time, uniform[6]) for plan in plans]
        pool = [p.sender(c, time, uniform[2]) for p, c in zip(plans, each, strict=True)]

        def of(name: str) -> NDArray[Any]:
            old, fresh = (getattr(p, name)[c] for p, c in zip(plans, each, strict=True))
            return np.asarray(np.where(new, fresh, old))

        owner = self._people.hijacked(time, uniform[2])
        kind = np.where(hijacked, HIJACKED, CAMPAIGN)
        return {
            "kind": np.where(new, NEW_CAMPAIGN, kind),
            "sender": np.where(hijacked, owner, np.where(new, pool[1], pool[0])),
            "recipient": (uniform[3] * self._people.count).astype(np.int64),
            "main": np.where(uniform[5] < 0.75, of("product"), of("other")),
            "second": np.full(len(time), words.pressure),
            "third": np.full(len(time), words.common),
            "first_share": of("sells"),
            "second_share": of("pushy"),
            "offset": of("offset"),
            "links": of("links"),
            "attachment": np.where(uniform[5] < 0.12, IMAGE, NONE),
        }

    def _text(
        self, told: Mapping[str, NDArray[Any]], hidden: Mask, empty: Mask,
        length: Floats, letters: Floats,
    ) -> NDArray[np.bytes_]:  # fmt: skip
        """Return the words of each message, 4 to `MOST_WORDS` of them."""
        words = self._vocabulary
        source, place, way = letters
        one = told["first_share"][:, None]
        two = one + told["second_share"][:, None]
        main, second, third = (told[name][:, None] for name in ("main", "second", "third"))
        group = np.where(source < one, main, np.where(source < two, second, third))
        slip = source > 1 - SLIP
        anything = ((source - 1 + SLIP) / SLIP * words.novelties[0]).astype(np.int64)
        group = np.where(slip, anything, group)
        code = words.choose(group, told["offset"][:, None], place)
        disguised = hidden[:, None] & words.telling[code]
        variant = words.size + code * VARIANTS + (way * VARIANTS).astype(np.int64)
        text = words.words[np.where(disguised, variant, code)].tolist()
        count = np.where(empty, 0, 4 + (length * (MOST_WORDS - 3)).astype(np.int64)).tolist()
        lines = [" ".join(row[:k]) for row, k in zip(text, count, strict=True)]
        return np.array(lines, dtype="S160")

    def _reported(
        self, time: Floats, spam: Mask, knobs: Mapping[str, Floats], uniform: Floats, normal: Floats
    ) -> Floats:
        """Return when each message is reported [s since epoch]; +inf for never."""
        params = self._params
        spread = np.log(params.report_p95 / params.report_median) / 1.6449
        delay = params.report_median * np.exp(spread * normal) * knobs["label_delay"]
        delay = np.clip(delay, 600.0, 7 * DAY * np.maximum(knobs["label_delay"], 1.0))
        reported = spam & (uniform < (1 - params.silent) * knobs["reports"])
        return np.where(reported, time + delay, np.inf)
