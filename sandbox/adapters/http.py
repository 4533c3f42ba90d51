"""A small HTTP server, one a process: metrics, health, status and commands; and its client.

It listens on loopback unless told otherwise. A web page must not reach it through the browser of
whoever works here: requests are answered only under names of this machine (else a page could point
a name of its own at 127.0.0.1), commands only come as JSON (which a page cannot send to another
site without asking, and nobody answers when it asks), and there is no CORS.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.errors import SandboxError, UsageError

__all__ = ["MOST_BYTES", "Answers", "HttpServer", "ask", "host_and_port", "tell"]

MOST_BYTES = 16 * 1024
"""Longest body that is read."""
PATIENCE = 10.0
"""How long a client may keep a connection without saying anything [s]."""
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Answers:
    """What a server says; called from its threads."""

    metrics: Callable[[], bytes]
    """In Prometheus' text format."""
    failed: Callable[[], str]
    """Why the process can do nothing any more; empty while it lives."""
    waits: Callable[[], str]
    """What it waits for before it is ready; empty when it is."""
    status: Callable[[], bytes] | None = None
    """As JSON, or `SandboxError` while it cannot say; None: this process never knows."""
    happenings: Callable[[int, str], bytes] | None = None
    """As JSON, from a place on; of one command only where its id is given."""
    control: Callable[[bytes], str] | None = None
    """Take a command and return its id, or raise `UsageError`."""


class HttpServer:
    """Serves in threads of its own until closed.

    Parameters
    ----------
    listen
        Host and port; port 0 is a free one.
    answers
        What it says.
    names
        Further names that clients may use for this machine. Loopback and plain IP addresses
        always do.

    Raises
    ------
    UsageError
        If nothing can listen there.
    """

    def __init__(self, listen: str, answers: Answers, names: Sequence[str] = ()) -> None:
        host, port = host_and_port(listen)
        known = frozenset({"localhost", host.lower(), *(name.lower() for name in names)})
        handler = type("Handler", (_Handler,), {"answers": answers, "names": known})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise UsageError(
                f"cannot listen here ({error.strerror})", where="--listen", got=listen,
                hint="Another one may run already; `sandbox down` stops it.",
            ) from error  # fmt: skip
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._server.server_address[:2]
        return f"http://{_bracketed(str(host))}:{port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    answers: Answers
    names: frozenset[str]
    timeout = PATIENCE
    server_version, sys_version = "sandbox", ""

    def do_GET(self) -> None:
        """Answer a question."""
        if not self._is_for_us():
            return
        try:
            self._answer()
        except SandboxError as error:
            self._refuse(503, error.line())

    def _answer(self) -> None:
        answers, place = self.answers, urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        match place.path:
            case "/metrics":
                self._say(200, answers.metrics(), _METRICS)
            case "/live":
                self._say_well(answers.failed())
            case "/ready":
                self._say_well(answers.failed() or answers.waits())
            case "/status" if answers.status is not None:
                self._say(200, answers.status(), _JSON)
            case "/happenings" if answers.happenings is not None:
                after = asked.get("after", "0")
                start = int(after) if after.isdecimal() and len(after) < 16 else 0
                self._say(200, answers.happenings(start, asked.get("command", "")), _JSON)
            case _:
                self._refuse(404, "no such page")

    def do_POST(self) -> None:
        """Take a command."""
        if not self._is_for_us():
            return
        if urlsplit(self.path).path != "/control" or self.answers.control is None:
            return self._refuse(404, "no such page")
        if self.headers.get_content_type() != _JSON:
            return self._refuse(415, f"a command comes as Content-Type: {_JSON}")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return self._refuse(411, "Content-Length is missing")
        if len(length) > 9 or int(length) > MOST_BYTES:
            return self._refuse(413, f"a command has at most {MOST_BYTES} bytes")
        body = self.rfile.read(int(length))
        try:
            name = self.answers.control(body)
        except UsageError as error:
            return self._refuse(400, error.line())
        except SandboxError as error:
            return self._refuse(503, error.line())
        self._say(202, json.dumps({"id": name}).encode(), _JSON)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: every scrape would be a line."""

    def _is_for_us(self) -> bool:
        host = self.headers.get("Host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = ""
        if name in self.names or _is_address(name):
            return True
        self._refuse(421, "this is not a name of this machine")
        return False

    def _say_well(self, trouble: str) -> None:
        self._say(503 if trouble else 200, f"{trouble or 'ok'}\n".encode(), _TEXT)

    def _refuse(self, code: int, why: str) -> None:
        self.close_connection = True  # a body may be left unread
        self._say(code, json.dumps({"error": why}).encode(), _JSON)

    def _say(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def ask(base: str, path: str, timeout: float = 5.0) -> bytes:
    """Return what a server says to a question.

    Raises
    ------
    SandboxError
        If nobody answers, or not with what was asked for.
    """
    return _exchange(base, "GET", path, b"", timeout)


def tell(base: str, body: bytes, timeout: float = 5.0) -> str:
    """Hand a command over and return its id.

    Raises
    ------
    UsageError
        If it is refused; the message is the server's.
    SandboxError
        If nobody answers.
    """
    try:
        return str(json.loads(_exchange(base, "POST", "/control", body, timeout))["id"])
    except (ValueError, KeyError, TypeError):
        raise _no_sandbox(base) from None


def _exchange(base: str, method: str, path: str, body: bytes, timeout: float) -> bytes:
    where = urlsplit(base if "//" in base else f"http://{base}")
    try:
        port = where.port or 80
    except ValueError:
        port = 0
    if where.scheme != "http" or not where.hostname or not port:
        raise UsageError("not an address", where="--at", got=base, expected="http://HOST:PORT")
    link = HTTPConnection(where.hostname, port, timeout=timeout)
    try:
        link.request(method, path, body or None, {"Content-Type": _JSON} if body else {})
        answer = link.getresponse()
        said = answer.read()
    except (OSError, HTTPException) as error:
        raise SandboxError(
            f"nobody answers ({getattr(error, 'strerror', None) or type(error).__name__})",
            where=base, hint="`sandbox up NAME` starts a system; --at says where it is.",
        ) from error  # fmt: skip
    finally:
        link.close()
    if answer.status >= 400:
        raise _refusal(base, answer.status, said)
    return said


def _refusal(base: str, status: int, said: bytes) -> SandboxError:
    try:
        why = str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        if status != 503:
            return _no_sandbox(base)
        why = said.decode("utf-8", "replace").strip()
    return UsageError(why) if status == 400 else SandboxError(why, where=base)


def _no_sandbox(base: str) -> SandboxError:
    return SandboxError("this is no sandbox", where=base, hint="--at says where yours is.")


def host_and_port(listen: str) -> tuple[str, int]:
    """Return both parts of HOST:PORT.

    Raises
    ------
    UsageError
        If it is not that.

    Examples
    --------
    >>> host_and_port("127.0.0.1:9103"), host_and_port("[::1]:0")
    (('127.0.0.1', 9103), ('::1', 0))
    """
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise UsageError(
            "not a place to listen", where="--listen", got=listen, expected="HOST:PORT"
        )
    return host, port


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
