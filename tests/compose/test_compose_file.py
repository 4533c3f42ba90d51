"""What docker-compose.yml, .env and the Dockerfile promise, read without an engine."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
ROLES = {"topics", "generator", "worker", "monitor", "trainer"}
ONE_SHOT = {"topics"}
SERVICES = {*ROLES, "kafka", "mlflow", "prometheus", "grafana", "kafka-ui"}


def composed() -> dict[str, Any]:
    """Return the file with its anchors merged, as plain dictionaries."""
    return copy.deepcopy(YAML(typ="safe", pure=True).load(FILE.read_text()))


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / ".env").read_text().splitlines() if line and line[:1] != "#"]
    return dict(line.split("=", 1) for line in lines)


def broken(file: dict[str, Any]) -> Iterator[str]:
    """Yield the rules of this file that it breaks."""
    built = {one["image"] for one in file["services"].values() if "build" in one}
    for name, service in file["services"].items():
        for rule, kept in {
            "read_only": service.get("read_only") is True,
            "cap_drop": service.get("cap_drop") == ["ALL"] and "cap_add" not in service,
            "no-new-privileges": "no-new-privileges:true" in service.get("security_opt", ()),
            "user": re.fullmatch(r"[1-9]\d*:\d+", service.get("user", "")) is not None,
            "mem_limit": "mem_limit" in service,
            # `sandbox fault slow` can turn a quota, not a number of processors.
            "cpu_quota": service.get("cpu_quota", 0) > 0 and "cpus" not in service,
            "healthcheck": _checked(service) or name in ONE_SHOT,
            "logging": "max-size" in service.get("logging", {}).get("options", {}),
            "stop_grace_period": "stop_grace_period" in service,
            "container_name": "container_name" not in service,
            "loopback": all(
                re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+\}:\d+", port)
                for port in service.get("ports", ())
            ),
            "host": not {"privileged", "network_mode", "pid", "devices"} & set(service),
            "pinned": service["image"] in built or _is_pinned(service["image"]),
            "mounts": all(_mount_is_safe(mount, file) for mount in service.get("volumes", ())),
            "gates": all(
                _gate(file, needed) == need["condition"]
                for needed, need in service.get("depends_on", {}).items()
            ),
        }.items():
            if not kept:
                yield f"{name}: {rule}"


def _is_pinned(image: str) -> bool:
    return re.search(r":\$\{[A-Z_]+_VERSION\}$", image) is not None


def _checked(service: dict[str, Any]) -> bool:
    check = service.get("healthcheck", {})
    return bool(check.get("test")) and "interval" in check and not check.get("disable")


def _mount_is_safe(mount: str, file: dict[str, Any]) -> bool:
    """Allow named volumes, and folders of the user's that cannot be written."""
    if mount.split(":")[0] in file["volumes"]:
        return True
    return mount.endswith(":ro") and "docker.sock" not in mount


def _gate(file: dict[str, Any], name: str) -> str:
    one_shot = file["services"][name].get("restart") == "no"
    return "service_completed_successfully" if one_shot else "service_healthy"


def test_every_service_keeps_the_rules() -> None:
    assert not list(broken(composed()))


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "worker: container_name": lambda s: s["worker"].update(container_name="worker"),
    "grafana: loopback": lambda s: s["grafana"].update(ports=["3000:3000"]),
    "kafka: loopback": lambda s: s["kafka"].update(ports=["0.0.0.0:${KAFKA_PORT}:9092"]),
    "mlflow: read_only": lambda s: s["mlflow"].pop("read_only"),
    "trainer: user": lambda s: s["trainer"].update(user="0:0"),
    "monitor: user": lambda s: s["monitor"].pop("user"),
    "monitor: cap_drop": lambda s: s["monitor"].update(cap_add=["NET_ADMIN"]),
    "generator: host": lambda s: s["generator"].update(network_mode="host"),
    "worker: mounts": lambda s: s["worker"].update(
        volumes=["/var/run/docker.sock:/var/run/docker.sock:ro"]
    ),
    "prometheus: mounts": lambda s: s["prometheus"].update(volumes=["./prometheus:/etc/x"]),
    "kafka: pinned": lambda s: s["kafka"].update(image="apache/kafka:latest"),
    "kafka: healthcheck": lambda s: s["kafka"].pop("healthcheck"),
    "worker: gates": lambda s: s["worker"].update(
        depends_on={"mlflow": {"condition": "service_started"}}
    ),
    "worker: cpu_quota": lambda s: s["worker"].update(cpus=1.0),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_broken_rule_is_seen(rule: str) -> None:
    file = composed()
    BREAKS[rule](file["services"])
    assert list(broken(file)) == [rule]


