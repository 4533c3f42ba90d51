"""A file's columns as columns of an event schema, and what is wrong with single rows.

Nothing is guessed from values. Text of digits is that number; other text in a key column becomes a
number by a hash that is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FINE", "NULL", "OUT_OF_RANGE", "WRONG_TYPE", "Values", "categories", "keys", "numbers",
           "texts", "times"]  # fmt: skip

FINE, NULL, WRONG_TYPE, OUT_OF_RANGE = range(4)
"""Reasons why a value cannot be used, as codes."""
_NOTHING = ("", "NULL", "null", "NaN", "nan", "NA")
Values = tuple[NDArray[Any], NDArray[np.int8]]


def numbers(column: Any) -> Values:
    """Return float64 (missing: NaN) and reasons; true and false count as 1 and 0.

    Parameters
    ----------
    column
        An Arrow array of numbers, truth values or text.
    """
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if _is_text(column.type):
        return _of_text(column, pa.float64(), _number, np.nan, np.float64)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        if not pa.types.is_decimal(column.type):
            return _unusable(column, np.nan, np.float64)
        column = column.cast(pa.float64())
    values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values, np.where(np.isnan(values), NULL, FINE).astype(np.int8)


def keys(column: Any) -> Values:
    """Return int64 >= 0 (missing: -1) and reasons."""
    import pyarrow as pa

    if _is_text(column.type):
        return _by_distinct(column, _key)
    if pa.types.is_integer(column.type):
        values = column.cast(pa.int64(), safe=False).fill_null(-1).to_numpy(zero_copy_only=False)
        reasons = np.where(values < 0, OUT_OF_RANGE, FINE).astype(np.int8)
    elif pa.types.is_floating(column.type):
        floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        whole = np.isfinite(floats) & (floats == np.floor(floats)) & (np.abs(floats) < 2.0**53)
        values = np.where(whole, floats, -1).astype(np.int64)
        reasons = np.where(whole, np.where(values < 0, OUT_OF_RANGE, FINE), WRONG_TYPE)
        reasons = np.where(np.isnan(floats), NULL, reasons).astype(np.int8)
    else:
        return _unusable(column, -1, np.int64)
    reasons[np.asarray(column.is_null())] = NULL
    values = np.where(reasons == FINE, values, -1)
    return values, reasons


def categories(column: Any, names: Sequence[str]) -> Values:
    """Return codes into `names` (missing: -1) and reasons; text is a name, an integer a code."""
    import pyarrow as pa

    code_of = {name: code for code, name in enumerate(names)}
    if _is_text(column.type):
        return _by_distinct(column, lambda text: _category(text, code_of))
    if pa.types.is_boolean(column.type):
        return _by_distinct(column.cast(pa.string()), lambda text: _category(text, code_of))
    values, reasons = keys(column)
    unknown = values >= len(names)
    reasons[unknown] = OUT_OF_RANGE
    return np.where(unknown, -1, values), reasons


def texts(column: Any, most: int) -> Values:
    """Return UTF-8 bytes, cut at `most` of them (missing: none), and reasons."""
    import pyarrow as pa

    if not _is_text(column.type):
        column = column.cast(pa.string())
    found = [(text or "").encode()[:most] for text in column.to_pylist()]
    values = np.array(found, dtype=f"S{most}")
    return values, np.where(values == b"", NULL, FINE).astype(np.int8)


def times(column: Any, unit: float) -> Values:
    """Return seconds since the epoch (missing: NaN) and reasons.

    Parameters
    ----------
    column
        An Arrow array of timestamps or dates (without a zone: UTC), numbers, or text: ISO 8601,
        or a number.
    unit
        Length of one unit of a number [s].
    """
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        micro = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        values, reasons = numbers(micro)
        return values / 1e6, reasons
    if not _is_text(column.type):
        values, reasons = numbers(column)
        return values * unit, reasons
    as_numbers, wrong = numbers(column)
    if not (wrong == WRONG_TYPE).any():
        return as_numbers * unit, wrong
    values, reasons = _of_text(column, pa.timestamp("us"), _moment, np.nan, np.float64)
    return np.where(wrong == FINE, as_numbers * unit, values), np.where(
        wrong == FINE, FINE, reasons
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))
    )


def _unusable(column: Any, empty: float, kind: Any) -> Values:
    reasons = np.full(len(column), WRONG_TYPE, dtype=np.int8)
    reasons[np.asarray(column.is_null())] = NULL
    return np.full(len(column), empty, dtype=kind), reasons


def _of_text(
    column: Any, target: Any, parse: Callable[[str], float | None], empty: float, kind: Any
) -> Values:
    """Convert text at once where all of it can be, else one by one."""
    import pyarrow as pa

    try:
        cast = column.cast(pa.string()).cast(target)
    except pa.ArrowInvalid:
        return _by_row(column, parse, empty, kind)
    if pa.types.is_timestamp(target):
        values = cast.cast(pa.int64()).cast(pa.float64()).to_numpy(zero_copy_only=False) / 1e6
    else:
        values = cast.to_numpy(zero_copy_only=False)
    return values, np.where(np.isnan(values), NULL, FINE).astype(np.int8)


def _by_row(column: Any, parse: Callable[[str], float | None], empty: float, kind: Any) -> Values:
    values = np.full(len(column), empty, dtype=kind)
    reasons = np.full(len(column), FINE, dtype=np.int8)
    for row, text in enumerate(column.to_pylist()):
        if text is None or not text.strip():
            reasons[row] = NULL
        elif (value := parse(text.strip())) is None:
            reasons[row] = WRONG_TYPE
        else:
            values[row] = value
    reasons[(reasons == FINE) & np.isnan(values)] = NULL
    return values, reasons


def _by_distinct(column: Any, parse: Callable[[str], tuple[int, int]]) -> Values:
    """Convert text by its distinct values: (value, reason) each."""
    import pyarrow as pa

    coded = column.cast(pa.string()).dictionary_encode()
    parsed = [parse(text.strip()) for text in coded.dictionary.to_pylist()]
    table = np.array([*parsed, (-1, NULL)], dtype=np.int64)
    at = coded.indices.fill_null(len(parsed)).to_numpy(zero_copy_only=False)
    return table[at, 0], table[at, 1].astype(np.int8)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _key(text: str) -> tuple[int, int]:
    if text in _NOTHING:
        return -1, NULL
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text), FINE
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1, FINE


def _category(text: str, code_of: dict[str, int]) -> tuple[int, int]:
    if text in code_of:
        return code_of[text], FINE
    if text in _NOTHING:
        return -1, NULL
    if text.isascii() and text.isdigit() and int(text) < len(code_of):
        return int(text), FINE
    return -1, OUT_OF_RANGE
