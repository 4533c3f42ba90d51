"""The small language of ``where``: comparisons joined by ``and``, parsed, never evaluated."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError, suggest
from sandbox.spec.scenario import Column, EventSchema

__all__ = ["RowFilter"]

Mask = NDArray[np.bool_]
_TERM = re.compile(r"^\s*([A-Za-z_]\w*)\s*(==|!=|<=|>=|<|>)\s*(\S+)\s*$")
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "==": operator.eq, "!=": operator.ne, "<": operator.lt,
        "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    }
)  # fmt: skip


@dataclass(frozen=True)
class RowFilter:
    """Which rows a condition picks, such as ``channel == online and amount > 100``.

    A missing value fulfils no comparison but ``!=``.
    """

    terms: tuple[tuple[str, str, float], ...] = ()
    """(column, operator, number); a category is its code."""

    @classmethod
    def parse(cls, text: str | None, schema: EventSchema, where: str) -> RowFilter:
        """Read a condition; None picks every row.

        Raises
        ------
        UsageError
            If the text is no condition, or names an unknown column or category.
        """
        if text is None:
            return cls()
        parts = re.split(r"\s+and\s+", text.strip())
        return cls(tuple(_term(part, schema, where) for part in parts))

    def mask(self, batch: Batch) -> Mask:
        """Return the rows picked, shape (n,)."""
        picked = np.ones(len(batch), dtype=bool)
        for column, sign, value in self.terms:
            picked &= np.asarray(_COMPARE[sign](batch[column], value), dtype=bool)
        return picked


def _term(text: str, schema: EventSchema, where: str) -> tuple[str, str, float]:
    match = _TERM.match(text)
    if match is None:
        raise UsageError(
            "unreadable condition",
            where=where,
            got=text,
            expected="COLUMN OPERATOR VALUE terms joined by `and`, such as channel == online",
        )
    name, sign, value = match.groups()
    if name not in schema.columns:
        raise UsageError(
            "unknown column",
            where=where,
            got=name,
            expected=f"one of {', '.join(schema.columns)}",
            hint=suggest(name, schema.columns),
        )
    return name, sign, _value(value, sign, schema.columns[name], where)


def _value(text: str, sign: str, column: Column, where: str) -> float:
    if column.type == "text":
        raise UsageError(
            "a text has no conditions", where=where, got=text,
            expected="a number, a category or a key",
        )  # fmt: skip
    if column.type == "category":
        if sign not in ("==", "!="):
            raise UsageError("categories have no order", where=where, got=sign, expected="== or !=")
        name = text.strip("'\"")
        if name not in column.values:
            raise UsageError(
                "unknown category",
                where=where,
                got=name,
                expected=f"one of {', '.join(column.values)}",
                hint=suggest(name, column.values),
            )
        return float(column.values.index(name))
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            "no number", where=where, got=text, expected="a plain number in the column's unit"
        ) from None
