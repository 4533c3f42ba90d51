"""The dashboards: fresh, every query valid, of metrics that exist, and with data behind it."""

from __future__ import annotations

import itertools
import json
import re
import time
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
from sandbox.run.execution import execute
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import prepare
from sandbox.task import TASKS, get_task
from tests.grafana.viewer import RATE_INTERVAL, filled, panels, shown, values, variables
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
SOME = {"scenario": ["fraud"], "design": ["D"], "seed": ["7"], "quality": ["pr_auc"],
        "primary": ["recall_at_capacity"], **RATE_INTERVAL}  # fmt: skip
"""Values of variables."""
COMMON = ("model.champion.xgboost.trees=10", "retraining=never")
QUICK = {
    "binary": (*COMMON, "population=300"),
    "regression": (*COMMON, "objectives.mae.at_most=9", "objectives.interval_width.at_most=9"),
    "ranking": (*COMMON, "population=2500"),
}  # fmt: skip
"""Settings of runs of a second or two."""
MORE = {"binary": (), "regression": ("mae", "interval_width"), "ranking": ("coverage", "uplift")}
"""Metrics that the run of a task has besides those that are always watched."""
QUALITY = 2
"""Place of the first panel about quality among those of a simulated run."""
TRIAL = ("sandbox_stage_lag_events", "sandbox_worker_utilisation_ratio",
         "sandbox_event_to_decision_seconds")  # fmt: skip


@pytest.fixture(scope="module")
def build(project: Path) -> ModuleType:
    return load(project / "grafana")


