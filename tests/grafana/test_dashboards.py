"""The dashboards: fresh, every query valid, of metrics that exist, and with data behind it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import promql_parser
import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from ruamel.yaml import YAML

from sandbox.adapters.remote_write import Line, write
from sandbox.record import AlertRecord, RunRecord, VersionRecord
from sandbox.report.prometheus import run_lines
from tests.prometheus.conftest import (
    known_series,
    live_metrics,
    load,
    ranged,
    rules,
    selectors,
    unknown,
)

DAYS = 30
TRIAL = ("sandbox_stage_lag_events", "sandbox_worker_utilisation_ratio",
         "sandbox_event_to_decision_seconds")  # fmt: skip


@pytest.fixture(scope="module")
def build(project: Path) -> ModuleType:
    return load(project / "grafana")


@pytest.fixture(scope="module")
def live(build: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(build.files()["live.json"])
    return found


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries(dashboard: dict[str, Any]) -> list[str]:
    marks = [a["expr"] for a in dashboard["annotations"].get("list", ())]
    return marks + [target["expr"] for one in panels(dashboard) for target in one["targets"]]


def filled(query: str) -> str:
    chosen = {"$scenario": "fraud", "$design": "D", "$seed": "7", "$quality": "pr_auc",
              "$__rate_interval": "8s"}  # fmt: skip
    for variable, value in chosen.items():
        query = query.replace(variable, value)
    return query


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
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*.json")} == set(built)
    for name, text in built.items():
        assert (folder / name).read_text() == text, "run: python grafana/build.py"


def test_what_is_built_is_what_the_models_read(build: ModuleType) -> None:
    """A key that the models do not know would be lost on the way."""
    plugins.register_default_plugins()
    for text in build.files().values():
        assert build.encoded(Dashboard.from_json(json.loads(text))) == text


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


def test_every_panel_says_where_it_asks_and_every_query_has_a_letter(build: ModuleType) -> None:
    for text in build.files().values():
        for panel in panels(json.loads(text)):
            assert panel["type"] == "text" or panel["datasource"]["uid"] == "prometheus"
            targets = panel.get("targets", [])
            assert panel["type"] == "text" or targets
            letters = [target["refId"] for target in targets]
            assert len(set(letters)) == len(letters) and all(letters)


@pytest.mark.parametrize("name", ["run.json", "capacity.json"])
def test_every_simulated_query_parses_and_names_what_is_sent(build: ModuleType, name: str) -> None:
    sent = {line.name for line in run_lines(a_run(), 1e9)} | set(TRIAL)
    for query in queries(json.loads(build.files()[name])):
        named = {one.name for one in selectors(promql_parser.parse(filled(query)))}
        assert named and named <= sent
    with pytest.raises(ValueError):
        promql_parser.parse("last_over_time(x[25h)")


def test_every_live_query_parses_and_names_what_exists(live: dict[str, Any], project: Path) -> None:
    known = known_series(project)
    assert len(queries(live)) > 60
    for query in queries(live):
        assert unknown(filled(query), known) == [], query
        for metric, labels in re.findall(r"(sandbox_\w+)(\{[^}]*\})?", query):
            assert 'job!=""' in labels, f"{metric}: runs that were pushed would be counted too"


def test_everything_that_is_measured_is_shown_or_alerted_on(
    live: dict[str, Any], project: Path
) -> None:
    asked = [*queries(live), *(rule["expr"] for rule in rules(project))]
    named = {one.name for query in asked for one in selectors(promql_parser.parse(filled(query)))}
    assert {family(name) for name in live_metrics()} <= {family(str(name)) for name in named}


def family(series: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", series)


def test_links_lead_to_dashboards_that_exist(build: ModuleType, project: Path) -> None:
    made = {name: json.loads(text) for name, text in build.files().items()}
    known = {f"/d/{dashboard['uid']}" for dashboard in made.values()}
    tags = {tag for dashboard in made.values() for tag in dashboard["tags"]}
    alerts = {rule["alert"] for rule in rules(project) if "alert" in rule}
    assert {f"/d/runbook-{alert}" for alert in alerts} <= known
    linked = set()
    for dashboard in made.values():
        for link in dashboard["links"]:
            assert link.get("url") in known or set(link["tags"]) & tags
        for panel in dashboard["panels"]:
            linked |= {link["url"] for link in panel.get("links", [])}
            linked |= set(
                re.findall(r"\]\((/d/[^)]+)\)", panel.get("options", {}).get("content", ""))
            )
    assert linked <= known
    assert {f"/d/runbook-{alert}" for alert in alerts} <= linked
    for name in ("live.json", "run.json", "capacity.json"):
        assert [link["tags"] for link in made[name]["links"]] == [
            ["ml-design-sandbox"],
            ["runbook"],
        ]


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


def test_grafana_is_given_the_dashboards_and_looks_as_often_as_prometheus(project: Path) -> None:
    reader = YAML(typ="safe")
    provisioning = project / "grafana" / "provisioning"
    compose = reader.load((project / "docker-compose.yml").read_text())["services"]["grafana"]
    provider = reader.load((provisioning / "dashboards" / "sandbox.yaml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in compose["volumes"]
    home = compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{path}/live.json"
    source = reader.load((provisioning / "datasources" / "prometheus.yaml").read_text())
    assert source["datasources"][0]["uid"] == "prometheus"
    scraping = reader.load((project / "prometheus" / "prometheus.yml").read_text())
    every = {job.get("scrape_interval") for job in scraping["scrape_configs"]} - {None}
    assert every == {source["datasources"][0]["jsonData"]["timeInterval"]}
