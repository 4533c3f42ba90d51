from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.adapters import recorded_file, recorded_spill
from sandbox.adapters.recorded import LabelRule, Recording, read_recording
from sandbox.adapters.recorded_file import EventsFile
from sandbox.adapters.recorded_positive import parse_positive
from sandbox.adapters.recorded_sessions import find_sessions
from sandbox.adapters.recorded_survey import survey_recording
from sandbox.errors import UsageError
from sandbox.spec.scenario import EventSchema

T = 1.7e9
KEYS = {name: {"type": "key"} for name in ("request", "who", "what")}
COLUMNS = {**KEYS, "genre": {"type": "category", "values": ["a", "b"], "nullable": True}}
SLATE = {"request": "request", "user": "who", "item": "what"}
SCHEMA = EventSchema.model_validate({"id": "n", "columns": COLUMNS, "slate": SLATE})
PLAIN = EventSchema.model_validate({"id": "n", "columns": KEYS})
MAP = ("userId=who", "movieId=what", "rating=label", "timestamp=event_time")
HEAD = "userId,movieId,rating,timestamp\n"
ROWS = f"""\
1,10,4.0,{T + 1200:.0f}
1,11,3.5,{T:.0f}
2,10,5.0,{T + 900:.0f}
1,12,0.5,{T + 3000:.0f}
1,13,4.5,{T + 4801:.0f}
"""


def read(
    folder: Path, text: str = HEAD + ROWS, given: tuple[str, ...] = MAP,
    schema: EventSchema = SCHEMA, pace: float | None = None, gap: float | None = 1800.0,
) -> Recording:  # fmt: skip
    path = folder / "ratings.csv"
    path.write_text(text)
    high = parse_positive(">=4")
    file = EventsFile(path, given, 1.0, folder, pace=pace, positive=high, sessions=gap)
    survey = survey_recording(file, schema)
    rule = LabelRule((0.0, 1.0), None)
    return read_recording(survey, schema, rule, survey.first, survey.last + 1.0)


def test_ratings_become_requests(tmp_path: Path) -> None:
    recording = read(tmp_path)
    played = recording.between(T - 86400, T + 86400)
    assert not recording.refused and recording.events == 5
    assert (played["event_time"] - T).tolist() == [900.0, 3000.0, 3000.0, 3000.0, 4801.0]
    assert played["request"].tolist() == [0, 1, 1, 1, 2]
    assert played["who"].tolist() == [2, 1, 1, 1, 1]
    assert played["what"].tolist() == [10, 10, 11, 12, 13]  # within a request as in the file
    assert played["label"].tolist() == [1.0, 1.0, 0.0, 0.0, 1.0]
    assert played["n"].tolist() == [0, 1, 2, 3, 4]
    assert played["genre"].tolist() == [-1] * 5  # the file does not have it


def test_requests_of_one_second_stand_together(tmp_path: Path) -> None:
    rows = "".join(f"{who},{what},4,{T:.0f}\n" for what in (5, 6, 7) for who in (9, 8))
    played = read(tmp_path, HEAD + rows).between(T - 1, T + 1)
    assert played["request"].tolist() == [0, 0, 0, 1, 1, 1]
    assert played["who"].tolist() == [8, 8, 8, 9, 9, 9]
    assert played["what"].tolist() == [5, 6, 7] * 2


def test_what_has_no_user_or_time_is_in_no_request(tmp_path: Path) -> None:
    bad = f",14,4,{T + 900:.0f}\n1,15,4,\n1,16,good,{T + 100:.0f}\n1,17,4,{T + 6601:.0f}\n"
    recording = read(tmp_path, HEAD + ROWS + bad)
    assert dict(recording.refused) == {"null": 2, "wrong_type": 1}
    assert recording.examples == {"null": "row 7: event_time", "wrong_type": "row 8: label"}
    played = recording.between(T - 86400, T + 86400)
    assert played["request"].tolist() == [0, 1, 1, 1, 2, 2]