def test_the_services_are_those_of_a_live_system() -> None:
    services = composed()["services"]
    assert set(services) == SERVICES
    assert {name for name, one in services.items() if "profiles" in one} == {"kafka-ui"}
    for role in ROLES:
        assert services[role]["command"] == ["role", role]
    assert "${WORKERS" in services["worker"]["scale"]


def test_nothing_waits_in_a_circle() -> None:
    services = composed()["services"]
    left = {name: set(one.get("depends_on", ())) for name, one in services.items()}
    while left:
        free = {name for name, needs in left.items() if not needs & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {name: needs for name, needs in left.items() if name not in free}


def test_volumes_that_are_declared_are_used() -> None:
    file = composed()
    mounts = [m for one in file["services"].values() for m in one.get("volumes", ())]
    assert {mount.split(":")[0] for mount in mounts} >= set(file["volumes"])


def test_every_variable_is_pinned_or_has_a_default() -> None:
    used = re.findall(r"\$\{([A-Z_]+)\}", FILE.read_text())
    assert set(used) == set(pins())


def test_published_ports_have_an_address_to_print() -> None:
    for name, service in composed()["services"].items():
        labels = service.get("labels", {})
        assert ("ports" in service) == ("sandbox.address" in labels), name
        for port in service.get("ports", ()):
            variable = re.search(r"\$\{[A-Z_]+\}", port)
            assert variable and variable[0] in labels["sandbox.address"]


def test_ports_differ() -> None:
    ports = [value for name, value in pins().items() if name.endswith("_PORT")]
    assert len(ports) == len(set(ports)) > 4


def test_kafka_is_alone_and_says_so() -> None:
    settings = composed()["services"]["kafka"]["environment"]
    alone = [name for name in settings if name.endswith(("REPLICATION_FACTOR", "ISR", "REPLICAS"))]
    assert len(alone) == 6
    assert {settings[name] for name in alone} == {"1"}
    assert settings["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert "KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS" in settings


def test_one_broker_version_is_tested_and_started() -> None:
    pom = ElementTree.parse(ROOT / "tests" / "live" / "pom.xml")
    versions = pom.findall(".//{*}dependency/{*}version")
    assert [version.text for version in versions] == [pins()["KAFKA_VERSION"]]


def test_one_mlflow_version_is_used_on_both_sides() -> None:
    client = re.search(r"^mlflow-skinny==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    server = re.search(r"^mlflow==(.+)$", (ROOT / "image" / "mlflow.txt").read_text(), re.M)
    assert client and server and client[1] == server[1]


def test_the_images_run_without_root_and_without_pip() -> None:
    stages = re.split(r"^FROM ", (ROOT / "Dockerfile").read_text(), flags=re.M)[1:]
    final = {
        name: text
        for text in stages
        if (name := text.splitlines()[0].rpartition(" ")[2]) in ("sandbox", "mlflow")
    }
    assert set(final) == {"sandbox", "mlflow"}
    for text in final.values():
        assert re.findall(r"^USER (.+)$", text, re.M) == ["10001:10001"]
        assert "pip" not in text.lower()
    assert final["sandbox"].count('ENTRYPOINT ["sandbox"]') == 1
    python = re.search(r"^ARG PYTHON_VERSION=(.+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert python and python[1] == pins()["PYTHON_VERSION"]


def test_the_build_context_is_a_list_of_what_goes_in() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.findall(
        r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M
    )
    sources = {source.partition("/")[0] for line in copied for source in line.split()}
    assert sources == allowed
    assert all((ROOT / source).exists() for source in allowed)


def test_the_home_dashboard_is_there() -> None:
    path = composed()["services"]["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]
    assert (ROOT / "grafana" / "dashboards" / Path(path).name).exists()


def test_the_page_lists_every_service_with_its_address() -> None:
    page = (ROOT / "docs" / "live.md").read_text()
    for name, service in composed()["services"].items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", page, re.M)
        address = service.get("labels", {}).get("sandbox.address", "")
        for variable, value in pins().items():
            address = address.replace(f"${{{variable}}}", value)
        assert address in row and ("127.0.0.1" in row or "localhost" in row) == bool(address)