@pytest.fixture(scope="module")
def live(build: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(build.files()["live.json"])
    return found


def queries(dashboard: dict[str, Any]) -> list[str]:
    marks = [a["expr"] for a in dashboard["annotations"].get("list", ())]
    return marks + [target["expr"] for one in panels(dashboard) for target in one["targets"]]


def a_run() -> RunRecord:
    """Return a record with a value of everything that the dashboards ask for, every day."""
    record = RunRecord(
        scenario="homes", title="H", task="regression", design="D", seed=7, days=float(DAYS),
        start_date="2026-01-05", population=1.0, complete=True, events=1, primary="r2",
    )  # fmt: skip
    plain = ("lag", "latency_p50", "latency_p99", "load", "answered", "good_blocked")
    several = {
        "utilisation": "stage", "psi": "amount", "missing": "amount", "decisions": "block",
        "reviews": "worked", "wrong_estimates": "oracle", "r2": "oracle", "mae": "observed",
        "loss": "missed",
    }  # fmt: skip
    for day in np.arange(1.0, DAYS + 1):
        for metric in plain:
            record.metrics.add(day, metric, day)
        for metric, series in several.items():
            record.metrics.add(day, metric, day, series)
    record.alerts.append(AlertRecord(12.5, "psi", "amount", 1.0, 0.5, ""))
    record.versions = [VersionRecord(1, "", 0.0, 0.0, 0.0, 1, 1, {}, {}, {}, True, (), 0.0)]
    return record


@pytest.fixture(scope="module", params=TASKS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Return a real run of each task, short and small."""
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("small", task=request.param, into=root)
    ready = prepare(
        "small", design=None, seed=7, days=10, overrides=QUICK[request.param], incidents=(),
        roots=(root,),
    )  # fmt: skip
    record = execute(ready)
    record.alerts.append(AlertRecord(4.5, "psi", "price", 1.0, 0.5, ""))
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
        named = {one.name for one in selectors(promql_parser.parse(filled(query, SOME)))}
        assert named and named <= sent
    with pytest.raises(ValueError):
        promql_parser.parse("last_over_time(x[25h)")


def test_every_live_query_parses_and_names_what_exists(live: dict[str, Any], project: Path) -> None:
    known = known_series(project)
    assert len(queries(live)) > 60
    for query in queries(live):
        assert unknown(filled(query, SOME), known) == [], query
        for metric, labels in re.findall(r"(sandbox_\w+)(\{[^}]*\})?", query):
            assert 'job!=""' in labels, f"{metric}: runs that were pushed would be counted too"
    for series, label in variables(live).values():
        assert 'job!=""' in series
        of = re.search(r'__name__=~"([^"]+)"', series)
        names = re.compile(of[1] if of else series.partition("{")[0])
        found = [labels for name, labels in known.items() if names.fullmatch(name)]
        assert found and all(label in labels for labels in found), series


def test_everything_that_is_measured_is_shown_or_alerted_on(
    live: dict[str, Any], project: Path
) -> None:
    chosen = (series for series, _ in variables(live).values())
    asked = [*queries(live), *chosen, *(rule["expr"] for rule in rules(project))]
    parsed = [promql_parser.parse(filled(query, SOME)) for query in asked]
    named = {one.name for one in itertools.chain(*map(selectors, parsed))}
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


def test_every_query_of_a_run_has_data(
    build: ModuleType, prometheus: str, played: RunRecord
) -> None:
    """Of each task, a real run: what its variables stand for, and what is drawn then."""
    now, board, task = time.time(), json.loads(build.files()["run.json"]), get_task(played.task)
    begin = now - played.days * 86400
    assert write(prometheus, run_lines(played, now)) > 0
    chosen = values(prometheus, board, begin, now)
    drawn = list(shown(board, chosen))
    assert drawn[QUALITY].title == task.primary
    titles = [one.title for one in drawn]
    for metric in {*task.watched, *MORE[played.task]}:
        assert titles.count(metric) == 1, "in a panel of its own"
    assert set(chosen["quality"]) == {*task.watched, *MORE[played.task]} - {task.primary}
    assert f"Bad events: {task.bad_rate}" in titles
    said = " ".join(one.about for one in drawn)
    for word in (task.good, task.without_model, task.baseline):
        assert word in said
    marks = [filled(mark["expr"], chosen) for mark in board["annotations"]["list"]]
    for query in [*marks, *(query for one in drawn for query in one.queries)]:
        assert ranged(prometheus, query, begin, now, 43200), query
    nothing = 'last_over_time(sandbox_loss_usd_total{scenario="none"}[25h])'
    assert not ranged(prometheus, nothing, begin, now, 43200)


def test_every_series_of_a_run_has_a_name_of_its_own(played: RunRecord) -> None:
    """Nothing that is no quality is told as quality, and nothing that is has the wrong unit."""
    lines, task = list(run_lines(played, 1e9)), get_task(played.task)
    series = {(line.name, *sorted(line.labels.items())) for line in lines}
    table = played.metrics
    more = len({line.name for line in lines} & {"sandbox_task_info", "sandbox_champion_version"})
    alerts = {alert.kind for alert in played.alerts}
    assert len(series) == sum(len(table.names(m)) for m in table.metrics()) + more + len(alerts)
    for line in lines:
        if "metric" in line.labels:
            own = line.labels["metric"] in task.in_label_unit
            assert line.name == f"sandbox_model_quality_{'value' if own else 'ratio'}"
            assert line.labels["metric"] in {*task.metrics, "coverage", "uplift"}
    assert any(line.name == "sandbox_model_quality_value" for line in lines) == (
        played.task == "regression"
    )


def test_every_query_of_a_trial_has_data(build: ModuleType, prometheus: str) -> None:
    now = time.time()
    labels = {"scenario": "fraud", "design": "D", "seed": "7"}
    samples = [(now - second, 1.0) for second in range(300, -1, -1)]
    write(prometheus, [Line(name, labels, samples) for name in TRIAL])
    board = json.loads(build.files()["capacity.json"])
    drawn = list(shown(board, values(prometheus, board, now - 300, now)))
    assert len(drawn) == len(TRIAL)
    for query in [query for one in drawn for query in one.queries]:
        assert ranged(prometheus, query, now - 300, now, 10), query


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
