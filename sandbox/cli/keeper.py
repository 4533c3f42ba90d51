"""A process that keeps drills in memory, so that a command needs neither imports nor a replay.

A convenience and never needed: whoever cannot reach it does the work alone, with the same result,
and what counts is on disk after every step. It is started for people at a terminal, listens on a
socket that only they can open, and ends by itself after `IDLE` seconds without a command.
"""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from sandbox.cli.drill import SEATS
from sandbox.cli.keeper_link import agreement, read_line, socket_place
from sandbox.cli.main import main

__all__ = ["IDLE", "serve"]

IDLE = 600.0


class _Screen(io.StringIO):
    """Collects output for a client whose terminal is elsewhere."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """Return whether the client is at a terminal."""
        return self._terminal


def serve(idle: float = IDLE) -> None:
    """Answer until nobody has asked for `idle` seconds, or the package has changed."""
    place = socket_place()
    if not place.parent.is_dir():
        return
    with suppress(FileNotFoundError):
        place.unlink()
    key, seats = agreement(), dict[str, Any]()
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
            request = json.loads(read_line(connection))
            same = request["key"] == key == agreement()
        except (OSError, ValueError, KeyError, TypeError):
            return True  # a client that went away, or was none
        answer = _do(request, seats) if same else {"stale": True}
        with suppress(OSError):
            connection.sendall(json.dumps(answer).encode() + b"\n")
    return bool(same)


def _do(request: Mapping[str, Any], seats: dict[str, Any]) -> dict[str, Any]:
    """Carry out a command as the client would, but for where its output goes."""
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


def _warm() -> None:
    """Import what a drill needs."""
    import sandbox.drills.desk
    import sandbox.drills.view  # noqa: F401


if __name__ == "__main__":
    serve()
