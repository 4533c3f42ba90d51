"""Interviews on disk: the answers, and what the machine found out meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from sandbox.adapters.sealed import NOT_KEPT, SealedFolder, not_a_session
from sandbox.interview.notes import Setup
from sandbox.interview.session import Answer

__all__ = ["InterviewStore", "Kept"]


@dataclass(frozen=True)
class Kept:
    """An interview as it lies on disk."""

    name: str
    scenario: str
    setup: Setup
    fingerprint: str
    """Of the scenario's files when it began."""
    steps: tuple[Answer, ...] = ()
    work: Mapping[str, Any] = field(default_factory=dict)
    """By name; deterministic, kept so that nobody waits twice."""
    result: Mapping[str, Any] | None = None
    """The score, once there is one."""

    @property
    def over(self) -> bool:
        """Whether it came to its end."""
        return self.result is not None


class InterviewStore:
    """The interviews in one folder.

    Parameters
    ----------
    home
        The folder; made when the first interview is.
    """

    def __init__(self, home: Path) -> None:
        self._folder = SealedFolder(home, "sandbox walkthrough NAME", "the other one")

    def names(self) -> list[str]:
        """Return the names of all interviews, the one used last at the end."""
        return self._folder.names()

    def create(self, scenario: str, setup: Setup, fingerprint: str) -> Kept:
        """Return a new interview, kept under a free name."""
        name = self._folder.free_name(f"{scenario}-{setup.level}")
        kept = Kept(name, scenario, setup, fingerprint)
        self.save(kept)
        return kept

    def save(self, kept: Kept) -> None:
        """Write an interview, whole or not at all.

        Raises
        ------
        OutputError
            If it cannot be written; the file is as before.
        """
        body = asdict(kept)
        del body["name"]
        self._folder.write(kept.name, body)

    def load(self, name: str) -> Kept:
        """Read an interview.

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

    def latest(self, scenario: str) -> Kept | None:
        """Return the unfinished interview of a scenario that was used last, if there is one."""
        for name in reversed(self.names()):
            kept = self.load(name)
            if kept.scenario == scenario and not kept.over:
                return kept
        return None

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Keep other processes out of an interview; see `SealedFolder.locked`."""
        return self._folder.locked(name)
