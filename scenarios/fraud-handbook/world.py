"""The card payments of the *Fraud Detection Handbook*, every one of them.

Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud
Detection" (2022), chapter 3, written anew from its description. The published tables hang on this
one data set, so the world draws the same numbers in the same order from the same old generators,
whatever the seed of the run. (`scenarios/fraud` is a world with room for drift.)
"""

from __future__ import annotations

import datetime as dt
import random
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sandbox.batch import Batch
from sandbox.world import RecordedWorld, Spec, legacy_order, legacy_random

__all__ = ["HandbookWorld"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
DAY = 86400
CUSTOMER, TERMINAL, SECOND, CENTS = range(4)
HIGH_AMOUNT, COMPROMISED_TERMINAL, STOLEN_CARD = 1, 2, 3


class HandbookParams(Spec):
    """Size of the data set; the defaults are the published one."""

    customers: int = Field(default=5000, ge=3, le=100_000)
    """People who pay by card."""
    terminals: int = Field(default=10_000, ge=2, le=100_000)
    """Shops' card readers."""
    days: int = Field(default=183, ge=1, le=3650)
    """Length of the recording."""
    begins: dt.date = dt.date(2018, 4, 1)
    """Its first day."""
    radius: float = Field(default=5.0, gt=0)
    """Customers use the terminals closer than this, on a map of 100 x 100."""


class HandbookWorld(RecordedWorld):
    """The data set of the handbook, played back."""

    Params: ClassVar[type[Spec]] = HandbookParams
    mechanisms = ("ordinary", "high amount", "compromised terminal", "stolen card")

    def __init__(self, params: HandbookParams, rng: np.random.Generator) -> None:
        midnight = dt.datetime.combine(params.begins, dt.time(), tzinfo=dt.UTC).timestamp()
        payments = draw_payments(params)
        amount, mechanism = commit_frauds(payments, params)
        recording = {
            "transaction_id": np.arange(payments.shape[1]),
            "event_time": midnight + payments[SECOND],
            "customer_id": payments[CUSTOMER],
            "terminal_id": payments[TERMINAL],
            "amount": amount,
            "label": (mechanism > 0).astype(np.float64),
            "mechanism": mechanism,
        }
        super().__init__(Batch(recording))


def draw_payments(params: HandbookParams) -> Ints:
    """Return honest payments in order of time: customer, terminal, second, cents; shape (4, n)."""
    # x, y, mean amount, payments a day
    low, high = (0, 0, 5, 0), (100, 100, 100, 4)
    people = np.random.RandomState(0).uniform(low, high, (params.customers, 4))
    shops = np.random.RandomState(1).uniform(0, 100, (params.terminals, 2))
    numbers, choices = legacy_random.new_stream(), legacy_random.new_stream()
    drawn = _draw(people, shops, params.radius, params.days, numbers, choices)
    return drawn[:, legacy_order.quicksort_order(drawn[SECOND])]


@legacy_random.compiled
def _draw(
    people: Floats,
    shops: Floats,
    radius: float,
    days: int,
    numbers: legacy_random.Stream,
    choices: legacy_random.Stream,
) -> Ints:
    drawn, n = np.empty((4, 1 << 16), dtype=np.int64), 0
    for customer in range(len(people)):
        x, y, mean, rate = people[customer]
        distance = np.sqrt((shops[:, 0] - x) ** 2 + (shops[:, 1] - y) ** 2)
        near = np.flatnonzero(distance < radius)
        if len(near) == 0:
            continue
        legacy_random.seed_numpy(numbers, customer)
        legacy_random.seed_python(choices, customer)
        for day in range(days):
            for _ in range(legacy_random.poisson(numbers, rate)):
                second = int(legacy_random.normal(numbers, DAY / 2, 20000.0))
                if not 0 < second < DAY:
                    continue
                amount = legacy_random.normal(numbers, mean, mean / 2)
                if amount < 0:
                    amount = legacy_random.uniform(numbers, 0.0, mean * 2)
                if n == drawn.shape[1]:
                    drawn = np.concatenate((drawn, np.empty_like(drawn)), axis=1)
                drawn[CUSTOMER, n] = customer
                drawn[TERMINAL, n] = near[legacy_random.below(choices, len(near))]
                drawn[SECOND, n] = day * DAY + second
                drawn[CENTS, n] = np.rint(amount * 100)
                n += 1
    return drawn[:, :n]


def commit_frauds(payments: Ints, params: HandbookParams) -> tuple[Floats, NDArray[np.int8]]:
    """Return amounts with the fraud in them, and how each payment came about; shape (n,) each.

    Later mechanisms overwrite earlier ones, and a card stolen twice pays 25 times as much.
    """
    amount = payments[CENTS] / 100.0
    mechanism = np.where(amount > 220, HIGH_AMOUNT, 0).astype(np.int8)
    first = np.searchsorted(payments[SECOND], DAY * np.arange(params.days + 1))
    for day in range(params.days - 1):
        rows = slice(first[day], first[min(day + 28, params.days)])
        skimmed = _sample(params.terminals, 2, day)
        mechanism[rows][skimmed[payments[TERMINAL, rows]]] = COMPROMISED_TERMINAL
    for day in range(params.days - 1):
        rows = slice(first[day], first[min(day + 14, params.days)])
        stolen = _sample(params.customers, 3, day)
        usable = first[day] + np.flatnonzero(stolen[payments[CUSTOMER, rows]])
        used = random.Random(day).sample(range(len(usable)), len(usable) // 3)
        amount[usable[used]] *= 5
        mechanism[usable[used]] = STOLEN_CARD
    return amount, mechanism


def _sample(size: int, count: int, seed: int) -> NDArray[np.bool_]:
    """Return what ``pandas.Series.sample(count, random_state=seed)`` picks, as a mask."""
    chosen = np.zeros(size, dtype=np.bool_)
    chosen[np.random.RandomState(seed).choice(size, count, replace=False)] = True
    return chosen
