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
from tests.interview.conftest import RUNS

ROOT = Path(__file__).parent.parent.parent
DAY = 86400.0
# What scenario.yaml, design.yaml, reference.yaml and prices.yaml say, as a person reads them there.
MEAN, RATIO, SALE = 2000.0, 4.0, 1.8
SHARE, CARDS = 0.005, 5000 * 30000
BYTES, STATE = 185.0, 200.0
DECLINE, HANDLING, REVIEW, TYPICAL = 8.0, 25.0, 3.0, 60.0
SLICE = MEAN * DAY / 30000
PEAK = MEAN * 2 * RATIO / (RATIO + 1)
SPREAD = math.log(30 / 7) / 1.645


def costs() -> Mapping[str, Any]:
    data: Mapping[str, Any] = read_source(ROOT / "sandbox" / "capacity" / "reference.yaml").data
    return data


def batch(parts: Mapping[str, float], size: int = 500) -> float:
    """Reckon by hand what a full batch of events takes."""
    call = sum(costs()[name]["call"] for name in parts)
    return float(call + size * sum(costs()[name]["event"] * n for name, n in parts.items()))


def worker_rate() -> float:
    """What one worker of the slower of two stages carries."""
    customer = batch({"fetch": 1, "decode": 1, "send": 1, "check": 1, "feature": 8, "encode": 1})
    terminal = batch({"fetch": 1, "decode": 1, "send": 1, "feature": 8, "score": 60, "decide": 1})
    return 500 / max(customer, terminal)


