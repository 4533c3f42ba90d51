from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.online import FeatureStore
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.run.reproduce import plan_fold
from sandbox.run.reproduce_spec import Reproduction
from sandbox.spec.loading import build, check_design, load_design, load_scenario
from sandbox.spec.source import read_source
from sandbox.world import RecordedWorld, build_world, check_events, load_world_class

FOLDER = Path(__file__).parents[2] / "scenarios" / "fraud-handbook"
SCENARIO, _ = load_scenario(FOLDER / "scenario.yaml")
DESIGN, WRITTEN = load_design(FOLDER / "design.yaml")
HANDBOOK = load_world_class(FOLDER)
PLAN = FeaturePlan.compile(DESIGN.features, SCENARIO.event, DESIGN.ingest.key)
DAY = 86400.0
OVER = (DAY, 7 * DAY, 30 * DAY)
START = dt.datetime(2018, 4, 1, tzinfo=dt.UTC).timestamp()
SMALL = {"customers": 50, "terminals": 400, "days": 20, "radius": 12}
DIGEST = "882be5bb75e0ae23"
Matrix = NDArray[np.float32]


@pytest.fixture(scope="module")
def world() -> RecordedWorld:
    built = build_world(HANDBOOK, SCENARIO.world, np.random.default_rng(0))
    assert isinstance(built, RecordedWorld)
    return built


@pytest.fixture(scope="module")
def events(world: RecordedWorld) -> Batch:
    recording = world.recording
    return recording.with_columns(processing_time=recording["event_time"])


@pytest.fixture(scope="module")
def labels(events: Batch) -> Batch:
    frauds = events.take(events["label"] > 0)
    return frauds.with_columns(label_time=frauds["event_time"] + 7 * DAY)


@pytest.fixture(scope="module")
def features(events: Batch, labels: Batch) -> Matrix:
    return compute_history(PLAN, events, labels)


def module() -> ModuleType:
    return sys.modules[HANDBOOK.__module__]


def test_published_counts_are_met_exactly(events: Batch) -> None:
    assert len(events) == 1_754_155
    assert np.bincount(events["mechanism"]).tolist() == [1_739_474, 973, 9_077, 4_631]
    assert events["label"].sum() == 14_681


def test_first_rows_are_those_printed_in_the_book(events: Batch) -> None:
    names = ("event_time", "customer_id", "terminal_id", "amount")
    rows = list(zip(*(events[name][:5].tolist() for name in names), strict=True))
    assert [(time - START, *rest) for time, *rest in rows] == [
        (31, 596, 3156, 57.16),
        (130, 4961, 3412, 81.51),
        (476, 2, 1365, 146.00),
        (569, 4128, 8737, 64.49),
        (634, 927, 9906, 50.99),
    ]


def test_each_mechanism_adds_what_was_published(events: Batch) -> None:
    """Frauds after each mechanism, counted another way than the world does."""
    honest = module().draw_payments(module().HandbookParams())
    day = honest[module().SECOND] // module().DAY
    fraud = honest[module().CENTS] > 22_000
    counts = [fraud.sum()]
    for start in range(182):
        for terminal in np.random.RandomState(start).permutation(10_000)[:2]:
            of = np.flatnonzero(honest[module().TERMINAL] == terminal)
            fraud[of[(day[of] >= start) & (day[of] < start + 28)]] = True
    counts += [fraud.sum(), events["label"].sum()]
    assert np.diff(counts, prepend=0).tolist() == [978, 9_099, 4_604]


def test_it_is_one_data_set_on_every_machine_and_under_every_seed(events: Batch) -> None:
    other = build_world(HANDBOOK, SCENARIO.world, np.random.default_rng(99))
    assert isinstance(other, RecordedWorld)
    digest = [hashlib.sha256(), hashlib.sha256()]
    for name in ("event_time", "customer_id", "terminal_id", "amount", "mechanism"):
        for hashed, batch in zip(digest, (events, other.recording), strict=True):
            hashed.update(np.ascontiguousarray(batch[name]).tobytes())
    assert {d.hexdigest()[:16] for d in digest} == {DIGEST}


def test_events_conform_and_blocks_continue(world: RecordedWorld) -> None:
    start, sizes = SCENARIO.start_time, []
    for begin in np.arange(start, start + 3 * DAY, DAY / 4):
        times = world.arrivals(begin, begin + DAY / 4)
        block = world.events(times, {}, np.random.default_rng(0))
        assert check_events(block, times, SCENARIO.event, HANDBOOK) == ()
        assert begin <= times[0] <= times[-1] < begin + DAY / 4
        sizes.append(len(block))
    times = world.recording["event_time"]
    assert sum(sizes) == ((times >= start) & (times < start + 3 * DAY)).sum()
    low, high = SCENARIO.start_time - SCENARIO.history, start + SCENARIO.days * DAY
    assert low == START
    assert times[0] >= low
    assert high - DAY < times[-1] < high


