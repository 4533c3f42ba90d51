from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.errors import UsageError
from sandbox.spec.incidents import Incident
from sandbox.world import LABEL_DELAY, Knob, KnobCurves

DAY = 86400.0
KNOBS = (
    Knob("level", "ratio", 1.0, 0.0, 5.0, "covariate", "A level."),
    Knob("attack", "share", 0.0, 0.0, 0.9, "concept", "A share."),
)


def drift(knob: str = "level", to: float = 3.0, kind: str = "covariate", **more: Any) -> Incident:
    body = {"kind": kind, "knob": knob, "to": to, "at": "10d", **more}
    return Incident.model_validate({"story": "", "drift": body})


def level(incident: Incident, *days: float, seed: int = 0) -> list[float]:
    curves = KnobCurves(KNOBS, {"x": incident}, np.random.default_rng(seed))
    return [float(v) for v in curves.values(np.array(days) * DAY)["level"]]


def test_without_drift_every_knob_is_neutral() -> None:
    curves = KnobCurves(KNOBS, {}, np.random.default_rng(0))
    values = curves.values(np.array([-100.0, 0.0, 100.0]) * DAY)
    assert curves.names == tuple(values) == ("level", "attack", "label_delay")
    assert values["level"].tolist() == [1, 1, 1]
    assert values["attack"].tolist() == [0, 0, 0]
    assert values["label_delay"].tolist() == [1, 1, 1]


def test_sudden() -> None:
    assert level(drift(), -5, 9.999, 10, 500) == [1, 1, 3, 3]


def test_sudden_with_a_ramp_is_linear() -> None:
    assert level(drift(ramp="4d"), 10, 11, 12, 14, 99) == pytest.approx([1, 1.5, 2, 3, 3])


def test_for_ends_it() -> None:
    assert level(drift("level", 3.0, "covariate", **{"for": "2d"}), 9.9, 10, 11.99, 12) == [
        1,
        3,
        3,
        1,
    ]


def test_incremental_is_smooth() -> None:
    values = level(drift(ramp="8d", shape="incremental"), 10, 12, 14, 16, 18, 30)
    assert values == pytest.approx([1, 1 + 2 * 0.15625, 2, 1 + 2 * 0.84375, 3, 3])


def test_recurring_is_on_in_the_first_half_of_each_period() -> None:
    incident = drift(shape="recurring", every="4d", ramp="1d")
    days = (10, 10.5, 11.5, 12, 13.9, 14.5, 15.5, 16.5)
    assert level(incident, *days) == pytest.approx([1, 2, 3, 1, 1, 2, 3, 1])


def test_seasonal_is_a_sine() -> None:
    incident = drift(shape="seasonal", every="8d")
    assert level(incident, 10, 12, 14, 16, 18) == pytest.approx([1, 2, 3, 2, 1])


def test_gradual_alternates_and_the_new_wins() -> None:
    incident = drift(shape="gradual", ramp="40d")
    days = np.arange(10, 50, 0.25)
    values = np.array(level(incident, *days))
    assert set(values.tolist()) == {1.0, 3.0}
    many = np.array([level(incident, *days, seed=seed) for seed in range(20)])
    share = (many == 3).reshape(20, 4, -1).mean(axis=(0, 2))
    assert share == pytest.approx([0.125, 0.375, 0.625, 0.875], abs=0.05)
    assert level(incident, 9.9, 50, 80) == [1, 3, 3]
    assert values.tolist() == level(incident, *days)
    assert values.tolist() != level(incident, *days, seed=1)


def test_drifts_on_one_knob_add_up_within_its_range() -> None:
    rng = np.random.default_rng(0)
    two = {"a": drift(to=3.0), "b": drift(to=0.5, at="20d"), "c": drift(to=5.0, at="30d")}
    values = KnobCurves(KNOBS, two, rng).values(np.array([15.0, 25.0, 35.0]) * DAY)["level"]
    assert values.tolist() == [3.0, 2.5, 5.0]


def test_other_incidents_are_ignored() -> None:
    fault = Incident.model_validate({"story": "", "fault": {"kind": "late", "at": "1d"}})
    curves = KnobCurves(KNOBS, {"x": fault}, np.random.default_rng(0))
    assert curves.values(np.array([5 * DAY]))["level"].tolist() == [1]


def test_label_delay_can_always_be_turned() -> None:
    incident = drift("label_delay", 2.0, "label_delay")
    values = KnobCurves((), {"x": incident}, np.random.default_rng(0)).values(np.array([11 * DAY]))
    assert values[LABEL_DELAY.name].tolist() == [2.0]


@settings(max_examples=80, deadline=None)
@given(
    shape=st.sampled_from(["sudden", "gradual", "incremental", "recurring", "seasonal"]),
    to=st.floats(0.0, 5.0),
    at=st.floats(0, 50 * DAY),
    ramp=st.floats(1.0, 20 * DAY),
    every=st.floats(3600.0, 20 * DAY),
    lasting=st.none() | st.floats(1.0, 30 * DAY),
)
def test_every_shape_stays_between_neutral_and_target_and_starts_at_its_onset(
    shape: str, to: float, at: float, ramp: float, every: float, lasting: float | None
) -> None:
    more = {"at": at, "ramp": ramp, "every": every, "shape": shape, "for": lasting}
    incident = drift("level", to, "covariate", **more)
    curves = KnobCurves(KNOBS, {"x": incident}, np.random.default_rng(0))
    times = np.linspace(-10 * DAY, 100 * DAY, 400)
    values = curves.values(times)["level"]
    low, high = sorted((1.0, to))
    assert ((values >= low - 1e-9) & (values <= high + 1e-9)).all()
    assert (values[times < at] == 1.0).all()
    if lasting is not None:
        assert (values[times >= at + lasting + 1] == 1.0).all()
    elif shape in ("sudden", "gradual", "incremental"):
        assert values[times >= at + ramp + 1] == pytest.approx(to)


@pytest.mark.parametrize(
    ("incident", "message"),
    [
        (drift("levle"), "incidents.x.drift.knob: unknown knob; got 'levle', expected one of "
         "level, attack, label_delay. Did you mean level?"),
        (drift(to=9.0), "incidents.x.drift.to: level out of range; got 9.0, expected 0 to 5 "
         "ratio."),
        (drift(kind="concept"), "incidents.x.drift.kind: level drifts another way; got 'concept', "
         "expected covariate."),
    ],
)  # fmt: skip
def test_wrong_drift_is_a_users_mistake(incident: Incident, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        KnobCurves(KNOBS, {"x": incident}, np.random.default_rng(0))
    assert caught.value.line() == message
