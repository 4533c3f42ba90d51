"""Drill sessions on disk: the commands and what they led to; the state itself is played again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from sandbox.adapters.sealed import NOT_KEPT, SealedFolder, not_a_session
from sandbox.drills.session import Step

__all__ = ["Kept", "SessionStore"]


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
        self._folder = SealedFolder(home, "sandbox drill start DRILL", "`drill play`")

    def names(self) -> list[str]:
        """Return the names of all sessions, the one used last at the end."""
        return self._folder.names()

    def create(self, drill: str, seed: int, fingerprint: str) -> Kept:
        """Return a new session, kept under a free name."""
        kept = Kept(self._folder.free_name(f"{drill}-{seed}"), drill, seed, fingerprint)
        self.save(kept)
        return kept

    def save(self, kept: Kept) -> None:
        """Write a session, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written; the file is as before.
        """
        body = asdict(kept)
        del body["name"]
        self._folder.write(kept.name, body)

    def load(self, name: str) -> Kept:
        """Read a session.

        Raises
        ------
        UsageError
            If there is none of that name, or the file is not as it was written.
        """
        body = self._folder.read(name)
        try:
            return msgspec.convert({**body, "name": name}, Kept)
        except NOT_KEPT as error:
            raise not_a_session(self._folder.file(name), error) from None

    def latest(self) -> Kept:
        """Return the session that was used last.

        Raises
        ------
        UsageError
            If there is none.
        """
        return self.load(self._folder.latest())

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes out of a session; see `SealedFolder.locked`."""
        return self._folder.locked(name)
