"""The schema accepts what loads and refuses common mistakes, by a validator of what it uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.spec.schema_json import design_schema, scenario_schema
from sandbox.spec.tree import parse_yaml

TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
    "object": dict, "null": type(None),
}  # fmt: skip
KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "default", "description",
    "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxProperties",
    "maximum", "minItems", "minProperties", "minimum", "pattern", "properties", "required",
    "title", "type",
}  # fmt: skip


def fits(value: Any, schema: Any, root: Any) -> bool:
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema and not fits(value, root["$defs"][schema["$ref"].split("/")[-1]], root):
        return False
    if "anyOf" in schema and not any(fits(value, option, root) for option in schema["anyOf"]):
        return False
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        kinds = tuple(TYPES[name] for name in names)
        flat = tuple(k for kind in kinds for k in (kind if isinstance(kind, tuple) else (kind,)))
        if not isinstance(value, flat) or (isinstance(value, bool) and "boolean" not in names):
            return False
    if value != schema.get("const", value) or value not in schema.get("enum", [value]):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        return bool(
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
            and value > schema.get("exclusiveMinimum", value - 1)
        )
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            fits(item, schema.get("items", {}), root) for item in value
        )
    return not isinstance(value, dict) or _mapping_fits(value, schema, root)


def _mapping_fits(value: dict[str, Any], schema: Any, root: Any) -> bool:
    rest = schema.get("additionalProperties", True)
    for key, item in value.items():
        inner = schema.get("properties", {}).get(key, rest)
        if inner is False or (inner is not True and not fits(item, inner, root)):
            return False
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", len(value))
    return least <= len(value) <= most and set(schema.get("required", ())) <= set(value)


@pytest.mark.parametrize("name", ["design.yaml", "naive.yaml", "scenario.yaml"])
def test_the_fraud_files_fit(project: Path, name: str) -> None:
    data, _ = parse_yaml((project / "scenarios" / "fraud" / name).read_text())
    schema = scenario_schema() if name == "scenario.yaml" else design_schema()
    assert fits(data, schema, schema)


CLEAN = """clean:
  - scale: {of: amount, below: 250, by: 10.764}
  - merge: {of: channel, as: {online: shop}}
  - fill: {of: channel, with: shop}
  - fill: {of: amount, with: 4}
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("scale", "scal"), ("below: 250", "blow: 250"), ("of: amount, with", "with"), ("10.764", "x")],
)
def test_cleaning_fits(right: str, wrong: str, design_text: str) -> None:
    schema, text = design_schema(), f"{design_text}{CLEAN}"
    assert right in CLEAN and fits(parse_yaml(text)[0], schema, schema)
    broken = f"{design_text}{CLEAN.replace(right, wrong, 1)}"
    assert not fits(parse_yaml(broken)[0], schema, schema)


@pytest.mark.parametrize("family", ["xgboost", "logistic_regression", "ridge"])
def test_a_bare_family_fits(family: str, design_text: str) -> None:
    schema, given = design_schema(), "champion: {xgboost: {trees: 50, depth: 3}}"
    assert given in design_text
    text = design_text.replace(given, f"champion: {family}")
    assert fits(parse_yaml(text)[0], schema, schema)
    other = design_text.replace(given, "champion: forest")
    assert not fits(parse_yaml(other)[0], schema, schema)


def test_small_files_fit(design_text: str, scenario_text: str) -> None:
    for text, schema in ((design_text, design_schema()), (scenario_text, scenario_schema())):
        assert fits(parse_yaml(text)[0], schema, schema)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("partitions: 12", "partitons: 12"), ("workers: 4", "workers: many"),
        ("workers: 4", "workers: 0"), ("imbalance: none", "imbalance: smoot"),
        ("- count:", "- cuont:"), ("psi:", "pis:"), ("every 28d", "evry 28d"),
        ("slices: [channel]", "slices: channel"), ("over: [1d, 7d]", "ovr: 1d"),
    ],
)  # fmt: skip
def test_mistakes_do_not_fit(design_text: str, right: str, wrong: str) -> None:
    assert right in design_text
    data, schema = parse_yaml(design_text.replace(right, wrong, 1))[0], design_schema()
    assert not fits(data, schema, schema)


@pytest.mark.parametrize(
    "text",
    [
        "retraining: never",
        "retraining: {when: [on drift]}",
        "model: {champion: xgboost}",
        "monitoring: {alerts: [ks: ]}",
    ],
)
def test_short_forms_fit(text: str) -> None:
    data, schema = parse_yaml(f"features: [amount]\n{text}")[0], design_schema()
    assert fits(data, schema, schema)


def test_defaults_are_written_as_people_write_them() -> None:
    pipeline = design_schema()["$defs"]["Pipeline"]["properties"]
    assert pipeline["linger"]["default"] == "5ms"
    assert pipeline["workers"]["default"] == 4
    assert pipeline["workers"]["description"]


def test_is_json() -> None:
    assert json.loads(json.dumps(design_schema(), allow_nan=False))["title"] == "Design"
    assert json.loads(json.dumps(scenario_schema(), allow_nan=False))["title"] == "Scenario"
