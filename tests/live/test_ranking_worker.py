"""Workers of a ranking: pages are whole, whatever the stages, whatever is refused, whoever dies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reliability.audit import audit
from benchmarks.reliability.case import PARTITIONS, POISON, Case, Message
from sandbox.adapters.event_log import Place
from sandbox.adapters.memory_log import MemoryLog
from sandbox.batch import Batch
from sandbox.live.frames import read_frame
from sandbox.live.worker.worker import Worker
from sandbox.pipeline.codec import EventCodec
from sandbox.pipeline.decide import ALLOW, BLOCK
from sandbox.pipeline.decider import Decider
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import Prepared, prepare

SHOWN, POOL = 10, 20
FAR = 4e9
"""Later than anything here [s since epoch]."""
SMALL = (
    "population=2500", "history=18d", f"ingest.partitions={PARTITIONS}", "pipeline.budget=600s",
    "pipeline.max_batch=20", "pipeline.allowed_lateness=4h", "model.champion.xgboost.trees=15",
    "model.training={window: 12d, validation: 3d, label_maturity: 6h}", "retraining=never",
    "monitoring.alerts=[]", "decision.control=20%",
)  # fmt: skip
ITEMS_FIRST = "ingest.key=thing_id"
PEOPLE_FIRST = "ingest.key=visitor_id"
PEOPLE_ALONE = "features=[price, {mean: {of: label, by: visitor_id, over: 14d}}]"
STAGES = {
    (ITEMS_FIRST,): ("thing_id", "visitor_id"),
    (PEOPLE_FIRST,): ("visitor_id", "thing_id", "page_id"),
    (PEOPLE_FIRST, PEOPLE_ALONE): ("visitor_id",),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("shop", task="ranking", into=root)
    return root


def ready(root: Path, *overrides: str) -> Prepared:
    return prepare(
        "shop", design=None, seed=7, days=20, overrides=(*SMALL, *overrides), incidents=(),
        roots=(root,),
    )  # fmt: skip


@dataclass
class Shop:
    """A log with a model that decides, and a clock that can be put on."""

    case: Case
    log: MemoryLog
    ahead: float = 0.0
    sent: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def open(cls, prepared: Prepared, folder: Path, *, messy: bool = False) -> Shop:
        shop = cls(Case(prepared, "t", folder, messy), MemoryLog())
        shop.case.open(shop.log)
        return shop

    def worker(self, name: str = "w", snapshot_every: float = 10.0) -> Worker:
        setting = self.case.setting(self.log, name)
        clock = setting.now
        object.__setattr__(setting, "now", lambda: clock() + self.ahead)
        worker = Worker(setting, snapshot_every)
        for _ in range(200):
            if worker._following.models is not None:
                return worker
            worker.step(0.02)
        raise AssertionError("no models came")

    def send(self, events: int = 900) -> None:
        """Put events and labels into the log."""
        total = 0
        for messages, ids in self.case.streams():
            self.write(messages)
            self.sent.append(ids)
            total += len(ids)
            if total >= events:
                return

    def write(self, messages: list[Message]) -> None:
        writer = self.log.writer()
        for place, value in messages:
            writer.send(place, value)

    def page(self) -> tuple[Batch, list[Message]]:
        """Return a page's candidates, and as messages."""
        block = next(iter(self.case.blocks())).observed
        page = block.take(block["page_id"] == block["page_id"][0])
        assert len(page) == POOL
        return page, self.case._events(page, np.random.default_rng(0))

    def decided(self) -> Batch:
        reader = self.log.reader([self.case.topics.decisions])
        found = [read_frame(v) for chunk in reader.poll(0.0, 1 << 30) for v in chunk.values]
        return Batch.concat(found)


def work(*workers: Worker, rounds: int = 150) -> None:
    for _ in range(rounds):
        for worker in workers:
            worker.step(0.0)


