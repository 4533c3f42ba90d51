"""A synthetic run record, seeded, shaped like the default run of the first scenario."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.record import (
    AlertRecord,
    IncidentRecord,
    MetricTable,
    ObjectiveResult,
    RunRecord,
    VersionRecord,
)

FEATURES = (
    "amount", "hour_of_day", "weekend", "channel", "count_customer_id_1d", "count_customer_id_7d",
    "count_customer_id_30d", "mean_amount_customer_id_1d", "mean_amount_customer_id_7d",
    "mean_amount_customer_id_30d", "count_terminal_id_1d", "count_terminal_id_7d",
    "count_terminal_id_30d", "share_label_terminal_id_1d", "share_label_terminal_id_7d",
    "share_label_terminal_id_30d", "score",
)  # fmt: skip
DIAGRAM = """flowchart LR
  P[Payments<br/>2000/s] -->|by customer| A[[Stage 1<br/>spending features]]
  A -->|by terminal| B[[Stage 2<br/>terminal risk]]
  B --> M{Model}
  M -->|score| D[Decide]
  D --> Q(Review queue)
  D -.-> L[(Feature log)]
  C[Chargebacks] -. days later .-> L
  L --> T[Training] ==>|gate| M
  P --> X[Dead letters]
"""
DESIGN = """title: reference
ingest: {partitions: 12, key: customer_id}
features:
  - amount
  - count: {by: customer_id, over: [1d, 7d, 30d]}
model:
  champion: {xgboost: {trees: 100, depth: 4, learning_rate: 0.2}}
retraining:
  when: [every 28d, on performance]
