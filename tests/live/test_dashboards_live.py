"""Every query of the live dashboard and of the rules has data from a run of 90 seconds.

The roles are processes on a real broker, a real Prometheus looks at them. Meanwhile drift is
injected, detected, trained on, and the new model is promoted.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from promql_parser import BinaryExpr, Expr, ParenExpr
from ruamel.yaml import YAML

from sandbox.adapters.http import ask
from sandbox.cli.main import main
from sandbox.errors import SandboxError
from tests.grafana.viewer import shown, values
from tests.prometheus.conftest import load, ranged, rules, sides, tool

ROOT = Path(__file__).parent.parent.parent
SPEED = 17280
"""A day in five seconds: labels mature in 35."""
SECONDS = 90
ROLES = ("monitor", "trainer", "worker", "generator")
QUIET = {
    'kind=~"fault"', 'kind=~"performance|estimate"', 'decision="block"', "sandbox_invalid_ratio",
}  # fmt: skip
"""What a system without faults, whose design blocks nothing, has no series of."""


@dataclass(frozen=True)
class Lived:
    """Where to ask, and about when."""

    prometheus: str
    start: float
    end: float

    def asks(self, query: str) -> list[float]:
        """Return every number that a query gives for the time of the run."""
        found = ranged(self.prometheus, query, self.start, self.end, 2.0)
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if value == value]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def small_world(folder: Path) -> Path:
    """Write the fraud scenario with a fourth of its events and a shorter past."""
    shutil.copytree(ROOT / "scenarios" / "fraud", folder / "fraud")
    file = folder / "fraud" / "scenario.yaml"
    text = file.read_text()
    for old, new in (("history: 80d", "history: 45d"), ("mean: 2000/s", "mean: 500/s")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    file.write_text(text)
    return folder


def configured(folder: Path, ports: dict[str, int]) -> Path:
    """Write Compose's configuration with the addresses of this machine."""
    yaml = YAML()
    config = yaml.load((ROOT / "prometheus" / "prometheus.yml").read_text())
    config["rule_files"] = [str(ROOT / "prometheus" / "rules" / "*.yml")]
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        port = ports[job["job_name"]]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    yaml.dump(config, folder / "prometheus.yml")
    return folder / "prometheus.yml"


def until(true: Callable[[], Any], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except SandboxError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"{what}: not in {seconds:g} s")


