"""A registry in a folder: what is tried here is not the registry, and it starts at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandbox.errors import SandboxError

__all__ = ["FolderRegistry"]


class FolderRegistry:
    """See `Registry`: one version, no aliases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, files: Mapping[str, bytes], facts: Mapping[str, str]) -> int:
        """Keep the version."""
        for path, content in files.items():
            target = self._folder / "1" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return 1

    def files(self, number: int) -> dict[str, bytes]:
        """Return the version's files."""
        root = self._folder / str(number)
        found = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
        if not found:
            raise SandboxError("no such version", got=number)
        return found

    def numbers(self) -> tuple[int, ...]:
        """Return what there is."""
        return (1,) if (self._folder / "1").is_dir() else ()

    def alias(self, name: str) -> int | None:
        """There are none."""
        return None

    def point(self, name: str, number: int | None) -> None:
        """There are none."""
