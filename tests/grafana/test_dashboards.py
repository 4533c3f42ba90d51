"""The dashboards: fresh, every query valid, of metrics that exist, and with data behind it."""

from __future__ import annotations

import importlib.util
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import promql_parser
import pytest
from ruamel.yaml import YAML

from sandbox.adapters.remote_write import Line, write
from sandbox.record import AlertRecord, RunRecord, VersionRecord
from sandbox.report.prometheus import run_lines

DAYS = 30
TRIAL = ("sandbox_stage_lag_events", "sandbox_worker_utilisation_ratio",
         "sandbox_event_to_decision_seconds")  # fmt: skip


@pytest.fixture(scope="module")
def build(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build", project / "grafana" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries(dashboard: dict[str, Any]) -> list[str]:
    marks = [a["expr"] for a in dashboard["annotations"].get("list", ())]
    return marks + [target["expr"] for one in panels(dashboard) for target in one["targets"]]


def filled(query: str) -> str:
    return query.replace("$scenario", "fraud").replace("$design", "D").replace("$seed", "7")


def a_run() -> RunRecord:
    """Return a record with a value of every metric that a run writes, every day."""
    record = RunRecord(
        scenario="fraud", title="F", task="binary", design="D", seed=7, days=float(DAYS),
        start_date="2026-01-05", population=1.0, complete=True, events=1, primary="pr_auc",
    )  # fmt: skip
    plain = ("lag", "latency_p50", "latency_p99", "load", "answered", "negatives_blocked")
    several = {
        "utilisation": "stage", "psi": "amount", "missing": "amount", "decisions": "block",
        "reviews": "worked", "positive_rate": "oracle", "recall_at_capacity": "oracle",
        "pr_auc": "observed", "loss": "missed",
    }  # fmt: skip
    for day in np.arange(1.0, DAYS + 1):
        for metric in plain:
            record.metrics.add(day, metric, day)
        for metric, series in several.items():
            record.metrics.add(day, metric, day, series)
    record.alerts.append(AlertRecord(12.5, "psi", "amount", 1.0, 0.5, ""))
    record.versions = [VersionRecord(1, "", 0.0, 0.0, 0.0, 1, 1, {}, {}, {}, True, (), 0.0)]
    return record


def test_what_is_checked_in_is_what_the_code_builds(build: ModuleType, project: Path) -> None:
    folder = project / "grafana" / "dashboards"
    built = build.files()
    assert {file.name for file in folder.iterdir()} == set(built)
    for name, text in built.items():
        assert (folder / name).read_text() == text, "run: python grafana/build.py"


def test_panels_do_not_overlap_and_have_numbers_of_their_own(build: ModuleType) -> None:
    for text in build.files().values():
        dashboard = json.loads(text)
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)
        cells: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            mine = {
                (x, y)
                for x in range(at.get("x", 0), at.get("x", 0) + at["w"])
                for y in range(at.get("y", 0), at.get("y", 0) + at["h"])
            }
            assert not cells & mine and max(x for x, _ in mine) < 24
            cells |= mine


def test_every_query_parses_and_names_metrics_that_are_sent(build: ModuleType) -> None:
    sent = {line.name for line in run_lines(a_run(), 1e9)} | set(TRIAL)
    for text in build.files().values():
        for query in queries(json.loads(text)):
            promql_parser.parse(filled(query))
            named = set(re.findall(r"sandbox_[a-z_]+", query))
            assert named and named <= sent
    with pytest.raises(ValueError):
        promql_parser.parse("last_over_time(x[25h)")


def test_every_query_of_a_run_has_data(build: ModuleType, prometheus: str) -> None:
    now = time.time()
    assert write(prometheus, run_lines(a_run(), now)) > 0
    for query in queries(json.loads(build.files()["run.json"])):
        assert ranged(prometheus, filled(query), now - DAYS * 86400, now, 86400), query
    nothing = 'last_over_time(sandbox_loss_usd_total{scenario="none"}[25h])'
    assert not ranged(prometheus, nothing, now - DAYS * 86400, now, 86400)


def test_every_query_of_a_trial_has_data(build: ModuleType, prometheus: str) -> None:
    now = time.time()
    labels = {"scenario": "fraud", "design": "D", "seed": "7"}
    samples = [(now - second, 1.0) for second in range(300, -1, -1)]
    write(prometheus, [Line(name, labels, samples) for name in TRIAL])
    for query in queries(json.loads(build.files()["capacity.json"])):
        assert ranged(prometheus, filled(query), now - 300, now, 10), query


def ranged(url: str, query: str, start: float, end: float, step: float) -> list[Any]:
    asked = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{asked}", timeout=10) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


def test_compose_runs_nothing_as_root_and_listens_on_loopback(project: Path) -> None:
    reader = YAML(typ="safe")
    compose = reader.load((project / "docker-compose.yml").read_text())
    pins = dict(
        line.split("=") for line in (project / ".env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )  # fmt: skip
    for name, service in compose["services"].items():
        image, _, version = service["image"].partition(":")
        assert pins[version.strip("${}")] and "/" in image
        assert not service["user"].startswith("0"), name
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["healthcheck"]["test"] and service["mem_limit"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (
                (project / source).exists()
                if source.startswith(".")
                else (source in compose["volumes"])
            )
    provider = reader.load(
        (project / "grafana" / "provisioning" / "dashboards" / "sandbox.yaml").read_text()
    )
    path = provider["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in compose["services"]["grafana"]["volumes"]
