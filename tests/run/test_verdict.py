from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sandbox.errors import UsageError
from sandbox.record import IncidentRecord, ObjectiveResult, RunRecord
from sandbox.run.verdict import Measures, check_objectives, judge_objectives
from sandbox.spec.scenario import ObjectiveSpec, Scenario
from sandbox.task import get_task

TASK = get_task("binary")
MEASURES = Measures(
    latency_p99=0.0235331, answered=0.9995, good_blocked=0.0004, net_loss_per_1000_events=291.4
)


def scenario(**objectives: dict[str, Any]) -> Scenario:
    specs = {name: ObjectiveSpec.model_validate(given) for name, given in objectives.items()}
    return Scenario.model_construct(objectives=specs)


def hurt(name: str, start: float, back: float | None, harm: bool = True) -> IncidentRecord:
    return IncidentRecord(
        name=name, kind="", story="", start_day=start, end_day=None, primary_before=0.6,
        primary_worst=0.3, primary_end=0.6, detected_day=None, detected_by="", recovered_day=back,
        hurt=harm, lesson="",
    )  # fmt: skip


def judged(
    name: str,
    spec: dict[str, Any],
    values: tuple[float, ...] = (0.7, 0.5, 0.6),
    incidents: tuple[IncidentRecord, ...] = (),
    measures: Measures = MEASURES,
) -> ObjectiveResult:
    record = RunRecord(
        scenario="s", title="S", task="binary", design="d", seed=1, days=30.0,
        start_date="2026-01-05", population=1.0, complete=True, events=1,
        primary="recall_at_capacity", incidents=list(incidents),
    )  # fmt: skip
    for day, value in enumerate(values, start=8):
        record.metrics.add(day, name, value, "oracle")
        record.metrics.add(day, name, 1.0, "observed")
    (result,) = judge_objectives(scenario(**{name: spec}), TASK, record, measures)
    return result


@pytest.mark.parametrize(
    ("must_hold", "measured", "evidence"),
    [
        ("at_end", 0.6, "pr_auc/oracle, 7d to day 10"),
        ("always", 0.5, "pr_auc/oracle, worst 7d, to day 9"),
        ("on_average", 0.6, "pr_auc/oracle, mean of 7d windows, days 0-10"),
    ],
)
def test_quality_over_a_window(must_hold: str, measured: float, evidence: str) -> None:
    result = judged("pr_auc", {"at_least": 0.55, "window": "7d", "must_hold": must_hold})
    assert result.measured == pytest.approx(measured) and result.evidence == evidence
    assert result.passed is (measured >= 0.55) and result.target == "at least 0.55"


def test_the_worst_of_what_must_stay_low_is_the_highest() -> None:
    result = judged("brier", {"at_most": 0.65, "must_hold": "always"})
    assert result.measured == pytest.approx(0.7) and result.passed is False


def test_windows_without_a_value_are_passed_over() -> None:
    result = judged("pr_auc", {"at_least": 0.6, "must_hold": "at_end"}, (0.7, 0.65, np.nan))
    assert result.measured == pytest.approx(0.65) and result.passed is True


def test_what_was_never_measured_neither_passes_nor_fails() -> None:
    result = judged("pr_auc", {"at_least": 0.6}, ())
    assert result.measured is None and result.passed is None and result.shown == "not measured"
    assert result.evidence == "pr_auc/oracle: no complete window"
    silent = Measures(np.nan, np.nan, np.nan, np.nan)
    lost = judged("event_to_decision_p99", {"at_most": "100ms"}, measures=silent)
    assert lost.passed is None and lost.measured is None and lost.shown == "not measured"


@pytest.mark.parametrize(
    ("name", "spec", "shown", "passed"),
    [
        ("event_to_decision_p99", {"at_most": "100ms"}, "23.5ms", True),
        ("event_to_decision_p99", {"at_most": "20ms"}, "23.5ms", False),
        ("answered_in_time", {"at_least": "99.9%"}, "99.950%", True),
        ("good_blocked", {"at_most": "0.2%"}, "0.040%", True),
        ("good_blocked", {"at_most": 0.0001}, "0.0004", False),
        ("net_loss_per_1000_events", {"at_most": "300 USD"}, "291 USD", True),
        ("net_loss_per_1000_events", {"at_most": "290 USD"}, "291 USD", False),
    ],
)
def test_measures_of_the_whole_run(
    name: str, spec: dict[str, Any], shown: str, passed: bool
) -> None:
    result = judged(name, spec)
    assert (result.shown, result.passed) == (shown, passed)
    assert "days 0-30" in result.evidence


def test_time_to_recover_is_that_of_the_slowest() -> None:
    spec = {"at_most": "14d"}
    both = (hurt("a", 10, 15), hurt("b", 12, 24.5), hurt("c", 3, None, harm=False))
    result = judged("time_to_recover", spec, incidents=both)
    assert result.shown == "12.5d" and result.passed is True
    assert result.evidence == "b, day 12 to 24"
    assert judged("time_to_recover", {"at_most": "12d"}, incidents=both).passed is False


def test_never_to_recover_fails_and_has_no_number() -> None:
    result = judged("time_to_recover", {"at_most": "14d"}, incidents=(hurt("a", 10, None),))
    assert result.passed is False and result.measured is None and result.shown == "never"
    assert result.evidence == "a from day 10: never"


def test_without_an_incident_nothing_was_measured() -> None:
    result = judged("time_to_recover", {"at_most": "14d"})
    assert result.passed is None and result.evidence == "no incident began"


def test_nothing_to_recover_from_passes() -> None:
    harmless = (hurt("c", 3, None, harm=False),)
    result = judged("time_to_recover", {"at_most": "14d"}, incidents=harmless)
    assert result.passed is True and result.evidence == "no incident hurt"


def test_objectives_are_judged_in_their_order() -> None:
    asked = scenario(
        time_to_recover={"at_most": "1d"}, pr_auc={"at_least": 0}, answered_in_time={"at_least": 1}
    )
    record = RunRecord(
        scenario="s", title="S", task="binary", design="d", seed=1, days=30.0,
        start_date="2026-01-05", population=1.0, complete=True, events=1, primary="pr_auc",
    )  # fmt: skip
    names = [result.name for result in judge_objectives(asked, TASK, record, MEASURES)]
    assert names == ["time_to_recover", "pr_auc", "answered_in_time"]


def test_an_objective_that_nothing_measures_is_refused() -> None:
    check_objectives(scenario(pr_auc={"at_least": 0.5}), TASK, "scenario.yaml")
    with pytest.raises(
        UsageError, match=r"scenario.yaml objectives: .*'pr_auk'.*Did you mean pr_auc\?"
    ):
        check_objectives(scenario(pr_auk={"at_least": 0.5}), TASK, "scenario.yaml")


def test_a_bound_in_another_unit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"objectives.pr_auc: a bound of another kind.*45 USD"):
        check_objectives(scenario(pr_auc={"at_least": "45 USD"}), TASK, "scenario.yaml")
