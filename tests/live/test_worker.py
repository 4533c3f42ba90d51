"""A worker on the log in memory: what it writes, what it refuses, and what it is after a loss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reliability.audit import audit, same_state
from benchmarks.reliability.case import POISON, Case, Message, load_prepared
from sandbox.adapters.event_log import Chunk, Place
from sandbox.adapters.memory_log import MemoryLog, MemoryMember
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.live.frames import frame_of, read_frame
from sandbox.live.messages import Happening, ServingState, decode, encode
from sandbox.live.worker.intake import Intake, Piece
from sandbox.live.worker.states import PartitionState
from sandbox.live.worker.worker import Worker
from sandbox.pipeline.decide import DECISIONS
from sandbox.pipeline.pipeline import Pipeline
from sandbox.pipeline.schema import REASONS
from sandbox.run.setup import Prepared

EVENTS = 3000
Stream = Iterator[tuple[list[Message], np.ndarray]]


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return load_prepared()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the champion of all cases."""
    return tmp_path_factory.mktemp("workers")


@pytest.fixture
def case(prepared: Prepared, folder: Path, request: pytest.FixtureRequest) -> Case:
    return Case(prepared, f"t{abs(hash(request.node.name))}", folder)


@pytest.fixture
def log(case: Case) -> MemoryLog:
    log = MemoryLog()
    case.open(log)
    return log


@pytest.fixture
def worker(case: Case, log: MemoryLog) -> Iterator[Worker]:
    worker = Worker(case.setting(log, "worker-1"))
    yield worker
    worker.close()


def send(
    case: Case, log: MemoryLog, events: int = EVENTS, stream: Stream | None = None
) -> np.ndarray:
    """Put events and labels into the log; return the events' ids."""
    writer, sent = log.writer(), list[np.ndarray]()
    for messages, ids in stream or case.streams():
        for place, value in messages:
            writer.send(place, value)
        sent.append(ids)
        if sum(map(len, sent)) >= events:
            return np.concatenate(sent)
    raise AssertionError


def work(worker: Worker, log: MemoryLog, case: Case) -> None:
    """Let a worker do all there is to do."""
    for _ in range(1000):
        worker.step(0.0)
        ends = [log.ends(case.topics.places(case.topics.stage(key))) for key in case.topics.stages]
        done = [seat.member.committed(seat.member.assigned) for seat in worker._seats]
        if done and all(
            held.get(place, 0) == end
            for held, known in zip(done, ends, strict=True)
            for place, end in known.items()
        ):
            return
    raise AssertionError("it does not come to an end")


def rows(log: MemoryLog, case: Case) -> Batch:
    """Return all decisions, by id."""
    reader = log.reader([case.topics.decisions])
    found = [read_frame(v) for chunk in reader.poll(0.0) for v in chunk.values]
    return Batch.concat(found).sort(case.prepared.scenario.event.id)


def wait_for_models(worker: Worker) -> None:
    worker.step(0.0)
    for _ in range(200):
        if worker._following.models is not None:
            return
        worker.step(0.05)
    raise AssertionError("no models came")


def test_live_decisions_are_those_of_the_pipeline(
    case: Case, log: MemoryLog, worker: Worker
) -> None:
    wait_for_models(worker)
    sent = send(case, log)
    work(worker, log, case)
    found = rows(log, case)
    np.testing.assert_array_equal(found[case.prepared.scenario.event.id], np.sort(sent))
    prepared, models = case.prepared, worker._following.models
    assert models is not None
    # Later stages see partitions interleaved as they were polled; each log is audited below.
    pipeline = Pipeline(prepared.scenario.event, prepared.design, prepared.seed)
    order = found.sort("processing_time").drop("features", "sent")
    expected = pipeline.process(order, None, serving=models.serving)
    assert set(np.unique(expected.decision)) >= {0, 1}
    live = found.sort("processing_time")
    later = [at for stage in prepared.plan.stage_plans[1:] for at in stage.positions]
    plain = [at for at in range(len(prepared.plan.names)) if at not in later]
    assert later and len(plain) > 5
    np.testing.assert_array_equal(live["features"][:, plain], expected.features[:, plain])
    again = models.serving.score(np.array(live["features"]))
    np.testing.assert_array_equal(live["score"], again)
    assert (live["version"] == 1).all()
    assert not live["fallback"].any()


def test_everything_once_and_states_as_the_log_folds(
    case: Case, log: MemoryLog, worker: Worker
) -> None:
    sent = send(case, log)
    work(worker, log, case)
    worker.close()
    found = audit(case, log, sent)
    assert found.clean
    assert found.states == 2 * case.topics.partitions


@pytest.mark.parametrize("keep_state", [True, False])
def test_another_worker_goes_on_where_one_was_lost(
    case: Case, log: MemoryLog, keep_state: bool
) -> None:
    first = Worker(case.setting(log, "worker-1"), snapshot_every=0.0)
    sent = [send(case, log)]
    for _ in range(8):
        first.step(0.0)  # and then it is gone, in the middle of the work
    first._snapshots.close()
    if not keep_state:
        for file in case.state.rglob("*.npz"):
            file.unlink()
    second = Worker(case.setting(log, "worker-1"))
    work(second, log, case)
    second.close()
    found = audit(case, log, np.concatenate(sent))
    assert found.clean
    with pytest.raises(SandboxError, match="another process is worker-1 now"):
        for _ in range(3):
            first.step(0.0)


