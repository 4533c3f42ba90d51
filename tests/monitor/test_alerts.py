from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.monitor.alerts import AlertEngine, QualityWindow
from sandbox.monitor.drift import DriftMonitor
from sandbox.monitor.quality import QualityMonitor
from sandbox.monitor.rules import Signals
from sandbox.monitor.streams import matured_labels
from sandbox.record import AlertRecord
from sandbox.spec.design import AlertSpec

Floats = NDArray[Any]

DAY = 86400.0
NAMES = ("amount", "count_1d", "weekend")


def engine(task: Any, *specs: dict[str, Any], **kw: Any) -> AlertEngine:
    return AlertEngine([AlertSpec.model_validate(s) for s in specs], NAMES, task, **kw)


def psi(**values: float) -> Signals:
    return Signals(distances={"psi": values})


def days_of(engine: AlertEngine, signals: list[Signals]) -> list[int]:
    return [day for day, now in enumerate(signals) if engine.evaluate(day, now)]


def test_one_alert_names_the_worst_and_lists_the_others(task: Any) -> None:
    watch = engine(task, {"psi": {"of": "all", "act": 0.25}})
    (alert,) = watch.evaluate(3, psi(amount=0.3, count_1d=0.5, weekend=9.0, score=9.0))
    assert alert == AlertRecord(
        3, "psi", "count_1d", 0.5, 0.25, "psi: count_1d 0.50, over 0.25; also amount 0.30"
    )


def test_many_subjects_are_cut_short(task: Any) -> None:
    names = tuple(f"f{i}" for i in range(8))
    watch = AlertEngine([AlertSpec.model_validate({"psi": {"act": 0.1}})], names, task)
    (alert,) = watch.evaluate(0, psi(**{n: 1.0 for n in names}))
    assert alert.text.endswith("f4 1.00 and 3 more")


def test_clock_readings_and_the_score_are_watched_only_by_name(task: Any) -> None:
    watch = engine(task, {"psi": {"of": ["all", "weekend"], "act": 0.1}},
                   {"psi": {"of": "score", "act": 0.1}})  # fmt: skip
    alerts = watch.evaluate(0, psi(weekend=1.0, score=2.0))
    assert [a.subject for a in alerts] == ["weekend", "score"]


def test_for_is_counted_from_the_first_bad_look(task: Any) -> None:
    spec = {"psi": {"act": 0.25, "for": "2d", "cooldown": "0d"}}
    bad, good = psi(amount=1.0), psi(amount=0.0)
    assert days_of(engine(task, spec), [good, bad, bad, bad, bad]) == [3, 4]
    assert days_of(engine(task, spec), [bad, bad, good, bad, bad, good]) == []
    # Each subject has its own clock: two that take turns never last.
    other = psi(count_1d=1.0)
    assert days_of(engine(task, spec), [bad, other] * 4) == []


def test_only_lasting_subjects_are_named(task: Any) -> None:
    watch = engine(task, {"psi": {"act": 0.25, "for": "1d"}})
    assert watch.evaluate(0, psi(amount=0.3)) == []
    (alert,) = watch.evaluate(1, psi(amount=0.3, count_1d=5.0))
    assert alert.text == "psi: amount 0.30, over 0.25 for 1d"


def test_cooldown_silences_the_specification_and_then_repeats(task: Any) -> None:
    watch = engine(task, {"psi": {"act": 0.25, "cooldown": "3d"}})
    bad = psi(amount=1.0)
    assert days_of(watch, [bad, bad, psi(count_1d=1.0), bad, psi(), bad, bad]) == [0, 3, 6]


def test_a_promotion_clears_what_is_pending_but_not_the_cooldown(task: Any) -> None:
    watch = engine(task, {"psi": {"act": 0.25, "for": "1d", "cooldown": "9d"}})
    bad = psi(amount=1.0)
    assert watch.evaluate(0, bad) == []
    watch.reset_reference(0.5)
    assert watch.evaluate(1, bad) == []
    assert watch.evaluate(2, bad)
    watch.reset_reference(2.5)
    assert not any(watch.evaluate(day, bad) for day in range(3, 11))
    assert watch.evaluate(11, bad)


def test_missing_and_invalid(task: Any) -> None:
    watch = engine(task, {"missing": {"of": "all", "act": "2%"}}, {"invalid": {"act": "1%"}},
                   columns=("channel",))  # fmt: skip
    assert watch.evaluate(0, Signals(missing={"channel": 0.02}, invalid={"null": 0.01})) == []
    alerts = watch.evaluate(1, Signals(missing={"channel": 0.03}, invalid={"null": 0.02}))
    assert [a.text for a in alerts] == [
        "missing: channel 3.0%, over 2.0%",
        "invalid: null 2.0% of events, 2.0% refused in all",
    ]


