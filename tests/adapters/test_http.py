"""The HTTP server says what it is asked, takes commands, and nothing from web pages."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from sandbox.adapters.http import MOST_BYTES, Answers, HttpServer, ask, host_and_port, tell
from sandbox.errors import SandboxError, UsageError

JSON = {"Content-Type": "application/json"}


class Told:
    """What the server was told, and what it says."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.failed = self.waits = ""

    def control(self, data: bytes) -> str:
        if b"bad" in data:
            raise UsageError("not a command", where="control", got="bad")
        if b"away" in data:
            raise SandboxError("the log does not answer")
        self.commands.append(data)
        return "c1"

    def answers(self) -> Answers:
        return Answers(
            metrics=lambda: b"sandbox_up 1\n", failed=lambda: self.failed,
            waits=lambda: self.waits, status=lambda: b'{"day": 1}', control=self.control,
            happenings=lambda after, of: json.dumps([after, of]).encode(),
        )  # fmt: skip


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def server(told: Told) -> Iterator[HttpServer]:
    made = HttpServer("127.0.0.1:0", told.answers(), ("monitor",))
    yield made
    made.close()


def request(
    server: HttpServer, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    link = HTTPConnection(*host_and_port(server.url.removeprefix("http://")), timeout=5)
    try:
        link.putrequest(method, path, skip_host="Host" in headers)
        for name, value in headers.items():
            link.putheader(name, value)
        link.endheaders(body)
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


def post(server: HttpServer, body: bytes, **headers: str) -> int:
    given = {**JSON, "Content-Length": str(len(body)), **headers}
    return request(server, "POST", "/control", given, body)[0]


def test_it_listens_on_loopback_only(server: HttpServer) -> None:
    host, port = host_and_port(server.url.removeprefix("http://"))
    assert host == "127.0.0.1"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port)}
    for other in others - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError):
            socket.create_connection((str(other), port), timeout=1).close()


def test_it_says_what_it_is_asked(server: HttpServer) -> None:
    assert ask(server.url, "/metrics") == b"sandbox_up 1\n"
    assert ask(server.url, "/status") == b'{"day": 1}'
    assert json.loads(ask(server.url, "/happenings?after=7&command=c1")) == [7, "c1"]
    assert json.loads(ask(server.url, "/happenings?after=-7")) == [0, ""]
    assert request(server, "GET", "/../etc/passwd", {})[0] == 404
    assert request(server, "GET", "/status?x=%ff%00", {})[0] == 200


def test_health(server: HttpServer, told: Told) -> None:
    assert request(server, "GET", "/ready", {}) == (200, b"ok\n")
    told.waits = "reads the history"
    assert request(server, "GET", "/ready", {}) == (503, b"reads the history\n")
    assert request(server, "GET", "/live", {})[0] == 200
    told.failed = "worker-1 has ended"
    assert request(server, "GET", "/live", {}) == (503, b"worker-1 has ended\n")


def test_a_command_is_taken(server: HttpServer, told: Told) -> None:
    assert tell(server.url, b'{"action": "promote"}') == "c1"
    assert told.commands == [b'{"action": "promote"}']


def test_a_refusal_is_the_servers_line(server: HttpServer) -> None:
    with pytest.raises(UsageError, match=r"^control: not a command; got 'bad'\.$"):
        tell(server.url, b"bad")
    with pytest.raises(SandboxError, match="the log does not answer") as caught:
        tell(server.url, b"away")
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9103", "", "[", "127.0.0.1.nip.io"])
def test_other_names_are_refused(server: HttpServer, told: Told, host: str) -> None:
    """A page may point a name of its own here; its browser then says that name."""
    assert request(server, "GET", "/status", {"Host": host})[0] == 421
    assert post(server, b"{}", Host=host) == 421
    assert not told.commands


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:9103", "MONITOR:9103"])
def test_names_of_this_machine_are_known(server: HttpServer, host: str) -> None:
    assert request(server, "GET", "/status", {"Host": host})[0] == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_page_can_send_unasked_is_refused(server: HttpServer, told: Told, kind: str) -> None:
    assert post(server, b"{}", **{"Content-Type": kind}) == 415
    assert request(server, "OPTIONS", "/control", {})[0] == 501
    assert not told.commands


def test_bodies_are_bounded(server: HttpServer, told: Told) -> None:
    assert post(server, b"x", **{"Content-Length": str(MOST_BYTES + 1)}) == 413
    assert post(server, b"x", **{"Content-Length": "9" * 30}) == 413
    assert post(server, b"", **{"Content-Length": "-1"}) == 411
    assert request(server, "POST", "/control", {**JSON, "Transfer-Encoding": "chunked"})[0] == 411
    assert not told.commands


def test_a_process_without_control_takes_none(told: Told) -> None:
    alone = Answers(lambda: b"", lambda: "", lambda: "")
    server = HttpServer("127.0.0.1:0", alone)
    try:
        assert post(server, b"{}") == 404
        assert request(server, "GET", "/status", {})[0] == 404
    finally:
        server.close()


def test_a_taken_port_is_said(server: HttpServer, told: Told) -> None:
    with pytest.raises(UsageError, match="cannot listen here"):
        HttpServer(server.url.removeprefix("http://"), told.answers())


def test_nobody_there(server: HttpServer) -> None:
    url = server.url
    server.close()
    with pytest.raises(SandboxError, match="nobody answers"):
        ask(url, "/status")


@pytest.mark.parametrize("at", ["ftp://x", "http://", "https://x:1", "http://x:port"])
def test_what_is_no_address_is_said(at: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        ask(at, "/status")


def test_another_server_is_no_sandbox() -> None:
    other = HttpServer("127.0.0.1:0", Answers(lambda: b"", lambda: "", lambda: ""))
    try:
        with pytest.raises(SandboxError, match="no such page"):
            tell(other.url, b"{}")
    finally:
        other.close()


@pytest.mark.parametrize("listen", ["", "9103", "localhost", "x:port", "x:99999", "[::1"])
def test_what_is_no_place_to_listen_is_said(listen: str) -> None:
    with pytest.raises(UsageError, match="not a place to listen"):
        host_and_port(listen)
