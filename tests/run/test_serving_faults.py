"""What the model is told, and what the log keeps, when a deployment is faulty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.run.execution import VirtualRun
from sandbox.run.setup import Prepared
from sandbox.spec.incidents import Incident
from tests.run.conftest import Ready

DAY = 86400.0


def faulty(ready: Ready, **serving: Any) -> Prepared:
    told = {"at": "3d", "for": "3d", **serving}
    incident = Incident.model_validate({"story": "x", "serving": told})
    return replace(ready("retraining=never", incidents=()), incidents={"fault": incident})


def lived(prepared: Prepared) -> VirtualRun:
    run = VirtualRun(prepared, None, lambda: False)
    run.begin()
    run.go_on(8 * DAY)
    return run


def days_of(run: VirtualRun) -> np.ndarray[Any, Any]:
    log = run.service.log
    return np.floor((log.column("event_time") - run.prepared.scenario.start_time) / DAY)


def test_scaled_features_that_are_not_logged_skew_scores_only(ready: Ready) -> None:
    calm = lived(ready("retraining=never", incidents=()))
    prepared = faulty(ready, kind="scale", features=["*"], factor=50, logged=False)
    run = lived(prepared)
    plain = ["label" not in name for name in prepared.plan.names]  # reviews differ, so labels do
    logged, right = (one.service.log.features[:, plain] for one in (run, calm))
    assert np.array_equal(logged, right, equal_nan=True)
    day = days_of(run)
    same = run.service.log.column("score") == calm.service.log.column("score")
    again = run.lifecycle.model(1).predict(run.service.log.features[day == 4])
    assert same[day < 3].all() and not same[day == 4].all()
    assert not np.allclose(again, run.service.log.column("score")[day == 4])
    later = run.lifecycle.model(1).predict(run.service.log.features[day == 7])
    assert np.allclose(later, run.service.log.column("score")[day == 7])


def test_blank_and_logged_features_are_those_of_a_new_key(ready: Ready) -> None:
    names = ready().plan.names
    count = next(n for n in names if "count" in n)
    mean = next(n for n in names if "mean" in n)
    prepared = faulty(ready, kind="blank", features=[count, mean], by="shop_id", share=0.5)
    run = lived(prepared)
    features, day = run.service.log.features, days_of(run)
    keys = run.service.log.column("shop_id")
    blank = np.isnan(features[:, names.index(mean)]) & (day >= 3) & (day < 6)
    hit = {int(key) for key in keys[blank & (features[:, names.index(count)] <= 1)]}
    share = len(hit) / len(np.unique(keys[(day >= 3) & (day < 6)]))
    assert 0.3 < share < 0.8
    assert np.isnan(features[day == 7][:, names.index(mean)]).mean() < 0.1


def test_stale_features_stay_as_they_were(ready: Ready) -> None:
    names = ready().plan.names
    place = next(i for i, n in enumerate(names) if "count" in n and n.startswith("route_id"))
    prepared = faulty(ready, kind="stale", features=["route_id_*"], by="route_id")
    run = lived(prepared)
    log, day = run.service.log, days_of(run)
    key = np.bincount(log.column("route_id")[day == 4]).argmax()
    mine = log.column("route_id") == key
    during = log.features[mine & (day >= 3) & (day < 6), place]
    before = log.features[mine & (day < 3), place]
    assert (during == before[-1]).all() and len(during) > 3


@pytest.mark.parametrize(
    ("serving", "said"),
    [
        ({"kind": "scale", "features": ["nonsense_*"]}, "no such feature"),
        ({"kind": "stale", "features": ["*"], "by": "weight_kg"}, "not a key"),
    ],
)
def test_a_fault_that_names_nothing_is_refused(
    ready: Ready, serving: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        VirtualRun(faulty(ready, **serving), None, lambda: False)


@pytest.mark.parametrize(
    "told",
    [
        {"story": "x", "serving": {"kind": "stale", "features": ["a"], "at": "1d"}},
        {"story": "x", "serving": {"kind": "scale", "features": [], "at": "1d"}},
        {"story": "x"},
        {"story": "x", "drift": {"kind": "prior", "knob": "k", "to": 2, "at": "1d"},
         "mended_by": [{"do": "redeploy"}]},
    ],
)  # fmt: skip
def test_incidents_that_make_no_sense(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|at least 1"):
        Incident.model_validate(told)