def test_what_the_run_must_measure(task: Any) -> None:
    watch = engine(
        task,
        {"performance": {"of": "pr_auc", "window": "14d", "maturity": "5d"}},
        {"performance": {"of": "pr_auc", "window": "14d", "maturity": "5d", "drop": "50%"}},
        {"estimate": None},
        {"adwin": {"of": "score"}},
        {"ddm": {"of": ["review_precision", "matured_labels"]}},
    )
    assert watch.quality_windows == (
        QualityWindow("observed", ("pr_auc",), 14 * DAY, 5 * DAY),
        QualityWindow("estimated", ("recall_at_capacity",), 7 * DAY, 0.0),
    )
    assert watch.streams == ("score", "review_precision", "matured_labels")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"psi": {"of": "amont"}}, r"alerts\[0\].psi.of: unknown feature.*Did you mean amount"),
        ({"missing": {"of": "chanel"}}, "unknown feature.*Did you mean channel"),
        ({"performance": {"of": "prauc"}}, "unknown metric.*Did you mean pr_auc"),
        ({"adwin": {"of": "scores"}}, "unknown stream.*Did you mean score"),
        ({"ddm": {"of": "score"}}, "expected one of review_precision"),
        ({"invalid": {"of": "null"}}, "unknown reason"),
    ],
)
def test_bad_specifications_are_user_errors(task: Any, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        engine(task, spec, columns=("channel",))


SPECS: tuple[dict[str, Any], ...] = (
    {"psi": {"of": "all", "for": "2d"}},
    {"ks": {"of": "all"}},
    {"js": {"of": "score"}},
    {"missing": {"of": "all"}},
    {"invalid": {}},
    {"adwin": {"of": ["matured_labels", "review_precision"]}},
    {"performance": {"of": "pr_auc"}},
    {"performance": {"of": "recall_at_capacity"}},
    {"estimate": {"of": "pr_auc"}},
)


def features(rng: np.random.Generator, score: Floats, day: int) -> Floats:
    """Three features; counts are a fifth lower and amounts higher at weekends."""
    weekend = float(day % 7 >= 5)
    rows = len(score)
    return np.column_stack([
        rng.lognormal(3 + 0.1 * weekend, 1, rows),
        rng.poisson(4 - 0.8 * weekend, rows),
        np.full(rows, weekend),
    ])  # fmt: skip


def simulate(
    task: Any, log: Batch, days: int, seed: int, shift_day: int = 999
) -> list[AlertRecord]:
    """Run all monitors daily on a log whose quiet part is the whole of it unless it drifts."""
    rng = np.random.default_rng(seed)
    watch = engine(task, *SPECS)
    quality = QualityMonitor(
        task, ["pr_auc", "recall_at_capacity"], window=7 * DAY, maturity=7 * DAY,
        capacity_per_day=20.0, absence=0.0,
    )  # fmt: skip
    past = [rng.beta(0.1, 10, 2000) for _ in range(14)]
    reference = np.concatenate([features(rng, s, d) for d, s in enumerate(past)])
    drift = DriftMonitor(NAMES, reference, np.concatenate(past))
    watch.reset_reference(0.0)
    alerts = []
    for day in range(1, days + 1):
        score = rng.beta(0.1, 10, 2000)
        matrix = features(rng, score, day - 1)
        matrix[:, 0] *= 2.5 if day > shift_day else 1.0
        drift.add(matrix, score)
        now, last = day * DAY, (day - 1) * DAY
        today = log.slice(*log["processing_time"].searchsorted([last, now]).tolist())
        verdicts = today["label"][np.argsort(-today["score"])[:20]]
        settings = {"maturity": 7 * DAY, "absence": 0.0}
        signals = Signals(
            distances=drift.distances(),
            missing=drift.missing_excess(),
            invalid={"null": 0.001},
            quality=quality.observe(now, log),
            streams={
                "review_precision": verdicts,
                "matured_labels": matured_labels(log, last, now, **settings),
            },
        )
        alerts += watch.evaluate(day, signals)
    return alerts


def test_at_most_one_false_alert_in_thirty_quiet_days(task: Any, make_log: Any) -> None:
    counts = [len(simulate(task, make_log(s, 30, per_day=5760), 30, s)) for s in range(6)]
    assert max(counts) <= 1
    assert sum(counts) <= 2


def test_concept_drift_is_seen_by_labels_only(task: Any, make_log: Any) -> None:
    alerts = simulate(task, make_log(3, 50, per_day=5760, drift_day=30), 50, 3)
    kinds = {a.kind for a in alerts if a.day > 30}
    assert "performance" in kinds
    assert kinds <= {"performance", "adwin", "estimate"}
    # Labels count after 7 days, so the observed view cannot speak before day 37.
    assert 37 < min(a.day for a in alerts if a.kind == "performance") <= 44


def test_covariate_drift_is_seen_by_inputs_only(task: Any, make_log: Any) -> None:
    alerts = simulate(task, make_log(4, 40), 40, 4, shift_day=20)
    found = {(a.kind, a.subject) for a in alerts if a.day > 20}
    assert ("psi", "amount") in found
    assert ("ks", "amount") in found
    assert not {a.kind for a in alerts} & {"performance", "estimate", "adwin"}
