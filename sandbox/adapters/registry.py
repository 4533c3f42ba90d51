"""Registry: where model versions live as plain files, and which of them have a part to play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Registry"]


class Registry(Protocol):
    """Versions of one scenario's model, numbered from 1.

    ``champion`` and ``challenger`` are the aliases in use.
    """

    def add(self, files: Mapping[str, bytes], facts: Mapping[str, str]) -> int:
        """Keep a version, all of it or nothing, and return its number (the next one)."""

    def files(self, number: int) -> dict[str, bytes]:
        """Return a version's files by relative path.

        Raises
        ------
        SandboxError
            If there is none of that number, or the registry does not answer.
        """

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of all versions, ascending."""

    def alias(self, name: str) -> int | None:
        """Return the version that an alias stands for."""

    def point(self, name: str, number: int | None) -> None:
        """Let an alias stand for a version; None removes it."""
