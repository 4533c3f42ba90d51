"""What the detector laboratory's numbers say, in sentences that hold for these numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["lesson"]

Row = Mapping[str, str | float | None]
_NOISY = 5.0
"""False alarms in 10,000 values above which a delay is hardly more than waiting for one."""
_MISSES = 0.5
_QUIET = 1.0
_SLOW = 2000.0
_FAULTS = (
    f"missed at least {_MISSES:.0%} of the streams",
    f"gave more than {_QUIET:g} false alarm in 10,000 values",
    f"needed more than {_SLOW:,.0f} values",
)
"""What makes a detector useless for a shift, worst first; each is held against the next."""


def lesson(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return sentences on each shift, on noisy detectors, and on the settings.

    Parameters
    ----------
    rows
        As in the record.
    """
    ours = [r for r in rows if r["settings"] == "sandbox"]
    shifts = dict.fromkeys((r["before"], r["after"]) for r in ours)
    of = {shift: [r for r in ours if (r["before"], r["after"]) == shift] for shift in shifts}
    said = [_shift(found) for found in of.values()]
    return tuple(filter(None, (*said, _noisy(ours), _settings(rows))))


def _number(row: Row, key: str) -> float:
    value = row[key]
    if not isinstance(value, int | float):
        raise ValueError(f"{key} is no number: {value!r}")
    return float(value)


def _join(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _shift(rows: Sequence[Row]) -> str:
    """Say which detectors are of use for a shift, and what is wrong with the others."""
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(_fault(row), []).append(row)
    head = f"{_number(rows[0], 'before'):g} to {_number(rows[0], 'after'):g}"
    useful = sorted(kinds.pop("", []), key=lambda r: _number(r, "delay"))
    named = [f"{r['detector']} after {_number(r, 'delay'):,.0f} values" for r in useful]
    said = [f"{_join([str(r['detector']) for r in kinds[k]])} {k}" for k in _FAULTS if k in kinds]
    text = f"of use: {_join(named)}" if useful else f"none of {len(rows)} is of use"
    return f"{head}: " + "; ".join([text, *said]) + "."


def _fault(row: Row) -> str:
    missed, delay = _number(row, "missed"), row["delay"]
    if missed >= _MISSES or not isinstance(delay, int | float):
        return _FAULTS[0]
    if _number(row, "false_alarms") > _QUIET:
        return _FAULTS[1]
    return _FAULTS[2] if delay > _SLOW else ""


def _noisy(rows: Sequence[Row]) -> str:
    worst: dict[str, Row] = {}
    for row in rows:
        name = str(row["detector"])
        if _number(row, "false_alarms") > _number(worst.get(name, row), "false_alarms") - 1e-9:
            worst[name] = row
    said = [
        f"{name} gives {_number(r, 'false_alarms'):.1f} in 10,000 values at a rate of "
        f"{_number(r, 'before'):g}, one in {10_000 / _number(r, 'false_alarms'):,.0f} values"
        for name, r in worst.items()
        if _number(r, "false_alarms") >= _NOISY
    ]
    if not said:
        return ""
    return f"False alarms: {_join(said)}; a delay of that order says nothing."


def _settings(rows: Sequence[Row]) -> str:
    def alarms(settings: str) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for row in rows:
            if row["settings"] == settings:
                found.setdefault(str(row["detector"]), []).append(_number(row, "false_alarms"))
        return {name: sum(values) / len(values) for name, values in found.items()}

    river, ours = alarms("river"), alarms("sandbox")
    said = [
        f"{name} from {river[name]:.1f} to {ours[name]:.1f}"
        for name in ours
        if abs(river[name] - ours[name]) >= 0.1
    ]
    if not said:
        return "Settings: warm-up and fresh starts changed no detector's false alarms by 0.1."
    return (
        "Settings: warm-up and fresh starts moved the false alarms in 10,000 values, over all "
        f"rates, of {_join(said)}."
    )
