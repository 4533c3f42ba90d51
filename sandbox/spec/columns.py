"""Whether what a specification says about event columns fits the event schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sandbox.errors import suggest
from sandbox.spec.cleaning import CleanStep
from sandbox.spec.features import CALENDAR, TEXT_OPERATIONS, FeatureSpec
from sandbox.spec.incidents import DataFault
from sandbox.spec.problems import Problem
from sandbox.spec.scenario import Column, EventSchema
from sandbox.spec.source import Key
from sandbox.spec.units import format_duration

__all__ = [
    "LABEL",
    "LONGEST",
    "clean_problems",
    "fault_problems",
    "feature_problems",
    "key_problems",
    "number_problems",
    "quotient_problems",
]

LABEL = "label"
"""Name under which a feature asks for labels known by then."""

LONGEST = 400 * 86400.0
"""Longest window and longest delay [s]: state grows with both."""

_TERM = re.compile(r"\s*([A-Za-z_]\w*)\s*(==|!=|<=|>=|<|>)\s*(\S+)\s*")


def feature_problems(features: Sequence[FeatureSpec], schema: EventSchema) -> list[Problem]:
    """Return what keeps features from being computed on events of `schema`.

    Places start at the feature's index.

    Examples
    --------
    >>> schema = EventSchema.model_validate(
    ...     {"id": "event_id", "columns": {"user_id": {"type": "key"}}})
    >>> spec = FeatureSpec.model_validate({"count": {"by": "usr_id", "over": "1d"}})
    >>> [(p.place, p.what, p.got, p.hint) for p in feature_problems([spec], schema)]
    [((0, 'by'), 'unknown column', 'usr_id', 'Did you mean user_id?')]
    """
    found: list[Problem] = []
    for index, feature in enumerate(features):
        if feature.operation == "column":
            found += _row_problems((index, "of"), str(feature.of), schema)
        elif feature.operation in TEXT_OPERATIONS:
            found += _text_problems((index, "of"), str(feature.of), schema)
        elif feature.operation == "quotient":
            found += quotient_problems(index, features)
        elif feature.operation != "calendar":
            found += key_problems((index, "by"), str(feature.by), schema)
            found += _source_problems((index, "of"), feature, schema)
            found += _span_problems(index, feature)
    return found


def clean_problems(steps: Sequence[CleanStep], schema: EventSchema) -> list[Problem]:
    """Return what steps of cleaning say about columns that is not so; places start at the index."""
    found: list[Problem] = []
    for index, step in enumerate(steps):
        column = schema.columns.get(step.of)
        if step.step in ("scale", "blank"):
            found += number_problems((index, "of"), step.of, schema)
        elif step.step == "merge":
            found += category_problems((index, "of"), step.of, schema)
            if column is not None and column.type == "category":
                for name in {**step.as_, **dict.fromkeys(step.as_.values())}:
                    found += _category_of((index, "as"), name, column)
        elif column is None or column.type not in ("number", "category"):
            known = _of_type(schema, "number", "category")
            what = "unknown column" if column is None else f"a {column.type} cannot be filled"
            found.append(
                Problem((index, "of"), what, step.of, _one_of(known), suggest(step.of, known))
            )
        elif column.type == "category":
            found += _category_of((index, "with"), str(step.with_), column)
        elif not isinstance(step.with_, float):
            found.append(Problem((index, "with"), "no number", step.with_, "a plain number"))
    return found


def _category_of(place: Key, name: str, column: Column) -> Iterator[Problem]:
    if name not in column.values:
        yield Problem(
            place, "unknown category", name, _one_of(column.values), suggest(name, column.values)
        )


def quotient_problems(index: int, features: Sequence[FeatureSpec]) -> Iterator[Problem]:
    """Yield what keeps feature `index`, a quotient, from being one of columns declared above it."""
    feature = features[index]
    known = [n for f in features[:index] if f.operation != "quotient" for n in f.names]
    for field, name in (("of", feature.of), ("to", feature.to)):
        if name not in known:
            yield Problem(
                (index, field), "no feature column declared above", name, _one_of(known),
                suggest(str(name), known),
            )  # fmt: skip


def key_problems(place: Key, name: str, schema: EventSchema) -> Iterator[Problem]:
    """Yield why a column cannot key a stage."""
    keys = f"one of {', '.join(schema.keys)}" if schema.keys else "a key; the schema has none"
    if name not in schema.columns:
        yield Problem(place, "unknown column", name, keys, suggest(name, schema.keys))
    elif name not in schema.keys:
        yield Problem(place, f"a {schema.columns[name].type} cannot key a stage", name, keys)


def number_problems(place: Key, name: str, schema: EventSchema) -> Iterator[Problem]:
    """Yield why a column is not a number."""
    numbers = _of_type(schema, "number")
    if name not in numbers:
        what = "this column is not a number" if name in schema.columns else "unknown column"
        yield Problem(place, what, name, _one_of(numbers), suggest(name, numbers))


def category_problems(place: Key, name: str, schema: EventSchema) -> Iterator[Problem]:
    """Yield why a column is not a category."""
    known = _of_type(schema, "category")
    if name not in known:
        what = "this column is not a category" if name in schema.columns else "unknown column"
        yield Problem(place, what, name, _one_of(known), suggest(name, known))


def fault_problems(place: Key, fault: DataFault, schema: EventSchema) -> Iterator[Problem]:
    """Yield what a data fault says about columns that do not exist."""
    if fault.field is not None and fault.kind == "unit_change":
        yield from number_problems((*place, "field"), fault.field, schema)
    elif fault.field is not None and fault.field not in schema.columns:
        known = list(schema.columns)
        yield Problem(
            (*place, "field"), "unknown column", fault.field, _one_of(known),
            suggest(fault.field, known),
        )  # fmt: skip
    for term in re.split(r"\s+and\s+", (fault.where or "").strip()) if fault.where else ():
        yield from _term_problems((*place, "where"), term, schema)


def _term_problems(place: Key, term: str, schema: EventSchema) -> Iterator[Problem]:
    match = _TERM.fullmatch(term)
    if match is None:
        expected = "terms such as `channel == online`, joined by `and`"
        yield Problem(place, "unreadable condition", term, expected)
        return
    name, sign, value = match.groups()
    if name not in schema.columns:
        known = list(schema.columns)
        yield Problem(place, "unknown column", name, _one_of(known), suggest(name, known))
        return
    column = schema.columns[name]
    if column.type == "text":
        yield Problem(place, "a text has no conditions", name, "a number, a category or a key")
    elif column.type != "category":
        if not re.fullmatch(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", value):
            yield Problem(place, "no number", value, "a plain number in the column's unit")
    elif sign not in ("==", "!="):
        yield Problem(place, "categories have no order", sign, "== or !=")
    elif value.strip("'\"") not in column.values:
        name = value.strip("'\"")
        yield Problem(
            place, "unknown category", name, _one_of(column.values), suggest(name, column.values)
        )


def _row_problems(place: Key, name: str, schema: EventSchema) -> Iterator[Problem]:
    usable = [*_of_type(schema, "number", "category"), *CALENDAR]
    if name == LABEL:
        yield Problem(
            place, "the label is not known when the event happens", name, "an event column",
            "Use it in a window: share: {of: label, by: ..., over: ..., delay: ...}.",
        )  # fmt: skip
    elif name in schema.keys:
        yield Problem(
            place, "a key is a name, not a quantity", name, _one_of(usable),
            f"Use it in a window: count: {{by: {name}, over: 7d}}.",
        )  # fmt: skip
    elif name in schema.columns and name not in usable:
        yield Problem(
            place, "a text is no quantity", name, _one_of(usable),
            f"Use it in a feature of text: hashed: {{of: {name}, into: 64}}.",
        )  # fmt: skip
    elif name not in usable:
        yield Problem(place, "unknown column", name, _one_of(usable), suggest(name, usable))


def _text_problems(place: Key, name: str, schema: EventSchema) -> Iterator[Problem]:
    texts = _of_type(schema, "text")
    if name not in texts:
        what = "not a text" if name in schema.columns else "unknown column"
        yield Problem(place, what, name, _one_of(texts), suggest(name, texts))


def _source_problems(place: Key, feature: FeatureSpec, schema: EventSchema) -> Iterator[Problem]:
    name, operation = feature.of, feature.operation
    if name is None:
        return
    numbers = _of_type(schema, "number")
    usable = {"ratio": numbers, "share": [LABEL]}.get(operation, [*numbers, LABEL])
    if name in usable:
        return
    if name == LABEL:
        what = "the label is not known when the event happens"
    elif name in schema.columns:
        what = f"{operation} of a {schema.columns[name].type} has no meaning"
    else:
        what = "unknown column"
    yield Problem(place, what, name, _one_of(usable), suggest(name, usable))


def _span_problems(index: int, feature: FeatureSpec) -> Iterator[Problem]:
    limit = f"at most {format_duration(LONGEST)}"
    for position, window in enumerate(feature.over):
        if window > LONGEST:
            place = (index, "over", position)
            yield Problem(place, "window too long", format_duration(window), limit)
    if feature.delay > LONGEST:
        yield Problem((index, "delay"), "delay too long", format_duration(feature.delay), limit)


def _of_type(schema: EventSchema, *kinds: str) -> list[str]:
    return [name for name, column in schema.columns.items() if column.type in kinds]


def _one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if names else "no column here fits"
