"""A process that keeps drills in memory, so that a command needs neither imports nor a replay.

A convenience and never needed: whoever cannot reach it does the work alone, with the same result,
and what counts is on disk after every step. It is started for people at a terminal, listens on a
socket that only they can open, and ends by itself after `IDLE` seconds without a command.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import sandbox

__all__ = ["SERVED", "ask", "serve", "wake"]

IDLE = 600.0
SERVED = ("start", "look", "advance", "do", "diagnose", "hint", "grade")
"""Commands of ``sandbox drill`` that it takes over."""
OFF = "SANDBOX_NO_KEEPER"
"""Environment variable that keeps it from being started or asked."""
LONGEST = 100
"""Characters of a socket's path that every system takes."""
MOST = 4_000_000
"""Bytes of an answer."""


class _Screen(io.StringIO):
    """Collects output for a client whose terminal is elsewhere."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """Return whether the client is at a terminal."""
        return self._terminal


def ask(arguments: Sequence[str]) -> int | None:
    """Have a command done by the keeper, print what it says, and return its exit code.

    None if there is no keeper: the caller does it alone.
    """
    if os.environ.get(OFF) or not hasattr(socket, "AF_UNIX"):
        return None
    size = os.get_terminal_size() if sys.stdout.isatty() else None
    request = {
        "arguments": list(arguments), "cwd": str(Path.cwd()), "key": _key(),
        "terminal": sys.stdout.isatty(), "columns": size.columns if size else None,
        "data": os.environ.get("XDG_DATA_HOME"),
    }  # fmt: skip
    answer = _exchange(request)
    if answer is None or "code" not in answer:
        return None
    sys.stdout.write(answer["out"])
    sys.stdout.flush()
    sys.stderr.write(answer["err"])
    return int(answer["code"])


def wake() -> None:
    """Start a keeper in the background, unless there is one, or nobody is at a terminal."""
    if os.environ.get(OFF) or not hasattr(socket, "AF_UNIX") or not sys.stderr.isatty():
        return
    if _exchange({"key": _key(), "arguments": []}) is not None:
        return
    subprocess.Popen(
        [sys.executable, "-m", "sandbox.cli.keeper"], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def serve(idle: float = IDLE) -> None:
    """Answer until nobody has asked for `idle` seconds, or the package has changed."""
    place = _place()
    if not place.parent.is_dir():
        return
    with suppress(FileNotFoundError):
        place.unlink()
    key, seats = _key(), dict[str, Any]()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(place))
        place.chmod(0o600)
        listener.listen()
        listener.settimeout(idle)
        _warm()
        try:
            while _serve_one(listener, key, seats):
                pass
        except TimeoutError:
            pass
        finally:
            with suppress(FileNotFoundError):
                place.unlink()


def _serve_one(listener: socket.socket, key: str, seats: dict[str, Any]) -> bool:
    """Answer one client; return whether to go on."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(5.0)
        try:
            request = json.loads(_line(connection))
            same = request["key"] == key == _key()
        except (OSError, ValueError, KeyError, TypeError):
            return True  # a client that went away, or was none
        answer = _do(request, seats) if same else {"stale": True}
        with suppress(OSError):
            connection.sendall(json.dumps(answer).encode() + b"\n")
    return bool(same)


def _line(connection: socket.socket) -> bytes:
    """Read up to the first end of line, or to the end."""
    data = b""
    while b"\n" not in data and len(data) < MOST and (more := connection.recv(65536)):
        data += more
    return data.partition(b"\n")[0]


def _do(request: Mapping[str, Any], seats: dict[str, Any]) -> dict[str, Any]:
    """Carry out a command as the client would, but for where its output goes."""
    from sandbox.cli.drill import SEATS
    from sandbox.cli.main import main

    if not request["arguments"]:
        return {"ready": True}
    token = SEATS.set(seats)
    terminal = bool(request["terminal"])
    out, err = _Screen(terminal=terminal), _Screen(terminal=False)
    before = Path.cwd()
    os.chdir(request["cwd"])
    for name, value in (("COLUMNS", request["columns"]), ("XDG_DATA_HOME", request["data"])):
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = str(value)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(request["arguments"])
    finally:
        SEATS.reset(token)
        os.chdir(before)
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def _exchange(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Send a request and return the answer; None if nobody is there."""
    place = _place()
    if not place.exists():
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(place))
            client.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(_line(client))
    except (OSError, ValueError):
        return None
    return answer


def _warm() -> None:
    """Import what a drill needs."""
    import sandbox.drills.desk
    import sandbox.drills.view  # noqa: F401


def _place() -> Path:
    """Return where the socket is: a folder that only this user can enter."""
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    folder = parent / f"ml-design-sandbox-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    place = folder / f"{hashlib.sha256(sys.executable.encode()).hexdigest()[:12]}.sock"
    private = folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o077
    if not private or len(str(place)) > LONGEST:
        return folder / "nobody" / "listens"  # do without
    return place


def _key() -> str:
    """Return what client and keeper must agree on: the very same package."""
    package = Path(sandbox.__file__).parent
    newest = max(file.stat().st_mtime_ns for file in package.rglob("*.py"))
    return f"{sandbox.__version__} {newest} {package}"


if __name__ == "__main__":
    serve()
