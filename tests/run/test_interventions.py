"""What a person on call does, on a small scenario."""

from __future__ import annotations

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.record import RunRecord
from sandbox.report.html import report_html
from sandbox.run.execution import execute
from sandbox.run.interventions import KINDS, parse_interventions
from sandbox.run.setup import DAY
from tests.run.conftest import Ready


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
    assert {one.kind for one in found} <= set(KINDS)
