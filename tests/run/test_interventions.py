"""What a person on call does, on a small scenario."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.record import RunRecord
from sandbox.report.html import report_html
from sandbox.run.execution import execute
from sandbox.run.interventions import parse_interventions
from sandbox.run.setup import DAY, prepare
from sandbox.spec.actions import ACTIONS
from tests.run.conftest import QUICK, Ready


def played(ready: Ready, *texts: str, overrides: tuple[str, ...] = ()) -> RunRecord:
    prepared = ready("retraining.when=[every 300d]", *overrides)
    return execute(prepared, interventions=parse_interventions(texts, prepared))


def outcomes(record: RunRecord) -> list[str]:
    return [one.outcome for one in record.interventions]


def test_a_challenger_is_trained_promoted_and_taken_back_by_hand(ready: Ready) -> None:
    record = played(
        ready, "retrain@3d", "promote@5d", "rollback@8d", overrides=("retraining.shadow=4d",)
    )
    assert outcomes(record)[2:] == ["v2 decides", "v1 decides again"]
    assert record.interventions[1].text == "training ended"
    assert "v2 passed the gate" in outcomes(record)[1]
    first, second = record.versions
    assert second.trigger == "by hand" and second.promoted_day == 5.0
    assert second.retired_day == 8.0 and second.rolled_back
    assert first.retired_day is None
    assert len(record.versions) == 2, "the promotion at the end of the shadow came all the same"


def test_what_cannot_be_done_is_said_and_changes_nothing(ready: Ready) -> None:
    record = played(ready, "promote@2d", "rollback@3d", "retrain@4d", "retrain@97h")
    assert outcomes(record)[:2] == ["there is no challenger", "there is no former champion"]
    assert "running already" in outcomes(record)[3]


def test_a_job_with_nothing_to_learn_from_says_so(ready: Ready) -> None:
    record = played(ready, "retrain@4d training.window=1h training.validation=1h")
    assert outcomes(record)[1].startswith("nothing was trained")
    assert len(record.versions) == 1
    untouched = played(ready, "promote@2d", "rollback@3d")
    plain = execute(ready("retraining.when=[every 300d]"))
    assert untouched.money == plain.money and untouched.objectives == plain.objectives


def test_training_can_be_changed(ready: Ready) -> None:
    record = played(ready, "retrain@6d training.window=5d imbalance=weight")
    usual = played(ready, "retrain@6d")
    assert record.versions[1].rows < usual.versions[1].rows


def test_a_lower_threshold_blocks_more(ready: Ready) -> None:
    calm = played(ready)
    strict = played(ready, "threshold@3d block=0.01")
    assert strict.counts["block"] > calm.counts["block"]


def test_a_repair_undoes_a_unit_change_and_ends() -> None:
    events = Batch({"x": [1.0, 200.0, np.nan], "kind": np.array([0, 1, 1], dtype=np.int16)})
    from sandbox.run.interventions import Repair
    from sandbox.world.filters import RowFilter

    repair = Repair("x", lambda batch: batch["x"] * 0.01, RowFilter((("kind", "==", 1.0),)), DAY)
    mended = repair.mend(events)["x"]
    assert mended[:2].tolist() == [1.0, 2.0] and np.isnan(mended[2])


def test_a_repair_in_a_run_changes_what_the_model_sees(ready: Ready) -> None:
    schema = ready().scenario.event
    field = next(name for name, column in schema.columns.items() if column.type == "number")
    plain = played(ready)
    mended = played(ready, f"repair@3d field={field} factor=1.01 until=6d")
    assert plain.log is not None and mended.log is not None
    day = np.floor((plain.log["event_time"] - plain.log["event_time"].min()) / DAY)
    before, during, after = (plain.log[field] == mended.log[field])[[
        int(np.flatnonzero(day == d)[5]) for d in (1, 4, 8)
    ]]  # fmt: skip
    assert (before, during, after) == (True, False, True)


def test_the_report_shows_what_was_done_by_hand(ready: Ready) -> None:
    record = played(ready, "promote@2d")
    assert "Done by hand" in report_html(record) and "there is no challenger" in report_html(record)
    assert record.summary()["interventions"][0]["text"] == "promote@2d"
    assert "Done by hand" not in report_html(played(ready))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unreadable"),
        ("retrain", "not an action"),
        ("retrian@3d", "unknown action; got 'retrian'"),
        ("retrain@soon", "not a day"),
        ("retrain@0d", "outside the run"),
        ("retrain@99d", "outside the run"),
        ("retrain@3d training.windw=5d", "unknown key"),
        ("retrain@3d imbalance=smoot", "imbalance"),
        ("promote@3d now=yes", "takes no settings"),
        ("threshold@3d", "not a threshold"),
        ("threshold@3d block=2", "not a threshold"),
        ("threshold@3d blok=0.5", "not a threshold"),
        ("threshold@3d block=high", "not a number"),
        ("repair@3d field=weight", "not a repair"),
        ("repair@3d field=wait factor=2", "not a number field"),
        ("repair@3d 'field=x", "unreadable"),
        ("retrain@3d =5", "not a setting"),
    ],
)
def test_nonsense_is_refused(ready: Ready, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_interventions([text], ready())
    assert "--do" in caught.value.line() or "--set" in caught.value.line()


def test_actions_are_done_in_order_of_time(ready: Ready) -> None:
    found = parse_interventions(["rollback@5d", "promote@3d"], ready())
    assert [one.kind for one in found] == ["promote", "rollback"]
    assert {one.kind for one in found} <= set(ACTIONS)


def test_a_canary_decides_its_share_until_it_is_in_shadow_again(ready: Ready) -> None:
    record = played(
        ready, "retrain@3d", "canary@4d share=40%", "shadow@7d",
        overrides=("retraining.promotion=by_hand",),
    )  # fmt: skip
    assert outcomes(record)[2:] == ["v2 decides 40% of the events", "v2 only scores"]
    assert record.log is not None
    day = np.floor((record.log["event_time"] - record.log["event_time"].min()) / DAY)
    share = [float((record.log["version"][day == d] == 2).mean()) for d in (3, 5, 8)]
    assert share[0] == share[2] == 0.0 and 0.25 < share[1] < 0.55
    assert record.versions[1].promoted_day is None, "nobody promoted it"


def test_by_hand_a_challenger_stays_whatever_the_gate_says(ready: Ready) -> None:
    hard = ("retraining.promotion=by_hand", "retraining.gate.min_positives=100000")
    record = played(ready, "retrain@3d", "retrain@5d", "promote@7d", overrides=hard)
    assert not record.versions[1].gate_passed
    assert outcomes(record)[-1] == "v3 decides", "the second one took the place of the first"


def test_a_rule_acts_whatever_the_score_and_ends(ready: Ready) -> None:
    rule = "rule@3d 'where=weight_kg > 5 and service == express' then=block"
    record = played(ready, rule, rule.replace("block", "off").replace("3d", "6d"))
    assert outcomes(record)[-1] == "the rule is gone"
    assert record.log is not None
    log, picked = record.log, 0
    day = np.floor((log["event_time"] - log["event_time"].min()) / DAY)
    hit = (log["weight_kg"] > 5) & (log["service"] == 1)
    for d, blocked in ((4, True), (8, False)):
        rows = hit & (day == d)
        picked += int(rows.sum())
        assert (log["decision"][rows] == 2).all() == blocked
    assert picked > 20
    plan = ready().plan
    named = next(name for name in plan.names if "count" in name)
    assert outcomes(played(ready, f"rule@3d 'where={named} > 3' then=review"))[0].startswith(
        "review"
    )


def test_what_a_rule_sends_to_review_is_worked_first(ready: Ready) -> None:
    few = "decision.review.capacity=3/day"
    record = played(ready, "rule@3d 'where=weight_kg > 2' then=review", overrides=(few,))
    assert record.log is not None
    worked = record.log["worked"]
    day = np.floor((record.log["event_time"] - record.log["event_time"].min()) / DAY)
    assert (record.log["weight_kg"][worked & (day >= 3) & (day < 10)] > 2).all()


def test_exploring_lets_some_through(ready: Ready) -> None:
    strict = ("decision.block.above=0.02", "decision.explore=0%")
    assert played(ready, overrides=strict).counts["explored"] == 0
    assert played(ready, "explore@3d share=20%", overrides=strict).counts["explored"] > 10


def test_shedding_and_workers_change_what_is_answered(ready: Ready) -> None:
    calm = played(ready)
    shed = played(ready, "shed@3d share=50%", "shed@6d share=0%")
    assert calm.counts["fallback"] < shed.counts["fallback"]
    days, workers = played(ready, "workers@3d count=9").metrics.series("workers")
    assert workers[days <= 3].max() < 9 and (workers[days > 3.1] == 9).all()


def test_an_incident_ends_when_the_right_thing_is_asked_for(ready: Ready, tmp_path: Path) -> None:
    root = tmp_path / "parcels"
    root.mkdir()
    for file in ready().folder.iterdir():
        if file.is_file():
            (root / file.name).write_bytes(file.read_bytes())
    text = (root / "scenario.yaml").read_text()
    mended = "    mended_by: [{do: page, who: shops, after: 12h}]\n"
    text = text.replace("at: 12d, for: 2d}\n", "at: 2d, for: 9d}\n" + mended)
    (root / "scenario.yaml").write_text(text)

    def refused(*texts: str) -> list[float]:
        prepared = prepare(
            "parcels", design=None, seed=7, days=12, overrides=QUICK,
            incidents=("blank-weights",), roots=[tmp_path],
        )  # fmt: skip
        done = parse_interventions(texts, prepared)
        days, _ = execute(prepared, interventions=done).metrics.series("invalid", "null")
        return [float(day) for day in days]

    assert max(refused("page@3d who=depot")) == 11.0
    assert max(refused("page@3d who=shops")) == 4.0
    assert max(refused("page@1d who=shops")) == 11.0, "nothing was wrong yet"