def test_pieces_and_spilling_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    rows = "".join(
        f"{rng.integers(9)},{rng.integers(99)},{rng.integers(1, 6)},{T + rng.integers(200_000)}\n"
        for _ in range(400)
    )
    whole = read(tmp_path, HEAD + rows).between(T, T + 200_000)
    monkeypatch.setattr(recorded_spill, "BUFFERED", 7)
    monkeypatch.setattr(recorded_file, "_BYTES", 256)
    pieces = read(tmp_path, HEAD + rows).between(T, T + 200_000)
    assert len(whole) == 400 and len(np.unique(whole["request"])) > 50
    for column in whole.names:
        np.testing.assert_array_equal(whole[column], pieces[column])


@pytest.mark.parametrize(
    ("schema", "given", "message"),
    [
        (PLAIN, MAP, r"--sessions: this scenario has no requests; got .*, expected a scenario"),
        (SCHEMA, MAP[1:], r"ratings\.csv: no column for who; got .*--map COLUMN=who"),
    ],
)
def test_what_cannot_have_sessions_is_one_line(
    schema: EventSchema, given: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path, given=given, schema=schema)
    assert "\n" not in str(caught.value)


def test_a_file_with_requests_needs_no_sessions(tmp_path: Path) -> None:
    text = "request," + HEAD + f"7,1,10,4,{T:.0f}\n"
    with pytest.raises(UsageError, match=r"--sessions: the file has requests of its own.*Leave"):
        read(tmp_path, text)


def test_a_file_without_requests_is_told_of_sessions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"; or, where there is no request: --sessions 30min$"):
        read(tmp_path, gap=None)


def test_an_even_pace_has_no_sessions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--sessions: an even pace has no gaps"):
        read(tmp_path, pace=1.0)


def test_a_file_without_any_user_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ratings\.csv userId: no row has a user and a time"):
        read(tmp_path, HEAD + f",10,4,{T:.0f}\n")


def test_by_hand() -> None:
    user = np.array([1, 1, 2, 1, 1, -1, 2])
    time = np.array([40.0, 10.0, 40.0, 20.0, 31.0, 12.0, np.nan])
    found = find_sessions(user, time, 10.0)
    assert found.request.tolist() == [1, 0, 2, 0, 1, -1, -1]  # 10 s are no gap, 11 s are
    assert found.time.tolist() == [20.0, 40.0, 40.0] and found.size.tolist() == [2, 2, 1]
    nobody = find_sessions(user[:0], time[:0], 10.0)
    assert len(nobody.request) == len(nobody.time) == len(nobody.size) == 0


def test_a_gap_is_exact_to_the_microsecond() -> None:
    time = np.array([T + 0.1, T + 0.1 + 1800.0, T + 0.1 + 3600.00001])
    assert find_sessions(np.ones(3, dtype=np.int64), time, 1800.0).request.tolist() == [0, 0, 1]


Row = tuple[int, int]


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 60)), max_size=60), st.integers(0, 9))
def test_sessions_are_those_of_a_walk_through_each_users_rows(rows: list[Row], gap: int) -> None:
    user = np.array([row[0] for row in rows], dtype=np.int64)
    time = T + np.array([row[1] for row in rows], dtype=np.float64)
    found = find_sessions(user, time, float(gap))
    walked: list[list[int]] = []
    for who in range(4):
        mine = sorted((t, at) for at, (u, t) in enumerate(rows) if u == who)
        for place, (t, at) in enumerate(mine):
            if place == 0 or t - mine[place - 1][0] > gap:
                walked.append([])
            walked[-1].append(at)
    walked.sort(key=lambda session: (rows[session[-1]][1], rows[session[-1]][0]))
    numbers = [np.flatnonzero(found.request == n).tolist() for n in range(len(found.time))]
    assert numbers == [sorted(session) for session in walked]  # each row once, in order of time
    assert found.size.tolist() == [len(session) for session in walked]
    assert (found.time - T).tolist() == [rows[session[-1]][1] for session in walked]
    assert ((found.request == -1) == (user == -1)).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=40), st.integers(0))
def test_the_order_of_rows_changes_no_session(rows: list[Row], seed: int) -> None:
    user = np.array([row[0] for row in rows], dtype=np.int64)
    time = np.array([row[1] for row in rows], dtype=np.float64)
    order = np.random.default_rng(seed).permutation(len(rows))
    straight, mixed = (find_sessions(user[at], time[at], 5.0) for at in (slice(None), order))
    np.testing.assert_array_equal(straight.request[order], mixed.request)
    np.testing.assert_array_equal(straight.time, mixed.time)
