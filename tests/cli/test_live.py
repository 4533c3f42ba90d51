"""Living systems from the command line: bring one up, look at it, act on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.adapters.http import Answers, HttpServer
from sandbox.cli import compose, live, watching
from sandbox.cli.main import main
from sandbox.errors import UsageError
from sandbox.run.scaffold import write_scenario

STATUS = {
    "scenario": "parcels", "design": "reference", "day": 3.25, "speed": 1440.0, "events": 1200,
    "serving": {"champion": 2, "challenger": 3, "canary": 0.1}, "waits_for": {},
    "quality": {"pr_auc": {"oracle": 0.71, "observed": None}}, "incidents": {"ring": "drift"},
    "task": "binary", "money": {"missed": 1200.0, "total": 1300.0}, "alerts": [{}],
    "happenings": [
        {"offset": 0, "kind": "clock", "what": "Day 3 is over", "day": 3.0, "who": "", "ok": True},
        {"offset": 1, "kind": "promotion", "what": "v2 decides", "day": 3.1, "who": "ada",
         "ok": True},
        {"offset": 2, "kind": "command", "what": "v2 decides", "day": 3.1, "who": "ada",
         "ok": True},
    ],
}  # fmt: skip


class Fake:
    """A live system that does what it is told, or says why not."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = {"ok": True, "what": "it is done", "kind": "command"}
        self.server = HttpServer("127.0.0.1:0", self._answers())

    def _answers(self) -> Answers:
        def control(data: bytes) -> str:
            command = json.loads(data)
            if command["action"] == "load" and command["args"]["factor"] == "0":
                raise UsageError("out of bounds", where="load factor", got=0)
            self.commands.append(command)
            return "c1"

        def happenings(after: int, command: str) -> bytes:
            return json.dumps([self.answer] if command == "c1" and self.answer else []).encode()

        return Answers(
            metrics=lambda: b"", failed=lambda: "", waits=lambda: "",
            status=lambda: json.dumps(STATUS).encode(), happenings=happenings, control=control,
        )  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    made = Fake()
    monkeypatch.setenv("SANDBOX_AT", made.server.url)
    yield made
    made.server.close()


@pytest.fixture
def parcels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_scenario("parcels", task="binary", into=tmp_path / "scenarios")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "action", "args"),
    [
        (["drift", "set", "by_road", "0.5", "--ramp", "2d", "--for", "3d"], "drift.set",
         {"knob": "by_road", "to": "0.5", "ramp": "2d", "for": "3d"}),
        (["drift", "clear"], "drift.clear", {}),
        (["drift", "clear", "by_road"], "drift.clear", {"knob": "by_road"}),
        (["incident", "start", "no-train"], "incident.start", {"name": "no-train"}),
        (["incident", "stop", "no-train"], "incident.stop", {"name": "no-train"}),
        (["load", "2", "--for", "6h"], "load", {"factor": "2", "for": "6h"}),
        (["retrain", "training.window=14d"], "retrain", {"training.window": "14d"}),
        (["promote"], "promote", {}),
        (["rollback"], "rollback", {}),
        (["canary", "10%"], "canary", {"share": "10%"}),
        (["shadow"], "shadow", {}),
        (["explore", "5%"], "explore", {"share": "5%"}),
        (["threshold", "--review", "0.3", "--block", "off"], "threshold",
         {"review": "0.3", "block": "off"}),
    ],
)  # fmt: skip
def test_commands_go_to_where_the_system_is(
    fake: Fake, capsys: pytest.CaptureFixture[str], words: list[str], action: str,
    args: dict[str, str],
) -> None:  # fmt: skip
    assert main(words) == 0
    (command,) = fake.commands
    assert (command["action"], command["args"]) == (action, args)
    assert command["who"]
    assert capsys.readouterr().out == "it is done\n"


