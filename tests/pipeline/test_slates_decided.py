"""Candidates of a request: the first are shown, by one model, and the rest is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.batch import Batch
from sandbox.pipeline.decide import ALLOW, BLOCK, Thresholds, decide_slates
from sandbox.pipeline.pipeline import Pipeline, Serving
from sandbox.spec.design import Decision, Design
from sandbox.spec.scenario import EventSchema

SCHEMA = EventSchema.model_validate(
    {
        "id": "candidate_id",
        "slate": {"request": "page", "user": "who", "item": "what"},
        "columns": {
            "page": {"type": "key"}, "who": {"type": "key"}, "what": {"type": "key"},
            "price": {"type": "number"},
        },
    }
)  # fmt: skip
POOL, SHOW = 8, 3


def design(**decision: object) -> Design:
    features = ["price", {"count": {"by": "what", "over": "1d"}}]
    return Design.model_validate({"features": features, "decision": {"show": SHOW, **decision}})


def pages(requests: int = 400, seed: int = 1) -> Batch:
    rng = np.random.default_rng(seed)
    rows = requests * POOL
    times = 1e9 + np.repeat(np.sort(rng.uniform(0, 80_000, requests)), POOL)
    return Batch(
        {
            "candidate_id": np.arange(rows), "event_time": times, "processing_time": times,
            "page": np.repeat(np.arange(requests), POOL),
            "who": np.repeat(rng.integers(0, 50, requests), POOL),
            "what": rng.integers(0, 99, rows), "price": rng.uniform(0, 1, rows),
        }
    )  # fmt: skip


def dear(features: np.ndarray) -> np.ndarray:
    return features[:, 0].astype(np.float64)


def cheap(features: np.ndarray) -> np.ndarray:
    return 1.0 - dear(features)


def shown_of(done: object, score: np.ndarray) -> np.ndarray:
    """Return whether each page shows exactly its first by `score`."""
    page = done.events["page"]  # type: ignore[attr-defined]
    shown = done.decision == ALLOW  # type: ignore[attr-defined]
    best = np.zeros(len(page), dtype=bool)
    for number in np.unique(page):
        rows = np.flatnonzero(page == number)
        best[rows[np.argsort(-score[rows], kind="stable")[:SHOW]]] = True
    agree = shown == best
    return np.array([agree[page == number].all() for number in np.unique(page)])


def serving(**settings: object) -> Serving:
    return Serving(dear, Thresholds(), 1, baseline=cheap, **settings)  # type: ignore[arg-type]


def test_names_are_in_the_matrix_and_no_inputs() -> None:
    pipeline = Pipeline(SCHEMA, design())
    assert pipeline.plan.names == ("price", "what_count_1d", "page", "who", "what")
    assert pipeline.plan.inputs == ("price", "what_count_1d")
    batch = pages(5)
    features = pipeline.process(batch).features
    for name in ("page", "who", "what"):
        assert (features[:, pipeline.plan.names.index(name)] == batch[name]).all()


def test_each_page_shows_its_first() -> None:
    batch = pages()
    done = Pipeline(SCHEMA, design()).process(batch, serving=serving())
    assert shown_of(done, batch["price"]).all()
    assert set(done.decision) == {ALLOW, BLOCK} and not done.fallback.any()
    assert done.control is not None and not done.control.any()


def test_a_page_without_an_answer_shows_what_came_first() -> None:
    batch = pages()
    answered = batch["page"] % 4 != 0
    done = Pipeline(SCHEMA, design()).process(batch, serving=serving(), answered=answered)
    assert (done.fallback == ~answered).all()
    order = np.where(answered, batch["price"], -np.arange(len(batch), dtype=float))
    assert shown_of(done, order).all()
    alone = Pipeline(SCHEMA, design()).process(batch)
    assert alone.fallback.all() and shown_of(alone, -np.arange(len(batch), dtype=float)).all()


def test_a_control_is_whole_pages_by_the_baseline() -> None:
    batch = pages(2000)
    done = Pipeline(SCHEMA, design(control="30%")).process(batch, serving=serving())
    assert done.control is not None
    by_page = done.control.reshape(-1, POOL)
    assert (by_page.all(axis=1) == by_page.any(axis=1)).all()
    assert by_page[:, 0].mean() == pytest.approx(0.3, abs=0.03)
    score = np.where(done.control, 1 - batch["price"], batch["price"])
    assert shown_of(done, score).all()
    assert done.score == pytest.approx(score, abs=1e-6)


def test_a_canary_is_whole_pages_too_and_other_ones() -> None:
    batch = pages(2000)
    other = Serving(cheap, Thresholds(), 2)
    both = serving(canary=other, canary_share=0.3)
    done = Pipeline(SCHEMA, design(control="30%")).process(batch, serving=both)
    tried = (done.version == 2).reshape(-1, POOL)
    assert (tried.all(axis=1) == tried.any(axis=1)).all()
    assert tried[:, 0].mean() == pytest.approx(0.3, abs=0.03)
    assert done.control is not None
    together = np.corrcoef(tried[:, 0], done.control.reshape(-1, POOL)[:, 0])[0, 1]
    assert abs(together) < 0.08


def test_exploring_shows_some_of_the_hidden_beside_the_first() -> None:
    batch = pages(2000)
    done = Pipeline(SCHEMA, design(explore="20%")).process(batch, serving=serving())
    plain = Pipeline(SCHEMA, design()).process(batch, serving=serving())
    hidden = plain.decision == BLOCK
    assert (done.decision[~hidden] == ALLOW).all() and not done.explored[~hidden].any()
    assert (done.explored == (hidden & (done.decision == ALLOW))).all()
    assert done.explored[hidden].mean() == pytest.approx(0.2, abs=0.02)
    with pytest.raises(ValueError, match="uniform"):
        decide_slates(batch["price"], batch["page"], 2, explore=0.1)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=40))
def test_no_page_shows_more_than_its_places(rows: list[tuple[int, float]]) -> None:
    page, score = (np.array(column) for column in zip(*rows, strict=True))
    shown = decide_slates(score, page, SHOW).decision == ALLOW
    for number in np.unique(page):
        mine = page == number
        assert shown[mine].sum() == min(SHOW, mine.sum())
        if shown[mine].sum() < mine.sum():
            assert score[mine & shown].min() >= score[mine & ~shown].max()


@pytest.mark.parametrize(
    ("decision", "what"),
    [
        ({"show": 3, "review": {"capacity": "5/day"}}, "shows or hides"),
        ({"show": 3, "block": {"above": 0.5}}, "shows or hides"),
        ({"control": "5%"}, "only a ranking has a control"),
        ({"show": 0}, "greater than or equal to 1"),
    ],
)
def test_decisions_that_contradict_themselves(decision: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Decision.model_validate(decision)


def test_show_alone_means_neither_review_nor_block() -> None:
    alone = Decision.model_validate({"show": 3})
    assert alone.review is None and alone.block is None


def test_a_slate_needs_key_columns() -> None:
    plain = SCHEMA.model_dump() | {"slate": {"request": "price", "user": "who", "item": "what"}}
    with pytest.raises(ValueError, match="expected a key column, one of page, who, what"):
        EventSchema.model_validate(plain)
