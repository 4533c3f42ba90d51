"""Synthetic quality over 60 days: 0.6, and whatever an incident makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sandbox.record import AlertRecord, IncidentRecord, RunRecord, VersionRecord
from sandbox.run.incidents import incident_records
from sandbox.spec.incidents import Drift, Incident

DAY = 86400.0
Shape = Callable[[float], float]


def incident(day: float) -> Incident:
    drift = Drift(kind="concept", knob="k", to=1.0, at=day * DAY)
    return Incident(story="Something.", drift=drift)


def record_of(
    shape: Shape,
    alerts: Sequence[AlertRecord] = (),
    versions: Sequence[VersionRecord] = (),
    days: int = 60,
) -> RunRecord:
    record = RunRecord(
        scenario="s", title="S", task="binary", design="d", seed=1, days=float(days),
        start_date="2026-01-05", population=1.0, complete=True, events=1,
        primary="recall_at_capacity", alerts=list(alerts), versions=list(versions),
    )  # fmt: skip
    for day in range(7, days + 1):
        record.metrics.add(day, "recall_at_capacity", shape(day), "oracle")
    return record


def alert(day: float, kind: str = "performance") -> AlertRecord:
    return AlertRecord(day, kind, "pr_auc", 0.3, 0.4, "text")


def version(number: int, day: float | None, bought: float | None = None) -> VersionRecord:
    return VersionRecord(
        version=number, trigger="on performance", trained_day=(day or 1) - 1, train_from_day=0,
        train_to_day=1, rows=1, positives=1, offline={}, offline_champion={}, offline_baseline={},
        gate_passed=True, reasons=(), promoted_day=day, bought=bought,
    )  # fmt: skip


def only(record: RunRecord, at: float = 20) -> IncidentRecord:
    (found,) = incident_records({"storm": incident(at)}, record, window=7)
    return found


def dip(low: float, until: float) -> Shape:
    return lambda day: low if 20 < day < until else 0.6


def test_harm_and_recovery() -> None:
    found = only(record_of(dip(0.3, 41), [alert(10), alert(27)]))
    assert found.hurt and found.primary_before == pytest.approx(0.6)
    assert found.primary_worst == pytest.approx(0.3) and found.recovered_day == 41
    assert found.detected_day == 27 and found.detected_by == "performance(pr_auc)"
    assert found.lesson.startswith(
        "True recall_at_capacity fell from 0.60 to 0.30. Back at 90% of its former level on day "
        "41, 21 days after onset. First alert on day 27"
    )


def test_harm_for_good() -> None:
    found = only(record_of(dip(0.3, 99)))
    assert found.hurt and found.recovered_day is None and found.primary_end == pytest.approx(0.3)
    assert "It did not come back (last week 0.30)." in found.lesson
    assert "No alert was raised." in found.lesson


def test_a_metric_at_zero_is_said_to_be_there() -> None:
    assert "(last week 0.00)" in only(record_of(dip(0.0, 99))).lesson


@pytest.mark.parametrize(("low", "hurt"), [(0.52, False), (0.50, True)])
def test_a_small_dip_is_noise(low: float, hurt: bool) -> None:
    found = only(record_of(dip(low, 41)))
    assert found.hurt is hurt
    if not hurt:
        assert found.recovered_day is None
        assert "held: 0.60 before, 0.52 in its worst week" in found.lesson
        assert found.lesson.endswith("No retraining was promoted, and none was needed.")


def test_nine_tenths_is_back() -> None:
    rising = record_of(lambda day: 0.6 if day <= 20 else min(0.6, 0.3 + 0.01 * (day - 20)))
    assert only(rising).recovered_day == 44  # 0.54


def test_what_a_promotion_bought() -> None:
    bought = only(record_of(dip(0.3, 41), versions=[version(1, 0.0), version(2, 40, 0.21)]))
    assert "Version 2 (trained on performance, promoted on day 40) bought +0.21" in bought.lesson
    nothing = only(record_of(dip(0.6, 41), versions=[version(2, 40, 0.004)]))
    assert "bought nothing (+0.004 recall_at_capacity" in nothing.lesson
    assert "none was needed" not in nothing.lesson


def test_versions_that_bought_nothing_are_told_in_one_sentence() -> None:
    gains = {2: 0.004, 3: 0.21, 4: -0.011, 5: 0.0}
    versions = [version(number, 35 + number, gain) for number, gain in gains.items()]
    lesson = only(record_of(dip(0.3, 50), versions=versions)).lesson
    assert "Version 3 (trained on performance, promoted on day 38) bought +0.21" in lesson
    assert lesson.endswith("Versions 2, 4, 5 bought nothing (-0.011 to +0.004).")
    assert lesson.count("bought") == 2
    worse = only(record_of(dip(0.3, 50), versions=[version(2, 40, -0.05)])).lesson
    assert "promoted on day 40) cost 0.05 (-0.050 recall_at_capacity" in worse


def test_versions_that_were_never_promoted_bought_nothing_and_count_for_nothing() -> None:
    found = only(record_of(dip(0.6, 41), versions=[version(2, None, None), version(3, 15, 0.5)]))
    assert "Version" not in found.lesson and "none was needed" in found.lesson


def test_an_incident_answers_for_its_own_time_only() -> None:
    record = record_of(lambda day: 0.3 if day > 40 else 0.6, [alert(45)])
    first, second = incident_records(
        {"late": incident(40), "early": incident(20)}, record, window=7
    )
    assert (first.name, second.name) == ("early", "late")
    assert not first.hurt and first.detected_day is None
    assert second.hurt and second.detected_day == 45


def test_recovery_may_come_after_the_next_onset() -> None:
    record = record_of(dip(0.3, 41))
    first, second = incident_records({"a": incident(20), "b": incident(35)}, record, window=7)
    assert first.hurt and first.recovered_day == 41
    # The level before the second was low already.
    assert second.primary_before is not None and second.primary_before < 0.45


def test_incidents_that_never_began_are_left_out() -> None:
    assert incident_records({"x": incident(60)}, record_of(dip(0.6, 1)), window=7) == []


def test_too_few_days_say_nothing() -> None:
    early = only(record_of(dip(0.3, 99)), at=5)
    assert early.primary_before is None and not early.hurt
    assert early.lesson == "Too few days around it to say what it did."
    nan = only(record_of(lambda day: float("nan") if day > 20 else 0.6))
    assert nan.primary_worst is None and not nan.hurt
    none = only(replace(record_of(dip(0.3, 99), days=60), primary="absent"))
    assert none.primary_end is None


def test_days_without_a_value_do_not_hide_the_worst() -> None:
    found = only(record_of(lambda day: np.nan if day == 30 else dip(0.3, 41)(day)))
    assert found.hurt and found.primary_worst == pytest.approx(0.3) and found.recovered_day == 41