def test_two_share_the_partitions_and_lose_nothing(case: Case, log: MemoryLog) -> None:
    workers = [Worker(case.setting(log, f"worker-{n}")) for n in (1, 2)]
    sent = send(case, log)
    for _ in range(200):
        for worker in workers:
            worker.step(0.0)
    held = [seat.member.assigned for worker in workers for seat in worker._seats]
    assert all(held)
    for worker in workers:
        worker.close()
    found = audit(case, log, sent)
    assert found.clean


def test_the_audit_sees_loss_doubling_and_difference(
    case: Case, log: MemoryLog, worker: Worker
) -> None:
    sent = send(case, log)
    work(worker, log, case)
    worker.close()
    again = log.reader([case.topics.decisions]).poll(0.0)[0]
    log.writer().send(again.place, again.values[0])
    file = next(case.state.rglob("*.npz"))
    other = next(f for f in case.state.rglob("*.npz") if f.parent != file.parent)
    file.write_bytes(other.read_bytes())
    found = audit(case, log, np.append(sent, sent.max() + 1))
    assert found.lost == 1
    assert found.doubled > 0
    assert found.different == 1


def test_poison_is_buried_with_its_reason_and_the_partition_moves_on(
    case: Case, log: MemoryLog, worker: Worker
) -> None:
    messy = replace(case, messy=True)
    sent = send(messy, log, 900)
    work(worker, log, case)
    letters = [
        json.loads(value)
        for chunk in log.reader([case.topics.dead]).poll(0.0)
        for value in chunk.values
    ]
    poison = [one for one in letters if "offset" in one]
    assert len(poison) % len(POISON) == 0 and poison
    assert all(one["reason"] and one["topic"] == case.topics.events for one in poison)
    reasons = {one["reason"] for one in letters if "offset" not in one}
    assert reasons == {"duplicate", "late"}
    found = rows(log, case)
    np.testing.assert_array_equal(found[case.prepared.scenario.event.id], np.sort(sent))
    late = found.take(found["dead"] == REASONS.index("late"))
    assert len(late) > 0
    assert late["fallback"].all()
    assert {DECISIONS[code] for code in late["decision"]} == {
        case.prepared.design.decision.fallback
    }


def test_a_promotion_is_picked_up_without_a_restart(
    case: Case, log: MemoryLog, worker: Worker
) -> None:
    wait_for_models(worker)
    root = case.models
    for file in list((root / "1").rglob("*")):
        if file.is_file():
            target = root / "2" / file.relative_to(root / "1")
            target.parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes()
            if file.name == "version.json":
                content = content.replace(b'"number": 1', b'"number": 2')
            target.write_bytes(content)
    state = ServingState(champion=1, challenger=2, canary=0.5)
    log.writer().send(Place(case.topics.serving, 0), encode(state))
    for _ in range(200):
        worker.step(0.02)
        models = worker._following.models
        if models is not None and models.state.challenger:
            break
    sent = send(case, log, 900)
    work(worker, log, case)
    found = rows(log, case)
    assert len(found) == len(sent)
    assert set(found["version"].tolist()) == {1, 2}
    assert 0.4 < (found["version"] == 2).mean() < 0.6
    assert np.isfinite(found["challenger_score"]).all()


def test_a_model_that_is_not_there_leaves_the_former_one(
    case: Case, log: MemoryLog, worker: Worker
) -> None:
    wait_for_models(worker)
    log.writer().send(Place(case.topics.serving, 0), encode(ServingState(champion=99)))
    log.writer().send(Place(case.topics.serving, 0), b"no state")
    for _ in range(20):
        worker.step(0.02)
    assert worker._following.models is not None
    assert worker._following.models.state.champion == 1
    assert not worker.ready()
    assert "version" in worker.why_not() or "serving" in worker.why_not()


def test_what_retention_took_is_told_and_nothing_else_is_lost(case: Case, log: MemoryLog) -> None:
    first, stream = Worker(case.setting(log, "worker-1")), case.streams()
    before = send(case, log, 900, stream)
    work(first, log, case)
    first.close()
    after = send(case, log, 900, stream)
    place = case.topics.places(case.topics.events)[0]
    gone = log.ends([place])[place] - 10
    committed = log._groups[case.topics.group(case.topics.stages[0])].committed[place]
    log.trim(place, gone)
    second = Worker(case.setting(log, "worker-1"))
    work(second, log, case)
    second.close()
    told = [
        decode(value, Happening)
        for chunk in log.reader([case.topics.happenings]).poll(0.0)
        for value in chunk.values
    ]
    assert [(one.kind, one.ok) for one in told] == [("fault", False)]
    assert told[0].facts["to"] - told[0].facts["from"] == gone - committed
    found = audit(case, log, np.concatenate([before, after]), states=False)
    assert found.doubled == 0
    assert found.lost == gone - committed


