"""Serving and training agree to the last bit, and with a naive reading of the definition."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.online import FeatureStore, warm_up
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.spec.features import FeatureSpec
from sandbox.spec.scenario import EventSchema

LATENESS = 40.0
START = 1_700_000_000.3
SCHEMA = EventSchema.model_validate(
    {
        "id": "event_id",
        "columns": {
            "user": {"type": "key"},
            "place": {"type": "key"},
            "amount": {"type": "number", "nullable": True},
            "depth": {"type": "number", "decimals": 0, "nullable": True},
            "channel": {"type": "category", "values": ["a", "b"], "nullable": True},
        },
    }
)
OVER = [5, 30.1, 200]
DECLARED = [
    "amount",
    "channel",
    {"count": {"by": "user", "over": OVER}},
    {"mean": {"of": "amount", "by": "user", "over": OVER}},
    {"sum": {"of": "amount", "by": "user", "over": [30.1]}},
    {"sum": {"of": "depth", "by": "user", "over": [7], "delay": 20}},
    {"ratio": {"of": "amount", "by": "user", "over": [30.1, 200]}},
    {"since_last": {"by": "user"}},
    {"share": {"of": "depth", "by": "user", "over": [200], "delay": 3}},
    {"share": {"of": "label", "by": "user", "over": [30.1]}},
    {"count": {"by": "place", "over": OVER, "delay": 12.7}},
    {"share": {"of": "label", "by": "place", "over": OVER, "delay": 12.7}},
    {"mean": {"of": "label", "by": "place", "over": [200]}},
    {"sum": {"of": "label", "by": "place", "over": [60], "delay": 1}},
]
FEATURES = [FeatureSpec.model_validate(item) for item in DECLARED]
PLAN = FeaturePlan.compile(FEATURES, SCHEMA, "user", allowed_lateness=LATENESS)


@dataclass(frozen=True)
class Log:
    events: Batch
    labels: Batch

    def __repr__(self) -> str:  # what hypothesis shows
        rows = [self.events[n].tolist() for n in self.events.names]
        return f"Log({dict(zip(self.events.names, rows, strict=True))}, labels={self.labels})"


EVENT = st.tuples(
    st.sampled_from([0.0, 0.0, 0.7, 1.0, 3.0, 5.0, 30.1, 95.0]),  # since the event before
    st.sampled_from([0.0, 0.0, 0.0, 0.7, 1.0, 3.0, 5.0, 39.9]),  # how late it comes
    st.sampled_from([0, 0, 0, 1, -1, 2**40]),  # user
    st.sampled_from([0, 0, 3, -1, 5000]),  # place
    st.sampled_from([math.nan, 0.0, 1.005, -2.5, 12.34, 1e17]),  # amount
    st.sampled_from([math.nan, 0.0, 0.5, 7.0]),  # depth
    st.lists(  # labels: delay, value
        st.tuples(
            st.sampled_from([-1.0, 0.0, 0.7, 6.0, 20.0, math.inf]),
            st.sampled_from([0.0, 1.0, 1.0, 0.25, math.nan]),
        ),
        max_size=2,
    ),
)


@st.composite
def logs(draw: st.DrawFn) -> Log:
    rows = draw(st.lists(EVENT, min_size=1, max_size=30))
    reached = START + np.cumsum([row[0] for row in rows])
    ids = np.arange(len(rows)) * 3
    events = Batch(
        {
            "event_id": ids,
            "event_time": reached - np.array([row[1] for row in rows]),
            "processing_time": reached,
            "user": np.array([row[2] for row in rows]),
            "place": np.array([row[3] for row in rows]),
            "amount": np.array([row[4] for row in rows]),
            "depth": np.array([row[5] for row in rows]),
            "channel": np.array([i % 3 - 1 for i in range(len(rows))], dtype=np.int8),
        }
    )
    known = [(i, delay, value) for i, row in enumerate(rows) for delay, value in row[6]]
    at = np.array([i for i, _, _ in known], dtype=np.int64)
    labels = events.select(["event_id", "event_time", "user", "place"]).take(at)
    labels = labels.with_columns(
        label=np.array([value for _, _, value in known]),
        label_time=reached[at] + np.array([delay for _, delay, _ in known]),
    )
    return Log(events, labels.sort("label_time"))


def matrix_bits(matrix: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(matrix), np.float32(np.nan), matrix).view(np.int32)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.array_equal(matrix_bits(left), matrix_bits(right)))


def fold(log: Log, cuts: list[int] | None = None, early: bool = False) -> np.ndarray:
    """Run the online fold; labels come with the batch they are due in, or all at once."""
    store = FeatureStore(PLAN)
    rows = len(log.events)
    edges = [0, *sorted(cut % (rows + 1) for cut in cuts or []), rows]
    parts, due = [], 0
    for start, stop in itertools.pairwise(edges):
        until = log.events["processing_time"][stop - 1] if stop else -np.inf
        end = int(np.searchsorted(log.labels["label_time"], until, side="right"))
        end = len(log.labels) if early else max(end, due)
        parts.append(store.update(log.events.slice(start, stop), log.labels.slice(due, end)))
        due = end
    return np.concatenate(parts)


def oracle(log: Log, closed: bool = False, ahead: bool = False) -> np.ndarray:
    """Read the definition aloud. `closed` and `ahead` are mistakes to be caught."""
    events = {name: log.events[name].tolist() for name in log.events.names}
    rows = len(log.events)
    out = []
    for i in range(rows):
        labels = known_labels(log, i)
        line: list[float] = []
        for spec in FEATURES:
            if spec.operation == "column":
                value = events[str(spec.of)][i]
                line.append(math.nan if spec.of == "channel" and value < 0 else value)
                continue
            seen = [
                j
                for j in (range(rows) if ahead else range(i + 1))
                if events[str(spec.by)][j] == events[str(spec.by)][i]
            ]
            if events[str(spec.by)][i] < 0:
                line += [math.nan] * len(spec.names)
            elif spec.operation == "since_last":
                now = events["event_time"][i]
                gaps = [now - events["event_time"][j] for j in seen if j != i]
                line.append(min((gap for gap in gaps if gap >= 0), default=math.nan))
            else:
                line += [window_value(spec, w, i, seen, events, labels, closed) for w in spec.over]
        out.append(line)
    return np.array(out, dtype=np.float64).astype(np.float32)


def known_labels(log: Log, i: int) -> dict[int, float]:
    """Return the label of each event as known when event `i` is processed."""
    reached = np.maximum.accumulate(log.events["processing_time"])
    known = {}
    ids = log.events["event_id"].tolist()
    for event, label, time in zip(
        log.labels["event_id"], log.labels["label"], log.labels["label_time"], strict=True
    ):
        j = ids.index(event)
        taken_in = [k for k in range(len(ids)) if reached[k] >= time]
        if taken_in and j < taken_in[0] <= i and not math.isnan(label):
            known[j] = float(label)
    return known


def window_value(
    spec: FeatureSpec, over: float, i: int, seen: list[int],
    events: dict[str, list[float]], labels: dict[int, float], closed: bool,
) -> float:  # fmt: skip
    newest = events["event_time"][i] - spec.delay
    oldest = newest - over
    inside = [
        j
        for j in seen
        if oldest < events["event_time"][j] <= newest
        or (closed and events["event_time"][j] == oldest)
    ]
    if spec.operation == "count":
        return len(inside)
    scale = 10.0 ** {"amount": 2, "depth": 0, "label": 6}[str(spec.of)]

    def minor(j: int) -> int | None:
        value = labels.get(j) if spec.of == "label" else events[str(spec.of)][j]
        usable = value is not None and math.isfinite(value) and abs(value * scale) < 9e15
        return round(value * scale) if usable and value is not None else None

    if spec.operation == "ratio":
        others, own = [minor(j) for j in inside if j != i], minor(i)
        amounts = [m for m in others if m is not None]
        if own is None or not amounts or not sum(amounts):
            return math.nan
        return own / scale / (sum(amounts) / len(amounts) / scale)
    values = [m for m in map(minor, inside) if m is not None]
    if spec.operation == "share":
        return sum(m > 0 for m in values) / len(inside) if inside else 0.0
    if spec.operation == "sum":
        return sum(values) / scale
    return sum(values) / len(values) / scale if values else math.nan


@given(logs())
@settings(max_examples=80, deadline=None)
def test_online_is_history_is_the_definition(log: Log) -> None:
    expected = oracle(log)
    assert same(fold(log), expected)
    assert same(compute_history(PLAN, log.events, log.labels), expected)


@given(logs(), st.lists(st.integers(0, 45), max_size=6), st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_split_of_the_log_gives_the_same_matrix(log: Log, cuts: list[int], early: bool) -> None:
    assert same(fold(log, cuts, early), fold(log))


@given(logs(), st.integers(0, 45))
@settings(max_examples=30, deadline=None)
def test_restored_state_continues_bit_for_bit(log: Log, cut: int) -> None:
    whole, cut = fold(log, early=True), cut % (len(log.events) + 1)
    first = FeatureStore(PLAN)
    first.update(log.events.slice(0, cut), log.labels)
    second = FeatureStore(PLAN)
    second.restore(first.snapshot())
    assert second.snapshot() == first.snapshot()
    assert second.counts == first.counts
    assert same(second.update(log.events.slice(cut, len(log.events))), whole[cut:])


@given(logs())
@settings(max_examples=20, deadline=None)
def test_stages_apart_give_the_columns_they_give_together(log: Log) -> None:
    whole, store = fold(log), FeatureStore(PLAN)
    for key in PLAN.stages:
        part = store.update_stage(key, log.events, log.labels)
        assert same(part, np.ascontiguousarray(whole[:, PLAN.stage(key).positions]))


@pytest.mark.parametrize("mistake", ["closed", "ahead"])
def test_the_comparison_catches_a_wrong_definition(mistake: str) -> None:
    """Broken twins: a window closed at its old end; events of the log's future."""

    def differs(log: Log) -> bool:
        return not same(fold(log), oracle(log, **{mistake: True}))

    quick = settings(max_examples=500, deadline=None, phases=[Phase.generate])
    find(logs(), differs, settings=quick)


