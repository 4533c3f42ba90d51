"""Quantities as people write them: ``7d``, ``5ms``, ``2000/s``, ``0.5%``, ``30 USD``, ``19:00``.

Parsed once, into floats: seconds, events per second, shares in [0, 1], USD. A plain number is
taken in the base unit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

__all__ = [
    "AnyQuantity",
    "ClockTime",
    "Duration",
    "Factor",
    "Kind",
    "Money",
    "Offset",
    "Quantity",
    "Rate",
    "Share",
    "format_duration",
    "format_value",
    "parse_quantity",
]

_SECONDS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
    "day": 86400.0, "days": 86400.0, "hour": 3600.0, "hours": 3600.0,
    "week": 7 * 86400.0, "weeks": 7 * 86400.0, "w": 7 * 86400.0,
    "month": 30 * 86400.0, "months": 30 * 86400.0, "year": 365 * 86400.0,
}  # fmt: skip
_NUMBER = r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_INF = float("inf")
_WITH_UNIT = re.compile(rf"^\s*{_NUMBER}\s*([A-Za-z%/]*)\s*$")


class Quantity(float):
    """A number in its base unit; `unit` is ``s``, ``/s``, ``ratio``, ``USD``, ``USD/s`` or empty.

    ``str`` gives back what the user wrote.
    """

    unit: str
    text: str

    def __new__(cls, value: float, unit: str, text: str) -> Quantity:
        """Build from the value in base units."""
        self = super().__new__(cls, value)
        self.unit, self.text = unit, text
        return self

    def __reduce__(self) -> tuple[type[Quantity], tuple[float, str, str]]:
        """Keep unit and text through copies and pickles."""
        return Quantity, (float(self), self.unit, self.text)

    def __str__(self) -> str:
        """Return the text the user wrote."""
        return self.text


@dataclass(frozen=True)
class Kind:
    """What a quantity measures; it lets defaults be shown as people write them.

    `name` is one of ``duration``, ``rate``, ``share``, ``factor``, ``money``, ``clock``, ``any``.
    """

    name: str
    example: str


def parse_quantity(value: object) -> Quantity:
    """Parse a number with an optional unit.

    Raises
    ------
    ValueError
        With a message that names what would be accepted.

    Examples
    --------
    >>> parse_quantity("5ms"), parse_quantity("0.5%").unit, float(parse_quantity("100/day"))
    (0.005, 'ratio', 0.0011574074074074073)
    """
    if isinstance(value, Quantity):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_EXPECTED)
    if not isinstance(value, str):
        return _finite(value, "", "")
    match = _WITH_UNIT.match(value)
    if match is None:
        raise ValueError(_EXPECTED)
    number, unit = match[1], match[2]
    if unit == "":
        return _finite(number, "", value)
    if unit == "%":
        return _finite(number, "ratio", value, per=100.0)
    if unit in _SECONDS:
        return _finite(number, "s", value, times=_SECONDS[unit])
    head, slash, per = unit.partition("/")
    if slash and per in _SECONDS and head in ("", "USD"):
        return _finite(number, f"{head}/s", value, per=_SECONDS[per])
    if unit == "USD":
        return _finite(number, "USD", value)
    raise ValueError(f"unknown unit {unit!r}, expected one of s, ms, min, h, d, /s, /day, %, USD")


def _finite(
    number: str | float, unit: str, text: str, *, times: float = 1.0, per: float = 1.0
) -> Quantity:
    try:
        value = float(number) * times / per
    except OverflowError:
        value = _INF
    if not math.isfinite(value):
        raise ValueError(_EXPECTED)
    return Quantity(value, unit, text.strip() or f"{value:.10g}")


def _reader(units: tuple[str, ...], example: str, low: float, high: float) -> Any:
    def read(value: object) -> float:
        try:
            quantity = parse_quantity(value)
        except ValueError:
            raise ValueError(f"expected {example}") from None
        if quantity.unit not in units or not low <= quantity <= high:
            raise ValueError(f"expected {example}")
        return float(quantity)

    return BeforeValidator(read)


def _clock(value: object) -> float:
    match = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", str(value))
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError("expected a time of day such as 19:00")
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0


def _schema(kind: Kind) -> Any:
    form: dict[str, Any] = {"type": ["string", "number"], "examples": [kind.example]}
    return WithJsonSchema(form)


_EXPECTED = "expected a number with a unit such as 7d, 5ms, 2000/s, 0.5% or 30 USD"
_DURATION, _RATE, _SHARE = Kind("duration", "7d"), Kind("rate", "2000/s"), Kind("share", "2%")
_FACTOR, _MONEY = Kind("factor", "1.3"), Kind("money", "3 USD")
_CLOCK, _ANY = Kind("clock", "19:00"), Kind("any", "100ms")

Duration = Annotated[
    float,
    _reader(("s", ""), "a duration >= 0 such as 7d, 12h or 5ms", 0, _INF),
    _schema(_DURATION),
    _DURATION,
]
Offset = Annotated[
    float,
    _reader(("s", ""), "a duration such as 2d or -2d", -_INF, _INF),
    _schema(_DURATION),
    _DURATION,
]
Rate = Annotated[
    float,
    _reader(("/s", ""), "a rate >= 0 such as 2000/s or 100/day", 0, _INF),
    _schema(_RATE),
    _RATE,
]
Share = Annotated[
    float,
    _reader(("ratio", ""), "a share from 0 to 1 such as 0.5% or 0.005", 0, 1),
    _schema(_SHARE),
    _SHARE,
]
Factor = Annotated[
    float,
    _reader(("ratio", ""), "a number >= 0 such as 1.3 or 130%", 0, _INF),
    _schema(_FACTOR),
    _FACTOR,
]
Money = Annotated[
    float, _reader(("USD", ""), "an amount such as 30 USD", 0, _INF), _schema(_MONEY), _MONEY
]
ClockTime = Annotated[float, BeforeValidator(_clock), _schema(_CLOCK), _CLOCK]
# Plain: a validator for float would turn the quantity into a bare float and lose its unit.
AnyQuantity = Annotated[float, PlainValidator(parse_quantity), _schema(_ANY), _ANY]


def format_duration(seconds: float) -> str:
    """Return a short text in the largest fitting unit.

    Examples
    --------
    >>> format_duration(604800.0), format_duration(0.005), format_duration(5400)
    ('7d', '5ms', '1.5h')
    """
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= size:
            return f"{seconds / size:.10g}{unit}"
    return f"{seconds * 1000:.10g}ms" if seconds else "0s"


def format_value(value: float, kind: Kind) -> str:
    """Return a quantity in base units as a person would write it.

    Examples
    --------
    >>> format_value(0.01, Kind("share", "")), format_value(100 / 86400, Kind("rate", ""))
    ('1%', '100/day')
    """
    match kind.name:
        case "duration":
            return format_duration(value)
        case "rate":
            return f"{value:.4g}/s" if value >= 1 or not value else f"{value * 86400:.6g}/day"
        case "share":
            return f"{value * 100:.6g}%"
        case "money":
            return f"{value:.6g} USD"
        case "clock":
            return f"{int(value // 3600):02d}:{int(value % 3600 // 60):02d}"
        case _:
            return f"{value:.6g}"