FRAUD: Mapping[str, Callable[[], float]] = {
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
# The same for spam.
MAIL, SPAM, REPORTED = 432e6, 0.17, 0.92
STRANGERS = MAIL * (1 - SPAM) * 0.11 * 15
STATE_OF_SENDERS = (400 * 432_000 + STRANGERS) * STATE
HASHED = 1 + 3.4
"""Work on words and on runs of characters, in times of that on words."""
COLUMNS = 3 + 1 + 1 + 2
"""Counts, mean and pace of the sender, its known spam; those of text are paid for as text."""


def filter_rate() -> float:
    """What one worker of the only stage carries, with the trees that there are at the start."""
    return 500 / batch(
        {"fetch": 1, "decode": 1, "send": 1, "check": 1, "text": HASHED, "feature": COLUMNS,
         "score": 60, "decide": 1})  # fmt: skip


MESSAGES: Mapping[str, Callable[[], float]] = {
    "events_a_day": lambda: MAIL,
    "peak_rate": lambda: 7500,
    "surge_rate": lambda: 7500 * 1.8,
    "spams_a_day": lambda: MAIL * SPAM,
    "mail_lost": lambda: MAIL * (1 - SPAM) * 0.001,
    "bandwidth": lambda: 7500 * BYTES,
    "log_storage": lambda: MAIL * BYTES * 7 * 3,
    "addresses": lambda: STRANGERS,
    "state_total": lambda: STATE_OF_SENDERS,
    "state_per_partition": lambda: STATE_OF_SENDERS / 12,
    "hashing_cores": lambda: 7500 * costs()["text"]["event"] * HASHED,
    "workers_needed": lambda: math.ceil(7500 * 1.8 / (0.6 * filter_rate())) + 1,
    "catch_up": lambda: 60 * 7500 / (4 * filter_rate() - 7500),
    "positives": lambda: 21 * 1000 * SPAM,
    "random_precision": lambda: SPAM,
    "words_a_bucket": lambda: 350 / 64,
    "block_threshold": lambda: 4 / 4.2,
    "hold_break_even": lambda: 0.05 / 0.20,
    "ceiling": lambda: REPORTED,
    "labels_known": lambda: REPORTED * float(
        norm.cdf(math.log(48 / 5) / (math.log(30 / 5) / 1.645))),
    "weighted_score": lambda: SPAM,
    "quarantine_load": lambda: 160 / 170,
    "alert_after": lambda: 4 * DAY,
    "downtime": lambda: 0.001 * 30 * DAY,
    "bill": lambda: 730 * (4 * 0.05 + 3 * 0.40),
}  # fmt: skip
# The same for house prices.
LISTINGS, UNSOLD = 500 * DAY, 0.12
LATE = math.log(80 / 50) / 1.645


def sold(age: float) -> float:
    """Share of listings whose price is known at an age [days]."""
    return (1 - UNSOLD) * float(norm.cdf(math.log(age / 50) / LATE))


def valuer_rate() -> float:
    """What one worker carries; six columns of the listing and three of the cell."""
    return 500 / batch(
        {"fetch": 1, "decode": 1, "send": 1, "check": 1, "feature": 3, "score": 150,
         "decide": 1})  # fmt: skip


HOMES: Mapping[str, Callable[[], float]] = {
    "events_a_day": lambda: LISTINGS,
    "peak_rate": lambda: 800,
    "surge_rate": lambda: 1440,
    "slice_day": lambda: 150,
    "never_known": lambda: 540,
    "bandwidth": lambda: 800 * BYTES,
    "log_storage": lambda: LISTINGS * BYTES * 7 * 3,
    "waiting_rows": lambda: LISTINGS * 90,
    "waiting_bytes": lambda: LISTINGS * 90 * 200,
    "workers_needed": lambda: 2,
    "catch_up": lambda: 60 * 800 / (2 * valuer_rate() - 800),
    "error_floor": lambda: 0.08 * math.sqrt(2 / math.pi),
    "best_hits": lambda: float(norm.cdf(math.log(1.1) / 0.08) - norm.cdf(math.log(0.9) / 0.08)),
    "labels_known": lambda: sold(30),
    "training_labels": lambda: 150 * 20 * sold(54),
    "wrong_at_fifth": lambda: float(
        norm.sf(math.log(1.1) / (0.2 / 1.645)) + norm.cdf(math.log(0.9) / (0.2 / 1.645))),
    "withhold_break_even": lambda: 120 / 170,
    "appraise_break_even": lambda: 20 / 50,
    "stale_error": lambda: 1 / 0.78 - 1,
    "appraised": lambda: 8 / 150,
    "alert_after": lambda: 43 * DAY,
    "relearnt_after": lambda: 64 * DAY,
    "downtime": lambda: 0.001 * 30 * DAY,
    "bill": lambda: 730 * (2 * 0.05 + 3 * 0.40),
}  # fmt: skip
# The same for recommendations.
PAGES, POOL, SHOWN, PEOPLE = 400 * DAY, 25, 10, 600 * 86400
CLICKED, POPULAR = 0.179, 0.128
"""Shares of shown videos that are clicked, measured: by the reference, and of what is popular."""
SAMPLE = 16 * (1 - POPULAR) / (POPULAR * 0.05**2)


def ranker_rate() -> float:
    """What one worker of the slower stage carries: seven columns of a video, three of a person."""
    video = {"fetch": 1, "decode": 1, "send": 1, "check": 1, "feature": 7, "encode": 1}
    person = {"fetch": 1, "decode": 1, "send": 1, "feature": 3, "score": 40, "decide": 1}
    return 1000 / max(batch(video, 1000), batch(person, 1000))


CLICKS: Mapping[str, Callable[[], float]] = {
    "pages_a_day": lambda: PAGES,
    "peak_rate": lambda: 640,
    "candidates_peak": lambda: 16_000,
    "surge_rate": lambda: 25_600,
    "people_all": lambda: PEOPLE,
    "scan": lambda: 640 * 10e6 * 8,
    "cache_bytes": lambda: PEOPLE * 500 * 12,
    "log_storage": lambda: 864e6 * BYTES * 7 * 3,
    "latency_left": lambda: 0.150 - 0.015 - 0.0075,
    "workers_needed": lambda: math.ceil(25_600 / (0.6 * ranker_rate())) + 1,
    "catch_up": lambda: 60 * 16_000 / (4 * ranker_rate() - 16_000),
    "slice_pages": lambda: 400,
    "random_share": lambda: SHOWN / POOL,
    "third_place": lambda: 1 / math.log2(1 + 3),
    "training_rows": lambda: 400 * (10 + 1.5) * 14,
    "clicks_a_person": lambda: 64_400 * CLICKED / 600,
    "factors_memory": lambda: PEOPLE * 8 * 4,
    "show_break_even": lambda: 0.001 / 0.011,
    "explore_cost": lambda: PAGES * 1.5 * 0.001,
    "sample": lambda: SAMPLE,
    "test_days": lambda: SAMPLE / (400 * 0.05 * 10) * DAY,
    "control_cost": lambda: PAGES * 0.05 * 10 * (CLICKED - POPULAR) * 0.01,
    "alert_after": lambda: 1.75 * DAY,
    "relearnt_after": lambda: 18.25 * DAY,
    "bot_clicks": lambda: 0.25 + 0.75 * CLICKED,
    "downtime": lambda: 0.001 * 30 * DAY,
    "bill": lambda: 730 * (4 * 2 * 0.05 + 3 * 0.40),
}
EXPECTED: Mapping[str, Mapping[str, Callable[[], float]]] = {
    "fraud": FRAUD, "house-prices": HOMES, "recommendations": CLICKS, "spam": MESSAGES
}  # fmt: skip
FIGURES: Mapping[str, Mapping[str, float]] = {
    "fraud": {
        "cards": 150e6, "block_at": 8 / 93, "review_at": 3 / 85, "review_share": 100 / 5760,
        "peak_rate": 2000 * 1.6 * 7 / 6.6, "known_by_then": 0.5, "log_kept": 671.3e9,
        "seen_after": 10.5 * DAY, "budget_minutes": 2592.0, "state": 30e9,
    },
    "house-prices": {
        "slice_a_day": 150, "withhold_at": 12 / 17, "appraise_at": 0.4, "appraised_share": 8 / 150,
        "peak_rate": 800 * 7 / 6.2, "too_high": 22 / 78, "sold_at_alert": sold(38),
        "floor": 0.08 * math.sqrt(2 / math.pi), "waiting": LISTINGS * 90,
        "log_kept": LISTINGS * BYTES * 21, "budget_minutes": 2592.0,
    },
    "recommendations": {
        "pages_a_day": PAGES, "peak_rate": 640, "left_out": 15, "people_all": PEOPLE, "entering": 8,
        "show_at": 1 / 11, "random_share": 0.4, "relearnt": 18.25 * DAY, "explore_cost": 51_840,
        "log_kept": 864e6 * BYTES * 21, "sample_needed": SAMPLE, "budget_minutes": 2592.0,
    },
    "spam": {
        "mailboxes": 172.8e6, "slice_a_day": 1000, "quarantine_share": 0.16, "exchange": 20,
        "block_at": 4 / 4.2, "hold_at": 0.25, "peak_rate": 7500 * 7 / 6.4, "known_by_then": 0.9027,
        "log_kept": MAIL * BYTES * 21, "seen_after": 4 * DAY, "explore": 0.1,
        "hashing": 7500 * 7 / 6.4 * 1.1e-5 * HASHED,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def interviews(project: Path) -> Mapping[str, Loaded]:
    return {name: load_walkthrough(name, (project / "scenarios",)) for name in EXPECTED}


@pytest.fixture(scope="module")
def answers(interviews: Mapping[str, Loaded]) -> Mapping[str, Mapping[str, float]]:
    return {name: expected_numbers(one) for name, one in interviews.items()}


@pytest.fixture(scope="module")
def whole(interviews: Mapping[str, Loaded]) -> Loaded:
    return interviews["fraud"]


@pytest.fixture(params=EXPECTED)
def each(request: pytest.FixtureRequest, interviews: Mapping[str, Loaded]) -> Loaded:
    return interviews[request.param]


def test_every_number_is_recomputed(each: Loaded) -> None:
    expected = EXPECTED[each.name]
    assert set(expected) == set(each.walkthrough.numbers) and len(expected) >= 15
    assert set(EXPECTED) == set(RUNS)


@pytest.mark.parametrize(
    ("scenario", "name"), [(scenario, name) for scenario in EXPECTED for name in EXPECTED[scenario]]
)
def test_a_number_from_first_principles(
    answers: Mapping[str, Mapping[str, float]], scenario: str, name: str
) -> None:
    assert answers[scenario][name] == pytest.approx(EXPECTED[scenario][name](), rel=2e-3)


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
    ("scenario", "name"), [(scenario, name) for scenario in FIGURES for name in FIGURES[scenario]]
)
def test_figures_that_texts_name(
    interviews: Mapping[str, Loaded], scenario: str, name: str
) -> None:
    value = FIGURES[scenario][name]
    assert interviews[scenario].figures[name] == pytest.approx(value, rel=2e-3)


def test_every_figure_is_reckoned_or_has_a_source(each: Loaded) -> None:
    for name, figure in each.walkthrough.figures.items():
        assert (figure.is_ is not None) != bool(figure.source), name


def test_no_answer_names_a_number_that_nobody_vouches_for(each: Loaded) -> None:
    found = dict(claims(each.walkthrough))
    assert len(found) > 100
    for where, text in found.items():
        assert not BARE_NUMBER.search(PLACEHOLDER.sub("", text)), where
    assert BARE_NUMBER.search("about 0.5 % of them") and not BARE_NUMBER.search("p99, the 99th")


def test_named_figures_are_used(each: Loaded) -> None:
    """A figure that no text names is noise; those of public sources may wait in the sheet."""
    plan: Any = each.walkthrough
    from sandbox.interview.contract import texts

    used = {name for _, text in texts(plan) for name in PLACEHOLDER.findall(text)}
    formulas = " ".join(
        [n.expect for n in plan.numbers.values()]
        + [f.is_ or "" for f in plan.figures.values()]
    )  # fmt: skip
    idle = [n for n in plan.figures if n not in used and f"figures.{n}" not in formulas]
    assert idle == []
