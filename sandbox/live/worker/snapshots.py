"""Snapshots on disk: the state of a partition as it was at an offset of its log.

A snapshot is written after the offset was committed, so the newest one at or below what a worker
starts from is always right, whoever wrote it; the folder may be lost at any time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

from sandbox.adapters.event_log import Place

__all__ = ["Snapshots"]

_KEPT = 2
_SUFFIX = ".npz"


class Snapshots:
    """Writes in the background, reads when asked.

    Parameters
    ----------
    folder
        Made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: queue.Queue[tuple[Place, int, Callable[[], bytes]] | None] = queue.Queue()
        self.failed = ""
        """Why the last snapshot could not be written; empty where it was."""
        self._writer = threading.Thread(target=self._write_all, name="snapshots", daemon=True)
        self._writer.start()

    def save(self, place: Place, offset: int, make: Callable[[], bytes]) -> None:
        """Have a snapshot written; `make` gives its bytes, in another thread."""
        self._jobs.put((place, offset, make))

    def newest(self, place: Place, most: int) -> tuple[int, bytes] | None:
        """Return offset and bytes of the newest snapshot at or below an offset."""
        for offset in sorted(self._offsets(place), reverse=True):
            if offset > most:
                continue
            try:
                return offset, self._file(place, offset).read_bytes()
            except OSError:
                continue  # removed by whoever wrote a newer one
        return None

    def discard(self, place: Place, offset: int) -> None:
        """Remove a snapshot that cannot be read."""
        self._file(place, offset).unlink(missing_ok=True)

    def close(self) -> None:
        """Wait until all are written."""
        self._jobs.put(None)
        self._writer.join()

    def _write_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            place, offset, make = job
            try:
                self._write(place, offset, make())
                self.failed = ""
            except OSError as error:  # a convenience: without it more is replayed
                self.failed = error.strerror or str(error)

    def _write(self, place: Place, offset: int, data: bytes) -> None:
        target = self._file(place, offset)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Of this thread's own, should two processes write the same one.
        draft = target.with_suffix(f".{threading.get_native_id()}.part")
        try:
            draft.write_bytes(data)
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        for old in sorted(self._offsets(place))[:-_KEPT]:
            self._file(place, old).unlink(missing_ok=True)

    def _offsets(self, place: Place) -> list[int]:
        folder = self._file(place, 0).parent
        names = [file.stem for file in folder.glob(f"*{_SUFFIX}")] if folder.is_dir() else []
        return [int(name) for name in names if name.isdecimal()]

    def _file(self, place: Place, offset: int) -> Path:
        return self._folder / place.topic / str(place.partition) / f"{offset:020d}{_SUFFIX}"
