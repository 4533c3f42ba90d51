"""Processes: from options to a role that runs, in a process of its own or among others."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from prometheus_client import generate_latest

from sandbox.adapters.event_log import EventLog
from sandbox.adapters.files import json_bytes
from sandbox.adapters.http import Answers, HttpServer
from sandbox.adapters.registry import Registry
from sandbox.errors import SandboxError, UsageError, suggest
from sandbox.live.metrics import LiveMetrics
from sandbox.live.monitor.monitor import Monitor
from sandbox.live.role import PATIENCE, Role, Setting
from sandbox.live.topics import Topics
from sandbox.run.setup import Prepared

__all__ = [
    "MOST_SPEED", "ROLES", "TOPICS", "RoleProcess", "check_role", "make_role",
    "open_setting",
]  # fmt: skip

MOST_SPEED = 100_000.0
TOPICS = "topics"
"""Not a role that stays: creates the topics and ends."""
ROLES = ("generator", "worker", "monitor", "trainer")
REST = 2.0
"""Wait before a log that did not answer is asked again [s]."""
STUCK = 600.0
"""A role whose step takes so long does not live any more [s]."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def open_setting(
    prepared: Prepared, *, log: EventLog, registry: Registry, state: Path, name: str,
    speed: float, now: Callable[[], float], metrics: LiveMetrics | None = None,
) -> Setting:  # fmt: skip
    """Return what a role works with.

    Raises
    ------
    UsageError
        If the name or the speed cannot be.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "not a name of a process", where="--name", got=name,
            expected="letters, digits, dots and dashes",
        )  # fmt: skip
    if not 0 < speed <= MOST_SPEED:
        raise UsageError(
            "no such speed", where="--speed", got=speed,
            expected=f"a number above 0 and up to {MOST_SPEED:g}",
            hint="1440 is a day a minute.",
        )  # fmt: skip
    return Setting(
        prepared=prepared,
        topics=Topics.of(prepared.name, prepared.plan, prepared.design.ingest.partitions),
        log=log,
        registry=registry,
        metrics=metrics or LiveMetrics(prepared.name, prepared.design_name),
        name=name,
        state=state,
        speed=speed,
        now=now,
    )


def check_role(role: str) -> None:
    """Refuse what is no role, nor ``topics``.

    Raises
    ------
    UsageError
        Saying which there are.
    """
    known = (TOPICS, *ROLES)
    if role not in known:
        raise UsageError(
            "no such role", where="role", got=role, expected=f"one of {', '.join(known)}",
            hint=suggest(role, known),
        )  # fmt: skip


def make_role(role: str, setting: Setting) -> Role:
    """Return a role that begins with its first step."""
    from sandbox.live.generator.generator import Generator
    from sandbox.live.trainer.trainer import Trainer
    from sandbox.live.worker.worker import Worker

    known: Mapping[str, Callable[[Setting], Role]] = {
        "generator": Generator, "worker": Worker, "monitor": Monitor, "trainer": Trainer,
    }  # fmt: skip
    return known[role](setting)


class RoleProcess:
    """One role and its HTTP server, until told to stop.

    Parameters
    ----------
    metrics
        Of this process.
    open_log, make
        Give the log, and the role on it; called again while the log does not answer.
    listen
        Host and port; port 0 is a free one.
    names
        Further names that clients may use for this machine.
    say
        Told of what keeps the role from starting, once for each reason.

    Raises
    ------
    UsageError
        If nothing can listen there.
    """

    def __init__(
        self, metrics: LiveMetrics, open_log: Callable[[], EventLog],
        make: Callable[[EventLog], Role], listen: str, names: Sequence[str],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._open_log, self._make, self._say = open_log, make, say
        self._log: EventLog | None = None
        self._role: Role | None = None
        self._waits = "starts"
        self._stepped = time.monotonic()
        self._server = HttpServer(listen, self._answers(metrics), names)

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._server.url

    def run(self, stop: threading.Event) -> None:
        """Start the role as soon as the log is there, and let it work until told to stop.

        Raises
        ------
        SandboxError
            If the role cannot go on.
        """
        try:
            role = self._start(stop)
            if role is None:
                return
            try:
                while not stop.is_set():
                    self._stepped = time.monotonic()
                    role.step(PATIENCE)
            finally:
                self._role = None
                role.close()
        finally:
            self._server.close()
            self._close_log()

    def _start(self, stop: threading.Event) -> Role | None:
        while not stop.is_set():
            try:
                self._log = self._open_log()
                self._role = self._make(self._log)
            except UsageError:
                raise
            except SandboxError as error:
                self._close_log()
                if error.line() != self._waits:
                    self._say(error.line())
                self._waits = error.line()
                stop.wait(REST)
            else:
                return self._role
            self._stepped = time.monotonic()
        return None

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
        self._log = None

    def _why_not(self) -> str:
        return self._role.why_not() if self._role is not None else self._waits

    def _failed(self) -> str:
        stood = time.monotonic() - self._stepped
        return f"nothing has moved for {stood:.0f} s" if stood > STUCK else ""

    def _monitor(self) -> Monitor:
        if isinstance(self._role, Monitor):
            return self._role
        raise SandboxError(self._why_not())

    def _answers(self, metrics: LiveMetrics) -> Answers:
        return Answers(
            metrics=lambda: generate_latest(metrics.registry),
            failed=self._failed,
            waits=self._why_not,
            status=lambda: json_bytes(self._monitor().status()),
            happenings=lambda at, of: json.dumps(self._monitor().happenings(at, of)).encode(),
            control=lambda data: self._monitor().control(data),
        )
