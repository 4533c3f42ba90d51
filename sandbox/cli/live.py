"""``sandbox up``, ``down``, ``status``, ``role``: a system that lives in real time."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.designs import DesignFile, prepare_live
from sandbox.cli.options import Json, Name, Overrides, Quiet, Scenarios, Seed
from sandbox.cli.progress import telling
from sandbox.cli.stop import Stop, listening
from sandbox.cli.tables import say, say_json, say_table
from sandbox.errors import UsageError

if TYPE_CHECKING:
    from sandbox.adapters.event_log import EventLog
    from sandbox.live.embedded import Embedded
    from sandbox.live.role import Role
    from sandbox.run.setup import Prepared

__all__ = ["At", "down", "role", "status", "up"]

HERE = "http://127.0.0.1:9103"
PORTS = {"generator": 9101, "worker": 9102, "monitor": 9103, "trainer": 9104}
CALM = 5.0
"""Time between two lines where there is no terminal [s]."""
Speed = Annotated[
    float,
    typer.Option(
        "--speed", envvar="SANDBOX_SPEED", metavar="X",
        help="Simulated seconds in a second; 1440 is a day a minute.",
    ),
]  # fmt: skip
At = Annotated[
    str,
    typer.Option("--at", envvar="SANDBOX_AT", metavar="URL", help="Where the live system is."),
]


def up(
    name: Name,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="In this process, without Docker and Kafka.")
    ] = False,
    speed: Speed = 1440.0,
    design: DesignFile = None,
    seed: Seed = 7,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, metavar="N", help="How many [2; 1].")
    ] = None,
    tools: Annotated[bool, typer.Option("--tools", help="Compose: also its extra UIs.")] = False,
    overrides: Overrides = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Embedded: where it answers.")
    ] = "127.0.0.1:9103",
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="Embedded: keep the models there [nowhere]."),
    ] = None,
    scenarios: Scenarios = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Bring a scenario to life, in containers or in this process.

    It lives until `sandbox down`, or Ctrl-C where it is this process.

    The world is uneventful until somebody acts: sandbox drift, incident, load, fault.
    """
    if not embedded:
        for given, option in ((overrides, "--set"), (state, "--state")):
            if given:
                raise UsageError("goes with --embedded only", where=option)
        from sandbox.cli.compose import up_compose

        up_compose(
            name, speed=speed, design=design, seed=seed, workers=workers or 2, tools=tools,
            scenarios=scenarios or (), as_json=as_json,
        )  # fmt: skip
        return
    prepared = prepare_live(name, design, seed, overrides, scenarios)
    with listening() as stop, _folder(state) as folder:
        options = EmbeddedOptions(speed, workers or 1, listen)
        _live(prepared, folder, options, stop, quiet=quiet or as_json, as_json=as_json)
        stop.leave()


def down(
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Also forget the log, the models and the metrics.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop the containers of a live system."""
    from sandbox.cli.compose import down_compose

    down_compose(volumes=volumes, as_json=as_json)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again and again.")] = False,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Say how the live system is."""
    import json

    from sandbox.adapters.http import ask

    def look() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ask(at, "/status"))
        return found

    if not watch:
        found = look()
        if as_json:
            say_json(found)
        else:
            from sandbox.cli.watching import print_status

            print_status(found)
        return
    with listening() as stop:
        if as_json:
            while not stop.event.is_set():
                print(json.dumps(look()), flush=True)
                stop.event.wait(1.0)
        else:
            from sandbox.cli.watching import watch_status

            watch_status(look, stop.event)
        stop.leave()


def role(
    name: Annotated[
        str, typer.Argument(metavar="ROLE", help="topics, generator, worker, monitor, trainer.")
    ],
    scenario: Annotated[
        str, typer.Option("--scenario", envvar="SANDBOX_SCENARIO", metavar="NAME", help="Which.")
    ],
    kafka: Annotated[
        str, typer.Option("--kafka", envvar="SANDBOX_KAFKA", metavar="HOST:PORT", help="The log.")
    ] = "127.0.0.1:9092",
    registry: Annotated[
        str,
        typer.Option(
            "--registry", envvar="SANDBOX_REGISTRY", metavar="URI",
            help="Models: http://HOST:PORT or sqlite:///FILE.",
        ),
    ] = "http://127.0.0.1:5000",
    state: Annotated[
        Path,
        typer.Option(
            "--state", envvar="SANDBOX_STATE", metavar="DIR", help="A folder that may be lost."
        ),
    ] = Path("state"),
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen", envvar="SANDBOX_LISTEN", metavar="HOST:PORT",
            help="Where metrics, health and control answer [127.0.0.1 and the role's port].",
        ),
    ] = None,
    speed: Speed = 1440.0,
    design: Annotated[
        Path | None,
        typer.Option(
            "--design", envvar="SANDBOX_DESIGN", metavar="FILE", help="[The scenario's.]"
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", envvar="SANDBOX_SEED", min=0, metavar="N", help="Seed of all chance."
        ),
    ] = 7,
    process: Annotated[
        str | None,
        typer.Option(
            "--name", envvar="SANDBOX_NAME", metavar="NAME",
            help="Of this process, unlike any other's [role and machine].",
        ),
    ] = None,
    host_names: Annotated[
        list[str] | None,
        typer.Option(
            "--host-name", envvar="SANDBOX_HOST_NAMES", metavar="NAME",
            help="A further name by which clients may call this machine (repeatable).",
        ),
    ] = None,
    overrides: Overrides = None,
    scenarios: Scenarios = None,
) -> None:  # fmt: skip
    """Run one role of a live system.

    Every option can also be given by environment: SANDBOX_ and its name.
    """
    _silence_mlflow()
    from sandbox.live.processes import ROLES, check_role

    check_role(name)
    prepared = prepare_live(scenario, design, seed, overrides, scenarios)
    machine = socket.gethostname()
    called = process or f"{name}-{machine}"
    place = _Place(prepared, kafka, registry, state, called, speed)
    if name not in ROLES:
        place.create_topics()
        return
    names = (name, called, machine, *(host_names or ()))
    with listening() as stop:
        place.run(name, listen or f"127.0.0.1:{PORTS[name]}", names, stop)
        stop.leave()