def test_what_could_not_be_done_is_a_failure(
    fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = {"ok": False, "what": "there is no challenger", "kind": "refused"}
    assert main(["promote"]) == 1
    assert capsys.readouterr().err == "error: promote: there is no challenger.\n"
    assert main(["promote", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == fake.answer


def test_what_is_refused_at_the_edge_is_wrong_usage(
    fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", "0"]) == 2
    assert capsys.readouterr().err == "error: load factor: out of bounds; got 0.\n"
    assert main(["retrain", "window"]) == 2
    assert "expected KEY=VALUE" in capsys.readouterr().err
    assert not fake.commands


def test_nobody_answers(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.answer = None
    assert main(["promote", "--wait", "0"]) == 1
    assert "nobody has answered in 0 s" in capsys.readouterr().err
    fake.server.close()
    assert main(["status"]) == 1
    assert "`sandbox up NAME` starts a system" in capsys.readouterr().err


def test_status(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    for wanted in ("day 3.2 · v2, v3 in canary 10% · 1,200 events", "pr_auc", "0.710",
                   "incidents: ring", "missed 1,200 USD", "1 alert",
                   "day 3.1  promotion (ada): v2 decides"):  # fmt: skip
        assert wanted in out
    assert "Day 3 is over" not in out
    assert out.count("v2 decides") == 1
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == STATUS


def test_status_names_money_as_the_task_does(
    fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATUS, "task", "regression")
    assert main(["status"]) == 0
    assert "wrong estimates given 1,200 USD · total 1,300 USD" in capsys.readouterr().out


def test_status_of_a_ranking_tells_what_both_arms_have_shown(
    fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = {"model": 1000, "model_clicked": 200, "control": 100, "control_clicked": 10}
    monkeypatch.setitem(STATUS, "shown", {**arms, "uplift": 1.0, "low": 0.12, "high": 2.5})
    assert main(["status"]) == 0
    said = (
        "clicks: model 20.0% of 1,000 · control 10.0% of 100 · uplift +100.0% (+12.0% to +250.0%)"
    )
    assert said in " ".join(capsys.readouterr().out.split())
    none = {"control": 0, "control_clicked": 0, "uplift": None, "low": None, "high": None}
    monkeypatch.setitem(STATUS, "shown", {**arms, **none})
    assert main(["status"]) == 0
    assert "clicks: model 20.0% of 1,000\n" in capsys.readouterr().out


def test_status_again_and_again(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    looks = 0

    def look() -> dict[str, Any]:
        nonlocal looks
        looks += 1
        stop.set()
        return dict(STATUS)

    watching.watch_status(look, stop)
    assert looks == 1
    assert capsys.readouterr().out.startswith("day 3.2 · v2")


def test_news_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    rounds = iter([True, True, False])

    def watch(each: Any) -> None:
        while next(rounds):
            stop.set()
            each()

    watching.follow(lambda: STATUS, watch, stop)
    out = capsys.readouterr().out
    assert out.count("v2 decides") == 1
    assert "day 3.2" in out


def test_up_without_docker_in_mind(
    parcels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(compose, "up_compose", lambda *a, **k: asked.append((a, k)))
    monkeypatch.setattr(compose, "down_compose", lambda **k: asked.append(k))
    assert main(["up", "parcels", "--speed", "60", "--seed", "3"]) == 0
    assert main(["down", "--volumes"]) == 0
    (name,), how = asked[0]
    assert name == "parcels"
    assert (how["speed"], how["seed"], how["workers"]) == (60.0, 3, 2)
    assert asked[1] == {"volumes": True, "as_json": False}
    assert main(["up", "parcels", "--set", "population=1000"]) == 2
    assert "--set: goes with --embedded only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["up", "parcls", "--embedded"], "Did you mean parcels?"),
        (["up", "parcels", "--embedded", "--speed", "0"], "no such speed; got 0.0"),
        (["up", "parcels", "--embedded", "--listen", "9103"], "not a place to listen"),
        (["role", "workr", "--scenario", "parcels"], "Did you mean worker?"),
        (["role", "worker"], "missing option '--scenario'"),
        (["role", "worker", "--scenario", "parcels", "--registry", "x"], "not a registry"),
    ],
)
def test_what_is_wrong_is_said(
    parcels: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [["up", "shop"], ["up", "shop", "--embedded"], ["role", "worker", "--scenario", "shop"]],
)
def test_a_ranking_that_does_not_count_its_candidates_is_not_lived(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    write_scenario("shop", task="ranking", into=tmp_path)
    scenario = tmp_path / "shop" / "scenario.yaml"
    text = scenario.read_text()
    assert ", size: candidates" in text
    scenario.write_text(text.replace(", size: candidates", ""))
    assert main([*words, "--scenarios", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert "shop event.slate.size: live workers must know when a request is complete" in err
    assert err.count("\n") == 1


def test_topics_need_a_broker(parcels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["role", "topics", "--scenario", "parcels", "--kafka", "127.0.0.1:1"]) == 1
    assert "no Kafka broker answers" in capsys.readouterr().err


def test_a_role_takes_its_options_from_the_environment(
    parcels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(live._Place, "run", lambda *a: ran.append(a))
    settings = {
        "SCENARIO": "parcels", "KAFKA": "kafka:19092", "REGISTRY": "http://mlflow:5000",
        "STATE": "/tmp/w", "LISTEN": "0.0.0.0:9102", "SPEED": "60", "DESIGN": "", "SEED": "11",
        "NAME": "", "HOST_NAMES": "box other",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"SANDBOX_{name}", value)
    assert main(["role", "worker"]) == 0
    place, role, listen, names, _ = ran[0]
    assert (place.kafka, place.registry, str(place.state)) == (
        "kafka:19092", "http://mlflow:5000", "/tmp/w",
    )  # fmt: skip
    assert (place.speed, place.prepared.seed, role, listen) == (60.0, 11, "worker", "0.0.0.0:9102")
    assert place.name.startswith("worker-")
    assert {"worker", "box", "other"} <= set(names)


def test_a_role_listens_on_loopback_unless_told_otherwise(
    parcels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(live._Place, "run", lambda *a: ran.append(a))
    for role, port in live.PORTS.items():
        assert main(["role", role, "--scenario", "parcels", "--name", "x"]) == 0
        assert ran[-1][2] == f"127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("ask", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl-c", "sigterm"]
)
def test_a_role_waits_for_a_broker_and_ends_when_asked(
    parcels: Path, ask: signal.Signals, code: int
) -> None:
    command = [
        sys.executable, "-m", "sandbox", "role", "worker", "--scenario", "parcels",
        "--kafka", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--registry", "sqlite:///r.db",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=parcels) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline(), process.stderr.readline()]
        process.send_signal(ask)
        assert process.wait(60) == code
    assert "answers at http://127.0.0.1:" in lines[0]
    assert "no Kafka broker answers" in lines[1]


@pytest.mark.slow
def test_up_embedded_lives_until_ctrl_c(parcels: Path) -> None:
    command = [
        sys.executable, "-m", "sandbox", "up", "parcels", "--embedded", "--json",
        "--speed", "86400", "--listen", "127.0.0.1:0", "--set", "population=1000",
        "--set", "model.champion.xgboost.trees=10",
    ]  # fmt: skip
    keep = {**os.environ, "TMPDIR": str(parcels)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=parcels, env=keep) as run:
        assert run.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            said += run.stdout.readline()
        ready = json.loads(said)
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", ready["url"])
        assert main(["drift", "set", "by_road", "0.5", "--at", ready["url"]]) == 0
        assert main(["status", "--at", ready["url"]]) == 0
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130
        assert time.monotonic() - began < 45
    assert sorted(path.name for path in parcels.iterdir()) == ["scenarios"]
