"""Numbers as people say them in an interview: ``172.8M``, ``3.4 k/s``, ``60 GB``, ``about 5 %``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

__all__ = ["KINDS", "Tolerance", "show_number", "stated_number", "within"]

KINDS = ("count", "rate", "share", "bytes", "byte_rate", "seconds", "money")
"""What a number is about."""
_SCALES: Mapping[str, float] = MappingProxyType({
    "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "millions": 1e6, "b": 1e9,
    "bn": 1e9, "g": 1e9, "billion": 1e9, "t": 1e12, "trillion": 1e12,
})  # fmt: skip
_TIMES: Mapping[str, float] = MappingProxyType({
    "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0,
    "hour": 3600.0, "d": 86400.0, "day": 86400.0, "week": 604800.0, "month": 2592000.0,
})  # fmt: skip
_BYTES: Mapping[str, float] = MappingProxyType({
    "b": 1.0, "byte": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
    "kib": 1024.0, "mib": 1024.0**2, "gib": 1024.0**3, "tib": 1024.0**4,
    "kbit": 125.0, "mbit": 125e3, "gbit": 125e6, "kbps": 125.0, "mbps": 125e3, "gbps": 125e6,
})  # fmt: skip
_NUMBER = re.compile(r"([+-]?(?:\d[\d,_ ]*\d|\d)?(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(.*)$", re.S)
_FILLER = re.compile(
    r"^(?:about|around|roughly|approximately|approx\.?|some|say|circa|~|≈|=|usd|\$)\s*", re.I
)
_TAIL = re.compile(
    r"\b(?:events?|payments?|messages?|partitions?|workers?|cores?|rows?|cases?|a|an|of|in|it)\b"
)
_EXPECTED = {
    "count": "a number such as 172.8M or 12", "rate": "a rate such as 3.4k/s",
    "share": "a share such as 0.5 %", "bytes": "a size such as 60 GB",
    "byte_rate": "a bandwidth such as 400 kB/s or 3 Mbit/s", "seconds": "a duration such as 40 ms",
    "money": "an amount such as 1200 USD",
}  # fmt: skip


def stated_number(text: str, kind: str) -> float:
    """Return a number that somebody stated, in base units: events, bytes, seconds, shares, USD.

    Raises
    ------
    ValueError
        Naming what would be understood.

    Examples
    --------
    >>> stated_number("about 172.8 million payments a day", "count"), stated_number("5%", "share")
    (172800000.0, 0.05)
    >>> stated_number("3.4k/s", "rate"), stated_number("1.2 TB", "bytes")
    (3400.0, 1200000000000.0)
    """
    rest = text.strip()
    while (shorter := _FILLER.sub("", rest)) != rest:
        rest = shorter
    match = _NUMBER.match(rest)
    if match is None or not match[1] or len(text) > 80:
        raise ValueError(f"expected {_EXPECTED[kind]}")
    try:
        value = float(re.sub(r"[,_ ]", "", match[1]))
        factor = _factor(_TAIL.sub(" ", match[2].strip().lower()).split(), kind)
    except (ValueError, OverflowError):
        raise ValueError(f"expected {_EXPECTED[kind]}") from None
    if not math.isfinite(value * factor):
        raise ValueError(f"expected {_EXPECTED[kind]}")
    return value * factor


def _factor(parts: list[str], kind: str) -> float:
    """Return what a unit in words multiplies by; ValueError where it is of another kind."""
    text = " ".join(parts).replace("per ", "/").replace(" /", "/").replace("/ ", "/").strip()
    text, slash, per = text.partition("/")
    factor = 1.0
    for word in text.split():
        factor *= _word(word, kind)
    if slash and kind in ("rate", "byte_rate"):
        unit = per.strip()
        return factor / (_TIMES.get(unit) or _word(unit.removesuffix("s") or "s", "seconds"))
    return factor


def _word(word: str, kind: str) -> float:
    word = word.rstrip(".")
    if kind in ("bytes", "byte_rate") and word in _BYTES:
        return _BYTES[word]
    if kind == "seconds" and (word in _TIMES or word.removesuffix("s") in _TIMES):
        return _TIMES[word] if word in _TIMES else _TIMES[word.removesuffix("s")]
    if kind == "share" and word in ("%", "percent"):
        return 0.01
    if kind == "money" and word in ("usd", "$", "dollars", "dollar"):
        return 1.0
    if word in ("day", "second", "month", "hour", "days") and kind in ("count", "bytes", "money"):
        return 1.0  # "172.8M a day": what is asked for is a day's
    if word in _SCALES:
        return _SCALES[word]
    raise ValueError(word)


def show_number(value: float, kind: str) -> str:
    """Return a number in base units as people say it, with three digits.

    Examples
    --------
    >>> show_number(172.8e6, "count"), show_number(0.005, "share"), show_number(0.1, "seconds")
    ('173 million', '0.5 %', '100 ms')
    >>> show_number(1.2e12, "bytes"), show_number(3394.3, "rate"), show_number(1448, "money")
    ('1.2 TB', '3,390/s', '1,450 USD')
    """
    if kind == "share":
        return f"{_digits(100 * value)} %"
    if kind == "seconds":
        steps = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
        for size, unit in steps:
            if abs(value) >= 2 * size or (size == 1.0 and abs(value) >= 1):
                return f"{_digits(value / size)} {unit}"
        return f"{_digits(value * 1000)} ms"
    if kind in ("bytes", "byte_rate"):
        end = "/s" if kind == "byte_rate" else ""
        for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
            if abs(value) >= size:
                return f"{_digits(value / size)} {unit}{end}"
        return f"{_digits(value)} B{end}"
    end = {"rate": "/s", "money": " USD"}.get(kind, "")
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{_digits(value / size)} {word}{end}"
    return f"{_digits(value)}{end}"


def _digits(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    places = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    if float(rounded).is_integer():
        return f"{rounded:,.0f}"
    return f"{rounded:.{max(places, 0)}f}".rstrip("0")


def _tolerance(value: object) -> tuple[float, float]:
    both = re.fullmatch(r"([0-9.]+)\s*%", str(value).strip())
    if both and float(both[1]) < 100:
        return (float(both[1]) / 100, float(both[1]) / 100)
    found = dict(re.findall(r"([+-])([0-9.]+)\s*%", str(value)))
    if set(found) == {"+", "-"} and float(found["-"]) < 100:
        return (float(found["-"]) / 100, float(found["+"]) / 100)
    raise ValueError("expected a tolerance such as 20% or +50% -0%")


def _read_tolerance(value: Any) -> tuple[float, float]:
    return value if isinstance(value, tuple) else _tolerance(value)


Tolerance = Annotated[
    tuple[float, float],
    BeforeValidator(_read_tolerance),
    WithJsonSchema({"type": "string", "examples": ["20%", "+50% -0%"]}),
]
"""How far below and above the expected number an answer may be, as shares of it."""


def within(stated: float, expected: float, tolerance: tuple[float, float]) -> bool:
    """Return whether a stated number is near enough.

    Examples
    --------
    >>> within(14, 12, (0.0, 0.5)), within(11, 12, (0.0, 0.5))
    (True, False)
    """
    slack = 1e-9 * abs(expected)
    low = expected - abs(expected) * tolerance[0] - slack
    return low <= stated <= expected + abs(expected) * tolerance[1] + slack