@dataclass(frozen=True)
class _Place:
    """Where a role finds what it works with."""

    prepared: Prepared
    kafka: str
    registry: str
    state: Path
    name: str
    speed: float

    def create_topics(self) -> None:
        from sandbox.live.topics import Topics

        design = self.prepared.design
        topics = Topics.of(self.prepared.name, self.prepared.plan, design.ingest.partitions).all()
        log = self._log()
        try:
            log.create(topics)
        finally:
            log.close()
        say(f"{len(topics)} topics are there.")

    def run(self, role: str, listen: str, names: tuple[str, ...], stop: Stop) -> None:
        from sandbox.adapters.mlflow import MlflowRegistry
        from sandbox.live.metrics import LiveMetrics
        from sandbox.live.processes import RoleProcess, make_role, open_setting

        prepared = self.prepared
        metrics = LiveMetrics(prepared.name, prepared.design_name)
        registry = MlflowRegistry(self.registry, prepared.name)

        def make(log: EventLog) -> Role:
            setting = open_setting(
                prepared, log=log, registry=registry, state=self.state, name=self.name,
                speed=self.speed, now=time.time, metrics=metrics,
            )  # fmt: skip
            return make_role(role, setting)

        process = RoleProcess(metrics, self._log, make, listen, names, _complain)
        _complain(f"{self.name} answers at {process.url}")
        process.run(stop.event)

    def _log(self) -> EventLog:
        from sandbox.adapters.kafka_log import KafkaLog

        ingest = self.prepared.design.ingest
        return KafkaLog(self.kafka, ingest.compression, ingest.retention)


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _silence_mlflow() -> None:
    """Have MLflow send nothing, leave nothing in the home folder, and give no advice."""
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_DISABLE_AGENT_HINT"):
        os.environ.setdefault(name, "true")


@contextmanager
def _folder(asked: Path | None) -> Iterator[Path]:
    """Yield a folder: the one asked for, or one that is gone afterwards."""
    if asked is not None:
        from sandbox.adapters.files import check_writable

        check_writable(asked)
        asked.mkdir(parents=True, exist_ok=True)
        yield asked
        return
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        yield Path(folder)


def _live(
    prepared: Prepared, folder: Path, live: EmbeddedOptions, stop: Stop, *, quiet: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Bring it up, say where it is, and show how it goes until told to stop."""
    _silence_mlflow()
    from sandbox.live.embedded import Embedded

    system = Embedded(prepared, folder, speed=live.speed, workers=live.workers, listen=live.listen)
    try:
        _await_ready(system, stop, quiet)
        if stop.event.is_set():
            return
        _tell_addresses(system.url, as_json)
        if quiet:
            system.watch(lambda: not stop.event.wait(1.0))
        else:
            from sandbox.cli.watching import follow

            follow(system.status, system.watch, stop.event)
    finally:
        system.close()


@dataclass(frozen=True)
class EmbeddedOptions:
    """How an embedded system lives."""

    speed: float
    workers: int
    listen: str


def _await_ready(system: Embedded, stop: Stop, quiet: bool) -> None:
    last = ""
    with telling(quiet) as (tell, _):

        def look() -> bool:
            nonlocal last
            waits = system.waits()
            text = "; ".join(f"{name} {why}" for name, why in waits.items())
            if text and text != last:
                tell(text)
            last = text
            return bool(waits) and not stop.event.wait(0.25)

        system.watch(look)


def _tell_addresses(url: str, as_json: bool) -> None:
    pages = {
        "status": f"{url}/status", "metrics": f"{url}/metrics", "happenings": f"{url}/happenings",
    }  # fmt: skip
    if as_json:
        say_json({"ready": True, "url": url, **pages})
        sys.stdout.flush()
        return
    say_table(("page", "address"), [{"page": p, "address": a} for p, a in pages.items()])
    elsewhere = "" if url == HERE else f" --at {url}"
    say(f"\nIn another terminal: sandbox status --watch{elsewhere}; sandbox drift set, incident")
    say("start, load, retrain, promote, rollback, threshold. Ctrl-C ends it.\n")
    sys.stdout.flush()
