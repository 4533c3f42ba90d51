"""The room itself: interviews are begun and taken up, and every answer is on disk at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.adapters.files import output_errors, write_text
from sandbox.errors import SandboxError, UsageError
from sandbox.interview.content import Loaded, load_walkthrough
from sandbox.interview.debrief import debrief_html, debrief_markdown, result_of
from sandbox.interview.lab import train_choices
from sandbox.interview.notes import Setup
from sandbox.interview.prompts import Tell, Work
from sandbox.interview.score import score
from sandbox.interview.session import Session
from sandbox.interview.store import InterviewStore, Kept
from sandbox.interview.trials import run_calm, run_hit
from sandbox.run.setup import Prepared, prepare

__all__ = ["PAGES", "Room", "Seat", "do_work"]

PAGES = ("debrief.html", "debrief.md")
DESIGN = "design.yaml"
Progress = Callable[[str], None]


@dataclass
class Seat:
    """An open interview and what is kept of it."""

    kept: Kept
    session: Session


class Room:
    """Opens the interviews of one store.

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
        self.store, self._home = InterviewStore(home), home
        self._roots, self._progress = tuple(roots), progress

    def start(self, scenario: str, setup: Setup) -> Seat:
        """Begin an interview.

        Raises
        ------
        SandboxError
            If there is none for the scenario, or it cannot be kept; nothing is left behind.
        """
        loaded = load_walkthrough(scenario, self._roots)
        kept = self.store.create(loaded.name, setup, loaded.fingerprint)
        return Seat(kept, self._session(loaded, kept))

    def open(self, kept: Kept) -> Seat:
        """Take an interview up again.

        Raises
        ------
        SandboxError
            If it cannot be taken up.
        """
        loaded = load_walkthrough(kept.scenario, self._roots)
        if loaded.fingerprint != kept.fingerprint:
            raise UsageError(
                "the interview has changed since this session began",
                where=f"--session {kept.name}",
                hint=f"Begin another: sandbox walkthrough {kept.scenario} --new.",
            )  # fmt: skip
        session = self._session(loaded, kept)
        session.replay(kept.steps)
        return Seat(kept, session)

    def give(self, seat: Seat, text: str, seconds: float) -> list[Tell]:
        """Give an answer and keep it.

        Raises
        ------
        SandboxError
            If it is none, or cannot be kept; the file is as before.
        """
        told = seat.session.give(text, seconds)
        self._keep(seat)
        return told

    def do_work(self, seat: Seat) -> list[Tell]:
        """Do the work that is waiting, and keep what it found."""
        told = seat.session.do_work()
        self._keep(seat)
        return told

    def pages(self, kept: Kept) -> Path:
        """Return the folder of an interview's design and pages."""
        return self._home / kept.name

    def history(self) -> list[dict[str, Any]]:
        """Return finished interviews, oldest first; a file that cannot be read is left out."""
        found = []
        for name in self.store.names():
            try:
                kept = self.store.load(name)
            except SandboxError:
                continue
            if kept.result is not None:
                found.append({"session": name, **kept.result})
        return found

    def _session(self, loaded: Loaded, kept: Kept) -> Session:
        def work(one: Work) -> Mapping[str, Any]:
            return do_work(one, loaded, self._roots, self.pages(kept), self._progress)

        return Session(loaded, kept.setup, work, kept.work)

    def _keep(self, seat: Seat) -> None:
        session = seat.session
        kept = replace(seat.kept, steps=tuple(session.answers), work=dict(session.work))
        if session.over and not kept.over:
            self._write_pages(kept, session)
            kept = replace(kept, result=result_of(session.notes, score(session.notes)))
        self.store.save(kept)
        seat.kept = kept

    def _write_pages(self, kept: Kept, session: Session) -> None:
        folder = self.pages(kept)
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        html, markdown = PAGES
        points = score(session.notes)
        write_text(folder / DESIGN, session.notes.assembly.text())
        write_text(folder / html, debrief_html(session, points))
        write_text(folder / markdown, debrief_markdown(session, points))


def do_work(
    work: Work, loaded: Loaded, roots: Sequence[Path], folder: Path, tell: Progress
) -> Mapping[str, Any]:
    """Do a piece of the machine's work on the design as it is.

    Parameters
    ----------
    folder
        Where the design is left as a file.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    design = folder / DESIGN
    write_text(design, str(work.inputs["design"]))

    def ready(file: Path | None) -> Prepared:
        runs = loaded.walkthrough.runs
        return prepare(
            loaded.name, design=file, seed=runs.seed, days=runs.days, overrides=runs.set,
            incidents=(), roots=roots,
        )  # fmt: skip

    if work.name == "train":
        return train_choices(ready, design, tell)
    if work.name == "calm":
        return run_calm(ready, design, tell)
    return run_hit(loaded, ready, design, work.inputs["curveballs"], tell)
