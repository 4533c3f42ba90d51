"""What the imbalance laboratory's numbers say, in sentences that hold for these numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["lesson"]

Row = Mapping[str, str | float | None]
_BROKEN = 1.25
"""Calibration is broken where the Brier score, or what scores promise, is this many times that of
the reference."""


def lesson(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return sentences on ranking, calibration, its repair, money and the baseline.

    Parameters
    ----------
    rows
        As in the record; the first is strategy `none` with raw scores.
    """
    reference = rows[0]
    raw = [r for r in rows if r["scores"] == "raw" and r is not reference]
    others = [r for r in raw if r["model"] == reference["model"]]
    said = []
    if others:
        said += [_ranking(reference, others), _calibration(reference, others)]
        said += [_repair(reference, rows), _money(rows, reference)]
    said += [_baseline(reference, r) for r in raw if r["model"] != reference["model"]]
    return tuple(said)


def _number(row: Row, key: str) -> float:
    value = row[key]
    if not isinstance(value, int | float):
        raise ValueError(f"{key} is no number: {value!r}")
    return float(value)


def _named(rows: Sequence[Row]) -> str:
    return _join([f"{r['strategy']} ({_number(r, 'difference'):+.3f})" for r in rows])


def _join(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _ranking(reference: Row, others: Sequence[Row]) -> str:
    base = _number(reference, "pr_auc")
    better = [r for r in others if _number(r, "difference") > _number(r, "noise")]
    worse = [r for r in others if _number(r, "difference") < -_number(r, "noise")]
    best = max(others, key=lambda r: _number(r, "difference"))
    if better:
        noises = _join([f"{_number(r, 'noise'):.3f}" for r in better])
        text = (
            f"Ranking: {_named(better)} raised PR-AUC above none's {base:.3f} by more than the "
            f"noise ({noises})"
        )
    else:
        text = (
            f"Ranking: no strategy's PR-AUC is above none's {base:.3f} by more than the noise; the "
            f"best, {best['strategy']}, differs by {_number(best, 'difference'):+.3f} and the "
            f"noise is {_number(best, 'noise'):.3f}"
        )
    return text + (f". Below it by more than the noise: {_named(worse)}." if worse else ".")


def _calibration(reference: Row, others: Sequence[Row]) -> str:
    base = _number(reference, "brier")
    broken = [
        r for r in others
        if any(_number(r, k) > _BROKEN * _number(reference, k) for k in ("brier", "promised"))
    ]  # fmt: skip
    count = "every strategy" if len(broken) == len(others) else f"{len(broken)} of {len(others)}"
    said = [
        f"{r['strategy']} {_number(r, 'brier') / base:.1f} times (its scores promise "
        f"{_number(r, 'promised'):.1f} positives for each one there is)"
        for r in sorted(others, key=lambda r: -_number(r, "brier"))
    ]
    return (
        f"Calibration: {count} broke it. Raw Brier score against none's {base:.5f}: {_join(said)}."
    )


def _repair(reference: Row, rows: Sequence[Row]) -> str:
    base, said = _number(reference, "brier"), []
    for name in ("closed_form", "sigmoid", "isotonic"):
        found = [
            r for r in rows
            if r["scores"] == name and r["model"] == reference["model"] and r["strategy"] != "none"
        ]  # fmt: skip
        if found:
            worst = max(found, key=lambda r: _number(r, "brier"))
            times = _number(worst, "brier") / base
            said.append(
                f"{name.replace('_', ' ')} leaves at most {times:.2f} times none's Brier score "
                f"({worst['strategy']})"
            )
    return f"Repair: {_join(said)}. It moves no PR-AUC, since it keeps the order of scores."


def _money(rows: Sequence[Row], reference: Row) -> str:
    same = [r for r in rows if r["model"] == reference["model"]]
    raw = [r for r in same if r["scores"] == "raw"]
    fixed = [r for r in same if r["scores"] == "isotonic"]
    worst = max(raw, key=lambda r: _number(r, "cost_at_theory"))
    repaired = next(r for r in fixed if r["strategy"] == worst["strategy"])
    spread = [_number(r, "cost") for r in same]
    return (
        "Money: a cut-off that was tried out on the calibration slice does not need probabilities "
        f"({min(spread):,.0f} to {max(spread):,.0f} USD a day over all rows). A cut-off from "
        f"theory, c_FP / (c_FP + c_FN), does: with raw scores of {worst['strategy']} it costs "
        f"{_number(worst, 'cost_at_theory'):,.0f} USD a day, after isotonic calibration "
        f"{_number(repaired, 'cost_at_theory'):,.0f}."
    )


def _baseline(reference: Row, row: Row) -> str:
    gain, noise = -_number(row, "difference"), _number(row, "noise")
    verdict = "more than" if abs(gain) > noise else "within"
    return (
        f"Baseline: {row['model']} without any correction has PR-AUC {_number(row, 'pr_auc'):.3f}; "
        f"{reference['model']} is {gain:+.3f} from it, {verdict} the noise of {noise:.3f}."
    )
