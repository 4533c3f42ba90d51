from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.adapters import recorded_spill
from sandbox.adapters.recorded import LabelRule, Recording, read_recording
from sandbox.adapters.recorded_file import EventsFile
from sandbox.adapters.recorded_positive import parse_positive
from sandbox.adapters.recorded_survey import survey_recording
from sandbox.errors import UsageError
from sandbox.spec.scenario import EventSchema

DAY = 86400.0
SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "buyer": {"type": "key"},
            "amount": {"type": "number", "min": 0},
            "channel": {"type": "category", "values": ["shop", "online"]},
            "note": {"type": "number", "nullable": True},
        },
    }
)
RULE = LabelRule((0.0, 1.0), absence=0.0)
Table = dict[str, list[Any]]


def table(rows: int = 8) -> Table:
    return {
        "event_id": [f"e{i}" for i in range(rows)],
        "event_time": [DAY * 10 + 7200.0 * i for i in range(rows)],
        "buyer": [i % 3 for i in range(rows)],
        "amount": [float(i) for i in range(rows)],
        "channel": ["shop", "online"] * (rows // 2),
        "label": [0, 1] * (rows // 2),
    }


def write(folder: Path, columns: Table, name: str = "mine.parquet") -> Path:
    path = folder / name
    if name.endswith(".csv"):
        csv.write_csv(pa.table(columns), path)
    else:
        pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def read(
    path: Path, *given: str, start: float = 0.0, end: float = 1e9, rule: LabelRule = RULE
) -> Recording:
    scratch = path.parent / f"scratch-{path.name}"
    scratch.mkdir(exist_ok=True)
    survey = survey_recording(EventsFile(path, given, 1.0, scratch), SCHEMA)
    return read_recording(survey, SCHEMA, rule, start, end)


def test_a_clean_file_comes_back_in_order(tmp_path: Path) -> None:
    recording = read(write(tmp_path, table()))
    whole = recording.between(DAY * 9, DAY * 12)
    assert recording.events == 8 and not recording.refused
    assert whole["event_id"].tolist() == list(range(8))
    assert whole["amount"].tolist() == table()["amount"]
    assert (
        whole["channel"].tolist() == [0, 1] * 4
        and np.isnan(recording.between(0, 1e9)["note"]).all()
    )
    parts = [recording.between(DAY * 10 + h * 3600, DAY * 10 + (h + 6) * 3600) for h in (0, 6, 12)]
    assert [len(p) for p in parts] == [3, 3, 2]
    assert np.concatenate([p["event_id"] for p in parts]).tolist() == list(range(8))
    empty = recording.between(0.0, DAY)
    assert len(empty) == 0 and set(empty.names) == set(whole.names)


@pytest.mark.parametrize("name", ["mine.parquet", "mine.csv"])
@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(8)))
def test_the_order_of_rows_does_not_matter(
    name: str, order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("order")
    shuffled = {k: [values[i] for i in order] for k, values in table().items()}
    straight = read(write(folder, table(), f"a-{name}")).between(0, 1e9)
    mixed = read(write(folder, shuffled, f"b-{name}")).between(0, 1e9)
    for column in straight.names:
        np.testing.assert_array_equal(straight[column], mixed[column])


def test_spilling_in_small_pieces_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, table(40))
    whole = read(path).between(0, 1e9)
    monkeypatch.setattr(recorded_spill, "BUFFERED", 3)
    pieces = read(path).between(0, 1e9)
    for column in whole.names:
        np.testing.assert_array_equal(whole[column], pieces[column])


Spoil = Callable[[Table], object]


@pytest.mark.parametrize(
    ("spoil", "reason", "example"),
    [
        (lambda t: t["buyer"].__setitem__(2, None), "null", "row 3: buyer"),
        (lambda t: t.__setitem__("buyer", [float("nan"), *t["buyer"][1:]]), "null", "row 1: buyer"),
        (lambda t: t["amount"].__setitem__(4, -1.0), "out_of_range", "row 5: amount"),
        (lambda t: t["amount"].__setitem__(6, float("inf")), "out_of_range", "row 7: amount"),
        (lambda t: t["channel"].__setitem__(1, "post"), "out_of_range", "row 2: channel"),
        (lambda t: t["label"].__setitem__(7, 3), "out_of_range", "row 8: label"),
        (lambda t: t["event_time"].__setitem__(3, None), "null", "row 4: event_time"),
        (lambda t: t["event_id"].__setitem__(5, "e2"), "duplicate", "row 6: event_id"),
        (lambda t: t["event_id"].__setitem__(5, None), "null", "row 6: event_id"),
        (
            lambda t: t.__setitem__("amount", [*map(str, t["amount"][:-1]), "ten"]),
            "wrong_type",
            "row 8: amount",
        ),
    ],
)
@pytest.mark.parametrize("name", ["mine.parquet", "mine.csv"])
def test_a_bad_row_is_counted_and_the_others_are_played(
    spoil: Spoil, reason: str, example: str, name: str, tmp_path: Path
) -> None:
    columns = table()
    spoil(columns)
    recording = read(write(tmp_path, columns, name))
    assert dict(recording.refused) == {reason: 1} and recording.examples == {reason: example}
    assert recording.events == 7 == len(recording.between(0, 1e9))


