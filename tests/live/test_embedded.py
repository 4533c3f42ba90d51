"""A whole live system in one process: it learns, drifts, is retrained, and ends in order."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.adapters.http import ask, tell
from sandbox.errors import SandboxError, UsageError
from sandbox.live import embedded as module
from sandbox.live.embedded import Embedded, metrics_text
from sandbox.live.metrics import LiveMetrics
from sandbox.run.setup import DAY, Prepared
from tests.live.village import small

BY_HAND = (
    "retraining={promotion: by_hand, shadow: 1d, cooldown: 1d, gate: {metric: pr_auc, "
    "not_worse_by: 1, min_positives: 1, calibration: false}}"
)
HERE = "127.0.0.1:0"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return small(tmp_path_factory.mktemp("scenarios"), BY_HAND)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def system(prepared: Prepared, folder: Path) -> Iterator[Embedded]:
    """A day a second."""
    made = Embedded(prepared, folder, speed=DAY, workers=2, listen=HERE)
    try:
        yield made
    finally:
        made.close()


def status(system: Embedded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(system.url, "/status"))
    return found


@pytest.fixture
def elsewhere(system: Embedded, folder: Path, tmp_path: Path) -> Path:
    """A folder with a registry whose tables are there."""
    until(system, lambda: not system.waits())
    shutil.copy(folder / "registry.db", tmp_path)
    return tmp_path


def until(system: Embedded, done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds

    def waits() -> bool:
        assert time.monotonic() < deadline, f"it did not come to that: {system.status()}"
        time.sleep(0.1)
        return not done()

    system.watch(waits)


def do(system: Embedded, action: str, **args: object) -> dict[str, Any]:
    """Ask for something by HTTP and return the answer."""
    id = tell(system.url, json.dumps({"action": action, "args": args, "who": "ada"}).encode())
    answers: list[dict[str, Any]] = []

    def answered() -> bool:
        answers[:] = json.loads(ask(system.url, f"/happenings?command={id}"))
        return bool(answers)

    until(system, answered)
    return answers[0]


def test_a_system_lives(system: Embedded) -> None:
    with pytest.raises(SandboxError, match=r"generator|trainer|worker"):
        ask(system.url, "/ready")
    until(system, lambda: not system.waits())
    assert ask(system.url, "/ready") == ask(system.url, "/live") == b"ok\n"
    until(system, lambda: (status(system)["day"] or 0) > 1)
    first = status(system)
    assert first["serving"]["champion"] == 1
    assert first["failed"] == ""

    turned = do(system, "drift.set", knob="by_road", to=0.5)
    assert turned["ok"]
    until(system, lambda: "drift by_road" in status(system)["incidents"])
    assert do(system, "load", factor="2", **{"for": "1d"})["ok"]

    assert do(system, "retrain")["what"] == "a training job began"
    until(system, lambda: status(system)["serving"]["challenger"] == 2)
    assert do(system, "promote")["ok"]
    until(system, lambda: status(system)["serving"]["champion"] == 2)
    until(system, lambda: 'version="2"' in ask(system.url, "/metrics").decode())
    assert do(system, "rollback")["ok"]
    until(system, lambda: status(system)["serving"]["champion"] == 1)
    again = do(system, "rollback")
    assert (again["ok"], again["what"]) == (False, "there is no former champion")
    assert do(system, "drift.clear")["ok"]


def test_all_it_says_is_counted(system: Embedded) -> None:
    until(system, lambda: not system.waits())
    text = ask(system.url, "/metrics").decode()
    for wanted in ("sandbox_events_sent_total", "sandbox_champion_version 1.0",
                   'sandbox_promotions_total{way="by hand"} 1.0', "sandbox_simulated_day",
                   'process="worker-2"'):  # fmt: skip
        assert wanted in text
    assert text.count("# TYPE sandbox_decisions_total counter") == 1


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", b'{"action": "canary", "args": {"share": 7}}', b"[" * 9000]
)
def test_a_malformed_command_changes_nothing_and_is_said(system: Embedded, body: bytes) -> None:
    until(system, lambda: not system.waits())
    before = status(system)["serving"]
    with pytest.raises(UsageError):
        tell(system.url, body or b" ")
    assert status(system)["serving"] == before


def test_a_malformed_message_in_the_log_is_reported(system: Embedded) -> None:
    """Whoever writes to the topic itself passes by the edge."""
    until(system, lambda: not system.waits())
    before = status(system)["serving"]
    setting = system._monitor._setting
    setting.log.writer().send(
        setting.topics.places(setting.topics.control)[0], b'{"action": "explode"}'
    )

    def reported() -> bool:
        said = json.loads(ask(system.url, "/happenings"))
        return any(one["kind"] == "refused" and "explode" in one["what"] for one in said)

    until(system, reported)
    assert status(system)["serving"] == before


def test_it_listens_on_loopback(system: Embedded) -> None:
    assert system.url.startswith("http://127.0.0.1:")
    assert module.LISTEN.startswith("127.0.0.1:")


def test_a_dead_role_is_said(
    prepared: Prepared, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox.live.worker.worker import Worker

    def die(*_: object) -> None:
        raise SandboxError("the disk is full", where="worker")

    monkeypatch.setattr(Worker, "step", die)
    system = Embedded(prepared, elsewhere, speed=DAY, listen=HERE)
    try:
        with pytest.raises(SandboxError, match="the disk is full"):
            until(system, lambda: False)
        assert system.failed() == "worker-1 has ended: worker: the disk is full."
        with pytest.raises(SandboxError, match="the disk is full"):
            ask(system.url, "/live")
    finally:
        system.close()


def test_a_role_that_does_not_end_is_said(
    prepared: Prepared, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandbox.live.worker.worker import Worker

    wake = threading.Event()
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    monkeypatch.setattr(Worker, "step", lambda *_: wake.wait(60))
    system = Embedded(prepared, elsewhere, speed=DAY, listen=HERE)
    until(system, lambda: len(system._roles) == 4)
    try:
        with pytest.raises(SandboxError, match="worker-1 did not end"):
            system.close()
    finally:
        wake.set()


@pytest.mark.parametrize(("speed", "says"), [(0, "no such speed"), (1e9, "no such speed")])
def test_what_cannot_be_is_refused(
    prepared: Prepared, tmp_path: Path, speed: float, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        Embedded(prepared, tmp_path, speed=speed, listen=HERE)


def test_metrics_of_several_processes_stand_together() -> None:
    one, other = LiveMetrics("parcels", "x"), LiveMetrics("parcels", "x")
    one.lag.labels("shop").set(3)
    other.lag.labels("shop").set(4)
    text = metrics_text({"": one.registry, "worker-2": other.registry}).decode()
    assert 'sandbox_consumer_lag_events{stage="shop"} 3.0' in text
    assert 'sandbox_consumer_lag_events{process="worker-2",stage="shop"} 4.0' in text
    assert text.count("# TYPE sandbox_consumer_lag_events gauge") == 1
