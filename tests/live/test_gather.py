"""Candidates wait for the rest of their request: counted, withdrawn, called, and never twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.live.worker.gather import CALL, Gather, call, withdrawals
from sandbox.spec.scenario import Slate

SLATE = Slate(request="page", user="visitor", item="thing", size="many")


def candidates(
    ids: Sequence[int], pages: Sequence[int], many: float | Sequence[float], sent: float = 0.0
) -> Batch:
    n = len(ids)
    return Batch(
        {
            "id": np.asarray(ids, dtype=np.int64),
            "page": np.asarray(pages, dtype=np.int64),
            "visitor": np.asarray(pages, dtype=np.int64) % 3,
            "many": np.broadcast_to(np.asarray(many, dtype=float), (n,)),
            "processing_time": np.asarray(pages, dtype=float),
            "sent": np.full(n, sent),
            "features": np.outer(ids, [1.0, 2.0]).astype(np.float32).reshape(n, 2),
        }
    )


def gone(ids: Sequence[int], pages: Sequence[int], many: float) -> Batch:
    return withdrawals(candidates(ids, pages, many), SLATE, "visitor")


def state(gather: Gather) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in gather.arrays().items()}


def test_a_request_is_complete_with_its_last_candidate() -> None:
    gather = Gather(SLATE, "id")
    assert len(gather.take(candidates([5, 7, 1], [1, 2, 1], 3, sent=4.0))) == 0
    assert gather.since == 4.0
    done = gather.take(candidates([9, 2], [2, 1], 3, sent=6.0))
    assert done["id"].tolist() == [1, 2, 5] and not done["behind"].any()
    assert done["features"].tolist() == [[1, 2], [2, 4], [5, 10]]  # each keeps its own
    assert gather.since == 4.0  # page 2 still waits
    assert gather.take(candidates([8], [2], 3))["id"].tolist() == [7, 8, 9]
    assert gather.since == np.inf


def test_requests_stand_one_after_the_other() -> None:
    done = Gather(SLATE, "id").take(candidates([4, 1, 3, 2], [9, 8, 8, 9], 2))
    assert done["page"].tolist() == [8, 8, 9, 9] and done["id"].tolist() == [1, 3, 2, 4]


def test_what_was_refused_is_not_waited_for() -> None:
    gather = Gather(SLATE, "id")
    gather.take(candidates([1], [1], 3))
    assert len(gather.withdraw(gone([2], [1], 3))) == 0
    assert gather.take(candidates([3], [1], 3))["id"].tolist() == [1, 3]
    # And of a request that was refused as a whole nothing stays.
    assert len(gather.withdraw(gone([4, 5, 6], [2, 2, 2], 3))) == 0
    assert gather.since == np.inf
    # The last one may be the one that does not come.
    gather.take(candidates([7, 8], [3, 3], 3))
    assert gather.withdraw(gone([9], [3], 3))["id"].tolist() == [7, 8]


def test_a_call_lets_go_of_what_waits_too_long_and_the_rest_comes_behind() -> None:
    gather = Gather(SLATE, "id")
    gather.take(candidates([1, 2], [1, 1], 3, sent=10.0))
    gather.take(candidates([3], [2], 2, sent=11.0))
    message = call(10.5)
    assert message[CALL].tolist() == [10.5]
    assert gather.let_go(10.5)["id"].tolist() == [1, 2]
    assert gather.since == 11.0
    late = gather.take(candidates([4, 5], [1, 2], 2, sent=12.0))
    assert dict(zip(late["id"].tolist(), late["behind"].tolist(), strict=True)) == {
        3: False, 5: False, 4: True,
    }  # fmt: skip
    assert len(gather.withdraw(gone([6], [1], 3))) == 0 and gather.since == np.inf


def test_an_unknown_size_waits_for_the_call() -> None:
    gather = Gather(SLATE, "id")
    assert len(gather.take(candidates([1, 2], [1, 1], np.nan))) == 0
    assert gather.take(candidates([3], [1], 3))["id"].tolist() == [1, 2, 3]  # one knows it
    gather.take(candidates([4, 5], [2, 2], np.nan))
    assert gather.let_go(0.0)["id"].tolist() == [4, 5]


def test_what_waits_survives_as_arrays() -> None:
    gather, other = Gather(SLATE, "id"), Gather(SLATE, "id")
    gather.take(candidates([1, 2], [1, 2], 3))
    gather.let_go(-1.0)
    gather.withdraw(gone([4], [1], 3))
    arrays = {"mine": np.zeros(1), **gather.arrays()}
    other.load(arrays)
    assert list(arrays) == ["mine"] and state(other) == state(gather)
    for one in (gather, other):
        assert one.take(candidates([3], [1], 3))["id"].tolist() == [1, 3]
    fresh = Gather(SLATE, "id")
    fresh.load(dict(Gather(SLATE, "id").arrays()))
    assert len(fresh.let_go(np.inf)) == 0


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Draw messages of ten pages of one to four candidates: events, withdrawals, calls."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=10))
    rows = [(page, size) for page, size in enumerate(sizes) for _ in range(size)]
    order = draw(st.permutations(range(len(rows))))
    kinds = draw(
        st.lists(st.sampled_from("eeegc"), min_size=len(rows), max_size=len(rows))
    )  # fmt: skip
    return [(kind, at, rows[at][0]) for kind, at in zip(kinds, order, strict=True)]


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_however_the_log_is_split_each_candidate_comes_out_once(
    log: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    sizes = {page: sum(p == page for _, _, p in log) for _, _, page in log}
    # A candidate whose message became a call never came: its page waits for the last call.
    whole, split = Gather(SLATE, "id"), Gather(SLATE, "id")
    cuts = data.draw(st.sets(st.integers(1, max(len(log) - 1, 1))))
    one = _folded(whole, log, sizes, [0, len(log)])
    other = _folded(split, log, sizes, sorted({0, *cuts, len(log)}))
    assert state(whole) == state(split)
    one, other = one + _ids(whole.let_go(np.inf)), other + _ids(split.let_go(np.inf))
    came = sorted(at for kind, at, _ in log if kind == "e")
    assert sorted(one) == sorted(other) == came


def _folded(
    gather: Gather, log: list[tuple[str, int, int]], sizes: dict[int, int], cuts: list[int]
) -> list[int]:
    """Fold a log with runs of events in one piece, but for cuts; return who came out."""
    out: list[int] = []
    for start, stop in pairwise(cuts):
        at = start
        while at < stop:
            kind = log[at][0]
            end = at + 1
            while kind == "e" and end < stop and log[end][0] == "e":
                end += 1
            ids, pages = [row[1] for row in log[at:end]], [row[2] for row in log[at:end]]
            if kind == "e":
                many = [float(sizes[page]) for page in pages]
                sent = (np.array(ids) % 3 == 0).astype(float)
                done = gather.take(candidates(ids, pages, many).with_columns(sent=sent))
            elif kind == "g":
                done = gather.withdraw(gone(ids, pages, sizes[pages[0]]))
            else:
                done = gather.let_go(0.5)
            out += _ids(done)
            at = end
    return out


def _ids(done: Batch) -> list[int]:
    return done["id"].tolist() if len(done) else []


def test_only_the_last_thousands_of_requests_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sandbox.live.worker.gather.KEPT", 2)
    gather = Gather(SLATE, "id")
    for page in (1, 2, 3):
        gather.take(candidates([page], [page], 2))
        gather.let_go(0.0)
    behind = gather.take(candidates([11, 12, 13], [1, 2, 3], 2))
    assert behind["id"].tolist() == [12, 13] and behind["behind"].all()
