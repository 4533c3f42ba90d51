"""The journal holds every decided event once, in order, with what may be known of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.batch import Batch
from sandbox.live import journal as live_journal
from sandbox.live.frames import frame_of
from sandbox.live.journal import REVIEWED, Journal
from sandbox.pipeline.decide import ALLOW, BLOCK, REVIEW
from sandbox.pipeline.schema import REASONS
from sandbox.run.setup import DAY
from tests.live.village import Village, decide, send, small

FED = 0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture
def village(root: Path, tmp_path: Path) -> Village:
    return Village(small(root), tmp_path)


def events(village: Village, *days: float, first: int = 0) -> Batch:
    """Return events at times [days since day 0], each of another route."""
    n, start = len(days), village.prepared.scenario.start_time
    times = start + np.array(days) * DAY
    return Batch(
        {
            "parcel_id": np.arange(first, first + n), "event_time": times,
            "processing_time": times, "shop_id": np.arange(n), "route_id": np.arange(n),
            "weight_kg": np.ones(n), "distance_km": np.full(n, 5.0),
            "service": np.zeros(n, dtype=np.int16),
        }
    )  # fmt: skip


def ruled(*decisions: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    return np.array(decisions, dtype=np.int8)


def tell(village: Village, sent: Batch, *, source: int = FED, after: float = DAY) -> None:
    """Say that some events were positive."""
    labels = Batch(
        {
            "parcel_id": sent["parcel_id"], "event_time": sent["event_time"],
            "label": np.ones(len(sent)), "label_time": sent["event_time"] + after,
            "source": np.full(len(sent), source, dtype=np.int8),
        }
    )  # fmt: skip
    village.post(village.topics.labels, frame_of(labels))


def true_of(village: Village, sent: Batch) -> None:
    """Put the truth: odd ids are positive; what they cost goes by id."""
    ids = sent["parcel_id"].astype(np.float64)
    truth = sent.select(("parcel_id", "event_time", "processing_time", "route_id")).with_columns(
        label=ids % 2, label_time=sent["event_time"] + 2 * DAY,
        mechanism=np.ones(len(sent), dtype=np.int8), cost_missed=ids * 10, cost_false_decline=ids,
    )  # fmt: skip
    village.post(village.topics.truth, frame_of(truth))


def read(journal: Journal) -> None:
    # What was reached is only sure when the log was read to its end twice.
    for _ in range(3):
        journal.poll(0.0)


def column(journal: Journal, name: str) -> list[Any]:
    return list(journal.log.column(name).tolist())


def test_rows_wait_for_the_first_event_without_a_decision(village: Village) -> None:
    journal, sent = Journal(village.setting("j"), oracle=False), events(village, 1, 2, 3, 4, 5)
    assert journal.now == journal.newest == -np.inf and journal.closed(0.0) == []
    send(village, sent)
    decide(village, sent.take(np.array([4, 0, 2])), ruled(ALLOW, ALLOW, ALLOW), 2)
    read(journal)
    assert column(journal, "parcel_id") == [0]
    assert journal.backlog == 2 and journal.undecided == 2
    assert DAY <= journal.now < 2 * DAY and journal.newest == 5 * DAY
    assert journal.closed(0.0) == [DAY]
    decide(village, sent.take(np.array([3, 1])), ruled(ALLOW, ALLOW), 1)
    read(journal)
    assert column(journal, "parcel_id") == [0, 1, 2, 3, 4]
    assert journal.now == 5 * DAY and journal.backlog == journal.stragglers == 0
    assert journal.closed(2 * DAY) == [3 * DAY, 4 * DAY, 5 * DAY]


def test_a_decision_that_is_read_before_its_event_counts_and_a_double_is_not_waited_for(
    village: Village,
) -> None:
    journal, sent = Journal(village.setting("j"), oracle=False), events(village, 1, 2)
    decide(village, sent, ruled(ALLOW, ALLOW))
    read(journal)
    assert not len(journal.log) and journal.backlog == 2
    send(village, sent)
    send(village, sent)
    read(journal)
    assert column(journal, "parcel_id") == [0, 1] and journal.now == 2 * DAY


def test_what_is_no_event_is_not_waited_for(village: Village) -> None:
    journal, sent = Journal(village.setting("j"), oracle=False), events(village, 1, 2)
    broken = {"parcel_id": 7, "processing_time": float(sent["processing_time"][0])}
    for message in (b"{", json.dumps(broken).encode(), b"\xff\x00"):
        village.post(village.topics.events, message)
    send(village, sent)
    decide(village, sent, ruled(ALLOW, ALLOW))
    read(journal)
    assert journal.now < DAY
    letter = {"topic": "x", "reason": "missing field", "message": json.dumps(broken)}
    village.post(village.topics.dead, json.dumps(letter).encode())
    read(journal)
    assert journal.now == 2 * DAY and len(journal.log) == 2


def test_without_the_truth_labels_come_when_they_are_told(village: Village) -> None:
    journal = Journal(village.setting("j"), oracle=False)
    sent = events(village, 1, 1.1, 1.2, 1.3)
    tell(village, sent.take(np.array([3])))  # before the row
    read(journal)
    send(village, sent)
    true_of(village, sent)
    decide(village, sent, ruled(ALLOW, REVIEW, BLOCK, ALLOW))
    read(journal)
    assert np.isnan(column(journal, "label")[:3]).all()
    assert column(journal, "label")[3] == 1.0
    assert column(journal, "hidden") == [False, False, True, False]
    assert column(journal, "cost_missed") == [15.0] * 4  # what the scenario's costs say
    assert column(journal, "mechanism") == [0] * 4
    tell(village, sent.take(np.array([0, 1])), after=3 * DAY)
    tell(village, sent.take(np.array([1])), source=REVIEWED, after=DAY)
    read(journal)
    start = village.prepared.scenario.start_time
    known = (np.array(column(journal, "label_time")) - start) / DAY
    np.testing.assert_allclose(known, [4.0, 2.1, np.inf, 2.3])
    assert column(journal, "worked") == [False, True, False, False]
    now = start + 2.2 * DAY
    assert np.isnan(journal.log.known_label(slice(0, 4), now, None)).tolist() == [
        True, False, True, True,
    ]  # fmt: skip


def test_the_oracle_knows_the_truth_of_every_row(village: Village) -> None:
    journal, sent = Journal(village.setting("j"), oracle=True), events(village, 1, 1.1, 1.2, 1.3)
    send(village, sent)
    decide(village, sent, ruled(ALLOW, BLOCK, BLOCK, REVIEW))
    read(journal)
    assert not len(journal.log) and journal.now < DAY  # the truth may be read later
    true_of(village, sent)
    read(journal)
    assert column(journal, "label") == [0.0, 1.0, 0.0, 1.0]
    assert column(journal, "cost_missed") == [0.0, 10.0, 20.0, 30.0]
    assert column(journal, "cost_false_decline") == [0.0, 1.0, 2.0, 3.0]
    assert column(journal, "mechanism") == [1] * 4
    since = (np.array(column(journal, "label_time")) - village.prepared.scenario.start_time) / DAY
    np.testing.assert_allclose(since, [3.0, np.inf, np.inf, 3.3])
    journal.work([3, 77])
    assert column(journal, "worked") == [False, False, False, True]


def test_nobody_decided_in_the_history(village: Village) -> None:
    journal, sent = Journal(village.setting("j"), oracle=False), events(village, -2, -1, 1)
    village.post(village.topics.events, frame_of(sent.slice(0, 2)))
    send(village, sent.slice(2, 3))
    decide(village, sent, ruled(BLOCK, REVIEW, BLOCK))
    read(journal)
    assert column(journal, "decision") == [ALLOW, ALLOW, BLOCK]
    assert column(journal, "hidden") == [False, False, True]
    assert journal.live_rows() == slice(2, 3)
    assert journal.closed(-5 * DAY) == [DAY]


def test_refused_and_unanswered_rows_have_no_score(village: Village) -> None:
    journal, sent = Journal(village.setting("j"), oracle=False), events(village, 1, 2, 3)
    send(village, sent)
    decide(
        village, sent, ruled(ALLOW, ALLOW, ALLOW),
        dead=np.array([0, REASONS.index("null"), 0], dtype=np.int8),
        fallback=np.array([False, True, False]), score=np.array([0.5, 0.7, np.nan]),
    )  # fmt: skip
    read(journal)
    assert column(journal, "score") == [0.5, 0.0, 0.0]
    assert column(journal, "fallback") == [False, True, True]
    assert column(journal, "dead") == [0, REASONS.index("null"), 0]


def test_who_comes_too_late_stands_at_the_end_and_is_counted(village: Village) -> None:
    now = [1000.0]
    village.clock = lambda: now[0]
    journal = Journal(village.setting("j"), oracle=False)
    slow, soon, later = events(village, 1), events(village, 2, first=5), events(village, 3, first=9)
    send(village, slow)
    send(village, soon)
    decide(village, soon, ruled(ALLOW))
    read(journal)
    assert journal.now < DAY
    now[0] += 100.0  # others are decided that came long after
    send(village, later)
    decide(village, later, ruled(ALLOW))
    read(journal)
    assert journal.now == 3 * DAY and column(journal, "parcel_id") == [5, 9]
    decide(village, slow, ruled(BLOCK))
    read(journal)
    assert column(journal, "parcel_id") == [5, 9, 0] and journal.stragglers == 1
    times = journal.log.column("processing_time")
    assert (np.diff(times) >= 0).all() and journal.log.column("event_time")[2] < times[0]


def test_very_old_rows_are_forgotten_and_labels_still_find_theirs(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_journal, "MOST_ROWS", 10)
    journal = Journal(village.setting("j"), oracle=False)
    sent = events(village, *np.arange(200.0))
    send(village, sent)
    decide(village, sent, np.zeros(200, dtype=np.int8))
    read(journal)
    # A history of 30 days, and 60 more; the rest is more than half.
    assert column(journal, "parcel_id") == list(range(109, 200))
    tell(village, sent.take(np.array([3, 150])))
    read(journal)
    labelled = np.isfinite(journal.log.column("label"))
    assert journal.log.column("parcel_id")[labelled].tolist() == [150]
    assert len(journal.log.features) == 91