def test_design_fits_and_declares_the_fifteen_inputs() -> None:
    check_design(DESIGN, WRITTEN, SCENARIO, metrics=("pr_auc",))
    assert len(PLAN.names) == 15


def test_customer_features_are_the_books(events: Batch, features: Matrix) -> None:
    customers = np.random.default_rng(1).choice(5000, 25, replace=False)
    checked = 0
    for rows in rows_of(events["customer_id"], customers):
        t, amount = events["event_time"][rows], events["amount"][rows]
        earlier = np.tri(len(rows), dtype=np.bool_)
        for i, over in enumerate(OVER):
            inside = (t[None, :] > t[:, None] - over) & earlier
            count = inside.sum(axis=1)
            assert np.array_equal(features[rows, 3 + i], count)
            mean = inside @ amount / count
            np.testing.assert_allclose(features[rows, 6 + i], mean, rtol=3e-7)
        checked += len(rows)
    assert checked > 3000


def test_terminal_features_are_the_books(events: Batch, features: Matrix) -> None:
    """Risk as the book gets it: fraud and count of a longer window less those of the delay."""
    fraudulent = np.unique(events["terminal_id"][events["label"] > 0])
    terminals = np.random.default_rng(2).choice(fraudulent, 25, replace=False)
    checked = 0
    for rows in rows_of(events["terminal_id"], terminals):
        t, fraud = events["event_time"][rows], events["label"][rows]
        earlier = np.tri(len(rows), dtype=np.bool_)
        delay = (t[None, :] > t[:, None] - 7 * DAY) & earlier
        for i, over in enumerate(OVER):
            longer = (t[None, :] > t[:, None] - 7 * DAY - over) & earlier
            count = longer.sum(axis=1) - delay.sum(axis=1)
            known: NDArray[np.float64] = longer @ fraud - delay @ fraud
            assert np.array_equal(features[rows, 9 + i], count)
            risk = np.divide(known, count, out=np.zeros(len(rows)), where=count > 0)
            np.testing.assert_allclose(features[rows, 12 + i], risk, rtol=3e-7)
        checked += len(rows)
    assert checked > 3000
    assert (features[:, 14] > 0).sum() > 10_000


def test_time_features_are_the_books(events: Batch, features: Matrix) -> None:
    rows = np.random.default_rng(3).choice(len(events), 2000, replace=False)
    for row in rows:
        moment = dt.datetime.fromtimestamp(events["event_time"][row], dt.UTC)
        assert features[row, 1] == (moment.weekday() >= 5)
        assert features[row, 2] == (moment.hour <= 6)
    assert np.array_equal(features[:, 0], events["amount"].astype(np.float32))


def test_online_features_equal_those_of_the_batch(
    events: Batch, labels: Batch, features: Matrix
) -> None:
    rows = 200_000
    store = FeatureStore(PLAN)
    parts = []
    for first in range(0, rows, 50_000):
        fed = labels if first == 0 else None
        parts.append(store.update(events.slice(first, first + 50_000), fed))
    assert np.array_equal(np.concatenate(parts), features[:rows])


def test_folds_have_the_published_rows(events: Batch) -> None:
    record = build(Reproduction, read_source(FOLDER / "reproduce.yaml"))
    (date,) = record.splits["single"].starts
    begin = dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC).timestamp()
    fold = plan_fold(
        events["event_time"], events["customer_id"], events["label"], begin, record.protocol
    )
    label = events["label"]
    assert (fold.train.stop - fold.train.start, label[fold.train].sum()) == (67_240, 598)
    assert (len(fold.test), label[fold.test].sum()) == (58_264, 385)


def test_a_copy_of_the_folder_works_with_its_compiled_code(
    world: RecordedWorld, tmp_path: Path
) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "copy")
    built = build_world(load_world_class(copy), SMALL, np.random.default_rng(0))
    assert isinstance(built, RecordedWorld)
    assert len(built.recording) > 500


def test_other_sizes_are_other_worlds() -> None:
    world = build_world(HANDBOOK, SMALL, np.random.default_rng(0))
    assert isinstance(world, RecordedWorld)
    recording = world.recording
    assert 500 < len(recording) < 4000
    assert recording["customer_id"].max() < 50
    assert recording["event_time"].max() < START + 20 * DAY
    assert recording["label"].sum() > 0


def rows_of(column: NDArray[Any], keys: NDArray[Any]) -> list[NDArray[np.int64]]:
    order = np.argsort(column, kind="stable")
    sorted_keys = column[order]
    edges = zip(
        np.searchsorted(sorted_keys, keys),
        np.searchsorted(sorted_keys, keys, side="right"),
        strict=True,
    )
    return [order[first:stop] for first, stop in edges]