"""


def _dip(days: NDArray[np.float64], start: float, heal: float, depth: float) -> NDArray[np.float64]:
    fall = np.clip((days - start) / 3, 0, 1)
    back = np.clip((days - heal) / 3, 0, 1)
    return np.asarray(-depth * fall * (1 - 0.93 * back))


def _quality(
    table: MetricTable, days: NDArray[np.float64], retrains: bool, rng: np.random.Generator
) -> None:
    levels = {"recall_at_capacity": 0.79, "precision_at_capacity": 0.42, "pr_auc": 0.71}
    for metric, level in levels.items():
        heal = 63.0 if retrains else 1e9
        truth = level + _dip(days, 45, heal, 0.45 * level)
        noise = rng.normal(0, 0.018, len(days))
        for day, value, wiggle in zip(days, truth, noise, strict=True):
            table.add(day, metric, value + wiggle, "oracle")
            if day < len(days) - 7:
                table.add(day, metric, value - 0.01 + rng.normal(0, 0.02), "observed")
            table.add(day, metric, level + 0.02 + 0.3 * wiggle, "estimated")
            table.add(day, metric, 0.8 * value + wiggle - 0.06, "baseline")


def _inputs(table: MetricTable, days: NDArray[np.float64], rng: np.random.Generator) -> None:
    for feature in FEATURES:
        base = 10 ** rng.uniform(-2.6, -1.8)
        for day in days:
            value = base * rng.lognormal(0, 0.4)
            if "amount" in feature and day >= 70:
                value += 0.4 * min((day - 70) / 20, 1)
            if feature == "amount" and 95 <= day < 97:
                value += 3.5
            table.add(day, "psi", value, feature)
            table.add(day, "ks", value**0.5 / 4, feature)
            table.add(day, "js", value / 5, feature)
    for day in days:
        table.add(day, "missing", 0.002 + 0.001 * rng.random(), "channel")
        table.add(day, "missing", 0.06 if 95 <= day < 97 else 0.0, "amount")
        table.add(day, "invalid", 0.08 if 95 <= day < 97 else 1e-4, "out_of_range")
        table.add(day, "invalid", 2e-4, "duplicate")
        table.add(day, "positive_rate", 0.005 + (0.002 if day > 45 else 0), "oracle")


def _stack(table: MetricTable, days: int, rng: np.random.Generator) -> None:
    for hour in range(24 * days):
        day = hour / 24
        surge = 3 if 84 <= day < 88 else 1
        load = 2000 * (1 - 0.6 * np.cos(2 * np.pi * (day - 7 / 24))) * surge
        table.add(day, "load", load)
        table.add(day, "lag", load * rng.lognormal(-4, 0.3) * surge)
        table.add(day, "latency_p50", 0.011 * (1 + load / 9000))
        table.add(day, "latency_p99", 0.034 * rng.lognormal(0, 0.1) * (1 + (load / 5000) ** 3))
        for name, use in (("customer_id", 0.31), ("terminal_id", 0.22), ("score", 0.18)):
            table.add(day, "utilisation", min(use * load / 3000, 1.0), name)
        table.add(day, "answered", 0.997 if surge > 1 else 1.0)


def _ledger(
    table: MetricTable, days: NDArray[np.float64], retrains: bool, rng: np.random.Generator
) -> None:
    totals = dict.fromkeys(("missed", "false_declines", "reviews", "no_model"), 0.0)
    for day in days:
        bad = 45 <= day < 63 or (day >= 63 and not retrains)
        totals["missed"] += rng.gamma(9, 170) * (2.6 if bad else 1.0)
        totals["false_declines"] += rng.gamma(9, 8)
        totals["reviews"] += 294
        totals["no_model"] += rng.gamma(9, 620) * (1.3 if day >= 45 else 1)
        for kind, value in totals.items():
            table.add(day, "loss", value, kind)
        for kind, count in (("allow", 9800), ("review", 96), ("block", 17)):
            table.add(day, "decisions", rng.poisson(count), kind)
        table.add(day, "reviews", 96, "worked")
        table.add(day, "reviews", 40 if bad else 3, "overflow")


def _incidents(retrains: bool) -> list[IncidentRecord]:
    return [
        IncidentRecord(
            "ring", "concept drift",
            "A ring tests stolen cards with small amounts at a cluster of terminals.",
            45.0, None, 0.792, 0.418, 0.771 if retrains else 0.43, 55.0, "performance pr_auc",
            64.0 if retrains else None, True,
            "Recall fell by 47 % and nobody saw it for 10 days, because labels are late. "
            + ("Retraining bought back 0.35." if retrains else "Without retraining it stayed so."),
        ),
        IncidentRecord(
            "inflation", "covariate drift", "Prices rise; honest customers spend more.",
            70.0, 90.0, 0.781, 0.752, 0.771, 79.0, "psi amount", None, False,
            "Inputs moved and quality held. Retraining bought nothing here (+0.002).",
        ),
        IncidentRecord(
            "holiday_sale", "load_spike", "Three times the usual traffic for four days.",
            84.0, 88.0, 0.78, 0.76, 0.77, None, "", None, False, "p99 rose to 260 ms.",
        ),
        IncidentRecord(
            "cents", "unit_change fault", "A client release sends cents instead of dollars.",
            95.0, 97.0, 0.78, 0.70, 0.771, 95.0, "invalid out_of_range", 97.0, True,
            "Dead letters gave it away on the first day.",
        ),
    ]  # fmt: skip


def _versions(retrains: bool) -> list[VersionRecord]:
    offline = {"pr_auc": 0.712, "recall_at_capacity": 0.79, "brier": 0.0021}
    worse = {"pr_auc": 0.441, "recall_at_capacity": 0.52, "brier": 0.0034}
    base = {"pr_auc": 0.522, "recall_at_capacity": 0.58, "brier": 0.0031}
    first = VersionRecord(
        1, "start", 0.0, -49.0, -14.0, 161_204, 803, offline, {}, base, True,
        ("first version: nothing to compare with",), 0.0, 61.0 if retrains else None,
    )  # fmt: skip
    if not retrains:
        return [first]
    return [
        first,
        VersionRecord(
            2, "every 28d", 28.0, -21.0, 14.0, 160_110, 811,
            {"pr_auc": 0.69, "recall_at_capacity": 0.77, "brier": 0.0022}, offline, base, False,
            ("pr_auc 0.690 is 0.022 below the champion's 0.712, more than 0.010 is refused",
             "difference 95 % interval -0.051 to +0.008"),
        ),
        VersionRecord(
            3, "on performance", 58.0, 9.0, 44.0, 163_400, 1190, offline, worse, base, True,
            ("pr_auc 0.712 against 0.441: better by 0.271", "calibration: Brier 0.0021 <= 0.0034"),
            61.0, 112.0, False, 0.351,
        ),
        VersionRecord(
            4, "every 28d", 109.0, 60.0, 95.0, 168_020, 1302, offline, offline, base, True,
            ("pr_auc 0.712 against 0.712: not worse",), 112.0, None, False, 0.002,
        ),
    ]  # fmt: skip


def _histograms(
    weeks: int, rng: np.random.Generator, versions: int
) -> dict[str, dict[str, list[float]]]:
    odds = np.linspace(-11.5, 11.5, 41)
    edges = np.concatenate(([0.0], 1 / (1 + np.exp(-odds[:-1])), [1.0]))
    scores: dict[str, list[float]] = {"edges": edges.tolist()}
    for week in range(weeks):
        draw = rng.normal(-6 + (0.5 if week > 10 else 0), 1.3, 20_000)
        draw[:150] = rng.normal(1.5, 1.2, 150)
        scores[f"week {week}"] = (
            np.histogram(1 / (1 + np.exp(-draw)), edges)[0].astype(float).tolist()
        )
    found = {"score_by_week": scores}
    for number in range(1, versions + 1):
        mean = np.geomspace(3e-4, 0.85, 10)
        share = np.clip(mean * rng.lognormal(0.25 if number == 1 else 0, 0.15, 10), 0, 1)
        found[f"calibration v{number}"] = {
            "mean_score": mean.tolist(),
            "share_positive": [0.0, *share[1:].tolist()],
            "count": np.geomspace(30_000, 90, 10).tolist(),
        }
    return found


def _alerts() -> list[AlertRecord]:
    return [
        AlertRecord(21, "adwin", "review_precision", 0.41, 0.0, "review precision changed"),
        AlertRecord(55, "performance", "pr_auc", 0.51, 0.57, "pr_auc is 28 % below reference"),
        AlertRecord(56, "adwin", "review_precision", 0.3, 0.0, "review precision changed"),
        AlertRecord(79, "psi", "amount", 0.26, 0.25, "psi of amount is 0.26, threshold 0.25"),
        AlertRecord(83, "psi", "mean_amount_customer_id_1d", 0.3, 0.25, "psi 0.30"),
        AlertRecord(95, "invalid", "out_of_range", 0.08, 0.01, "8 % of events out of range"),
    ]


def _objectives(retrains: bool) -> list[ObjectiveResult]:
    recovered = 19.0 if retrains else None
    recall = 0.71 if retrains else 0.56
    return [
        ObjectiveResult("recall_at_capacity", "at least 60%", recall, f"{recall}", retrains,
                        "oracle, mean of days 0-120"),
        ObjectiveResult("good_customers_blocked", "at most 0.2%", 0.0011, "0.11 %", True,
                        "decisions, days 0-120"),
        ObjectiveResult("event_to_decision_p99", "at most 100ms", 0.26, "260 ms", False,
                        "worst day: 86"),
        ObjectiveResult("net_loss_per_1000_events", "at most 400 USD", 221.0, "221 USD", True,
                        "ledger, days 0-120"),
        ObjectiveResult("time_to_recover", "at most 14d", recovered,
                        "19 d" if retrains else "never", False, "ring: day 45 to day 64"),
        ObjectiveResult("infrastructure", "at most 15000 USD/month", None, "\N{EN DASH}", None,
                        "not measured in this execution"),
    ]  # fmt: skip


def make_record(
    seed: int = 7, days: int = 120, retrains: bool = True, design: str = "reference"
) -> RunRecord:
    """Return a record that looks like a real run."""
    rng = np.random.default_rng(seed)
    table = MetricTable()
    grid = np.arange(days, dtype=np.float64)
    _quality(table, grid, retrains, rng)
    _inputs(table, grid, rng)
    _stack(table, days, rng)
    _ledger(table, grid, retrains, rng)
    money = {k: float(table.series("loss", k)[1][-1]) for k in table.names("loss")}
    money["total"] = money["missed"] + money["false_declines"] + money["reviews"]
    versions = _versions(retrains)
    return RunRecord(
        scenario="fraud", title="Card fraud", task="binary", design=design, seed=seed,
        days=float(days), start_date="2026-01-05", population=4000.0, complete=True,
        events=days * 9913, primary="recall_at_capacity", objectives=_objectives(retrains),
        incidents=_incidents(retrains), alerts=_alerts(), versions=versions, money=money,
        counts={"allow": 1_176_000, "review": 11_520, "block": 2_040, "fallback": 311,
                "dead_letter.out_of_range": 1_610, "dead_letter.duplicate": 238},
        notes=["One simulated customer stands for 4,000; money is that of the simulated slice.",
               "Label delays are compressed: real chargebacks take 30 to 120 days."],
        diagram=DIAGRAM,
        design_text=DESIGN if retrains else DESIGN.replace("[every 28d, on performance]", "never"),
        metrics=table, histograms=_histograms(days // 7, rng, len(versions)),
    )  # fmt: skip


def make_partial() -> RunRecord:
    """Return the record of a run that was stopped after two days and measured little."""
    table = MetricTable()
    for day in (0.0, 1.0, 2.0):
        table.add(day, "recall_at_capacity", float("nan") if day == 0 else 0.7, "oracle")
        table.add(day, "load", 2000.0)
    return RunRecord(
        scenario="fraud", title="Card fraud", task="binary", design="mine", seed=1, days=120.0,
        start_date="2026-01-05", population=1.0, complete=False, events=20_000,
        primary="recall_at_capacity", metrics=table,
    )  # fmt: skip


@pytest.fixture(scope="session")
def record() -> RunRecord:
    return make_record()


@pytest.fixture(scope="session")
def never() -> RunRecord:
    return make_record(retrains=False, design="never-retrain")


@pytest.fixture()
def partial() -> RunRecord:
    return make_partial()


@pytest.fixture(scope="session")
def factory() -> Callable[..., RunRecord]:
    return make_record
