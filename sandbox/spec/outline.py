"""The shape of a specification: which keys exist below which, of what kind, with what default."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sandbox.spec.cleaning import STEPS, CleanStep
from sandbox.spec.design import ALERT_KINDS, AlertSpec, Design
from sandbox.spec.features import OPERATIONS, FeatureSpec
from sandbox.spec.units import Kind, format_value

__all__ = ["KeyDoc", "describe", "field_at", "keys_of", "kind_at", "models_below", "plain", "step"]

HIDDEN = {CleanStep: ("step",), FeatureSpec: ("operation",), AlertSpec: ("kind",)}
"""Fields that the short forms write as a key."""

SHORT_FORMS: dict[type[BaseModel], tuple[str, ...]] = {
    CleanStep: STEPS,
    FeatureSpec: OPERATIONS,
    AlertSpec: ALERT_KINDS,
}
"""Models written under the name of what they do: ``mean: {...}``, ``psi: {...}``."""


_NAMED: dict[type[BaseModel], str] = {
    CleanStep: ".STEP",
    FeatureSpec: ".OPERATION",
    AlertSpec: ".MONITOR",
}


@dataclass(frozen=True)
class KeyDoc:
    """One key of a specification, for people."""

    key: str
    """Dotted path; ``[]`` stands for the items of a list, ``NAME`` for a name of one's choice."""
    type: str
    """``duration``, ``whole number``, ``one of a, b``, ``list of ...``, ``section``."""
    default: str
    """As one would write it; empty for a required key and for a section."""
    about: str


def plain(annotation: Any) -> Any:
    """Strip ``Annotated`` and ``| None`` from a type."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (types.UnionType, typing.Union):
            rest = [a for a in typing.get_args(annotation) if a is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a type stands for, if it is one."""
    inner = plain(annotation)
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the keys users write."""
    hidden = HIDDEN.get(model, ())
    fields = model.model_fields.items()
    return {field.alias or name: field for name, field in fields if name not in hidden}


def step(annotation: Any, part: str | int) -> Any:
    """Return the type below a key or index; None where there is none, Any where all is free."""
    inner = plain(annotation)
    model = model_of(inner)
    if model is not None:
        if part in SHORT_FORMS.get(model, ()):
            return model
        field = keys_of(model).get(str(part))
        return None if field is None else field.annotation
    origin, args = typing.get_origin(inner), typing.get_args(inner)
    if origin is dict and isinstance(part, str):
        return args[1]
    if origin in (tuple, list) and isinstance(part, int):
        return args[0]
    return Any if inner is Any else None


def field_at(root: Any, place: Sequence[str | int]) -> FieldInfo | None:
    """Return the field that a place names, if it names one directly."""
    annotation = root
    for part in place[:-1]:
        annotation = step(annotation, part)
    model = model_of(annotation) if place else None
    return None if model is None else keys_of(model).get(str(place[-1]))


def kind_at(root: Any, place: Sequence[str | int]) -> Kind | None:
    """Return what the quantity at a place measures, if it is one."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    field = field_at(root, place)
    return None if field is None else kind_of_field(field)


def kind_of_field(field: FieldInfo) -> Kind | None:
    """Return what the quantity of a field measures, if it is one."""
    found = [m for m in (*field.metadata, *_metadata(field.annotation)) if isinstance(m, Kind)]
    return found[0] if found else None


def _metadata(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        yield from annotation.__metadata__
    for argument in typing.get_args(annotation):
        yield from _metadata(argument)


def describe(model: type[BaseModel] = Design) -> list[KeyDoc]:
    """Return every key of a specification with type, default and description, in order.

    Examples
    --------
    >>> [doc for doc in describe() if doc.key == "model.training.window"]
    [KeyDoc(key='model.training.window', type='duration', default='28d', \
about='Length of the training slice.')]
    """
    return list(_describe(model, ""))


def _describe(model: type[BaseModel], prefix: str) -> Iterator[KeyDoc]:
    for key, field in keys_of(model).items():
        path, about = prefix + key, " ".join((field.description or "").split())
        below, suffix = _item(field.annotation)
        child = model_of(below)
        if child is None:
            yield KeyDoc(path, type_name(field), default_text(field), about)
            continue
        yield KeyDoc(path, "list" if suffix == "[]" else "section", "", about)
        yield from _describe(child, f"{path}{suffix}{_NAMED.get(child, '')}.")


def _item(annotation: Any) -> tuple[Any, str]:
    inner = plain(annotation)
    origin, args = typing.get_origin(inner), typing.get_args(inner)
    if origin in (tuple, list):
        return args[0], "[]"
    if origin is dict:
        return args[1], ".NAME"
    return inner, ""


def type_name(field: FieldInfo) -> str:
    """Return the type of a field in plain words."""
    inner, suffix = _item(field.annotation)
    kind = kind_of_field(field)
    word = kind.name if kind is not None and kind.name != "any" else _word(plain(inner))
    many = {"[]": "list of ", ".NAME": "mapping of names to "}.get(suffix, "")
    return f"{many}{word}"


def _word(inner: Any) -> str:
    if typing.get_origin(inner) is typing.Literal:
        return "one of " + ", ".join(str(a) for a in typing.get_args(inner))
    if typing.get_origin(inner) in (types.UnionType, typing.Union):
        return " or ".join(_word(a) for a in typing.get_args(inner) if a is not type(None))
    words = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    words[Any] = "anything"
    return words.get(inner, getattr(inner, "__name__", str(inner)))


def default_text(field: FieldInfo) -> str:
    """Return a field's default as one would write it; empty for a required key."""
    if field.is_required():
        return ""
    return value_text(
        field.get_default(call_default_factory=True, validated_data={}), kind_of_field(field)
    )


def value_text(value: Any, kind: Kind | None) -> str:
    """Return a value as one would write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(value_text(item, kind) for item in value)}]"
    if isinstance(value, float) and kind is not None:
        return format_value(value, kind)
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def models_below(root: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model and every model inside it, each once, outermost first."""
    found: dict[type[BaseModel], None] = {root: None}
    waiting = [root]
    while waiting:
        for field in waiting.pop().model_fields.values():
            model = model_of(_item(field.annotation)[0])
            if model is not None and model not in found:
                found[model] = None
                waiting.append(model)
    return list(found)
