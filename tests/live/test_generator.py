"""The outside world sends what the world of a virtual run has, once, whatever happens."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.live.frames import frame_of
from sandbox.live.generator import generator as live_generator
from sandbox.live.generator.generator import Generator
from sandbox.live.generator.outside import Outside
from sandbox.live.generator.switchboard import Switchboard
from sandbox.live.journal import REVIEWED
from sandbox.pipeline.decide import ALLOW, BLOCK, REVIEW
from sandbox.run.setup import DAY
from sandbox.run.traffic import BLOCK as BLOCK_TIME
from sandbox.run.traffic import Traffic
from tests.live.village import Clerk, Village, small, until


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture
def village(root: Path, tmp_path: Path) -> Village:
    return Village(small(root), tmp_path)


def allow(events: Batch) -> NDArray[np.int8]:
    return np.full(len(events), ALLOW, dtype=np.int8)


def by_id(events: Batch) -> NDArray[np.int8]:
    """Allow, review and block in turn."""
    return (events["parcel_id"] % 3).astype(np.int8)


def world(village: Village, days: float) -> tuple[Batch, Batch]:
    """Return what arrives, and what is true, from the beginning of the history on."""
    traffic = Traffic(village.prepared)
    first = -round(village.prepared.scenario.history / BLOCK_TIME)
    blocks = [traffic.block(i) for i in range(first, int(np.ceil(days * DAY / BLOCK_TIME)))]
    observed = Batch.concat([b.observed for b in blocks])
    return observed, Batch.concat([b.truth for b in blocks])


def day(village: Village) -> float:
    """Return how far the events have come [days]."""
    places = village.topics.places(village.topics.events)
    last = {place: max(end - 20, 0) for place, end in village.log.ends(places).items()}
    chunks = village.log.reader([village.topics.events], last).poll(0.0)
    times = [json.loads(v)["processing_time"] for c in chunks for v in c.values if v[:1] == b"{"]
    start = village.prepared.scenario.start_time
    return (max(times, default=start) - start) / DAY


def live_for(village: Village, days: float, *roles: Generator | Clerk) -> None:
    if not village.messages(village.topics.serving):
        village.serve()
    until(lambda: day(village) >= days, *roles)


def same_rows(one: Batch, other: Batch) -> bool:
    one, other = one.sort("parcel_id"), other.sort("parcel_id")
    return all(
        np.array_equal(one[n], other[n], equal_nan=one[n].dtype.kind == "f") for n in other.names
    )


def is_once_and_whole(village: Village) -> bool:
    """Tell whether all that arrived so far was sent, each event once."""
    sent, start = village.events(), village.prepared.scenario.start_time
    expected, _ = world(village, day(village) + 0.3)
    time_ = expected["processing_time"]
    expected = expected.take((time_ >= start) & (time_ <= sent["processing_time"].max()))
    return len(sent) == len(expected) and same_rows(sent, expected)


def test_the_history_is_that_of_the_world_and_then_it_waits(village: Village) -> None:
    generator = Generator(village.setting("generator"))
    until(lambda: "no first model" in generator.why_not(), generator)
    expected, truth = world(village, 0.0)
    until(lambda: len(village.events(live=False)) >= len(expected), generator)
    for _ in range(5):
        generator.step(0.0)
    assert same_rows(village.events(live=False), expected)
    assert same_rows(village.frames(village.topics.truth), truth.select(("parcel_id", "label")))
    assert not generator.ready() and not len(village.events())
    labels, start = village.frames(village.topics.labels), village.prepared.scenario.start_time
    due = truth.take(truth["label_time"] <= start)
    assert same_rows(labels, due.select(("parcel_id", "event_time", "label", "label_time")))
    route = village.frames(village.topics.stage("route_id"))
    assert same_rows(route, due.select(("parcel_id", "route_id", "label")))
    assert route["is_label"].all()


def test_live_events_are_those_of_the_world_and_never_ahead_of_the_clock(village: Village) -> None:
    generator = Generator(village.setting("generator"))
    village.serve()
    until(generator.ready, generator)
    began = time.monotonic()
    while day(village) < 2.0:
        generator.step(0.0)
        # The clock began within the step before `began` was taken.
        assert day(village) <= (time.monotonic() - began + 0.2) * village.speed / DAY
    assert is_once_and_whole(village)


def test_blocked_events_stay_without_labels_and_people_find_out_at_the_end_of_the_day(
    village: Village,
) -> None:
    generator, clerk = Generator(village.setting("generator")), Clerk(village, by_id)
    live_for(village, 9.0, generator, clerk)
    labels, (_, truth) = village.frames(village.topics.labels), world(village, 9.0)
    start = village.prepared.scenario.start_time
    truth = truth.take(truth["event_time"] >= start)
    labels = labels.take(np.isin(labels["parcel_id"], truth["parcel_id"]))
    assert BLOCK not in labels["parcel_id"] % 3
    fed, found = (labels.take(labels["source"] == source) for source in (0, REVIEWED))
    known = truth.take((truth["label_time"] < start + 8 * DAY) & (truth["parcel_id"] % 3 != BLOCK))
    assert len(known) > 200 and np.isin(known["parcel_id"], fed["parcel_id"]).all()
    assert set(np.unique(found["parcel_id"] % 3)) == {REVIEW}
    day_end = np.floor(found["event_time"] / DAY) * DAY + DAY
    worked = np.bincount(((day_end - start) / DAY).astype(int))
    assert worked[1:8].tolist() == [20] * 7
    turnaround = village.prepared.scenario.labels.review_turnaround
    at_last = np.maximum(found["event_time"] + turnaround, day_end)
    np.testing.assert_allclose(found["label_time"], at_last)
    told = truth["label"][np.searchsorted(truth["parcel_id"], found["parcel_id"])]
    assert np.array_equal(found["label"], told)


def test_the_load_really_grows_and_shrinks_again(village: Village) -> None:
    generator = Generator(village.setting("generator"))
    live_for(village, 1.0, generator)
    asked = village.ask("load", factor=8, **{"for": "1d"})
    until(lambda: bool(village.happenings("command")), generator)
    answer = village.happenings("command")[0]
    assert answer.command == asked and answer.who == "ada"
    at = answer.facts["at"] / DAY
    assert 1.0 < at <= 1.75 and f"day {at:.2f}" in answer.what
    live_for(village, at + 2.0, generator)
    since = village.events()["event_time"] - village.prepared.scenario.start_time
    before, during, after = (
        np.count_nonzero((since >= d * DAY) & (since < (d + 1) * DAY)) for d in (0, at, at + 1)
    )
    assert during > 5 * before and after < 2 * before
    kinds = [one.kind for one in village.happenings() if one.facts.get("incident") == "load"]
    assert kinds == ["incident", "mended"]


def test_commands_change_the_world_from_the_next_block_on(village: Village) -> None:
    setting = village.setting("generator")
    generator = Generator(setting)
    village.post(village.topics.control, b"{not a command")
    village.ask("promote")
    village.ask("drift.set", knob="by_road", to=0.5)
    village.ask("incident.start", name="blank-weights")
    village.ask("incident.stop", name="no-train")
    live_for(village, 1.0, generator)
    done, refused = village.happenings("command"), village.happenings("refused")
    assert [one.facts["action"] for one in done] == ["drift.set", "incident.start"]
    assert len(refused) == 1 and "is not on" in refused[0].what and not refused[0].ok
    value = setting.metrics.registry.get_sample_value
    assert value("sandbox_knob_value", {"knob": "by_road"}) == 0.5
    labels = {"incident": "blank-weights", "kind": "nulls fault"}
    assert value("sandbox_incident_active", labels) == 1
    assert 0.1 < np.isnan(village.events()["weight_kg"]).mean() < 0.5
    village.ask("drift.clear")
    village.ask("incident.stop", name="blank-weights")
    until(lambda: len(village.happenings("mended")) == 2, generator)
    assert value("sandbox_knob_value", {"knob": "by_road"}) == 0.0
    assert value("sandbox_incident_active", labels) == 0


def test_a_renamed_field_is_sent_under_its_new_name(root: Path, tmp_path: Path) -> None:
    fault = "{story: x, fault: {kind: rename, field: weight_kg, at: 0}}"
    renamed = small(root, f"incidents.renamed={fault}", incidents=("renamed",))
    village = Village(renamed, tmp_path)
    generator = Generator(village.setting("generator"))
    village.serve()
    live = lambda: [m for m in village.messages(village.topics.events) if m[:1] == b"{"]  # noqa: E731
    until(lambda: len(live()) > 20, generator)
    event = json.loads(live()[0])
    assert "weight_kg" not in event and event["weight_kg_v2"] > 0


@pytest.mark.parametrize("when", [-2.0, 0.4, 2.6])
def test_a_generator_that_dies_is_followed_by_one_that_goes_on(
    village: Village, when: float
) -> None:
    first, clerk = Generator(village.setting("first")), Clerk(village, by_id)
    if when < 0:
        for _ in range(6):
            first.step(0.0)
    else:
        live_for(village, when / 2, first, clerk)
        village.ask("drift.set", knob="by_road", to=1)
        village.ask("load", factor=3)
        live_for(village, when, first, clerk)
    stood_at = day(village)
    second = Generator(village.setting("second"))
    live_for(village, stood_at + 2.0, second, clerk)
    assert len(np.unique(village.events()["parcel_id"])) == len(village.events())
    if when < 0:
        assert is_once_and_whole(village)
    truth = village.frames(village.topics.truth)
    assert (np.diff(truth["parcel_id"]) == 1).all()
    ids = np.concatenate(
        [village.events(live=False)["parcel_id"], np.sort(village.events()["parcel_id"])]
    )
    assert np.array_equal(np.sort(ids), np.arange(len(ids)))
    labels = village.frames(village.topics.labels)
    pairs = np.stack([labels["parcel_id"], labels["source"]])
    assert len(np.unique(pairs, axis=1).T) == len(labels)
    begun = [one.facts["incident"] for one in village.happenings("incident")]
    assert len(begun) == len(set(begun)) == (0 if when < 0 else 2)
    assert len(village.happenings("command")) == len(begun)


def test_truth_that_was_sent_before_its_events_is_not_sent_again(village: Village) -> None:
    first = Generator(village.setting("first"))
    live_for(village, 0.5, first)
    told = village.frames(village.topics.truth)
    outside = Outside(village.prepared, Switchboard(village.prepared))
    while True:
        ahead = outside.advance()
        outside.take(np.inf)
        if ahead["parcel_id"][0] > told["parcel_id"].max():
            break
    village.post(village.topics.truth, frame_of(ahead))
    live_for(village, 2.0, Generator(village.setting("second")))
    assert (np.diff(village.frames(village.topics.truth)["parcel_id"]) == 1).all()
    assert is_once_and_whole(village)


def test_a_world_that_goes_on_is_the_one_that_never_died(root: Path, tmp_path: Path) -> None:
    def lived(*deaths: float) -> tuple[Village, Batch]:
        village = Village(small(root), tmp_path)
        for action in ("drift.set", "load"):
            args = {"knob": "by_road", "to": 1} if action == "drift.set" else {"factor": 3}
            village.ask(action, **args)
        clerk = Clerk(village, by_id)
        for death in deaths:
            live_for(village, death, Generator(village.setting("one")), clerk)
        live_for(village, 3.2, Generator(village.setting("last")), clerk)
        start = village.prepared.scenario.start_time
        return village, village.events().take(village.events()["processing_time"] < start + 3 * DAY)

    (_, whole), (village, pieces) = lived(), lived(0.7, 1.1, 2.3)
    assert len(whole) == len(pieces) and same_rows(whole, pieces)
    closed = [one.facts["day_end"] / DAY for one in village.happenings("clock") if
              "day_end" in one.facts]  # fmt: skip
    assert closed == [1, 2, 3]


@pytest.mark.parametrize("mood", ["before", "after"])
def test_a_log_that_does_not_answer_loses_and_doubles_nothing(village: Village, mood: str) -> None:
    generator, clerk = Generator(village.setting("generator")), Clerk(village, by_id)
    live_for(village, 0.5, generator, clerk)
    village.log.mood = mood
    stood_at = day(village)
    began = time.monotonic()
    while time.monotonic() < began + 0.5:
        generator.step(0.01)
        assert generator.ready() or "does not answer" in generator.why_not()
    if mood == "before":
        assert day(village) == stood_at
    village.log.mood = ""
    live_for(village, 2.5, generator, clerk)
    # It caught up with the clock: a day takes a quarter of a second.
    assert time.monotonic() - began < 2.5 * DAY / village.speed + 2.0
    assert is_once_and_whole(village)
    labels = village.frames(village.topics.labels)
    pairs = np.stack([labels["parcel_id"], labels["source"]])
    assert len(np.unique(pairs, axis=1).T) == len(labels)


def test_of_two_generators_the_newer_one_goes_on_and_the_older_one_stands_by(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_generator, "STAND_BY", 0.2)
    old = Generator(village.setting("old"))
    live_for(village, 0.5, old)
    new = Generator(village.setting("new"))
    live_for(village, 4.0, new, old)
    assert new.ready() and "took over" in old.why_not()
    new.close()
    live_for(village, 5.0, old)
    assert old.ready() and is_once_and_whole(village)
