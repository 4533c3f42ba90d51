"""How commands reach the keeper of drills: where it listens, and what both must agree on."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sandbox

__all__ = ["OFF", "SERVED", "agreement", "ask", "exchange", "read_line", "socket_place", "wake"]

SERVED = ("start", "look", "advance", "do", "diagnose", "hint", "grade")
"""Commands of ``sandbox drill`` that it takes over."""
OFF = "SANDBOX_NO_KEEPER"
"""Environment variable that keeps it from being started or asked."""
LONGEST = 100
"""Characters of a socket's path that every system takes."""
MOST = 4_000_000
"""Bytes of an answer."""


def ask(arguments: Sequence[str]) -> int | None:
    """Have a command done by the keeper, print what it says, and return its exit code.

    None if there is no keeper: the caller does it alone.
    """
    if os.environ.get(OFF) or not hasattr(socket, "AF_UNIX"):
        return None
    size = os.get_terminal_size() if sys.stdout.isatty() else None
    request = {
        "arguments": list(arguments), "cwd": str(Path.cwd()), "key": agreement(),
        "terminal": sys.stdout.isatty(), "columns": size.columns if size else None,
        "data": os.environ.get("XDG_DATA_HOME"),
    }  # fmt: skip
    answer = exchange(request)
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
    if exchange({"key": agreement(), "arguments": []}) is not None:
        return
    subprocess.Popen(
        [sys.executable, "-m", "sandbox.cli.keeper"], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def exchange(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Send a request and return the answer; None if nobody is there."""
    place = socket_place()
    if not place.exists():
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(place))
            client.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(read_line(client))
    except (OSError, ValueError):
        return None
    return answer


def read_line(connection: socket.socket) -> bytes:
    """Read up to the first end of line, or to the end."""
    data = b""
    while b"\n" not in data and len(data) < MOST and (more := connection.recv(65536)):
        data += more
    return data.partition(b"\n")[0]


def socket_place() -> Path:
    """Return where the socket is: a folder that only this user can enter."""
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    folder = parent / f"ml-design-sandbox-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    place = folder / f"{hashlib.sha256(sys.executable.encode()).hexdigest()[:12]}.sock"
    private = folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o077
    if not private or len(str(place)) > LONGEST:
        return folder / "nobody" / "listens"  # do without
    return place


def agreement() -> str:
    """Return what client and keeper must agree on: the very same package."""
    package = Path(sandbox.__file__).parent
    newest = max(file.stat().st_mtime_ns for file in package.rglob("*.py"))
    return f"{sandbox.__version__} {newest} {package}"
