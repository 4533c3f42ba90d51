"""Whether declared features fit the event schema: problems a user can find and mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sandbox.errors import suggest
from sandbox.spec.columns import quotient_problems
from sandbox.spec.features import CALENDAR, TEXT_OPERATIONS, FeatureSpec
from sandbox.spec.scenario import EventSchema
from sandbox.spec.units import format_duration

__all__ = ["LABEL", "LONGEST", "Problem", "find_problems"]

LABEL = "label"
"""Name under which a feature asks for labels known by then."""

LONGEST = 400 * 86400.0
"""Longest window and longest delay [s]: state grows with both."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one feature; a loader adds file and line."""

    index: int
    """Position of the feature in the design; -1 for the ingest key."""
    field: str
    """``of``, ``by``, ``over``, ``delay`` or ``key``."""
    what: str
    got: object
    expected: str
    hint: str = ""


def find_problems(
    features: Sequence[FeatureSpec], schema: EventSchema, ingest_key: str | None = None
) -> list[Problem]:
    """Return everything that keeps `features` from being computed on events of `schema`.

    Examples
    --------
    >>> schema = EventSchema.model_validate(
    ...     {"id": "event_id", "columns": {"user_id": {"type": "key"}}})
    >>> spec = FeatureSpec.model_validate({"count": {"by": "usr_id", "over": "1d"}})
    >>> [(p.index, p.field, p.got, p.hint) for p in find_problems([spec], schema)]
    [(0, 'by', 'usr_id', 'Did you mean user_id?')]
    """
    found: list[Problem] = []
    if ingest_key is not None:
        found += _key_problems(-1, "key", ingest_key, schema)
    for index, feature in enumerate(features):
        if feature.operation in ("column", "calendar"):
            found += _row_problems(index, feature, schema)
            continue
        if feature.operation in TEXT_OPERATIONS:
            found += _text_problems(index, str(feature.of), schema)
            continue
        if feature.operation == "quotient":
            found += [
                Problem(index, str(p.place[-1]), p.what, p.got, p.expected, p.hint)
                for p in quotient_problems(index, features)
            ]
            continue
        found += _key_problems(index, "by", str(feature.by), schema)
        if feature.of is not None:
            found += _source_problems(index, feature, schema)
        found += _span_problems(index, feature)
    return found


def _key_problems(index: int, field: str, name: str, schema: EventSchema) -> Iterator[Problem]:
    keys = ", ".join(schema.keys) or "none: the schema has no key column"
    if name not in schema.columns:
        yield Problem(
            index, field, "unknown column", name, f"one of {keys}", suggest(name, schema.keys)
        )
    elif name not in schema.keys:
        kind = schema.columns[name].type
        yield Problem(
            index, field, f"a {kind} cannot key a stage", name, f"one of {keys}",
            "Use a column of type key.",
        )  # fmt: skip


def _row_problems(index: int, feature: FeatureSpec, schema: EventSchema) -> Iterator[Problem]:
    name = str(feature.of)
    usable = [n for n, c in schema.columns.items() if c.type in ("number", "category")]
    if feature.operation == "calendar":
        if name not in CALENDAR:
            yield Problem(
                index, "of", "unknown calendar feature", name, f"one of {', '.join(CALENDAR)}",
                suggest(name, CALENDAR),
            )  # fmt: skip
    elif name == LABEL:
        yield Problem(
            index, "of", "the label is not known when the event happens", name, "an event column",
            "Use it in a window: share: {of: label, by: ..., over: ...}.",
        )  # fmt: skip
    elif name not in schema.columns:
        known = [*usable, *CALENDAR]
        yield Problem(
            index, "of", "unknown column", name, f"one of {', '.join(known)}", suggest(name, known)
        )
    elif schema.columns[name].type == "text":
        yield Problem(
            index, "of", "a text is no quantity", name,
            f"one of {', '.join([*usable, *CALENDAR])}", "Use it in hashed: {of: TEXT, into: 64}.",
        )  # fmt: skip
    elif name not in usable:
        yield Problem(
            index, "of", "a key is a name, not a quantity", name,
            f"one of {', '.join([*usable, *CALENDAR])}", "Use it with by: in a window.",
        )  # fmt: skip


def _text_problems(index: int, name: str, schema: EventSchema) -> Iterator[Problem]:
    texts = [n for n, column in schema.columns.items() if column.type == "text"]
    if name not in texts:
        what = "not a text" if name in schema.columns else "unknown column"
        expected = f"one of {', '.join(texts)}" if texts else "no column here is a text"
        yield Problem(index, "of", what, name, expected, suggest(name, texts))


def _source_problems(index: int, feature: FeatureSpec, schema: EventSchema) -> Iterator[Problem]:
    name, operation = str(feature.of), feature.operation
    numbers = [n for n, column in schema.columns.items() if column.type == "number"]
    usable = numbers if operation == "ratio" else [*numbers, LABEL]
    expected = f"one of {', '.join(usable)}"
    if name == LABEL:
        if operation == "ratio":
            yield Problem(
                index, "of", "the label is not known when the event happens", name, expected
            )
    elif name not in schema.columns:
        yield Problem(index, "of", "unknown column", name, expected, suggest(name, usable))
    elif name not in numbers:
        kind = schema.columns[name].type
        yield Problem(
            index, "of", f"{operation} of a {kind} has no meaning", name, expected,
            "Use a column of type number.",
        )  # fmt: skip


def _span_problems(index: int, feature: FeatureSpec) -> Iterator[Problem]:
    limit = f"at most {format_duration(LONGEST)}"
    for window in feature.over:
        if not window <= LONGEST:
            yield Problem(index, "over", "window too long", format_duration(window), limit)
    if not feature.delay <= LONGEST:
        yield Problem(index, "delay", "delay too long", format_duration(feature.delay), limit)
