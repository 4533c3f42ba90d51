"""JSON Schema of the files a user writes, so that editors complete and explain keys.

Point an editor at it with ``# yaml-language-server: $schema=design.schema.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from sandbox.spec.alerts import AlertSpec
from sandbox.spec.design import Champion, Design, Retraining, Trigger
from sandbox.spec.features import CALENDAR, FeatureSpec
from sandbox.spec.outline import HIDDEN, SHORT_FORMS, default_text, kind_of_field, models_below
from sandbox.spec.scenario import Cost, Scenario
from sandbox.spec.walkthrough import Walkthrough

__all__ = ["design_schema", "scenario_schema", "walkthrough_schema"]

Schema = dict[str, Any]


def design_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a design, short forms included."""
    return _adapted(Design)


def scenario_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a scenario, short forms included."""
    return _adapted(Scenario)


def walkthrough_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of an interview."""
    return _adapted(Walkthrough)


def _adapted(root: type[BaseModel]) -> Schema:
    schema = root.model_json_schema(by_alias=True)
    definitions: Schema = schema.setdefault("$defs", {})
    for model in models_below(root):
        body = schema if model is root else definitions[model.__name__]
        _write_defaults(model, body)
        if model in HIDDEN:
            definitions[model.__name__] = _named(model, body)
        elif model in _EXTRA_FORMS:
            definitions[model.__name__] = {"anyOf": [body, *_EXTRA_FORMS[model]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _write_defaults(model: type[BaseModel], body: Schema) -> None:
    """Show defaults of quantities as people write them: ``7d``, not 604800."""
    for name, field in model.model_fields.items():
        entry = body["properties"][field.alias or name]
        for option in (entry, *entry.get("anyOf", ())):
            for bound in ("ge", "gt", "le", "lt"):  # in base units: not for texts such as 7d
                option.pop(bound, None)
        kind = kind_of_field(field)
        if isinstance(entry.get("default"), dict):
            del entry["default"]
        elif isinstance(entry.get("default"), float) and kind is not None:
            entry["default"] = default_text(field)


def _named(model: type[BaseModel], body: Schema) -> Schema:
    """Return the schema of ``- NAME: {...}``, and of a bare column name for a feature."""
    inner: Schema = {**body, "properties": dict(body["properties"])}
    for hidden in HIDDEN[model]:
        del inner["properties"][hidden]
    inner["required"] = [r for r in body.get("required", ()) if r not in HIDDEN[model]]
    for key in ("of", "over"):
        entry = inner["properties"].get(key, {})
        if entry.get("type") == "array":
            inner["properties"][key] = {**entry, "type": ["array", "string", "number"]}
    names = SHORT_FORMS[model]
    empty = [{"type": "null"}] if model is AlertSpec else []
    form: Schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: {"anyOf": [inner, *empty]} for name in names},
        "description": body.get("description", ""),
    }
    if model is FeatureSpec:
        bare = {"type": "string", "examples": list(CALENDAR), "description": "A column or a clock."}
        return {"anyOf": [bare, form]}
    return form


def _forms() -> Iterator[tuple[type[BaseModel], list[Schema]]]:
    yield Champion, [{"enum": list(Champion.model_fields)}]
    yield Retraining, [{"const": "never"}]
    yield Trigger, [{"type": "string", "pattern": r"^(every|on)\s+\S+$", "examples": ["every 28d"]}]
    yield Cost, [{"type": ["string", "number"], "examples": ["amount + 25 USD"]}]


_EXTRA_FORMS: dict[type[BaseModel], list[Schema]] = dict(_forms())
"""What a model may be written as instead of a mapping."""
