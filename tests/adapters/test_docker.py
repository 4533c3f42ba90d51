"""Faults on containers, with an engine that only remembers what it was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from docker.errors import APIError

from sandbox.adapters.docker import KINDS, connected, container_of, troubled
from sandbox.errors import SandboxError, UsageError

LABELS = "com.docker.compose"


class FakeNetwork:
    def __init__(self, told: list[Any], name: str) -> None:
        self.told, self.name = told, name

    def disconnect(self, container: Any, force: bool) -> None:
        self.told.append(("disconnect", self.name))

    def connect(self, container: Any, aliases: list[str]) -> None:
        self.told.append(("connect", self.name, aliases))


class FakeContainer:
    """Remembers calls; refuses those in `refuses`."""

    def __init__(
        self, service: str, number: int, status: str = "running", project: str = "sandbox",
        limits: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.labels = {
            f"{LABELS}.project": project, f"{LABELS}.service": service,
            f"{LABELS}.container-number": str(number),
        }  # fmt: skip
        self.name, self.status = f"{project}-{service}-{number}", status
        self.told: list[Any] = []
        self.refuses: set[str] = set()
        self.client = self
        self.networks = self
        self.attrs = {
            "HostConfig": limits or {"CpuQuota": 50_000, "CpuPeriod": 100_000, "NanoCpus": 0},
            "NetworkSettings": {"Networks": {"net": {"NetworkID": "n1", "Aliases": ["worker"]}}},
        }

    def get(self, name: str) -> FakeNetwork:
        return FakeNetwork(self.told, name)

    def update(self, **settings: int) -> None:
        self.told.append(("update", settings))

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name not in ("kill", "start", "pause", "unpause"):
            raise AttributeError(name)

        def call() -> None:
            if name in self.refuses:
                raise APIError("refused", explanation=f"cannot {name}")
            self.told.append(name)

        return call


class FakeClient:
    def __init__(self, *containers: FakeContainer) -> None:
        self.all, self.containers = containers, self

    def list(self, all: bool, filters: dict[str, str]) -> list[FakeContainer]:
        name, _, value = filters["label"].partition("=")
        return [one for one in self.all if all and one.labels[name] == value]


def client(*containers: FakeContainer) -> Any:
    return FakeClient(*containers)


WORKERS = (
    FakeContainer("worker", 3),
    FakeContainer("worker", 2),
    FakeContainer("worker", 1, status="exited"),
    FakeContainer("kafka", 1),
    FakeContainer("topics", 1, status="exited"),
    FakeContainer("worker", 1, project="another"),
)


def test_the_lowest_running_container_is_taken_or_the_one_asked_for() -> None:
    assert container_of(client(*WORKERS), "sandbox", "worker").name == "sandbox-worker-2"
    assert container_of(client(*WORKERS), "sandbox", "worker", 3).name == "sandbox-worker-3"


@pytest.mark.parametrize(
    ("project", "service", "number", "message"),
    [
        ("sandbx", "worker", None, "--project: no such Compose project; got 'sandbx'"),
        ("sandbox", "wroker", None, "expected one of kafka, topics, worker. Did you mean worker?"),
        ("another", "kafka", None, "SERVICE: no such service; got 'kafka', expected one of worker"),
        ("sandbox", "topics", None, "SERVICE: no container of it runs; got 'topics'"),
        ("sandbox", "worker", 1, "--index: no such container runs; got 1, expected one of 2, 3"),
    ],
)
def test_what_is_not_this_projects_or_does_not_run_is_refused(
    project: str, service: str, number: int | None, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        container_of(client(*WORKERS), project, service, number)
    assert message in caught.value.line()


UNDONE: dict[str, tuple[list[Any], list[Any]]] = {
    "kill": (["kill"], ["start"]),
    "pause": (["pause"], ["unpause"]),
    "disconnect": ([("disconnect", "n1")], [("connect", "n1", ["worker"])]),
    "slow": (
        [("update", {"cpu_period": 100_000, "cpu_quota": 5_000})],
        [("update", {"cpu_period": 100_000, "cpu_quota": 50_000})],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_done_is_undone(kind: str) -> None:
    one: Any = FakeContainer("worker", 1)
    done, undone = UNDONE[kind]
    with troubled(one, kind):
        assert one.told == done
    assert one.told == done + undone


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_meanwhile_undoes_it_too(kind: str) -> None:
    one: Any = FakeContainer("worker", 1)
    with pytest.raises(KeyboardInterrupt), troubled(one, kind):
        raise KeyboardInterrupt
    assert one.told == UNDONE[kind][0] + UNDONE[kind][1]


def test_what_has_no_limit_gets_none_back() -> None:
    one: Any = FakeContainer("worker", 1, limits={"CpuQuota": 0, "CpuPeriod": 0})
    with troubled(one, "slow", 0.001):
        pass
    quotas = [settings["cpu_quota"] for _, settings in one.told]
    assert quotas == [1000, -1]  # the kernel's least, and none


def test_a_limit_of_the_other_kind_is_refused() -> None:
    one: Any = FakeContainer("worker", 1, limits={"NanoCpus": 1_000_000_000})
    with pytest.raises(SandboxError, match="expected cpu_quota"), troubled(one, "slow"):
        pass
    assert one.told == []


def test_what_cannot_be_undone_is_said() -> None:
    one: Any = FakeContainer("worker", 1)
    one.refuses = {"start"}
    with pytest.raises(SandboxError) as caught, troubled(one, "kill"):
        pass
    assert caught.value.line() == (
        "sandbox-worker-1: could not be started again: cannot start. "
        "`docker compose up --wait --force-recreate` does."
    )


def test_what_cannot_be_done_is_not_undone() -> None:
    one: Any = FakeContainer("worker", 1)
    one.refuses = {"pause"}
    with pytest.raises(APIError), troubled(one, "pause"):
        raise AssertionError("not reached")
    assert one.told == []


def test_no_engine_is_one_line() -> None:
    with pytest.raises(SandboxError) as caught, connected({"DOCKER_HOST": "tcp://127.0.0.1:1"}):
        pass
    assert caught.value.line().startswith("docker: no engine answers. Is it running?")
