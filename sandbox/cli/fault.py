"""``sandbox fault``: trouble a container of the live system for a while."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from types import FrameType
from typing import Annotated

import typer

from sandbox.cli.act import whoami
from sandbox.cli.live import HERE, At
from sandbox.cli.options import Json
from sandbox.cli.tables import say, say_json
from sandbox.errors import SandboxError, UsageError

__all__ = ["fault"]

INTERRUPTED = 130
PROJECT = "sandbox"
"""As docker-compose.yml names it."""


class Kind(StrEnum):
    """What can happen to a container."""

    kill = "kill"
    pause = "pause"
    disconnect = "disconnect"
    slow = "slow"


def fault(
    kind: Annotated[Kind, typer.Argument(help="What happens to it.")],
    service: Annotated[
        str, typer.Argument(metavar="SERVICE", help="worker, kafka, ... as Compose knows it.")
    ],
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long, in real time: 30s, 2min.")
    ] = "30s",
    index: Annotated[
        int | None,
        typer.Option("--index", min=1, metavar="N", help="Which container of it [the first]."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="SHARE", help="With slow: processor time left [10%]."),
    ] = None,
    project: Annotated[
        str,
        typer.Option("--project", envvar="COMPOSE_PROJECT_NAME", help="Compose project."),
    ] = PROJECT,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Trouble a container of the live system, then put it right.

    kill: SIGKILL, started again at the end; pause: frozen; disconnect: off the network; slow: a
    part of its processor time. Ctrl-C ends it early; what was done is undone in any case.
    """
    seconds, share = _seconds(lasts), _share(to, kind)
    from sandbox.adapters.docker import KINDS, connected, container_of, troubled
    from sandbox.spec.units import format_duration

    done, undone = KINDS[kind]
    with _signals() as stop, connected(os.environ) as client:
        container = container_of(client, project, service, index)
        name, began = str(container.name), time.monotonic()
        with troubled(container, kind, share):
            _note(at, f"{name}: {done} for {format_duration(seconds)}")
            if not as_json:
                say(f"{name}: {done} for {format_duration(seconds)}; Ctrl-C ends it now.")
            stop.wait(seconds)
        lasted = time.monotonic() - began
    _note(at, f"{name}: {undone} after {lasted:.1f}s")
    if as_json:
        say_json({"fault": kind.value, "service": service, "container": name, "seconds": lasted})
    else:
        say(f"{name}: {undone} after {lasted:.1f}s.")
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)


def _note(at: str, what: str) -> None:
    """Have the monitor write it down, so that dashboards show it; it may be what is troubled."""
    from sandbox.adapters.http import tell

    command = {"action": "note", "args": {"what": what}, "who": whoami()}
    with suppress(SandboxError):
        tell(at, json.dumps(command).encode(), timeout=2.0)


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Yield what becomes set when somebody asks to end; nothing is cut off half-way."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    kinds = [signal.SIGINT, signal.SIGTERM]
    kinds += [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []
    former = {kind: signal.signal(kind, ask) for kind in kinds}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _seconds(text: str) -> float:
    from sandbox.spec.units import parse_quantity

    try:
        value = parse_quantity(text)
    except ValueError:
        value = None
    if value is None or value.unit not in ("s", "") or value < 0:
        raise UsageError(
            "not a length of time", where="--for", got=text, expected="such as 30s or 2min"
        )
    return float(value)


def _share(text: str | None, kind: Kind) -> float:
    from sandbox.spec.units import parse_quantity

    if text is None:
        return 0.1
    if kind is not Kind.slow:
        raise UsageError("goes with slow only", where="--to", got=f"{kind.value} --to {text}")
    try:
        value = parse_quantity(text)
    except ValueError:
        value = None
    if value is None or value.unit not in ("ratio", "") or not 0 < value < 1:
        raise UsageError("not a share", where="--to", got=text, expected="such as 10% or 0.1")
    return float(value)
