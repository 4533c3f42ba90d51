"""Where a learner sits: sessions are opened, commands given, and every step is on disk at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.adapters.files import output_errors, write_text
from sandbox.drills.catalogue import LoadedDrill, load_drill
from sandbox.drills.debrief import debrief_html, debrief_markdown, result_of
from sandbox.drills.grade import Grade, grade
from sandbox.drills.session import Session, Step
from sandbox.drills.store import Kept, SessionStore
from sandbox.errors import SandboxError, UsageError

__all__ = ["PAGES", "Desk", "Seat"]

PAGES = ("debrief.html", "debrief.md")
Progress = Callable[[str], None]


@dataclass
class Seat:
    """An open session and what is kept of it."""

    kept: Kept
    session: Session
    grade: Grade | None = None


class Desk:
    """Opens sessions of one store.

    Parameters
    ----------
    home
        Folder of the store.
    roots
        Folders of scenarios.
    progress
        Told what takes time.
    """

    def __init__(self, home: Path, roots: Sequence[Path], progress: Progress) -> None:
        self.store, self._home = SessionStore(home), home
        self._roots, self._progress = tuple(roots), progress

    def start(self, drill: str, seed: int) -> Seat:
        """Begin a drill under a seed.

        Raises
        ------
        SandboxError
            If there is no such drill, or it cannot be run or kept; nothing is left behind.
        """
        loaded = load_drill(drill, self._roots)
        self._progress(f"living {loaded.drill.start / 86400:.0f} days until you arrive")
        session = Session(loaded, seed, self._roots)
        return Seat(self.store.create(loaded.id, seed, loaded.fingerprint), session)

    def open(self, name: str | None) -> Seat:
        """Take a session up again, or the one used last where no name is given.

        Raises
        ------
        SandboxError
            If there is none, or it cannot be taken up.
        """
        kept = self.find(name)
        loaded = self._same(kept)
        self._progress(f"{kept.name}: taking it up again, {len(kept.steps)} steps")
        session = Session(loaded, kept.seed, self._roots)
        session.replay(kept.steps)
        return Seat(kept, session)

    def find(self, name: str | None) -> Kept:
        """Return what is kept of a session; of the one used last where no name is given."""
        return self.store.latest() if name is None else self.store.load(name)

    def give(self, seat: Seat, line: str) -> Step:
        """Give a command and keep it.

        Raises
        ------
        SandboxError
            If it cannot be given or kept; the file is as before.
        """
        step = seat.session.give(line)
        kept = replace(seat.kept, steps=tuple(seat.session.steps))
        if step.command == "grade":
            seat.grade = grade(seat.session, self._progress)
            kept = replace(kept, result=result_of(seat.grade))
            self._write_pages(seat, kept)
        self.store.save(kept)
        seat.kept = kept
        return step

    def pages(self, kept: Kept) -> Path:
        """Return the folder of a graded session's pages."""
        return self._home / kept.name

    def solution(self, kept: Kept) -> LoadedDrill:
        """Return the drill of a session, solution and all."""
        return self._same(kept)

    def history(self) -> list[dict[str, Any]]:
        """Return the graded sessions, oldest first; a file that cannot be read is left out."""
        found = []
        for name in self.store.names():
            try:
                kept = self.store.load(name)
            except SandboxError:
                continue
            if kept.result is not None:
                found.append({"session": name, **kept.result})
        return found

    def _write_pages(self, seat: Seat, kept: Kept) -> None:
        assert seat.grade is not None
        folder = self.pages(kept)
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        html, markdown = PAGES
        write_text(folder / html, debrief_html(seat.grade, seat.session))
        write_text(folder / markdown, debrief_markdown(seat.grade, seat.session))

    def _same(self, kept: Kept) -> LoadedDrill:
        loaded = load_drill(kept.drill, self._roots)
        if loaded.fingerprint != kept.fingerprint:
            raise UsageError(
                "the drill has changed since this session began", where=f"--session {kept.name}",
                hint=f"Start it again: sandbox drill start {kept.drill}.",
            )  # fmt: skip
        return loaded