def big_log(rows: int, disorder: float, seed: int = 3) -> Log:
    """A log that makes rings wrap, grow and forget, with many keys of both kinds."""
    rng = np.random.default_rng(seed)
    reached = START + np.cumsum(rng.exponential(0.05, rows)).round(2)
    late = np.where(rng.random(rows) < disorder, rng.uniform(0, LATENESS, rows), 0.0).round(1)
    user = rng.zipf(1.3, rows) % 3000
    events = Batch(
        {
            "event_id": rng.permutation(rows),
            "event_time": reached - late,
            "processing_time": reached,
            "user": np.where(rng.random(rows) < 0.2, user + 2**45, user),
            "place": rng.integers(-1, 4000, rows) % 97,
            "amount": rng.lognormal(3, 1, rows),
            "depth": rng.normal(0, 3, rows),
            "channel": rng.integers(-1, 2, rows),
        }
    )
    at = np.sort(rng.choice(rows, rows // 3, replace=False))
    labels = events.select(["event_id", "event_time", "user", "place"]).take(at)
    labels = labels.with_columns(
        label=(rng.random(len(at)) < 0.3).astype(np.float64),
        label_time=reached[at] + rng.exponential(30, len(at)),
    )
    return Log(events, labels.sort("label_time"))


@pytest.mark.parametrize("disorder", [0.0, 0.05, 0.9])
def test_long_logs_agree_in_small_batches(disorder: float) -> None:
    log = big_log(20_000, disorder)
    history = compute_history(PLAN, log.events, log.labels)
    assert same(fold(log, list(range(0, 20_000, 500))), history)
    assert np.isfinite(history).any(axis=0).all()


def test_labels_without_an_event_are_counted_not_applied() -> None:
    log = big_log(200, 0.0)
    store = FeatureStore(PLAN)
    store.update(log.events.slice(0, 150))
    unknown = log.labels.with_columns(
        event_id=log.labels["event_id"] + 10_000, label_time=np.full(len(log.labels), START)
    )
    before = store.counts["place"]
    store.update(log.events.slice(150, 200), unknown)
    assert store.counts["place"]["labels_without_event"] == len(unknown)
    assert store.counts["place"]["labels_applied"] == before["labels_applied"]


def test_events_beyond_the_lateness_are_counted() -> None:
    log = big_log(50, 0.0)
    times = log.events["event_time"].copy()
    times[-1] -= 10 * LATENESS
    events = log.events.with_columns(event_time=times, user=np.zeros(50, dtype=np.int64))
    store = FeatureStore(PLAN)
    store.update(events)
    assert store.counts["user"]["too_late"] == 1


def test_labels_must_be_sorted() -> None:
    log = big_log(50, 0.0)
    backwards = log.labels.take(np.arange(len(log.labels))[::-1])
    with pytest.raises(ValueError, match="label_time"):
        FeatureStore(PLAN).update(log.events, backwards)


def test_a_snapshot_belongs_to_its_plan() -> None:
    other = FeaturePlan.compile(FEATURES[:-1], SCHEMA, "user", allowed_lateness=LATENESS)
    data = FeatureStore(PLAN).snapshot()
    with pytest.raises(ValueError, match="another plan"):
        FeatureStore(other).restore(data)
    with pytest.raises(ValueError, match="not a snapshot"):
        FeatureStore(PLAN).restore(data[: len(data) // 2])


def test_warm_up_leaves_nothing_behind() -> None:
    warm_up(PLAN)
    log = big_log(100, 0.1)
    assert same(fold(log), compute_history(PLAN, log.events, log.labels))
