"""Containers of one Docker Compose project: find them by their labels, trouble them, put it right.

The engine's SDK knows nothing of Compose; Compose marks what it starts with labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from sandbox.errors import SandboxError, UsageError, suggest

__all__ = ["KINDS", "connected", "container_of", "troubled"]

PATIENCE = 60.0
"""For an answer of the engine [s]; stopping takes longest."""
_PROJECT, _SERVICE, _NUMBER = (
    f"com.docker.compose.{name}" for name in ("project", "service", "container-number")
)
_FINEST_QUOTA = 1000
"""The least that the kernel takes [us in a period]."""
_PERIOD = 100_000
KINDS: Mapping[str, tuple[str, str]] = {
    "kill": ("killed", "started again"),
    "pause": ("paused", "unpaused"),
    "disconnect": ("disconnected", "connected again"),
    "slow": ("slowed", "at full speed again"),
}
"""What is done and undone, in words."""


@contextmanager
def connected(environment: Mapping[str, str]) -> Iterator[docker.DockerClient]:
    """Yield a client of the engine that ``docker`` itself would talk to.

    Parameters
    ----------
    environment
        Where ``DOCKER_HOST`` and the like are looked up.

    Raises
    ------
    SandboxError
        If no engine answers, or it refuses something meanwhile.
    """
    try:
        client = docker.from_env(environment=dict(environment), timeout=PATIENCE)
    except (DockerException, RequestException) as error:
        raise SandboxError(
            "no engine answers", where="docker", hint=f"Is it running? {_said(error)}"
        ) from None
    try:
        yield client
    except (DockerException, RequestException) as error:
        raise SandboxError(f"the engine refused: {_said(error)}", where="docker") from None
    finally:
        client.close()


def container_of(
    client: docker.DockerClient, project: str, service: str, number: int | None = None
) -> Container:
    """Return a running container of a service.

    Parameters
    ----------
    project
        Only its containers are looked at.
    number
        Which one, counted as Compose does; the lowest that runs when absent.

    Raises
    ------
    UsageError
        If there is none.
    """
    mine = client.containers.list(all=True, filters={"label": f"{_PROJECT}={project}"})
    services = sorted({one.labels.get(_SERVICE, "") for one in mine})
    if not services:
        raise UsageError(
            "no such Compose project", where="--project", got=project,
            hint="`sandbox up NAME` starts one.",
        )  # fmt: skip
    if service not in services:
        raise UsageError(
            "no such service", where="SERVICE", got=service,
            expected=f"one of {', '.join(services)}", hint=suggest(service, services),
        )  # fmt: skip
    running = {
        int(one.labels[_NUMBER]): one
        for one in mine
        if one.labels[_SERVICE] == service and one.status == "running"
    }
    if not running:
        raise UsageError(
            "no container of it runs", where="SERVICE", got=service,
            hint="`docker compose ps --all` shows them.",
        )  # fmt: skip
    if number is not None and number not in running:
        raise UsageError(
            "no such container runs", where="--index", got=number,
            expected=f"one of {', '.join(map(str, sorted(running)))}",
        )  # fmt: skip
    return running[min(running) if number is None else number]


@contextmanager
def troubled(container: Container, kind: str, share: float = 0.1) -> Iterator[None]:
    """Trouble a container inside the context, and put it right at its end.

    Parameters
    ----------
    kind
        One of `KINDS`. ``kill`` is SIGKILL, ``disconnect`` takes it off all its networks.
    share
        What ``slow`` leaves of its processor time.

    Raises
    ------
    SandboxError
        If it could not be put right; the container may still be in trouble.
    """
    match kind:
        case "kill":
            container.kill()
            undo = container.start
        case "pause":
            container.pause()
            undo = container.unpause
        case "disconnect":
            undo = _disconnect(container)
        case "slow":
            undo = _slow(container, share)
        case _:
            raise ValueError(kind)
    try:
        yield
    finally:
        try:
            undo()
        except (DockerException, RequestException) as error:
            raise SandboxError(
                f"could not be {KINDS[kind][1]}: {_said(error)}", where=container.name,
                hint="`docker compose up --wait --force-recreate` does.",
            ) from None  # fmt: skip


def _disconnect(container: Container) -> Any:
    """Take a container off its networks; return what puts it back under the names it had."""
    found = container.attrs["NetworkSettings"]["Networks"].values()
    ends = [
        (container.client.networks.get(end["NetworkID"]), end.get("Aliases") or []) for end in found
    ]
    for network, _ in ends:
        network.disconnect(container, force=True)

    def connect() -> None:
        for network, aliases in ends:
            network.connect(container, aliases=aliases)

    return connect


def _slow(container: Container, share: float) -> Any:
    """Cut the processor time of a container; return what gives it back."""
    limits = container.attrs["HostConfig"]
    if limits.get("NanoCpus"):
        raise SandboxError(
            "its processor limit cannot be turned", where=container.name, got="cpus",
            expected="cpu_quota in the Compose file",
        )  # fmt: skip
    former, period = limits.get("CpuQuota") or 0, limits.get("CpuPeriod") or _PERIOD
    whole = former if former > 0 else period
    container.update(cpu_period=period, cpu_quota=max(round(whole * share), _FINEST_QUOTA))
    return lambda: container.update(cpu_period=period, cpu_quota=former if former > 0 else -1)


def _said(error: Exception) -> str:
    """Return what the engine or the way to it said, as a sentence."""
    text = " ".join(str(getattr(error, "explanation", None) or error).split())
    return text if text.endswith((".", "?", "!")) else f"{text}."