@pytest.fixture(scope="module")
def lived(kafka_broker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Live through the story, once for all tests."""
    binary, folder = tool("prometheus"), tmp_path_factory.mktemp("live")
    worlds = small_world(folder / "scenarios")
    ports = {name: free_port() for name in ("prometheus", *ROLES)}
    common = [
        "--scenario", "fraud", "--scenarios", str(worlds), "--kafka", kafka_broker.address,
        "--registry", f"sqlite:///{folder}/registry.db", "--speed", str(SPEED),
        "--set", "retraining.promotion=by_hand",
    ]  # fmt: skip
    role = [sys.executable, "-m", "sandbox", "role"]
    subprocess.run([*role, "topics", *common], check=True, timeout=120)
    with ExitStack() as stack:
        for name in ROLES:
            own = ["--listen", f"127.0.0.1:{ports[name]}", "--state", str(folder / name)]
            started(stack, [*role, name, *common, *own], folder / f"{name}.log")
        url = f"http://127.0.0.1:{ports['prometheus']}"
        command = [
            binary, f"--config.file={configured(folder, ports)}", "--log.level=error",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ]  # fmt: skip
        started(stack, command, folder / "prometheus.log")
        for name in ROLES:
            at = f"http://127.0.0.1:{ports[name]}"
            until(partial(ready, at), 400, f"{name} is ready")
        start = time.time()
        live_through(f"http://127.0.0.1:{ports['monitor']}")
        time.sleep(max(0.0, start + SECONDS - time.time()))
        yield Lived(url, start, time.time())


def ready(at: str) -> bool:
    ask(at, "/ready")
    return True


def started(stack: ExitStack, command: list[str], log: Path) -> None:
    """Start a process that ends with the stack."""
    out = stack.enter_context(log.open("wb"))
    process = stack.enter_context(subprocess.Popen(command, stdout=out, stderr=out))
    stack.callback(ended, process)


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def live_through(at: str) -> None:
    """Inject drift, wait until it is noticed, retrain and promote."""

    def status() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ask(at, "/status"))
        return found

    def told(*words: str) -> None:
        assert main([*words, "--at", at, "--wait", "30"]) == 0

    told("incident", "start", "channel_shift")
    told("drift", "set", "amount_scale", "3")
    until(lambda: status()["alerts"], 90, "drift is detected")
    told("retrain", "training.window=14d")
    until(lambda: status()["serving"]["challenger"], 60, "a challenger is trained")
    told("canary", "20%")
    told("promote")
    until(lambda: status()["serving"]["champion"] > 1, 30, "the challenger is promoted")


def without_zero(expr: Expr) -> Expr:
    """Return what an expression asks for before it falls back to 0."""
    if isinstance(expr, ParenExpr):
        return without_zero(expr.expr)
    if not isinstance(expr, BinaryExpr) or str(expr.op) != "or":
        return expr
    return without_zero(expr.lhs) if "vector(0)" in expr.rhs.prettify() else expr


def dashboard_queries(lived: Lived) -> list[str]:
    """Return what Grafana would ask, with each panel as often as it repeats itself."""
    live = json.loads(load(ROOT / "grafana").files()["live.json"])
    chosen = values(lived.prometheus, live, lived.start, lived.end)
    assert chosen["primary"] == ["recall_at_capacity"]
    assert {"pr_auc", "precision_at_capacity"} <= set(chosen["quality"])
    marks = [mark["expr"] for mark in live["annotations"]["list"]]
    return [*marks, *(query for panel in shown(live, chosen) for query in panel.queries)]


def rule_queries() -> list[str]:
    """Return every recorded expression, and both sides of every alert's comparison."""
    found = []
    for rule in rules(ROOT):
        expr = promql_parser.parse(rule["expr"])
        found += [part.prettify() for part in (sides(expr) if "alert" in rule else [expr])]
    return found


@pytest.mark.slow
def test_every_query_has_data(lived: Lived) -> None:
    asked = [*dashboard_queries(lived), *rule_queries()]
    assert len(asked) > 120
    assert [query for query in asked if not lived.asks(query)] == []
    assert not lived.asks('sandbox_simulated_day{job="nobody"}')


@pytest.mark.slow
def test_only_what_is_well_says_nothing_but_zero(lived: Lived) -> None:
    """A zero that a query falls back to is no data; here it must be of something that is well."""
    silent = []
    for query in [*dashboard_queries(lived), *rule_queries()]:
        first = without_zero(promql_parser.parse(query)).prettify()
        if not lived.asks(first) and not any(sign in first for sign in QUIET):
            silent.append(first)
    assert silent == []


@pytest.mark.slow
def test_the_story_can_be_read(lived: Lived) -> None:
    def most(query: str) -> float:
        return max(lived.asks(query), default=0.0)

    assert most('sandbox_incident_active{incident="channel_shift"}') == 1
    assert most('sandbox_knob_value{knob="amount_scale"}') == 3
    assert most('ALERTS{alertname="DriftAlert",alertstate="firing"}') == 1
    assert {1.0, 2.0} <= set(lived.asks("max(sandbox_champion_version)"))
    for kind in ("incident", "command", "alert", "training", "promotion"):
        assert most(f'sandbox_happening_active{{kind="{kind}"}}') == 1, kind
    assert most("max(sandbox_simulated_day)") > 10
    assert most("sum(sandbox_decisions_total)") > 1000
    assert lived.asks('sandbox:roles_up:count{job="worker"}')[-1] == 1
