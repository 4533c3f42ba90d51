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

MOST_SEATS = 2
"""Sessions kept in memory; each takes some hundred megabytes."""
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
    seats
        Open seats by session, for whoever keeps them from one command to the next.
    """

    def __init__(
        self,
        home: Path,
        roots: Sequence[Path],
        progress: Progress,
        seats: dict[str, Seat] | None = None,
    ) -> None:
        self.store, self._home = SessionStore(home), home
        self._roots, self._progress = tuple(roots), progress
        self._seats = {} if seats is None else seats

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
        seat = Seat(self.store.create(loaded.id, seed, loaded.fingerprint), session)
        return self._keep(seat)

    def open(self, name: str | None) -> Seat:
        """Take a session up again, or the one used last where no name is given.

        Raises
        ------
        SandboxError
            If there is none, or it cannot be taken up.
        """
        kept = self.find(name)
        loaded = self.drill_of(kept)
        seat = self._seats.get(kept.name)
        if seat is not None and seat.kept == kept:
            return self._keep(seat)
        self._progress(f"{kept.name}: taking it up again, {len(kept.steps)} steps")
        session = Session(loaded, kept.seed, self._roots)
        session.replay(kept.steps)
        return self._keep(Seat(kept, session))

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
        command, action = seat.session.read(line)
        self._seats.pop(seat.kept.name, None)  # until it is on disk
        step = seat.session.take(command, action)
        kept = replace(seat.kept, steps=tuple(seat.session.steps))
        if step.command == "grade":
            seat.grade = grade(seat.session, self._progress)
            kept = replace(kept, result=result_of(seat.grade))
            self._write_pages(seat, kept)
        self.store.save(kept)
        seat.kept = kept
        self._keep(seat)
        return step

    def pages(self, kept: Kept) -> Path:
        """Return the folder of a graded session's pages."""
        return self._home / kept.name

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

    def _keep(self, seat: Seat) -> Seat:
        """Keep a seat in memory, and the few that were used last beside it."""
        self._seats.pop(seat.kept.name, None)
        self._seats[seat.kept.name] = seat
        while len(self._seats) > MOST_SEATS:
            del self._seats[next(iter(self._seats))]
        return seat

    def _write_pages(self, seat: Seat, kept: Kept) -> None:
        assert seat.grade is not None
        folder = self.pages(kept)
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        html, markdown = PAGES
        write_text(folder / html, debrief_html(seat.grade, seat.session))
        write_text(folder / markdown, debrief_markdown(seat.grade, seat.session))

    def drill_of(self, kept: Kept) -> LoadedDrill:
        """Return the drill of a session; `UsageError` if it is not what it was."""
        loaded = load_drill(kept.drill, self._roots)
        if loaded.fingerprint != kept.fingerprint:
            raise UsageError(
                "the drill has changed since this session began", where=f"--session {kept.name}",
                hint=f"Start it again: sandbox drill start {kept.drill}.",
            )  # fmt: skip
        return loaded
