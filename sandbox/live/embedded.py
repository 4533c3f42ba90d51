"""Embedded: a whole live system in one process, its roles as threads on a log in memory."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest

from sandbox.adapters.files import json_bytes
from sandbox.adapters.http import Answers, HttpServer
from sandbox.adapters.memory_log import MemoryLog
from sandbox.adapters.mlflow import MlflowRegistry
from sandbox.errors import SandboxError
from sandbox.live.metrics import LiveMetrics
from sandbox.live.monitor.monitor import Monitor
from sandbox.live.processes import make_role, open_setting
from sandbox.live.role import Role, Setting, keep_going
from sandbox.run.setup import Prepared

__all__ = ["LISTEN", "Embedded", "metrics_text"]

LISTEN = "127.0.0.1:9103"
PATIENCE = 30.0
"""How long a role may take to end [s]."""
_NOT_YET = "starts"


class Embedded:
    """Generator, workers, trainer and monitor; nothing of it outlives `close` but the models.

    Parameters
    ----------
    prepared
        Scenario and design.
    folder
        Where the model registry and the states of workers go.
    speed
        Simulated seconds in one second.
    workers
        How many.
    listen
        Host and port of the HTTP server; port 0 is a free one.
    names
        Further names of this machine that clients may use.

    Raises
    ------
    UsageError
        If nothing can listen there.
    """

    def __init__(
        self, prepared: Prepared, folder: Path, *, speed: float, workers: int = 1,
        listen: str = LISTEN, names: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._stop = threading.Event()
        self._roles: dict[str, Role] = {}
        log = MemoryLog()
        registry = MlflowRegistry(f"sqlite:///{folder.absolute()}/registry.db", prepared.name)
        self.metrics = LiveMetrics(prepared.name, prepared.design_name)
        settings: dict[str, tuple[str, Setting]] = {}
        hands = [f"worker-{n + 1}" for n in range(workers)]
        for name in ("monitor", "trainer", *hands, "generator"):
            # Gauges of several workers are told apart by the process.
            own = None if name in hands[1:] else self.metrics
            settings[name] = name.partition("-")[0], open_setting(
                prepared, log=log, registry=registry, state=folder / name, name=name, speed=speed,
                now=time.time, metrics=own,
            )  # fmt: skip
        first = settings["monitor"][1]
        log.create(first.topics.all())
        more = {name: settings[name][1].metrics.registry for name in hands[1:]}
        self._registries = {"": self.metrics.registry, **more}
        self._monitor = Monitor(first)
        self._server = HttpServer(listen, self._answers(), tuple(names))
        self._pool = ThreadPoolExecutor(len(settings), "role")
        self._threads = {
            name: self._pool.submit(self._live, name, self._maker(role, setting))
            for name, (role, setting) in settings.items()
        }

    @property
    def url(self) -> str:
        """Where its HTTP server answers."""
        return self._server.url

    def waits(self) -> dict[str, str]:
        """Return what each role that is not ready waits for."""
        found = {}
        for name in self._threads:
            role = self._roles.get(name)
            why = role.why_not() if role is not None else _NOT_YET
            if why:
                found[name] = why
        return found

    def failed(self) -> str:
        """Return which role has died of what; empty while all live."""
        for name, thread in self._threads.items():
            if thread.done() and not self._stop.is_set():
                return f"{name} has ended: {_reason(thread)}"
        return ""

    def status(self) -> dict[str, Any]:
        """Return how things are, as plain data."""
        return {**self._monitor.status(), "waits_for": self.waits(), "failed": self.failed()}

    def watch(self, each: Callable[[], bool]) -> None:
        """Call `each` until it says False.

        Raises
        ------
        SandboxError
            If a role died of something a person can act on; a bug of ours is raised as it is.
        """
        while each():
            for thread in self._threads.values():
                if thread.done():
                    thread.result()
                    raise SandboxError(self.failed(), where="embedded")

    def close(self) -> None:
        """End all roles in order.

        Raises
        ------
        SandboxError
            If one of them does not end.
        """
        self._stop.set()
        self._server.close()
        _, stuck = wait(self._threads.values(), PATIENCE)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if stuck:
            names = [name for name, thread in self._threads.items() if thread in stuck]
            raise SandboxError(f"{', '.join(names)} did not end", where="embedded")

    def _maker(self, role: str, setting: Setting) -> Callable[[], Role]:
        if role == "monitor":
            return lambda: self._monitor
        return lambda: make_role(role, setting)

    def _live(self, name: str, make: Callable[[], Role]) -> None:
        role = self._roles[name] = make()
        keep_going(role, self._stop)

    def _answers(self) -> Answers:
        return Answers(
            metrics=lambda: metrics_text(self._registries),
            failed=self.failed,
            waits=lambda: "; ".join(f"{name} {why}" for name, why in self.waits().items()),
            status=lambda: json_bytes(self.status()),
            happenings=lambda after, of: json.dumps(self._monitor.happenings(after, of)).encode(),
            control=self._monitor.control,
        )


def metrics_text(registries: Mapping[str, CollectorRegistry]) -> bytes:
    """Return all metrics in Prometheus' text format.

    Parameters
    ----------
    registries
        By the name of their process, which becomes the label ``process``; empty: no label.
    """

    class _All:
        def collect(self) -> Iterable[Metric]:
            families: dict[str, Metric] = {}
            for process, registry in registries.items():
                for one in registry.collect():
                    whole = families.setdefault(
                        one.name, Metric(one.name, one.documentation, one.type)
                    )
                    extra = {"process": process} if process else {}
                    whole.samples += [s._replace(labels={**s.labels, **extra}) for s in one.samples]
            return families.values()

    return generate_latest(_All())


def _reason(thread: Future[None]) -> str:
    error = thread.exception()
    if isinstance(error, SandboxError):
        return error.line()
    return "nobody told it to" if error is None else f"{type(error).__name__}: {error}"
