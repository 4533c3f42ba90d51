"""Every numeric check and every reckoned figure, from first principles and the scenario's file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm

from sandbox.interview.assembly import Assembly
from sandbox.interview.content import Loaded, load_walkthrough
from sandbox.interview.contract import BARE_NUMBER, PLACEHOLDER, claims
from sandbox.interview.notes import Notes, Setup
from sandbox.interview.prompts import SKIP
from sandbox.interview.sheet import expected_numbers
from sandbox.spec.source import read_source

DAY = 86400.0
# What scenario.yaml, design.yaml, reference.yaml and prices.yaml say, as a person reads them there.
MEAN, RATIO, SALE = 2000.0, 4.0, 1.8
SHARE, CARDS = 0.005, 5000 * 30000
BYTES, STATE = 185.0, 200.0
DECLINE, HANDLING, REVIEW, TYPICAL = 8.0, 25.0, 3.0, 60.0
SLICE = MEAN * DAY / 30000
PEAK = MEAN * 2 * RATIO / (RATIO + 1)
SPREAD = math.log(30 / 7) / 1.645


def worker_rate() -> float:
    """Reckon by hand what one worker of the slower stage carries: a full batch of 500 events."""
    costs = read_source(Path("sandbox/capacity/reference.yaml").resolve()).data

    def batch(parts: Mapping[str, float]) -> float:
        call = sum(costs[name]["call"] for name in parts)
        return float(call + 500 * sum(costs[name]["event"] * n for name, n in parts.items()))

    customer = batch({"fetch": 1, "decode": 1, "send": 1, "check": 1, "feature": 8, "encode": 1})
    terminal = batch({"fetch": 1, "decode": 1, "send": 1, "feature": 8, "score": 60, "decide": 1})
    return 500 / max(customer, terminal)


EXPECTED: Mapping[str, Callable[[], float]] = {
    "events_a_day": lambda: 172_800_000,
    "peak_rate": lambda: 3200,
    "surge_rate": lambda: 3200 * SALE,
    "frauds_a_day": lambda: 864_000,
    "bandwidth": lambda: 3200 * BYTES,
    "log_storage": lambda: 172.8e6 * BYTES * 7 * 3,
    "state_total": lambda: CARDS * STATE,
    "state_per_partition": lambda: 30e9 / 12,
    "workers_needed": lambda: math.ceil(3200 * SALE / (0.6 * worker_rate())) + 1,
    "catch_up": lambda: 60 * 3200 / (4 * worker_rate() - 3200),
    "latency_left": lambda: 0.1 - 3 * 0.0025,
    "positives": lambda: 28 * SLICE * SHARE,
    "random_precision": lambda: SHARE,
    "block_threshold": lambda: DECLINE / (DECLINE + TYPICAL + HANDLING),
    "review_break_even": lambda: REVIEW / (TYPICAL + HANDLING),
    "labels_known": lambda: float(norm.cdf(math.log(7 / 7) / SPREAD)),
    "corrected_score": lambda: 1 / 21,
    "weighted_score": lambda: 1 / 201,
    "review_load": lambda: 100 / SLICE,
    "alert_after": lambda: 10.5 * DAY,
    "downtime": lambda: 0.001 * 30 * DAY,
    "bill": lambda: 730 * (4 * 2 * 0.05 + 3 * 0.40),
}


@pytest.fixture(scope="module")
def whole(project: Path) -> Loaded:
    return load_walkthrough("fraud", (project / "scenarios",))


def test_every_number_is_recomputed(whole: Loaded) -> None:
    assert set(EXPECTED) == set(whole.walkthrough.numbers) and len(EXPECTED) >= 15


@pytest.mark.parametrize("name", EXPECTED)
def test_a_number_from_first_principles(whole: Loaded, name: str, project: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(project)
    assert expected_numbers(whole)[name] == pytest.approx(EXPECTED[name](), rel=2e-3)


def notes_of(loaded: Loaded) -> Notes:
    plan = loaded.walkthrough
    return Notes(loaded, Setup(), Assembly(plan.start, loaded.scenario, plan.diagram))


def test_an_error_is_carried_forward_and_counted_once(whole: Loaded) -> None:
    """Ten times too many payments a day make ten times the bandwidth; that one is right then."""
    notes, numbers = notes_of(whole), whole.walkthrough.numbers
    assert not notes.state("events_a_day", numbers["events_a_day"], "1.728 billion").right
    assert notes.state("peak_rate", numbers["peak_rate"], "32k/s").right
    assert notes.state("bandwidth", numbers["bandwidth"], "5.9 MB/s").right
    assert not notes.state("bandwidth", numbers["bandwidth"], "592 kB/s").right


def test_the_candidates_own_design_counts(whole: Loaded) -> None:
    notes, numbers = notes_of(whole), whole.walkthrough.numbers
    notes.state("state_total", numbers["state_total"], "30 GB")
    for partitions, share in ((1, "30 GB"), (500, "60 MB")):
        notes.assembly.apply({"ingest.partitions": partitions})
        assert notes.state("state_per_partition", numbers["state_per_partition"], share).right
    notes.assembly.apply({"model.training.label_maturity": "14d"})
    share = notes.state("labels_known", numbers["labels_known"], SKIP).expected
    assert share == pytest.approx(float(norm.cdf(math.log(2) / SPREAD)), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cards", 150e6), ("block_at", 8 / 93), ("review_at", 3 / 85), ("review_share", 100 / 5760),
     ("peak_rate", 2000 * 1.6 * 7 / 6.6), ("known_by_then", 0.5), ("log_kept", 671.3e9),
     ("seen_after", 10.5 * DAY), ("budget_minutes", 2592.0), ("state", 30e9)],
)  # fmt: skip
def test_figures_that_texts_name(whole: Loaded, name: str, value: float) -> None:
    assert whole.figures[name] == pytest.approx(value, rel=2e-3)


def test_every_figure_is_reckoned_or_has_a_source(whole: Loaded) -> None:
    for name, figure in whole.walkthrough.figures.items():
        assert (figure.is_ is not None) != bool(figure.source), name


def test_no_answer_names_a_number_that_nobody_vouches_for(whole: Loaded) -> None:
    found = dict(claims(whole.walkthrough))
    assert len(found) > 100
    for where, text in found.items():
        assert not BARE_NUMBER.search(PLACEHOLDER.sub("", text)), where
    assert BARE_NUMBER.search("about 0.5 % of them") and not BARE_NUMBER.search("p99, the 99th")


def test_named_figures_are_used(whole: Loaded) -> None:
    """A figure that no text names is noise; those of public sources may wait in the sheet."""
    plan: Any = whole.walkthrough
    from sandbox.interview.contract import texts

    used = {name for _, text in texts(plan) for name in PLACEHOLDER.findall(text)}
    formulas = " ".join(
        [n.expect for n in plan.numbers.values()]
        + [f.is_ or "" for f in plan.figures.values()]
    )  # fmt: skip
    idle = [n for n in plan.figures if n not in used and f"figures.{n}" not in formulas]
    assert idle == []