def test_what_was_decided_is_not_decided_again_where_a_client_reads_from_the_beginning(
    case: Case, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, stream = Worker(case.setting(log, "worker-1")), case.streams()
    before = send(case, log, 900, stream)
    work(first, log, case)
    first.close()
    after = send(case, log, 900, stream)
    poll, astray = MemoryMember.poll, dict[str, Place]()

    def poll_astray(member: MemoryMember, timeout: float, most: int) -> list[Chunk]:
        poll(member, 0.0, 0)  # takes its partitions
        if member.group not in astray and member.assigned:
            astray[member.group] = min(member.assigned)
            member.seek(astray[member.group], 0)
        return poll(member, timeout, most)

    monkeypatch.setattr(MemoryMember, "poll", poll_astray)
    second = Worker(case.setting(log, "worker-1"))
    work(second, log, case)
    second.close()
    assert set(astray) == {case.topics.group(key) for key in case.topics.stages}
    found = audit(case, log, np.concatenate([before, after]))
    assert found.clean, found


def test_a_torn_snapshot_is_left_and_the_one_before_is_used(case: Case, log: MemoryLog) -> None:
    first, stream = Worker(case.setting(log, "worker-1")), case.streams()
    sent = send(case, log, EVENTS, stream)
    work(first, log, case)
    first.close()
    for file in case.state.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    second = Worker(case.setting(log, "worker-1"))
    more = send(case, log, 900, stream)
    work(second, log, case)
    second.close()
    found = audit(case, log, np.union1d(sent, more))
    assert found.clean


def test_labels_count_as_the_log_orders_them_however_it_is_split(prepared: Prepared) -> None:
    key = next(s.key for s in prepared.plan.stage_plans if s.has_labels)
    schema, plan = prepared.scenario.event, prepared.plan
    events, labels = _events(prepared, 400), _labels(prepared, key, 60)
    values = [frame_of(events.slice(at, at + 1)) for at in range(len(events))]
    for place, at in enumerate(range(0, 60, 3)):
        values.insert(40 + 17 * place, frame_of(labels.slice(at, at + 3)))
    whole = _fold(PartitionState(schema, plan, key, 600.0), schema, values, [len(values)])
    for size in (1, 7, 50):
        split = _fold(PartitionState(schema, plan, key, 600.0), schema, values, [size])
        np.testing.assert_array_equal(whole[0], split[0])
        assert same_state(whole[1], split[1])
    without = _fold(PartitionState(schema, plan, key, 600.0), schema, values[:1], [1])
    assert not same_state(whole[1], without[1])


def _fold(
    state: PartitionState, schema: object, values: list[bytes], sizes: list[int]
) -> tuple[np.ndarray, bytes]:
    """Fold messages in chunks of a size; return the features and the state."""
    intake, found = Intake(schema, (), ()), list[np.ndarray]()  # type: ignore[arg-type]
    for at in range(0, len(values), sizes[0]):
        some = values[at : at + sizes[0]]
        chunk = Chunk(Place("t", 0), some, list(range(at, at + len(some))), [0.0] * len(some))
        for piece in intake.read(chunk):
            folded = state.fold(piece)
            if folded is not None:
                found.append(folded.events["features"])
    assert not intake.dead
    return np.concatenate(found), state.packed(state.arrays())


def _events(prepared: Prepared, number: int) -> Batch:
    rng = np.random.default_rng(3)
    start = prepared.scenario.start_time
    times = start + np.cumsum(rng.exponential(3600.0, number))
    columns: dict[str, np.ndarray] = {
        prepared.scenario.event.id: np.arange(number), "event_time": times,
        "processing_time": times, "sent": times,
    }  # fmt: skip
    for name, column in prepared.scenario.event.columns.items():
        kinds = {
            "key": rng.integers(0, 5, number),
            "category": rng.integers(0, 2, number).astype(np.int16),
            "number": rng.uniform(1.0, 100.0, number).round(2),
        }
        columns[name] = kinds[column.type]
    return Batch(columns)


def _labels(prepared: Prepared, key: str, number: int) -> Batch:
    """Return labels of the first events, in order of their time, some overdue when they come."""
    events = _events(prepared, 400).slice(0, number)
    delay = np.random.default_rng(4).uniform(86400.0, 20 * 86400.0, number)
    return Batch(
        {
            prepared.scenario.event.id: events[prepared.scenario.event.id],
            key: events[key],
            "event_time": events["event_time"],
            "label_time": events["event_time"] + delay,
            "label": (np.arange(number) % 3 == 0).astype(np.float64),
        }
    )


def test_pieces_of_an_empty_chunk_of_labels_are_nothing(prepared: Prepared) -> None:
    state = PartitionState(prepared.scenario.event, prepared.plan, prepared.plan.stages[1], 600.0)
    assert state.fold(Piece("labels", _labels(prepared, prepared.plan.stages[1], 3))) is None
