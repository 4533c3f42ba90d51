"""Which labels of a file count as 1: a word (``spam``), or a comparison (``>=4``)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from sandbox.adapters.recorded_values import FINE, NULL, OUT_OF_RANGE, Values, numbers
from sandbox.errors import UsageError

__all__ = ["Positive", "parse_positive"]

_COMPARE: Mapping[str, Callable[[Any, float], Any]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
)


@dataclass(frozen=True)
class Positive:
    """What a label must be to count as 1; any other counts as 0."""

    word: str = ""
    """Its text."""
    sign: str = ""
    """One of ``>=  <=  >  <``: it is a number, held against `limit`."""
    limit: float = 0.0

    def labels(self, column: Any) -> Values:
        """Return 1 and 0 for an Arrow array of labels (missing: NaN), and reasons."""
        if not self.sign:
            return _named(column, self.word)
        values, reasons = numbers(column)
        reasons[np.isinf(values)] = OUT_OF_RANGE
        known = reasons == FINE
        return np.where(known, _COMPARE[self.sign](values, self.limit) * 1.0, np.nan), reasons


def parse_positive(text: str) -> Positive:
    """Read a comparison if there is a sign of one, else take the text as a word.

    Raises
    ------
    UsageError
        If no number follows the sign, or there is no text.

    Examples
    --------
    >>> parse_positive(">=4"), parse_positive("spam").word
    (Positive(word='', sign='>=', limit=4.0), 'spam')
    """
    match = re.match(r"\s*([<>]=?)(.*)$", text, re.DOTALL)
    if match is None:
        if not text.strip():
            raise UsageError("no label", where="--positive", got=text, expected="a word, or '>=4'")
        return Positive(word=text.strip())
    try:
        limit = float(match[2])
    except ValueError:
        limit = np.nan
    if not np.isfinite(limit):
        raise UsageError(
            "not a comparison", where="--positive", got=text,
            expected=f"a number after {match[1]}, such as '{match[1]}4'",
            hint="Keep the quotes, or the shell takes the sign for a file.",
        )  # fmt: skip
    return Positive(sign=match[1], limit=limit)


def _named(column: Any, word: str) -> Values:
    import pyarrow as pa

    found = [text and text.strip() for text in column.cast(pa.string()).to_pylist()]
    values = np.array([float(text == word) if text else np.nan for text in found])
    return values, np.where(np.isnan(values), NULL, FINE).astype(np.int8)