@pytest.fixture(params=STAGES, ids=lambda overrides: " ".join(STAGES[overrides]))
def shop(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    prepared = ready(root, *request.param)
    assert prepared.plan.stages == STAGES[request.param]
    yield Shop.open(prepared, tmp_path_factory.mktemp("shop"))


def pages_of(rows: Batch) -> Iterator[Batch]:
    for page in np.unique(rows["page_id"]):
        yield rows.take(rows["page_id"] == page)


def test_pages_are_whole_and_ordered_as_a_decider_does(shop: Shop) -> None:
    worker = shop.worker()
    shop.send()
    work(worker)
    rows, prepared = shop.decided(), shop.case.prepared
    np.testing.assert_array_equal(np.sort(rows["candidate_id"]), np.concatenate(shop.sent))
    assert not rows["fallback"].any() and (rows["version"] == 1).all()
    for page in pages_of(rows):
        shown = (page["decision"] == ALLOW) & ~page["explored"]
        assert shown.sum() == SHOWN and len(page) == POOL
        assert page["score"][shown].min() >= page["score"][~shown].max()
    models = worker._following.models
    assert models is not None
    said = Decider(prepared.plan, prepared.design, prepared.seed).decide(
        rows, np.array(rows["features"]), models.serving
    )
    np.testing.assert_array_equal(rows["decision"], said.decisions.decision)
    np.testing.assert_array_equal(rows["control"], said.control)
    arms = [page["control"].mean() for page in pages_of(rows)]
    assert set(arms) == {0.0, 1.0}  # a page is one arm's
    worker.close()
    assert audit(shop.case, shop.log, np.concatenate(shop.sent)).clean


@pytest.mark.parametrize("keep_state", [True, False])
def test_who_takes_over_decides_each_candidate_once(shop: Shop, keep_state: bool) -> None:
    first = shop.worker(snapshot_every=0.0)
    shop.send()
    for _ in range(6):
        first.step(0.0)  # and then it is gone, with pages that are not complete
    first._snapshots.close()
    waits = [held.state.waits_since() for held in first._seats[-1]._held.values()]
    if len(shop.case.topics.stages) > 1:
        assert np.isfinite(waits).any()
    if not keep_state:
        for file in shop.case.state.rglob("*.npz"):
            file.unlink()
    second, third = shop.worker(), shop.worker("other")
    work(second, third)
    second.close(), third.close()
    rows = shop.decided()
    assert audit(shop.case, shop.log, np.concatenate(shop.sent)).clean
    for page in pages_of(rows):
        assert ((page["decision"] == ALLOW) & ~page["explored"]).sum() == SHOWN


def test_a_page_does_not_wait_for_what_was_refused(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for overrides in STAGES:
        prepared = ready(root, *overrides, "pipeline.allowed_lateness=1h")
        shop = Shop.open(prepared, tmp_path_factory.mktemp("shop"), messy=True)
        worker = shop.worker()
        shop.send(600)
        work(worker)
        rows = shop.decided()
        refused = rows["dead"] > 0
        assert 50 < refused.sum() < len(rows) - 50  # what is late; the doubled have no answer
        assert (rows["decision"][refused] == BLOCK).all() and not rows["control"][refused].any()
        # A page of which all messages came was decided, though some were refused.
        assert not worker._seats[-1].overdue(FAR)
        for page in pages_of(rows.take(~refused)):
            shown = (page["decision"] == ALLOW) & ~page["explored"]
            assert shown.sum() == min(SHOWN, len(page)) and not page["fallback"].any()
        worker.close()
        assert audit(shop.case, shop.log, np.concatenate(shop.sent)).clean


def test_a_page_that_is_not_complete_in_time_shows_what_came(shop: Shop) -> None:
    worker = shop.worker()
    page, messages = shop.page()
    shop.write(messages[:-1])
    shop.write([(messages[-1][0], POISON[1])])  # one candidate whose message nobody can read
    work(worker, rounds=20)
    assert not len(shop.decided()) and worker._seats[-1].overdue(FAR)
    shop.ahead = 601.0
    work(worker, rounds=20)
    rows = shop.decided()
    assert len(rows) == POOL - 1 and rows["fallback"].all()
    shown = rows.take((rows["decision"] == ALLOW) & ~rows["explored"])
    assert sorted(shown["candidate_id"]) == sorted(page["candidate_id"][:-1])[:SHOWN]
    # Sent again, it comes when the page is made: nobody sees it.
    shop.write(messages[-1:])
    work(worker, rounds=20)
    last = shop.decided().take(np.array([POOL - 1]))
    assert last["candidate_id"][0] == page["candidate_id"][-1]
    assert last["decision"][0] == BLOCK and last["fallback"][0] and not last["explored"][0]
    worker.close()
    assert audit(shop.case, shop.log, page["candidate_id"]).clean


def test_a_page_is_as_late_as_its_first_candidate(root: Path, tmp_path: Path) -> None:
    shop = Shop.open(ready(root, "pipeline.budget=50s"), tmp_path)
    worker = shop.worker()
    page, messages = shop.page()
    shop.write(messages[:5])
    shop.ahead = -49.0  # 49 seconds pass ...
    shop.write(messages[5:])
    shop.ahead = 40.0
    work(worker, rounds=20)
    assert not shop.decided()["fallback"].any()  # 40 s after the message
    other = page.with_columns(
        candidate_id=page["candidate_id"] + 1000, page_id=page["page_id"] + 1000
    )
    shop.write(_messages(shop, other))
    shop.ahead = 51.0
    work(worker, rounds=20)
    rows = shop.decided()
    late = rows["candidate_id"] >= 1000
    assert rows["fallback"][late].all() and rows["decision"][late].tolist().count(ALLOW) >= SHOWN
    worker.close()


def _messages(shop: Shop, events: Batch) -> list[Message]:
    values = EventCodec(shop.case.prepared.scenario.event).encode(events)
    return [(Place(shop.case.topics.events, 0), value) for value in values]
