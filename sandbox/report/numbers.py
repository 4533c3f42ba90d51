"""How numbers, days and names are written for people, in the report and in the terminal."""

from __future__ import annotations

import math

__all__ = ["clip", "day", "days_between", "join", "money", "number", "quality",
           "seconds", "share", "words"]  # fmt: skip

DASH = "\N{EN DASH}"
NBSP = "\N{NO-BREAK SPACE}"
_ABBREVIATIONS = frozenset({"pr", "roc", "auc", "psi", "ks", "js", "mae", "rmse", "ndcg", "mrr"})
_STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def number(value: float | None) -> str:
    """Return a number with three significant digits and no exponent.

    Examples
    --------
    >>> number(0.7134), number(18234.0), number(1204.0), number(-0.04)
    ('0.713', '18.2k', '1,204', '-0.04')
    """
    if value is None or not math.isfinite(value):
        return DASH
    size = abs(value)
    if size >= 9999.5:
        step, letter = next((s, t) for s, t in _STEPS if size >= s * 0.9995)
        return f"{_digits(value / step)}{letter}"
    return f"{value:,.0f}" if size >= 999.5 else _digits(value)


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value)) + 1e-12))
    if places > 9:
        return f"{value:.1e}"
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quality(value: float | None) -> str:
    """Return a quality metric with three decimals, so that columns and arrows line up.

    Examples
    --------
    >>> quality(0.7), quality(0.0021), quality(12.5)
    ('0.700', '0.0021', '12.5')
    """
    if value is not None and 0.1 <= abs(value) < 10:
        return f"{value:.3f}"
    return number(value)


def money(value: float | None) -> str:
    r"""Return an amount in USD.

    Examples
    --------
    >>> money(18234.0)
    '18.2k\xa0USD'
    """
    text = number(value)
    return text if text == DASH else f"{text}{NBSP}USD"


def share(value: float | None) -> str:
    r"""Return a share as a percentage.

    Examples
    --------
    >>> share(0.0011)
    '0.11\xa0%'
    """
    text = number(None if value is None else 100 * value)
    return text if text == DASH else f"{text}{NBSP}%"


def seconds(value: float | None) -> str:
    r"""Return a duration of machine size.

    Examples
    --------
    >>> seconds(0.038), seconds(300.0)
    ('38\xa0ms', '5\xa0min')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if value < 1:
        return f"{_digits(1000 * value)}{NBSP}ms"
    return f"{_digits(value)}{NBSP}s" if value < 120 else f"{_digits(value / 60)}{NBSP}min"


def day(value: float | None) -> str:
    """Return a day of the run.

    Examples
    --------
    >>> day(46.0), day(46.25)
    ('day 46', 'day 46.2')
    """
    if value is None or not math.isfinite(value):
        return DASH
    return f"day {value:.0f}" if float(value).is_integer() else f"day {value:.1f}"


def days_between(start: float, end: float) -> str:
    """Return a distance in days.

    Examples
    --------
    >>> days_between(45.0, 49.5), days_between(1.0, 2.0), days_between(3.0, 3.0)
    ('4.5 days', '1 day', 'the same day')
    """
    if end == start:
        return "the same day"
    text = _digits(round(end - start, 1))
    return f"{text} day" if text == "1" else f"{text} days"


def words(name: str) -> str:
    """Return an identifier as words, with the field's abbreviations in capitals.

    Examples
    --------
    >>> words("recall_at_capacity"), words("pr_auc")
    ('recall at capacity', 'PR AUC')
    """
    parts = name.split("_")
    return " ".join(p.upper() if p in _ABBREVIATIONS else p for p in parts)


def clip(text: str, length: int) -> str:
    """Return `text`, cut to `length` with an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def join(parts: list[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
