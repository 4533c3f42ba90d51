"""Remote write against a receiver of our own, and against Prometheus where it is installed."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import cramjam
import pytest

from sandbox.adapters import remote_write
from sandbox.adapters.remote_write import Line, write, write_address
from sandbox.errors import SandboxError, UsageError

HOUR = 3600.0


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it gets, and answers what it is told to."""

    answer, said = 204, b""
    bodies: list[bytes]

    def do_POST(self) -> None:
        assert self.headers["Content-Encoding"] == "snappy"
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.answer)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    kind = type("Kept", (Receiver,), {"bodies": []})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join()


def decoded(body: bytes) -> Any:
    message = remote_write._message()()
    message.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    return message


def test_samples_arrive_with_their_labels_in_order(receiver: tuple[str, type[Receiver]]) -> None:
    url, kind = receiver
    assert write(url, [Line("x_ratio", {"b": "2", "a": "1"}, [(1.5, 0.25), (2.0, -1.0)])]) == 2
    (series,) = decoded(kind.bodies[0]).timeseries
    assert [(label.name, label.value) for label in series.labels] == [
        ("__name__", "x_ratio"), ("a", "1"), ("b", "2"),
    ]  # fmt: skip
    assert [(s.timestamp, s.value) for s in series.samples] == [(1500, 0.25), (2000, -1.0)]


def test_many_samples_go_in_several_requests(receiver: tuple[str, type[Receiver]]) -> None:
    url, kind = receiver
    long = Line("x", {}, [(float(i), 0.0) for i in range(25_000)])
    assert write(url, [long, Line("y", {}, [(0.0, 1.0)])]) == 25_001
    sizes = [sum(len(s.samples) for s in decoded(body).timeseries) for body in kind.bodies]
    assert sum(sizes) == 25_001 and max(sizes) <= remote_write.AT_ONCE


@pytest.mark.parametrize(
    ("answer", "said", "expected"),
    [
        (404, b"404 page not found", "--web.enable-remote-write-receiver"),
        (400, b"out of order sample", "out_of_order_time_window"),
        (500, b"", "refused"),
    ],
)
def test_a_refusal_says_what_to_do(
    receiver: tuple[str, type[Receiver]], answer: int, said: bytes, expected: str
) -> None:
    url, kind = receiver
    kind.answer, kind.said = answer, said
    with pytest.raises(SandboxError, match=expected):
        write(url, [Line("x", {}, [(0.0, 0.0)])])


def test_nobody_there_and_no_url() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SandboxError, match="does not answer"):
        write(f"http://127.0.0.1:{port}", [Line("x", {}, [(0.0, 0.0)])])
    for wrong in ("localhost:9090", "ftp://x", "http://", "file:///etc/passwd", "http://[x"):
        with pytest.raises(UsageError, match="not a URL"):
            write_address(wrong)
    assert write_address("http://x:1/") == "http://x:1/api/v1/write"
    assert write_address("http://x:1/own") == "http://x:1/own"


def test_a_simulated_quarter_is_found_in_prometheus(prometheus: str) -> None:
    now = time.time()
    days = [(now - 86400.0 * day, float(day)) for day in range(120, -1, -1)]
    assert write(prometheus, [Line("sandbox_test_ratio", {"view": "oracle"}, days)]) == 121
    for ago in (119, 60, 0):
        moment, value = now - 86400.0 * ago, float(ago)
        query = urllib.parse.urlencode(
            {"query": 'sandbox_test_ratio{view="oracle"}', "time": f"{moment:.3f}"}
        )
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=10) as answer:
            (found,) = json.load(answer)["data"]["result"]
        assert float(found["value"][1]) == value
