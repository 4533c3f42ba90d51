"""From a failed validation to one line that names the user's own file, line and key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from sandbox.errors import UsageError, suggest
from sandbox.spec.base import SpecError
from sandbox.spec.outline import field_at, keys_of, kind_at, model_of, step
from sandbox.spec.source import Key, Plain, Source, kind_of
from sandbox.spec.units import format_value

__all__ = ["Problem", "explain", "first_of"]

_MAX_LISTED = 25


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a specification; a `Source` adds file and line."""

    place: Key
    what: str
    got: object | None = None
    expected: str = ""
    hint: str = ""


def first_of(problems: Sequence[Problem], source: Source) -> UsageError:
    """Return the first problem as an error that says how many others there are."""
    first, others = problems[0], len(problems) - 1
    more = f"And {others} more problem{'s' if others > 1 else ''}." if others else ""
    return source.error(
        first.place,
        first.what,
        got=first.got,
        expected=first.expected,
        hint=f"{first.hint} {more}".strip(),
    )


def explain(
    error: ValidationError, model: type[BaseModel], source: Source, at: Key = ()
) -> UsageError:
    """Turn a failed validation of the part `at` of a source into one error.

    The first problem in the file is told; a missing key only when nothing else is wrong, because
    a misspelt key is also a missing one.
    """
    details = error.errors(include_url=False)

    def order(detail: Any) -> tuple[bool, int]:
        return detail["type"] == "missing", source.line((*at, *_place(detail)))

    first = min(details, key=order)
    problem = _problem(first, model, source, at)
    return first_of([problem] * len(details), source)


def _place(detail: Mapping[str, Any]) -> Key:
    place: Key = tuple(detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    return (*place, *cause.at) if isinstance(cause, SpecError) else place


def _problem(detail: Mapping[str, Any], model: type[BaseModel], source: Source, at: Key) -> Problem:
    kind, place = detail["type"], _place(detail)
    if kind == "extra_forbidden":
        return _unknown_key(place, model, at)
    if kind == "missing":
        return _missing_key(place, model, at)
    written = _written(source, (*at, *place))
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        return _choice((*at, *place), "wrong value", written, known)
    if kind == "value_error":
        message = str(detail["ctx"]["error"])
        return _rule((*at, *place), message, written, source.at((*at, *place)))
    what, expected = _expectation(detail, model, place)
    hint = ""
    if expected == "a list" and isinstance(written, str) and not isinstance(written, Plain):
        hint = f"Write [{written}]." if len(written) < 40 else ""
    elif expected == "text" and not isinstance(written, Plain):
        hint = "Put it in quotes."
    return Problem((*at, *place), what, written, expected, hint)


def _written(source: Source, place: Key) -> object:
    value = source.at(place)
    if isinstance(value, bool):
        return Plain(str(value).lower())
    return kind_of(value) if value is None or isinstance(value, dict | list) else value


def _unknown_key(place: Key, model: type[BaseModel], at: Key) -> Problem:
    annotation: Any = model
    for part in place[:-1]:
        annotation = step(annotation, part)
    parent = model_of(annotation)
    known = list(keys_of(parent)) if parent is not None else []
    return _choice((*at, *place), "unknown key", str(place[-1]), known)


def _missing_key(place: Key, model: type[BaseModel], at: Key) -> Problem:
    field = field_at(model, place)
    about = " ".join((field.description or "").split()) if field is not None else ""
    key = str(place[-1])
    return Problem((*at, *place[:-1]), "missing key", None, key, f"{key}: {about}" if about else "")


def _choice(place: Key, what: str, got: object, known: Sequence[str]) -> Problem:
    listed = ", ".join(known[:_MAX_LISTED]) + (", ..." if len(known) > _MAX_LISTED else "")
    near = suggest(str(got), known) if not isinstance(got, Plain) else ""
    return Problem(place, what, got, f"one of {listed}" if known else "", near)


def _rule(place: Key, message: str, written: object, value: object) -> Problem:
    """Read a validator's own message: ``[what] ['got'], expected ...``."""
    if message.startswith("expected exactly one of") and isinstance(value, dict):
        keys = Plain(", ".join(value)[:60] or "none")
        return Problem(place, "wrong keys", keys, message.removeprefix("expected "))
    what, _, expected = message.rpartition("expected ")
    what = what.rstrip(", ") or "wrong value"
    named = re.fullmatch(r"(.*?) '(.*)'", what)
    if not expected:
        what, expected = message, ""
    if named:
        what, written = named[1], named[2]
    if isinstance(written, Plain) and written in ("a mapping", "a list") and what != "wrong value":
        return Problem(place, what, None, expected)
    if expected.startswith("one of ") and not isinstance(written, Plain):
        return Problem(
            place, what, written, expected, suggest(str(written), expected[7:].split(", "))
        )
    return Problem(place, what, written, expected)


_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "dict": "keys and values",
    "model": "keys and values",
    "mapping": "keys and values",
    "date": "a date such as 2026-01-05",
}
_BOUNDS = {
    "greater_than_equal": ("ge", ">="),
    "greater_than": ("gt", ">"),
    "less_than_equal": ("le", "<="),
    "less_than": ("lt", "<"),
}


def _expectation(detail: Mapping[str, Any], model: Any, place: Key) -> tuple[str, str]:
    kind = detail["type"]
    if kind in _BOUNDS:
        name, sign = _BOUNDS[kind]
        limit, unit = float(detail["ctx"][name]), kind_at(model, place)
        noun = "a number" if unit is None or unit.name == "any" else f"a {unit.name}"
        bound = f"{limit:g}" if unit is None or limit == 0 else format_value(limit, unit)
        return "out of range", f"{noun} {sign} {bound}"
    if kind == "too_short":
        return "too few items", f"at least {detail['ctx']['min_length']}"
    family = kind.partition("_")[0]
    if family in _TYPES:
        return "wrong value", _TYPES[family]
    return "wrong value", str(detail["msg"])[:200]
