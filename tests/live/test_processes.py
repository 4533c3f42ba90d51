"""From options to a role that runs, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.adapters.http import ask, tell
from sandbox.adapters.memory_log import MemoryLog
from sandbox.errors import SandboxError, UsageError
from sandbox.live.metrics import LiveMetrics
from sandbox.live.processes import ROLES, RoleProcess, check_role, make_role, open_setting
from sandbox.run.setup import Prepared
from tests.live.village import SMALL, Shelf, small

GATE = "gate: {metric: pr_auc, not_worse_by: 1, min_positives: 1, calibration: false}"
BY_HAND = f"retraining={{promotion: by_hand, {GATE}}}"


class Idle:
    """A role that only says how it is."""

    def __init__(self) -> None:
        self.waits = "reads"
        self.steps = 0
        self.closed = False

    def step(self, patience: float) -> None:
        self.steps += 1
        time.sleep(0.005)

    def ready(self) -> bool:
        return not self.waits

    def why_not(self) -> str:
        return self.waits

    def close(self) -> None:
        self.closed = True


class Running:
    """A process of a role, as a thread."""

    def __init__(self, opened: Callable[[], Any], role: Idle) -> None:
        self.said: list[str] = []
        self.stop = threading.Event()
        self.process = RoleProcess(
            LiveMetrics("parcels", "x"), opened, lambda log: role, "127.0.0.1:0", (),
            self.said.append,
        )  # fmt: skip
        self.url = self.process.url
        self.thread = threading.Thread(target=self.process.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def readiness(url: str) -> str:
    try:
        return ask(url, "/ready").decode().strip()
    except SandboxError as error:
        return error.what


def eventually(done: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_a_role_works_until_told_to_stop() -> None:
    role = Idle()
    running = Running(MemoryLog, role)
    eventually(lambda: role.steps > 3)
    assert readiness(running.url) == "reads"
    role.waits = ""
    assert readiness(running.url) == "ok"
    assert b"sandbox_live_info" in ask(running.url, "/metrics")
    running.end()
    assert role.closed
    with pytest.raises(SandboxError, match="nobody answers"):
        ask(running.url, "/live")


def test_only_the_monitor_knows_the_status_and_takes_commands() -> None:
    running = Running(MemoryLog, Idle())
    try:
        with pytest.raises(SandboxError):
            ask(running.url, "/status")
        with pytest.raises(SandboxError):
            tell(running.url, b"{}")
    finally:
        running.end()


def test_a_log_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.live import processes

    monkeypatch.setattr(processes, "REST", 0.01)
    there = threading.Event()

    def opened() -> MemoryLog:
        if there.is_set():
            return MemoryLog()
        raise SandboxError("no broker answers", where="kafka")

    role = Idle()
    running = Running(opened, role)
    eventually(lambda: readiness(running.url) == "kafka: no broker answers.")
    assert ask(running.url, "/live") == b"ok\n"
    there.set()
    eventually(lambda: role.steps > 0)
    assert running.said == ["kafka: no broker answers."]
    running.end()


def test_a_role_that_stands_still_does_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.live import processes

    monkeypatch.setattr(processes, "STUCK", 0.2)
    role, wake = Idle(), threading.Event()
    monkeypatch.setattr(role, "step", lambda _: wake.wait(20))
    running = Running(MemoryLog, role)

    def stuck() -> bool:
        try:
            return ask(running.url, "/live") == b""
        except SandboxError as error:
            return "nothing has moved" in error.what

    eventually(stuck)
    wake.set()
    running.end()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return small(tmp_path_factory.mktemp("scenarios"), BY_HAND)


def test_every_role_can_be_made(prepared: Prepared, tmp_path: Path) -> None:
    log = MemoryLog()
    for name in ROLES:
        setting = open_setting(
            prepared, log=log, registry=Shelf(), state=tmp_path, name=name, speed=1.0,
            now=time.time,
        )  # fmt: skip
        log.create(setting.topics.all())
        role = make_role(name, setting)
        assert not role.ready() or name == "worker"
        role.close()


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 65])
def test_a_process_has_a_plain_name(prepared: Prepared, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a name of a process"):
        open_setting(
            prepared, log=MemoryLog(), registry=Shelf(), state=tmp_path, name=name, speed=1.0,
            now=time.time,
        )  # fmt: skip


def test_unknown_roles_are_refused() -> None:
    check_role("topics")
    with pytest.raises(UsageError, match=r"Did you mean monitor\?"):
        check_role("moniter")


class Roles:
    """All roles of a system as processes on a real broker."""

    def __init__(self, broker: str, root: Path) -> None:
        self._root, self._common = root, [
            "--scenario", "parcels", "--kafka", broker, "--registry", f"sqlite:///{root}/r.db",
            "--speed", "43200", *(word for s in (*SMALL, BY_HAND) for word in ("--set", s)),
            "--scenarios", str(root),
        ]  # fmt: skip
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.urls: dict[str, str] = {}

    def begin(self, role: str) -> None:
        command = [sys.executable, "-m", "sandbox", "role", role, *self._common, "--name", role,
                   "--state", str(self._root / role), "--listen", "127.0.0.1:0"]  # fmt: skip
        self.running[role] = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=self._root, env=dict(os.environ)
        )
        if role == "topics":
            done = self.running.pop(role)
            done.communicate(timeout=60)
            assert done.returncode == 0
            return
        stream = self.running[role].stderr
        assert stream is not None
        self.urls[role] = stream.readline().split()[-1]

    def end(self, how: signal.Signals, role: str) -> int:
        process = self.running.pop(role)
        process.send_signal(how)
        process.communicate(timeout=60)
        return process.returncode

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(ask(self.urls["monitor"], "/status"))
        return found

    def do(self, action: str) -> dict[str, Any]:
        monitor = self.urls["monitor"]
        id = tell(monitor, json.dumps({"action": action, "who": "ada"}).encode())
        answers: list[dict[str, Any]] = []

        def answered() -> bool:
            answers[:] = json.loads(ask(monitor, f"/happenings?command={id}"))
            return bool(answers)

        eventually(answered, 60)
        return answers[0]


@pytest.fixture
def roles(broker: str, tmp_path: Path) -> Iterator[Roles]:
    small(tmp_path)
    made = Roles(broker, tmp_path)
    try:
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_roles_on_a_real_broker(roles: Roles) -> None:
    """All roles as processes; the trainer is killed and another goes on from where it stood."""
    for role in ("topics", "monitor", "trainer", "worker", "generator"):
        roles.begin(role)
    for role in ROLES:
        eventually(lambda url=roles.urls[role]: readiness(url) == "ok", 120)  # type: ignore[misc]
    eventually(lambda: (roles.status()["day"] or 0) > 2, 60)
    assert roles.do("retrain")["ok"]
    eventually(lambda: roles.status()["serving"]["challenger"] == 2, 60)
    assert roles.do("promote")["ok"]
    roles.end(signal.SIGKILL, "trainer")
    roles.begin("trainer")
    eventually(lambda: readiness(roles.urls["trainer"]) == "ok", 60)
    assert roles.status()["serving"]["champion"] == 2
    assert roles.do("rollback")["ok"]
    eventually(lambda: roles.status()["serving"]["champion"] == 1, 60)
    assert roles.do("retrain")["ok"]
    eventually(lambda: roles.status()["serving"]["challenger"] == 3, 60)
    assert [roles.end(signal.SIGTERM, role) for role in tuple(roles.running)] == [0, 0, 0, 0]
