"""Seven parcels whose hours are told, and what became of them, counted by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.model import ModelVersion
from sandbox.run.lifecycle import Deciders
from sandbox.run.scaffold import write_scenario
from sandbox.run.service import Service
from sandbox.run.setup import DAY, Prepared, prepare
from sandbox.run.traffic import BLOCK, Block
from tests.run.test_service import ALLOW, BLOCKED, REVIEW, sample

# Kilometres (hours told are a tenth of them), spread (a hundredth of the weight), hours, decision.
CASES = (
    (200.0, 90.0, 30.0, BLOCKED),  # not told, and it would have been wrong
    (200.0, 95.0, 20.0, BLOCKED),  # not told, though it was right: 0.5 USD
    (100.0, 40.0, 20.0, REVIEW),  # too many for two a day: told wrong, 2 USD
    (100.0, 60.0, 20.0, REVIEW),  # looked at
    (100.0, 50.0, 10.0, REVIEW),  # looked at
    (300.0, 10.0, 33.4, ALLOW),  # off by more than a tenth: 2 USD
    (300.0, 20.0, 33.0, ALLOW),  # off by less
)


@dataclass(frozen=True)
class Clerk:
    """Stands in for a model: a tenth of the distance, and the heavier, the less sure."""

    number: int = 1
    review_above: float = 0.3
    block_above: float = 0.8

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(features[:, 1] / 10.0, dtype=np.float64)

    def predict_baseline(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self.predict(features)

    def spread(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(features[:, 0] / 100.0, dtype=np.float64)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("hours", task="regression", into=root)
    settings = ("decision.review.capacity=2/day", "labels.delay.min=0", "labels.delay.max=4d")
    return prepare(
        "hours", design=None, seed=7, days=2, overrides=settings, incidents=(), roots=(root,)
    )


def served(prepared: Prepared, answered: float = 1.0, blank: bool = False) -> Service:
    service, n = Service(prepared), len(CASES)
    times = prepared.scenario.start_time + 60.0 * np.arange(n)
    truth = Batch(
        {
            "parcel_id": np.arange(n), "event_time": times,
            "shop_id": np.zeros(n, dtype=np.int64), "route_id": np.zeros(n, dtype=np.int64),
            "weight_kg": np.array([case[1] for case in CASES]),
            "distance_km": np.array([case[0] for case in CASES]),
            "service": np.zeros(n, dtype=np.int8), "label": np.array([c[2] for c in CASES]),
            "mechanism": np.zeros(n, dtype=np.int8), "label_time": times + 2 * DAY,
        }
    )  # fmt: skip
    observed = truth.drop("label", "mechanism", "label_time").with_columns(processing_time=times)
    if blank:
        weight = observed["weight_kg"].copy()
        weight[0] = np.nan
        observed = observed.with_columns(weight_kg=weight)
    block = Block(0.0, BLOCK, observed, truth)
    deciders = Deciders(cast(ModelVersion, Clerk()), None, 0.0)
    service.serve(block, deciders, sample(answered))
    service.close_day(DAY)
    return service


def test_decisions_and_money_of_a_day(prepared: Prepared) -> None:
    service = served(prepared)
    log = service.log
    assert log.column("decision").tolist() == [case[3] for case in CASES]
    np.testing.assert_allclose(log.column("spread"), [case[1] / 100 for case in CASES], rtol=1e-6)
    np.testing.assert_allclose(log.column("score"), [case[0] / 10 for case in CASES], rtol=1e-6)
    assert log.bad(slice(0, 7)).tolist() == [True, False, True, True, False, True, False]
    assert service.ledger.totals.as_dict() == {
        "missed": 4.0, "false_declines": 0.5, "reviews": 1.0, "no_model": 14.0, "total": 5.5,
    }  # fmt: skip
    assert service.good_blocked() == pytest.approx(1 / 3)
    assert service.today()["wrong_estimates", "oracle"] == pytest.approx(4 / 7)
    assert ("positive_rate", "oracle") not in service.today()


def test_people_look_at_the_widest_first(prepared: Prepared) -> None:
    service = served(prepared)
    # All three are told ten hours: 40, 60 and 50 hundredths, and time for two.
    assert service.log.column("worked").tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert service.counts["review_overflow"] == 1 and service.worked_today == 2


def test_who_was_told_nothing_was_told_nothing_right(prepared: Prepared) -> None:
    service = served(prepared, answered=0.0)
    log = service.log
    assert log.column("fallback").all() and (log.column("decision") == ALLOW).all()
    assert not log.column("score").any() and not log.column("spread").any()
    money = service.ledger.totals
    assert money.missed == money.no_model == 14.0 and money.false_declines == 0.0
    assert service.today()["wrong_estimates", "oracle"] == 1.0


def test_dead_letters_have_no_spread(prepared: Prepared) -> None:
    log = served(prepared, blank=True).log
    assert log.column("dead").tolist()[0] > 0 and log.column("fallback").tolist() == [1] + [0] * 6
    assert log.column("spread")[0] == 0.0 and (log.column("spread")[1:] > 0).all()
    assert log.bad(slice(0, 1)).all() and log.column("decision")[0] == ALLOW


def test_what_came_is_logged_and_what_was_cleaned_is_used(prepared: Prepared) -> None:
    service = Service(prepared)
    n = 2
    times = prepared.scenario.start_time + 60.0 * np.arange(n)
    truth = Batch(
        {
            "parcel_id": np.arange(n), "event_time": times,
            "shop_id": np.zeros(n, dtype=np.int64), "route_id": np.zeros(n, dtype=np.int64),
            "weight_kg": np.array([2500.0, 2.5]), "distance_km": np.full(n, 50.0),
            "service": np.zeros(n, dtype=np.int8), "label": np.full(n, 9.0),
            "mechanism": np.zeros(n, dtype=np.int8), "label_time": times + DAY,
        }
    )  # fmt: skip
    observed = truth.drop("label", "mechanism", "label_time").with_columns(processing_time=times)
    service.remember(Block(0.0, BLOCK, observed, truth))
    assert service.log.column("weight_kg").tolist() == [2500.0, 2.5]
    assert service.log.features[:, 0].tolist() == [2.5, 2.5]
    assert not service.log.column("spread").any() and len(service.log) == 2
