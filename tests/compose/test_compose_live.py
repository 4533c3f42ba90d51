"""docker-compose.yml, really started: it is ready, closed to the outside, and outlives a fault.

Kafka, Prometheus and Python are stand-ins of Debian's packages and Maven's jars under the names
that the file pulls; of Grafana only the health check is stood in for.
"""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.compose

WORKERS = 2
CONTAINERS = {
    "sandbox-kafka-1", "sandbox-mlflow-1", "sandbox-prometheus-1", "sandbox-grafana-1",
    "sandbox-generator-1", "sandbox-monitor-1", "sandbox-trainer-1", "sandbox-topics-1",
    *(f"sandbox-worker-{number}" for number in range(1, WORKERS + 1)),
}  # fmt: skip
DECIDED = "sum(sandbox_decisions_total)"


class System:
    """The started system."""

    def __init__(self, engine: Any, addresses: dict[str, str]) -> None:
        self.engine, self.addresses = engine, addresses

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of each of our containers, by name."""
        mine = "label=com.docker.compose.project=sandbox"
        names = self.engine.need("docker", "ps", "--all", "--quiet", "--filter", mine).split()
        if not names:
            return {}
        found = json.loads(self.engine.need("docker", "inspect", *names))
        return {one["Name"].lstrip("/"): one for one in found}

    def get(self, service: str, path: str) -> bytes:
        url = urllib.parse.urljoin(self.addresses[service], path)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bytes(answer.read())

    def metric(self, query: str) -> float:
        """Return the value of an expression in Prometheus, 0 where there is none."""
        path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        result = json.loads(self.get("prometheus", path))["data"]["result"]
        return sum(float(one["value"][1]) for one in result)


@pytest.fixture(scope="module")
def system(engine: Any) -> Iterator[System]:
    began = time.monotonic()
    try:
        rows = json.loads(engine.sandbox("up", "fraud", "--json", timeout=1200))
        print(f"ready after {time.monotonic() - began:.0f} s")
        yield System(engine, {row["service"]: row["address"] for row in rows})
    finally:
        engine.run("docker", "compose", "logs", "--no-color", "--tail=40")
        engine.sandbox("down", "--volumes", timeout=300)


def eventually(check: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(1)


def test_all_containers_are_ready(system: System) -> None:
    found = system.containers()
    assert set(found) == CONTAINERS
    for name, one in found.items():
        state = one["State"]
        if name == "sandbox-topics-1":
            assert (state["Status"], state["ExitCode"]) == ("exited", 0)
        else:
            assert (state["Status"], state["Health"]["Status"]) == ("running", "healthy"), name
        assert one["RestartCount"] == 0, name


def test_nobody_is_root_and_nothing_can_be_written(system: System) -> None:
    for name, one in system.containers().items():
        limits = one["HostConfig"]
        assert limits["ReadonlyRootfs"], name
        assert limits["CapDrop"] == ["ALL"] and not limits["CapAdd"], name
        assert limits["SecurityOpt"] == ["no-new-privileges:true"], name
        assert limits["Memory"] > 0 and limits["CpuQuota"] > 0, name
        assert one["Config"]["User"].split(":")[0] not in ("", "0", "root"), name
        if one["State"]["Status"] == "running":
            process = f"/proc/{one['State']['Pid']}"
            assert os.stat(process).st_uid != 0, name
            assert _capabilities(process) == {0}, name


def _capabilities(process: str) -> set[int]:
    with open(f"{process}/status") as lines:
        kinds = ("CapPrm:", "CapEff:", "CapBnd:", "CapAmb:")
        return {int(line.split()[1], 16) for line in lines if line.startswith(kinds)}


def test_ports_are_open_on_loopback_only(system: System) -> None:
    bound = {
        (binding["HostIp"], int(binding["HostPort"]))
        for one in system.containers().values()
        for bindings in (one["NetworkSettings"]["Ports"] or {}).values()
        for binding in bindings or ()
    }
    assert {host for host, _ in bound} == {"127.0.0.1"}
    assert {port for _, port in bound} == {
        urllib.parse.urlsplit(a if "//" in a else f"//{a}").port for a in system.addresses.values()
    }
    own = _own_address()
    for _, port in bound:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        if own is not None:
            with pytest.raises(OSError):
                socket.create_connection((own, port), timeout=5)


def _own_address() -> str | None:
    """Return an address of this machine that is not loopback; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        name = str(probe.getsockname()[0])
    return None if name.startswith("127.") else name


def test_prometheus_sees_every_role(system: System) -> None:
    up = f'count(up{{job=~"generator|worker|monitor|trainer"}} == 1) == {3 + WORKERS}'
    eventually(lambda: system.metric(up) > 0, 60)


def test_events_flow_and_are_decided(system: System) -> None:
    before = system.metric(DECIDED)
    eventually(lambda: system.metric(DECIDED) > before + 100, 90)
    assert system.metric("sum(sandbox_events_sent_total)") > 0
    assert system.metric("sandbox_champion_version") >= 1
    assert json.loads(system.get("monitor", "/status"))


def test_the_registry_holds_the_champion(system: System) -> None:
    found = json.loads(system.get("mlflow", "/api/2.0/mlflow/registered-models/search"))
    (model,) = found["registered_models"]
    assert "champion" in {alias["alias"] for alias in model["aliases"]}


def test_a_killed_worker_comes_back_and_decisions_go_on(system: System) -> None:
    words = ("fault", "kill", "worker", "--index", "1", "--for", "15s", "--json")
    said = json.loads(system.engine.sandbox(*words))
    assert said["container"] == "sandbox-worker-1" and said["seconds"] >= 15
    one = system.containers()["sandbox-worker-1"]
    assert one["State"]["Status"] == "running" and one["RestartCount"] == 0

    def healthy() -> bool:
        state = system.containers()["sandbox-worker-1"]["State"]
        return bool(state["Health"]["Status"] == "healthy")

    eventually(healthy, 120)
    before = system.metric(DECIDED)
    eventually(lambda: system.metric(DECIDED) > before + 100, 90)


@pytest.mark.parametrize("kind", ["pause", "disconnect", "slow"])
def test_other_faults_are_undone_as_well(system: System, kind: str) -> None:
    before = _shape(system.containers()["sandbox-worker-2"])
    words = ("fault", kind, "worker", "--index", "2", "--for", "2s", "--json")
    assert json.loads(system.engine.sandbox(*words))["fault"] == kind
    assert _shape(system.containers()["sandbox-worker-2"]) == before


def _shape(one: dict[str, Any]) -> list[object]:
    """Return what a fault may change and must put back."""
    networks = one["NetworkSettings"]["Networks"]
    return [
        one["State"]["Status"],
        one["HostConfig"]["CpuQuota"],
        {name: sorted(end["Aliases"]) for name, end in networks.items()},
    ]


def test_roles_end_in_order_when_asked_to(system: System) -> None:
    system.engine.need("docker", "compose", "stop", timeout=200)
    codes = {name: one["State"]["ExitCode"] for name, one in system.containers().items()}
    roles = ("generator", "worker", "monitor", "trainer")
    assert {code for name, code in codes.items() if name.split("-")[1] in roles} == {0}
    assert 137 not in codes.values(), codes  # killed, once its time was up


def test_down_leaves_nothing(system: System) -> None:
    system.engine.sandbox("down", "--volumes", timeout=300)
    assert system.containers() == {}
    for kind in ("volume", "network"):
        mine = "label=com.docker.compose.project=sandbox"
        assert system.engine.need("docker", kind, "ls", "--quiet", "--filter", mine) == ""