def test_rows_of_another_length_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, table(), "mine.csv")
    path.write_text(path.read_text() + "1,2\n" + "1,2,3,4,5,6,7,8\n")
    recording = read(path)
    assert dict(recording.refused) == {"malformed": 2} and recording.events == 8


def test_an_absent_label_is_what_absence_means(tmp_path: Path) -> None:
    columns = {**table(), "label": [None, 1] * 4, "label_time": [None, DAY * 20] * 4}
    path = write(tmp_path, columns)
    whole = read(path).between(0, 1e9)
    assert whole["label"].tolist() == [0, 1] * 4
    assert whole["label_time"].tolist() == [np.inf, DAY * 20] * 4
    strict = read(path, rule=LabelRule((0.0, 1.0), absence=None))
    assert dict(strict.refused) == {"null": 4} and strict.events == 4


@pytest.mark.parametrize("stars", [[1, 4, 5, 3, 5, 2, 0, 4], [5] * 8])
def test_a_file_of_stars_is_told_what_it_lacks(tmp_path: Path, stars: list[int]) -> None:
    path = write(tmp_path, {**table(), "label": stars})
    with pytest.raises(UsageError, match="most labels are no labels of this task") as told:
        read(path)
    assert "--positive" in told.value.line() and told.value.line().count("\n") == 0
    few = write(tmp_path, {**table(), "label": [1, 0, 5, 1, 0, 1, 7, 0]}, "few.parquet")
    assert dict(read(few).refused) == {"out_of_range": 2}  # some that are wrong are refused alone


def test_a_label_cannot_come_before_its_event(tmp_path: Path) -> None:
    columns = {**table(), "label_time": [DAY * 9] + [DAY * 20] * 7}
    assert dict(read(write(tmp_path, columns)).refused) == {"out_of_range": 1}


def test_only_the_span_asked_for_is_kept(tmp_path: Path) -> None:
    recording = read(write(tmp_path, table()), start=DAY * 10 + 7200, end=DAY * 10 + 5 * 7200)
    assert recording.events == 4 and not recording.refused


def test_columns_are_renamed(tmp_path: Path) -> None:
    columns = table()
    columns["who"] = columns.pop("buyer")
    assert read(write(tmp_path, columns), "who=buyer").events == 8


EMPTY: Table = {name: [] for name in table()}


@pytest.mark.parametrize(
    ("columns", "given", "message"),
    [
        ({"a": [1]}, (), r"no column for event_id, event_time, buyer, amount, channel, label; got"),
        (table(), ("byer=buyer",), r"--map byer=buyer: .*no such column.*Did you mean buyer\?"),
        (table(), ("buyer=byer",), r"--map buyer=byer: unknown field.*Did you mean buyer\?"),
        (table(), ("buyer",), r"not a mapping; got 'buyer', expected COLUMN=FIELD"),
        (table(), ("buyer=amount", "label=amount"), r"this field is mapped twice"),
        ({**table(), "event_time": ["soon"] * 8}, (), r"no time can be read; got 'soon'"),
        ({**table(), "event_time": [1.7e12] * 8}, (), r"outside the years.*--time-unit ms"),
        ({**table(), "buyer": [None] * 8}, (), r"no row can be played; got '8 null'.*row 1: buyer"),
    ],
)
def test_a_file_that_cannot_be_played_is_one_line(
    columns: Table, given: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(write(tmp_path, columns), *given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.csv", b"", "the file is empty"),
        ("mine.csv", b"event_id,event_time,buyer,amount,channel,label\n", "the file has no rows"),
        ("mine.parquet", b"", "not readable Parquet"),
        ("mine.parquet", b"PAR1 but not really PAR1", "not readable Parquet"),
        ("mine.csv.gz", b"not packed", "not readable CSV"),
        ("mine.xlsx", b"x", r"not a kind of file.*'\.xlsx', expected \.parquet or \.csv"),
    ],
)
def test_unreadable_files_are_one_line(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_places_that_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="this is a directory"):
        read(tmp_path / "folder.csv")
    with pytest.raises(UsageError, match="no such file"):
        read(tmp_path / "absent.csv")


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), name=st.sampled_from(["a.csv", "a.parquet", "a.csv.gz"]))
def test_any_bytes_are_one_line(
    content: bytes, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_file_without_times_is_played_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("said,user\nspam,1\nham,2\n,3\nspam ,4\n")
    schema = EventSchema.model_validate({"id": "n", "columns": {"user": {"type": "key"}}})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    file = EventsFile(
        path, ("said=label",), 1.0, scratch, pace=2.0, positive=parse_positive("spam")
    )
    survey = survey_recording(file, schema)
    assert survey.last - survey.first == 1.5
    recording = read_recording(survey, schema, LabelRule((0.0, 1.0), None), 0.0, 1e10)
    assert recording.refused == {"null": 1}
    played = recording.between(survey.first, survey.last + 1.0)
    assert (played["event_time"] - survey.first).tolist() == [0.0, 0.5, 1.5]
    assert played["label"].tolist() == [1.0, 0.0, 1.0]
    assert played["user"].tolist() == [1, 2, 4]


def test_a_pace_is_refused_where_there_are_times(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text("event_time,label\n1,1\n")
    schema = EventSchema.model_validate({"id": "n", "columns": {}})
    with pytest.raises(UsageError, match="the file has times of its own"):
        survey_recording(EventsFile(path, (), 1.0, tmp_path, pace=1.0), schema)
