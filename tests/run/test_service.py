"""Seven parcels and what became of them, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.model import ModelVersion
from sandbox.run.lifecycle import Deciders
from sandbox.run.service import Service
from sandbox.run.setup import DAY, Prepared
from sandbox.run.traffic import BLOCK, Block
from sandbox.simulate.stack import StackSample

Ready = Callable[..., Prepared]
ALLOW, REVIEW, BLOCKED = 0, 1, 2

# weight (the model's score is a hundredth of it), label, decision
CASES = (
    (95.0, 1.0, BLOCKED),  # stopped
    (96.0, 0.0, BLOCKED),  # a false decline: 5 USD
    (60.0, 1.0, REVIEW),  # worked, stopped
    (50.0, 0.0, REVIEW),  # worked
    (40.0, 1.0, REVIEW),  # too many for two a day: missed, 15 USD
    (10.0, 1.0, ALLOW),  # missed, 15 USD
    (20.0, 0.0, ALLOW),
)
SETTINGS = ("decision.review.capacity=2/day", "labels.missing_when=[block]", "labels.delay.min=0")


@dataclass(frozen=True)
class Scales:
    """Stands in for a model: heavy parcels are late."""

    number: int = 1
    review_above: float = 0.3
    block_above: float = 0.9

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(features[:, 0] / 100.0, dtype=np.float64)

    def predict_baseline(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.predict(features)

    def spread(self, features: NDArray[np.float32]) -> None:
        return None


def deciders(canary: float = 0.0) -> Deciders:
    champion = cast(ModelVersion, Scales())
    other = cast(ModelVersion, Scales(2, np.inf, np.inf))
    return Deciders(champion, other if canary else None, canary)


def sample(answered: float = 1.0) -> StackSample:
    n = round(BLOCK / 600.0)
    nothing = np.zeros(n)
    return StackSample(
        time=nothing, load=nothing, lag=nothing, utilisation=np.zeros((1, n)), p50=nothing,
        p99=nothing, answered=np.full(n, answered), histogram=np.zeros(3),
    )  # fmt: skip


def block(prepared: Prepared, index: int, cases: Any = CASES) -> Block:
    """Return parcels a minute apart from the start of a block on; labels come after two days."""
    n = len(cases)
    times = prepared.scenario.start_time + index * BLOCK + 60.0 * np.arange(n)
    truth = Batch(
        {
            "parcel_id": 1000 * index + np.arange(n),
            "event_time": times,
            "shop_id": np.zeros(n, dtype=np.int64),
            "route_id": np.zeros(n, dtype=np.int64),
            "weight_kg": np.array([case[0] for case in cases]),
            "distance_km": np.full(n, 10.0),
            "service": np.zeros(n, dtype=np.int8),
            "label": np.array([case[1] for case in cases]),
            "mechanism": np.array([case[1] for case in cases]).astype(np.int8),
            "label_time": times + 2 * DAY,
        }
    )
    observed = truth.drop("label", "mechanism", "label_time").with_columns(processing_time=times)
    return Block(index * BLOCK, (index + 1) * BLOCK, observed, truth)


def served(
    prepared: Prepared, change: Callable[[Batch], Batch] = lambda batch: batch, **options: Any
) -> Service:
    """Serve the cases on day 0, damaged on their way in, and close the day."""
    service = Service(prepared)
    given = block(prepared, 0)
    given = Block(given.start, given.end, change(given.observed), given.truth)
    service.serve(given, deciders(options.get("canary", 0.0)), sample(options.get("answered", 1.0)))
    service.close_day(DAY)
    return service


@pytest.fixture(scope="module")
def prepared(ready: Ready) -> Prepared:
    return ready(*SETTINGS)


def test_decisions_and_money_of_a_day(prepared: Prepared) -> None:
    service = served(prepared)
    assert service.log.column("decision").tolist() == [case[2] for case in CASES]
    assert service.log.column("worked").tolist() == [0, 0, 1, 1, 0, 0, 0]
    money = service.ledger.totals.as_dict()
    assert money == {
        "missed": 30.0, "false_declines": 5.0, "reviews": 1.0, "no_model": 60.0, "total": 36.0,
    }  # fmt: skip
    wanted = {"allow": 2, "review": 3, "block": 2, "worked": 2, "review_overflow": 1, "explored": 0}
    assert {name: service.counts[name] for name in wanted} == wanted
    assert service.events == 7 and service.worked_today == 2
    assert service.good_blocked() == pytest.approx(1 / 3)
    assert service.today()["good_blocked", ""] == pytest.approx(1 / 3)
    assert service.today()["positive_rate", "oracle"] == pytest.approx(4 / 7)
    assert service.refused_today()[0] == 7


def test_blocked_labels_stay_hidden_and_verdicts_come_early(prepared: Prepared) -> None:
    log = served(prepared).log
    after = (log.column("label_time") - log.column("event_time")) / DAY
    assert np.isinf(after[:2]).all() and log.column("hidden")[:2].all()
    assert not log.column("hidden")[2:].any()
    # The verdict is there when the day is over, the label after two days.
    known = (log.column("label_time") - prepared.scenario.start_time) / DAY
    np.testing.assert_allclose(known[2:4], 1.0)
    np.testing.assert_allclose(after[4:], 2.0)


def test_explored_cases_go_through_and_their_labels_come(ready: Ready) -> None:
    service = served(ready(*SETTINGS, "decision.explore=100%"))
    log = service.log
    assert log.column("explored").tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert log.column("decision")[:2].tolist() == [ALLOW, ALLOW]
    assert np.isfinite(log.column("label_time")).all()
    assert service.ledger.totals.missed == 45.0 and service.ledger.totals.false_declines == 0.0
    assert service.counts["explored"] == 2


def test_dead_letters_are_answered_by_the_fallback_and_counted(prepared: Prepared) -> None:
    def blank(batch: Batch) -> Batch:
        weight = batch["weight_kg"].copy()
        weight[0] = np.nan
        return batch.with_columns(weight_kg=weight)

    service = served(prepared, blank)
    log = service.log
    assert service.events == 7 and log.column("dead")[0] > 0
    assert log.column("decision")[0] == ALLOW and log.column("fallback")[0]
    assert np.isnan(log.features[0]).all() and not np.isnan(log.features[1:, 0]).any()
    assert service.ledger.totals.missed == 45.0
    accepted, reasons = service.refused_today()
    assert accepted == 6 and len(reasons) == 1
    assert service.counts["dead_letter.null"] == 1
    assert service.refused_today()[1].tolist() == []


def test_duplicates_count_once(prepared: Prepared) -> None:
    def twice(batch: Batch) -> Batch:
        again = batch.with_columns(processing_time=batch["processing_time"] + 5.0)
        return Batch.concat([batch, again]).sort("processing_time")

    service, plain = served(prepared, twice), served(prepared)
    assert service.events == 7
    assert service.ledger.totals == plain.ledger.totals
    service.refused_today()
    assert service.counts["dead_letter.duplicate"] == 7


def test_what_the_model_does_not_answer_in_time_the_fallback_does(prepared: Prepared) -> None:
    service = served(prepared, answered=0.0)
    assert service.counts["fallback"] == 7 and service.counts["allow"] == 7
    assert service.ledger.totals.total == service.ledger.totals.no_model == 60.0
    assert (service.log.column("score") == 0.0).all()


def test_a_canary_decides_its_share(prepared: Prepared) -> None:
    log = served(prepared, canary=1.0).log
    assert (log.column("version") == 2).all() and (log.column("decision") == ALLOW).all()
    assert (served(prepared).log.column("version") == 1).all()


def test_history_is_remembered_but_not_booked(prepared: Prepared) -> None:
    service = Service(prepared)
    service.remember(block(prepared, -1))
    service.serve(block(prepared, 0), deciders(), sample())
    service.close_day(DAY)
    assert len(service.log) == 14 and service.events == 7
    assert service.live_rows() == slice(7, 14)
    assert service.ledger.totals.no_model == 60.0
    assert service.log.column("version")[:7].tolist() == [0] * 7
    assert (service.log.column("decision")[:7] == ALLOW).all()
    # Shop 0 had seven parcels before: the mean of its weights is the mean of both blocks.
    mean = np.mean([case[0] for case in CASES] * 2)
    (weights,) = (i for i, name in enumerate(prepared.plan.names) if "mean" in name)
    assert service.log.features[-1, weights] == pytest.approx(mean)


def test_each_day_is_booked_once(prepared: Prepared) -> None:
    service = Service(prepared)
    for index in range(8):
        service.serve(block(prepared, index), deciders(), sample())
        if index % 4 == 3:
            service.close_day((index + 1) * BLOCK)
    rows = dict(service.ledger.rows())
    assert set(rows) == {0, 1}
    # Four blocks a day: two cases worked of twelve flagged.
    for money in rows.values():
        assert money.no_model == 240.0 and money.reviews == 1.0
        assert money.missed == 4 * 30.0 + 4 * 15.0 - 2 * 15.0
    assert service.counts["review_overflow"] == 20
    assert service.today()["reviews", "overflow"] == 10


def test_an_event_keeps_its_truth_when_it_is_late(prepared: Prepared) -> None:
    service = Service(prepared)
    first, second = block(prepared, 0), block(prepared, 1)
    last = first.observed.slice(6, 7).with_columns(
        processing_time=np.array([prepared.scenario.start_time + BLOCK + 1.0])
    )
    held = Batch.concat([second.observed, last]).sort("processing_time")
    service.serve(Block(0.0, BLOCK, first.observed.slice(0, 6), first.truth), deciders(), sample())
    service.serve(Block(BLOCK, 2 * BLOCK, held, second.truth), deciders(), sample())
    log = service.log
    row = int(np.flatnonzero(log.column("parcel_id") == 6)[0])
    assert row == 7 and log.column("dead")[row] > 0  # six hours late, ten minutes allowed
    assert log.column("event_time")[row] == first.truth["event_time"][6]
    assert (np.diff(log.column("processing_time")) >= 0).all()
    ids = log.column("parcel_id")
    truth = dict(zip(first.truth["parcel_id"].tolist(), first.truth["label"].tolist(), strict=True))
    truth |= dict(
        zip(second.truth["parcel_id"].tolist(), second.truth["label"].tolist(), strict=True)
    )
    assert log.column("label").tolist() == [truth[i] for i in ids.tolist()]
