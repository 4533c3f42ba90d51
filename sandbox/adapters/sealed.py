"""Sessions on disk: one small file each, written whole after every step, checked when read.

A file holds the steps and what they led to. Each step seals the ones before it, so that a changed
file is found out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sandbox.adapters.files import json_bytes, output_errors, write_json
from sandbox.errors import OutputError, SandboxError, UsageError, suggest

__all__ = ["NOT_KEPT", "SealedFolder", "not_a_session"]

FORMAT = 1
NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,80}$")
NOT_KEPT = (ValueError, TypeError, KeyError, AttributeError, msgspec.MsgspecError)
"""What goes wrong when a file holds something else than what was kept."""


class SealedFolder:
    """Sessions in one folder, as plain data with ``steps`` and a ``result``.

    Parameters
    ----------
    home
        The folder; made when the first session is.
    begin
        How to begin a session, as typed; for messages.
    busy
        Who else may be at a session; for messages.
    """

    def __init__(self, home: Path, begin: str, busy: str) -> None:
        self.home, self._begin, self._busy = home, begin, busy

    def names(self) -> list[str]:
        """Return the names of all sessions, the one used last at the end."""
        files = [(file.stat().st_mtime_ns, file.stem) for file in self.home.glob("*.json")]
        return [name for _, name in sorted(files)]

    def free_name(self, title: str) -> str:
        """Return a name that no session has, made from a title."""
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower())
        taken, number = set(self.names()), 1
        name = stem
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        return name

    def write(self, name: str, body: Mapping[str, Any]) -> None:
        """Write a session, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written; the file is as before.
        """
        with output_errors(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
        whole = {"format": FORMAT, **body}
        try:
            write_json(self.file(name), {**whole, "seal": _seal(whole)})
        except OutputError as error:
            raise OutputError(
                error.what, where=error.where,
                hint="The session is as it was. Free some space, or choose another --home.",
            ) from error  # fmt: skip

    def read(self, name: str) -> dict[str, Any]:
        """Return what was kept of a session.

        Raises
        ------
        UsageError
            If there is none of that name, or the file is not as it was written.
        """
        names = self.names()
        if not NAME.match(name) or name not in names:
            raise UsageError(
                "no such session", where="--session", got=name,
                expected=f"one of {', '.join(names)}" if names else "a session",
                hint=suggest(name, names) or f"`{self._begin}` begins one.",
            )  # fmt: skip
        return self._read(name)

    def latest(self) -> str:
        """Return the name of the session that was used last.

        Raises
        ------
        UsageError
            If there is none.
        """
        names = self.names()
        if not names:
            where = self._begin.split()[1]
            raise UsageError("no session yet", where=where, expected=f"`{self._begin}` first")
        return names[-1]

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Keep other processes out of a session while the block runs.

        Raises
        ------
        SandboxError
            If another one is at it. A process that dies leaves no lock behind.
        """
        try:
            import fcntl
        except ImportError:  # not on this system
            yield
            return
        with output_errors(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            file = os.open(self.home / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SandboxError(
                    "the session is in use by another command", where=f"--session {name}",
                    hint=f"Wait until it is done, or quit {self._busy}.",
                ) from None  # fmt: skip
            yield
        finally:
            os.close(file)

    def file(self, name: str) -> Path:
        """Return the file of a session."""
        return self.home / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any]:
        file = self.file(name)
        try:
            body: dict[str, Any] = msgspec.json.decode(file.read_bytes())
            seal = body.pop("seal")
            if body["format"] != FORMAT or seal != _seal(body):
                raise ValueError("it was changed after it was written")
        except OSError as error:
            raise UsageError(f"cannot be read ({error.strerror})", where=str(file)) from None
        except NOT_KEPT as error:
            raise not_a_session(file, error) from None
        del body["format"]
        return body


def not_a_session(file: Path, error: Exception) -> UsageError:
    """Return the error about a file that holds something else."""
    return UsageError(
        f"not a session file ({error})", where=str(file), hint="Remove it, and start again."
    )


def _seal(body: Mapping[str, Any]) -> str:
    """Return a digest that every step goes into, one upon the other."""
    plain = msgspec.json.decode(json_bytes(body))  # as it will be read back
    steps, result = plain.pop("steps"), plain.pop("result")
    seal = ""
    for part in (plain, *steps, result):
        text = seal + json.dumps(part, sort_keys=True)
        seal = hashlib.sha256(text.encode()).hexdigest()
    return seal
