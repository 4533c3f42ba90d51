"""Formulas over named numbers, ``ceil(own.peak / (0.6 * capacity.worker_rate))``: walked, not run.

Python's parser reads a formula; only numbers, names and their parts, arithmetic, comparisons and a
few functions are accepted, so that no file can do more than reckon.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

from sandbox.errors import suggest
from sandbox.spec.base import Spec
from sandbox.spec.units import parse_quantity

__all__ = ["FUNCTIONS", "UNITS", "Expression", "ExpressionError"]

UNITS: Mapping[str, float] = MappingProxyType({
    "ms": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0,
    "month": 30 * 86400.0, "year": 365 * 86400.0,
    "byte": 1.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "percent": 0.01,
})  # fmt: skip
"""Seconds, bytes and shares by name: ``load.mean * day``."""
FUNCTIONS: Mapping[str, Callable[..., float]] = MappingProxyType({
    "ceil": math.ceil, "floor": math.floor, "min": min, "max": max, "round": round,
    "sqrt": math.sqrt, "log": math.log, "exp": math.exp, "normal_cdf": NormalDist().cdf,
})  # fmt: skip
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = MappingProxyType({
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow,
})  # fmt: skip
_MOST = 400
"""Characters of a formula."""
_EXPECTED = "numbers, names, + - * / // **, and " + ", ".join(FUNCTIONS)
_MOST_POWER = 64.0


class ExpressionError(ValueError):
    """A formula that cannot be read or reckoned; the message says why."""


@dataclass(frozen=True)
class Expression:
    """A formula that was read."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read a formula.

        Raises
        ------
        ExpressionError
            If it is none, or says something else than arithmetic.

        Examples
        --------
        >>> Expression.parse("ceil(load.mean * day / 7)").value({"load": {"mean": 1.0}})
        12343.0
        """
        if len(text) > _MOST:
            raise ExpressionError(f"a formula of {len(text)} characters, expected at most {_MOST}")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ExpressionError(f"unreadable formula {text!r}, expected {_EXPECTED}") from None
        for node in ast.walk(tree):
            _check(node, text)
        return cls(text, tree)

    def value(self, names: Mapping[str, object]) -> float:
        """Return what it comes to.

        Parameters
        ----------
        names
            What names stand for: numbers, mappings, or specifications, whose keys follow after
            a dot. `UNITS` are known besides.

        Raises
        ------
        ExpressionError
            If a name is unknown or stands for no number, or the result is none.
        """
        try:
            result = float(_value(self.tree, names))
        except (ZeroDivisionError, OverflowError, TypeError, ValueError) as error:
            if isinstance(error, ExpressionError):
                raise
            raise ExpressionError(f"cannot reckon {self.text!r} ({error})") from None
        if not math.isfinite(result):
            raise ExpressionError(f"{self.text!r} comes to no number")
        return result

    def parts(self) -> tuple[str, ...]:
        """Return the names it reads, dots included, in alphabetical order.

        Examples
        --------
        >>> Expression.parse("own.peak / 2 + day").parts()
        ('day', 'own.peak')
        """
        found = set[str]()
        inner = {id(n.value) for n in ast.walk(self.tree) if isinstance(n, ast.Attribute)}
        called = {id(n.func) for n in ast.walk(self.tree) if isinstance(n, ast.Call)}
        for node in ast.walk(self.tree):
            named = isinstance(node, ast.Name | ast.Attribute)
            if named and id(node) not in inner and id(node) not in called:
                found.add(ast.unparse(node))
        return tuple(sorted(found))


def _check(node: ast.AST, text: str) -> None:
    """Refuse what is no arithmetic."""
    plain = (ast.Name, ast.Load, ast.Attribute, ast.operator, ast.unaryop)
    if isinstance(node, ast.Constant):
        if type(node.value) in (int, float):
            return
    elif isinstance(node, ast.BinOp):
        if type(node.op) in _BINARY:
            return
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.USub | ast.UAdd):
            return
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords:
            return
    elif isinstance(node, plain):
        return
    raise ExpressionError(f"not part of a formula in {text!r}, expected {_EXPECTED}")


def _value(node: ast.AST, names: Mapping[str, object]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, names), _value(node.right, names)
        if isinstance(node.op, ast.Pow) and abs(right) > _MOST_POWER:
            raise ExpressionError(f"a power of {right:g}, expected at most {_MOST_POWER:g}")
        return _BINARY[type(node.op)](float(left), float(right))
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, names)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return FUNCTIONS[node.func.id](*(_value(argument, names) for argument in node.args))
    found = _look_up(node, names)
    if isinstance(found, str):  # a world's own parameters are as they were written
        found = _quantity(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ExpressionError(f"{ast.unparse(node)!r} is no number")
    return found


def _quantity(text: str) -> object:
    try:
        return float(parse_quantity(text))
    except ValueError:
        return text


def _look_up(node: ast.AST, names: Mapping[str, object]) -> object:
    if isinstance(node, ast.Name):
        known = {**UNITS, **names}
        if node.id not in known:
            raise _unknown(node.id, known)
        return known[node.id]
    assert isinstance(node, ast.Attribute)
    parent = _look_up(node.value, names)
    if isinstance(parent, Spec):
        known = {name: None for name in type(parent).model_fields}
        if isinstance(getattr(type(parent), node.attr, None), property):
            known[node.attr] = None
        if node.attr in known:
            return getattr(parent, node.attr)
    elif isinstance(parent, Mapping):
        known = dict(parent)
        if node.attr in known:
            return known[node.attr]
    else:
        raise ExpressionError(f"{ast.unparse(node.value)!r} has no parts")
    raise _unknown(ast.unparse(node), {f"{ast.unparse(node.value)}.{name}" for name in known})


def _unknown(name: str, known: Any) -> ExpressionError:
    hint = suggest(name, known)
    return ExpressionError(f"unknown name {name!r}" + (f". {hint}" if hint else ""))
