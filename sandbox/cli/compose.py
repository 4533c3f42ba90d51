"""``sandbox up`` and ``sandbox down`` with Docker Compose: the live system in containers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.cli.designs import prepare_live
from sandbox.cli.places import scenario_roots
from sandbox.cli.tables import say, say_json, say_table
from sandbox.errors import SandboxError, UsageError

__all__ = ["down_compose", "up_compose"]

FILE = "docker-compose.yml"
OURS = "\nname: sandbox\n"
"""What the Compose file of this project, and no other, holds."""
WITHOUT = "`sandbox up NAME --embedded` does without."


def up_compose(
    name: str,
    *,
    speed: float,
    design: Path | None,
    seed: int,
    workers: int = 2,
    tools: bool = False,
    scenarios: Sequence[Path] = (),
    as_json: bool = False,
) -> None:
    """Start a scenario in containers, wait until all are ready, and print every address.

    Parameters
    ----------
    name
        Scenario.
    speed
        Simulated seconds in one second.
    design
        File; the scenario's own when absent.
    tools
        Also what the profile ``tools`` holds.
    scenarios
        Folders to look for the scenario in first.

    Raises
    ------
    UsageError
        If scenario or design are wrong.
    SandboxError
        If Docker is missing, a port is taken, or a service does not become ready.
    """
    prepare_live(name, design, seed, None, list(scenarios))
    settings = {
        "SCENARIO": name, "SPEED": f"{speed:.10g}", "SEED": str(seed), "WORKERS": str(workers),
        **_mounted(name, design, scenarios),
    }  # fmt: skip
    compose = _Compose.found("up", settings, ("tools",) if tools else ())
    services = compose.services()
    if not compose.running():
        _check_ports(services)
    if compose.run("up", "--detach", "--build", "--wait").returncode:
        raise _not_ready(compose)
    _tell(services, as_json)


def down_compose(*, volumes: bool = False, as_json: bool = False) -> None:
    """Stop and remove the containers; the log, models and metrics stay unless asked otherwise.

    Raises
    ------
    SandboxError
        If Docker is missing or refuses.
    """
    compose = _Compose.found("down", {}, ("tools",))
    more = ("--volumes",) if volumes else ()
    if compose.run("down", "--remove-orphans", *more).returncode:
        raise SandboxError("docker compose failed", where="down", hint="It says why above.")
    if as_json:
        say_json({"down": True, "volumes_removed": volumes})
    elif volumes:
        say("Down; volumes are removed.")
    else:
        say("Down; volumes are kept. sandbox down --volumes removes them.")


@dataclass(frozen=True)
class _Compose:
    """``docker compose`` in the folder of this project's file, as if typed there."""

    folder: Path
    settings: Mapping[str, str]
    """Environment variables beside those of this process."""
    profiles: Sequence[str]
    _environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @classmethod
    def found(cls, where: str, settings: Mapping[str, str], profiles: Sequence[str]) -> _Compose:
        """Return it, or say in one line what is missing."""
        import sandbox

        clone = Path(sandbox.__file__).resolve().parent.parent
        files = [place / FILE for place in (clone, Path.cwd())]
        ours = [file for file in files if file.is_file() and OURS in file.read_text("utf-8")]
        if not ours:
            raise UsageError(
                f"no {FILE} of this project here", where=where,
                hint=f"Run it in a clone of the project; {WITHOUT}",
            )  # fmt: skip
        _check_docker(where)
        return cls(ours[0].parent, settings, profiles)

    def run(self, *arguments: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command; unless quiet, its progress goes to standard error."""
        profiles = [f"--profile={name}" for name in self.profiles]
        return subprocess.run(
            ["docker", "compose", *profiles, *arguments], cwd=self.folder, text=True, check=False,
            env={**self._environment, **self.settings},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None,
        )  # fmt: skip

    def services(self) -> dict[str, Any]:
        """Return the services as Compose understands the file."""
        done = self.run("config", "--format=json", quiet=True)
        if done.returncode:
            raise SandboxError(f"Compose refuses it: {_last_line(done.stderr)}", where=FILE)
        services: dict[str, Any] = json.loads(done.stdout)["services"]
        return services

    def running(self) -> bool:
        """Tell whether any container of the project runs."""
        return bool(self.run("ps", "--quiet", quiet=True).stdout.strip())


def _check_docker(where: str) -> None:
    if shutil.which("docker") is None:
        raise SandboxError("Docker is not installed", where=where, hint=f"Install it; {WITHOUT}")
    checks = {
        "`docker compose` is missing": ["docker", "compose", "version"],
        "no Docker engine answers": ["docker", "version"],
    }
    for what, command in checks.items():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(
                what, where=where, hint=f"{_last_line(done.stderr).rstrip('.')}. {WITHOUT}"
            )


def _mounted(name: str, design: Path | None, scenarios: Sequence[Path]) -> dict[str, str]:
    """Return which folders of this machine the roles see, and the design as they see it."""
    from sandbox.world import Catalogue

    folder = Catalogue(scenario_roots(scenarios)).folder(name)
    found = {"SCENARIOS": str(folder.resolve().parent)}
    if design is not None:
        file = design.resolve()
        found |= {"DESIGNS": str(file.parent), "DESIGN": f"/designs/{file.name}"}
    return found


def _check_ports(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", ()):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((port["host_ip"], int(port["published"])))
                except OSError as error:
                    raise SandboxError(
                        f"port {port['published']} for {name} is not free ({error.strerror})",
                        where="up", hint="Stop what uses it, or choose another: see .env.",
                    ) from None  # fmt: skip


def _not_ready(compose: _Compose) -> SandboxError:
    """Return which services did not become ready."""
    listed = compose.run("ps", "--all", "--format=json", quiet=True).stdout
    rows = [json.loads(line) for line in listed.splitlines() if line.startswith("{")]
    bad = {
        row["Service"]: row["Health"] or f"{row['State']} {row['ExitCode']}"
        for row in rows
        if row["Health"] not in ("healthy", "")
        or (row["State"] != "running" and row["ExitCode"] != 0)
    }
    if not bad:
        return SandboxError("docker compose failed", where="up", hint="It says why above.")
    return SandboxError(
        f"not ready: {', '.join(f'{name} ({state})' for name, state in sorted(bad.items()))}",
        where="up", hint=f"`docker compose logs {' '.join(sorted(bad))}` says why.",
    )  # fmt: skip


def _tell(services: Mapping[str, Any], as_json: bool) -> None:
    rows = [
        {"service": name, "address": labels["sandbox.address"], "for": labels["sandbox.for"]}
        for name, service in services.items()
        if "sandbox.address" in (labels := service.get("labels", {}))
    ]
    if as_json:
        say_json(rows)
        return
    say_table(("service", "address", "for"), rows)
    say("\nsandbox status | drift set KNOB VALUE | fault kill worker | down")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "It does not say why"
