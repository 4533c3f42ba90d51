from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from sandbox.adapters.files import json_bytes
from sandbox.adapters.recorded_file import EventsFile
from sandbox.errors import SandboxError, UsageError
from sandbox.run import recorded
from sandbox.run.execution import execute
from sandbox.run.setup import DAY, Prepared, prepare
from sandbox.run.traffic import Traffic

QUICK = (
    "population=150", "history=20d", "model.champion.xgboost.trees=10",
    "model.training.window=10d", "retraining=never",
)  # fmt: skip
Table = dict[str, Any]
Play = Callable[..., Prepared]


@pytest.fixture(scope="module")
def history(ready: Callable[..., Prepared]) -> Table:
    """Four weeks of the scenario's own world, as a user would have recorded them."""
    prepared = ready(incidents=(), days=8)
    traffic = Traffic(prepared)
    truth = [traffic.block(i).truth for i in range(-80, 32)]
    columns = {name: np.concatenate([b[name] for b in truth]) for name in truth[0].names}
    schema = prepared.scenario.event
    for name, column in schema.columns.items():
        if column.type == "category":
            columns[name] = np.array(column.values)[columns[name]]
    columns.pop("mechanism")
    return columns


@pytest.fixture
def play(tmp_path: Path, roots: tuple[Path, ...]) -> Play:
    """Write a table and prepare a run of it."""

    def build(
        table: Table, *overrides: str, name: str = "mine.parquet", days: int | None = None,
        incidents: Sequence[str] | None = None,
    ) -> Prepared:  # fmt: skip
        path = tmp_path / name
        if name.endswith("csv"):
            csv.write_csv(pa.table(table), path)
        else:
            pq.write_table(pa.table(table), path)
        return prepare(
            "parcels", design=None, seed=7, days=days, overrides=(*QUICK, *overrides),
            incidents=incidents, roots=roots, events=EventsFile(path, (), 1.0, tmp_path),
        )  # fmt: skip

    return build


def test_a_recording_is_played_on_its_own_calendar(history: Table, play: Play) -> None:
    prepared = play(history)
    assert prepared.days == 8 and prepared.incidents == {}
    assert prepared.scenario.start_time == np.floor(history["event_time"][0] / DAY) * DAY + 20 * DAY
    record = execute(prepared)
    assert record.complete and record.versions[0].trained_day == 0
    live = history["event_time"] >= prepared.scenario.start_time
    assert record.events == live.sum() == len(record.log or ())
    np.testing.assert_array_equal((record.log or {})["event_time"], history["event_time"][live])
    assert any("recorded events played, history included; none refused" in n for n in record.notes)


def test_file_kind_and_order_do_not_matter(history: Table, play: Play) -> None:
    order = np.random.default_rng(0).permutation(len(history["label"]))
    shuffled = {name: values[order] for name, values in history.items()}
    first = json_bytes(execute(play(history)).summary())
    assert first == json_bytes(execute(play(shuffled)).summary())
    assert first == json_bytes(execute(play(history, name="mine.csv")).summary())


def test_refused_rows_are_dead_letters(history: Table, play: Play) -> None:
    spoilt = {name: values.copy() for name, values in history.items()}
    spoilt["weight_kg"][[3, 5]] = -5.0
    spoilt["weight_kg"][9] = np.nan
    record = execute(play(spoilt, days=1))
    assert record.counts["dead_letter.out_of_range"] == 2
    assert record.counts["dead_letter.null"] == 1
    assert "1 null (row 10: weight_kg); 2 out_of_range (row 4: weight_kg)" in record.notes[0]


def test_faults_of_data_still_apply(history: Table, play: Play) -> None:
    calm = execute(play(history, days=6)).counts
    broken = execute(play(history, days=6, incidents=["blank-weights@3"])).counts
    assert calm.get("dead_letter.null", 0) == 0 and broken["dead_letter.null"] > 100


def test_labels_come_when_the_file_says(history: Table, play: Play) -> None:
    never = {**history, "label_time": np.full(len(history["label"]), np.nan)}
    with pytest.raises(SandboxError, match="the first model cannot be trained"):
        execute(play(never, days=1))


def test_the_stack_carries_the_recorded_rate(history: Table, play: Play) -> None:
    prepared = play(history, "population=10")
    rate = len(history["label"]) / (28 * DAY)
    assert prepared.scenario.load.mean == pytest.approx(10 * rate, rel=0.02)


@pytest.mark.parametrize(
    ("days", "overrides", "incidents", "message"),
    [
        (9, (), None, r"--days: the file ends before that; got 9, expected at most 8"),
        (None, ("history=40d",), None, r"too short; got '28\.0 days.*--set history=30d"),
        (None, (), ["no-train@4"], r"--incident no-train: a recording has no such knob"),
    ],
)
def test_what_a_recording_cannot_do(
    days: int | None, overrides: tuple[str, ...], incidents: list[str] | None, message: str,
    history: Table, play: Play,
) -> None:  # fmt: skip
    with pytest.raises(UsageError, match=message) as caught:
        play(history, *overrides, days=days, incidents=incidents)
    assert "\n" not in str(caught.value)


def test_a_file_too_large_for_one_run_is_said_before_it_is_read(
    history: Table, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "MOST_EVENTS", 1000)
    with pytest.raises(UsageError, match=r"too many events for one run.*expected at most 1,000"):
        play(history)
