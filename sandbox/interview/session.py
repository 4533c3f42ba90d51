"""An interview under way: answers in, words out; the list of answers is the session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.errors import SandboxError, UsageError
from sandbox.interview.assembly import Assembly
from sandbox.interview.content import Loaded
from sandbox.interview.flow import interview
from sandbox.interview.notes import Notes, Setup
from sandbox.interview.prompts import DONE, SKIP, Prompt, Tell, Work

__all__ = ["Answer", "Session", "Worker"]

Worker = Callable[[Work], Mapping[str, Any]]
"""Does a piece of work and returns what it found."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    prompt: str
    """The name of what was asked."""
    text: str
    seconds: float
    """Time on the clock when it was given."""


class Session:
    """One candidate in one interview. The same answers always lead to the same state.

    Parameters
    ----------
    loaded, setup
        What is asked, and how.
    worker
        Does the machine's work; what it found is kept in `work`.
    work
        What was found before, so that taking a session up again takes no time.
    """

    def __init__(
        self, loaded: Loaded, setup: Setup, worker: Worker, work: Mapping[str, Any] | None = None
    ) -> None:
        plan = loaded.walkthrough
        assembly = Assembly(plan.start, loaded.scenario, plan.diagram)
        self.loaded, self.setup = loaded, setup
        self.notes = Notes(loaded, setup, assembly)
        self.work: dict[str, Any] = dict(work or {})
        self.answers: list[Answer] = []
        self.told: list[Tell] = []
        """Everything that was said, in order."""
        self.prompt: Prompt | None = None
        """What is asked now; None once it is over, or while there is work to do."""
        self.waiting: Work | None = None
        """Work that must be done first."""
        self._worker = worker
        self._flow = interview(self.notes)
        self._ended = False
        self._go_on(None)

    @property
    def over(self) -> bool:
        """Whether the interview is at its end."""
        return self._ended

    @property
    def spent(self) -> float:
        """Time on the clock at the last answer [s]."""
        return self.answers[-1].seconds if self.answers else 0.0

    @property
    def time_up(self) -> bool:
        """Whether an exam has used up its time."""
        return self.setup.exam and self.spent >= 60 * self.setup.minutes

    def give(self, text: str, seconds: float) -> list[Tell]:
        """Answer what is asked and return what is said then.

        Parameters
        ----------
        seconds
            Time on the clock; it never runs backwards.

        Raises
        ------
        UsageError
            If it is no answer to what is asked; the session is as before.
        """
        if self.prompt is None:
            raise UsageError("nothing is asked", where="walkthrough")
        read = self.prompt.read(text)
        if self.time_up and self.prompt.kind != "grade":
            read = DONE if self.prompt.kind == "question" else SKIP
        before = len(self.told)
        self.answers.append(Answer(self.prompt.name, read, round(max(seconds, self.spent), 1)))
        self._go_on(read)
        return self.told[before:]

    def do_work(self) -> list[Tell]:
        """Do the work that is waiting, and return what is said then.

        Raises
        ------
        SandboxError
            If it cannot be done; the session is as before.
        """
        if self.waiting is None:
            return []
        before = len(self.told)
        found = self._worker(self.waiting)
        self.work[self.waiting.name] = found
        self._go_on(found)
        return self.told[before:]

    def replay(self, answers: Sequence[Answer]) -> None:
        """Give kept answers again, with the work that was kept.

        Raises
        ------
        SandboxError
            If they lead elsewhere than they did.
        """
        for kept in answers:
            if self.waiting is not None:
                self.do_work()
            if self.prompt is None or self.prompt.name != kept.prompt:
                asked = self.prompt.name if self.prompt else "nothing"
                raise SandboxError(
                    "the interview cannot be taken up again: it asks something else than it did",
                    where=kept.prompt, got=asked, hint="Start it again.",
                )  # fmt: skip
            self.give(kept.text, kept.seconds)

    def _go_on(self, sent: object) -> None:
        """Let the interview say what it says, up to the next prompt or piece of work."""
        self.prompt = self.waiting = None
        while True:
            try:
                one = self._flow.send(sent)
            except StopIteration:
                self._ended = True
                return
            sent = None
            if isinstance(one, Tell):
                self.told.append(one)
            elif isinstance(one, Prompt):
                self.prompt = one
                return
            elif one.name in self.work:
                sent = self.work[one.name]
            else:
                self.waiting = one
                return
