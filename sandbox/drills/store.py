"""Sessions on disk: one small file each, written whole after every step, checked when read.

A file holds the commands and what they led to; the state itself is played again. Each step seals
the ones before it, so that a changed file is found out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from sandbox.adapters.files import json_bytes, output_errors, write_json
from sandbox.drills.session import Step
from sandbox.errors import OutputError, SandboxError, UsageError, suggest

__all__ = ["Kept", "SessionStore"]

FORMAT = 1
NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,80}$")


@dataclass(frozen=True)
class Kept:
    """A session as it lies on disk."""

    name: str
    drill: str
    seed: int
    fingerprint: str
    """Of the drill's files when the session began."""
    steps: tuple[Step, ...] = ()
    result: Mapping[str, Any] | None = None
    """The grade, once there is one."""

    @property
    def over(self) -> bool:
        """Whether it was graded."""
        return self.result is not None


class SessionStore:
    """The sessions in one folder.

    Parameters
    ----------
    home
        The folder; made when the first session is.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def names(self) -> list[str]:
        """Return the names of all sessions, the one used last at the end."""
        files = [(file.stat().st_mtime_ns, file.stem) for file in self._home.glob("*.json")]
        return [name for _, name in sorted(files)]

    def create(self, drill: str, seed: int, fingerprint: str) -> Kept:
        """Return a new session, kept under a free name."""
        stem = re.sub(r"[^a-z0-9]+", "-", drill.lower()) + f"-{seed}"
        taken, number = set(self.names()), 1
        name = stem
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        kept = Kept(name, drill, seed, fingerprint)
        self.save(kept)
        return kept

    def save(self, kept: Kept) -> None:
        """Write a session, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written; the file is as before.
        """
        with output_errors(self._home):
            self._home.mkdir(parents=True, exist_ok=True)
        body: dict[str, Any] = {"format": FORMAT, **asdict(kept)}
        del body["name"]
        try:
            write_json(self._file(kept.name), {**body, "seal": _seal(body)})
        except OutputError as error:
            raise OutputError(
                error.what, where=error.where,
                hint="The session is as it was. Free some space, or choose another --home.",
            ) from error  # fmt: skip

    def load(self, name: str) -> Kept:
        """Read a session.

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
                hint=suggest(name, names) or "`sandbox drill start DRILL` begins one.",
            )  # fmt: skip
        return self._read(name)

    def latest(self) -> Kept:
        """Return the session that was used last.

        Raises
        ------
        UsageError
            If there is none.
        """
        names = self.names()
        if not names:
            raise UsageError(
                "no session yet", where="drill", expected="`sandbox drill start DRILL` first"
            )
        return self._read(names[-1])

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
        with output_errors(self._home):
            self._home.mkdir(parents=True, exist_ok=True)
            file = os.open(self._home / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SandboxError(
                    "the session is in use by another command", where=f"--session {name}",
                    hint="Wait until it is done, or quit `drill play`.",
                ) from None  # fmt: skip
            yield
        finally:
            os.close(file)

    def _file(self, name: str) -> Path:
        return self._home / f"{name}.json"

    def _read(self, name: str) -> Kept:
        file = self._file(name)
        try:
            body = msgspec.json.decode(file.read_bytes())
            seal = body.pop("seal")
            if body["format"] != FORMAT or seal != _seal(body):
                raise ValueError("it was changed after it was written")
            del body["format"]
            return msgspec.convert({**body, "name": name}, Kept)
        except OSError as error:
            raise UsageError(f"cannot be read ({error.strerror})", where=str(file)) from None
        except (ValueError, TypeError, KeyError, AttributeError, msgspec.MsgspecError) as error:
            raise UsageError(
                f"not a session file ({error})", where=str(file),
                hint="Remove it, and start the drill again.",
            ) from None  # fmt: skip


def _seal(body: Mapping[str, Any]) -> str:
    """Return a digest that every step goes into, one upon the other."""
    plain = msgspec.json.decode(json_bytes(body))  # as it will be read back
    steps, result = plain.pop("steps"), plain.pop("result")
    seal = ""
    for part in (plain, *steps, result):
        text = seal + json.dumps(part, sort_keys=True)
        seal = hashlib.sha256(text.encode()).hexdigest()
    return seal
