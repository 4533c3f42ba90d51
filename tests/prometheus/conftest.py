"""What tests of rules and dashboards share: the builders, and what an expression speaks of."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import promql_parser
import pytest
from promql_parser import BinaryExpr, Expr, ParenExpr, VectorSelector
from ruamel.yaml import YAML

from sandbox.live.metrics import LiveMetrics

ALWAYS = {"job", "instance", "le"}
SPLIT = {"==", "!=", ">", "<", ">=", "<=", "and", "unless"}
"""Operators whose answer may be empty though both sides have data."""


def load(folder: Path) -> ModuleType:
    """Return the ``build.py`` of a folder, as ``python FOLDER/build.py`` sees it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        spec = importlib.util.spec_from_file_location(f"{folder.name}_build", folder / "build.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def live_metrics() -> dict[str, set[str]]:
    """Return the labels of every series that live roles expose."""
    metrics = LiveMetrics("s", "d")
    labels = {
        one._name: set(one._labelnames) for one in vars(metrics).values() if hasattr(one, "_name")
        if hasattr(one, "_labelnames")
    }  # fmt: skip
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {
        family.name + end: labels.get(family.name, set()) | ALWAYS
        for family in metrics.registry.collect()
        for end in ends.get(family.type, ("",))
    }


def selectors(expr: Expr) -> list[VectorSelector]:
    """Return every choice of series in an expression."""
    found: list[VectorSelector] = []

    def visit(one: Expr) -> bool:
        if isinstance(one, VectorSelector):
            found.append(one)
        return True

    promql_parser.walk(expr, visit)
    return found


def unknown(query: str, known: Mapping[str, set[str]]) -> list[str]:
    """Return the series and labels of a query that do not exist."""
    wrong = []
    for one in selectors(promql_parser.parse(query)):
        if one.name not in known:
            wrong.append(str(one.name))
        else:
            names = {matcher.name for matcher in one.matchers.matchers}
            wrong += [f"{one.name}: {name}" for name in names - known[str(one.name)]]
    return wrong


def sides(expr: Expr) -> list[Expr]:
    """Return the parts of an alert that must have data whether it fires or not."""
    if isinstance(expr, ParenExpr):
        return sides(expr.expr)
    if isinstance(expr, BinaryExpr) and str(expr.op) in SPLIT:
        return [*sides(expr.lhs), *sides(expr.rhs)]
    return [expr]


def rules(project: Path) -> list[dict[str, Any]]:
    """Return every rule that Prometheus is given."""
    reader = YAML(typ="safe")
    return [
        rule
        for file in sorted((project / "prometheus" / "rules").glob("*.yml"))
        for group in reader.load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def recorded(project: Path) -> dict[str, set[str]]:
    """Return the labels of every recorded series; those of sums are written down here."""
    found: dict[str, set[str]] = {}
    for rule in rules(project):
        if "record" in rule:
            found.setdefault(rule["record"], set()).update(rule.get("labels", {}))
    more = {"sandbox:roles_up:count": {"job"}, "sandbox:lag:messages": {"stage"},
            "sandbox:drift_alert:max": {"kind", "subject"},
            "sandbox:quality_alert:max": {"kind", "subject"}}  # fmt: skip
    return {name: labels | more.get(name, set()) for name, labels in found.items()}


def known_series(project: Path) -> dict[str, set[str]]:
    """Return what a live dashboard or a rule may speak of."""
    firing = {"alertname", "alertstate", "severity"}
    return {**live_metrics(), **recorded(project), "up": {"job", "instance"}, "ALERTS": firing}


def ranged(url: str, query: str, start: float, end: float, step: float) -> list[Any]:
    """Return the series of a query over a range of time."""
    asked = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{asked}", timeout=10) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


def tool(name: str) -> str:
    """Return the path of a program of Prometheus; skip without it, but never in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {name}; see .ci/run")
        pytest.skip(f"{name} is not installed (Debian: apt install prometheus)")
    return found


@pytest.fixture
def promtool() -> Iterator[str]:
    """Return the path of promtool."""
    yield tool("promtool")
