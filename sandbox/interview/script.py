"""A candidate on paper: answers from a file, given one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sandbox.errors import UsageError, suggest
from sandbox.interview.content import Loaded
from sandbox.interview.prompts import DONE, SKIP, Prompt, Tell
from sandbox.interview.session import Session
from sandbox.spec.answers import Answers
from sandbox.spec.interview_terms import STAGES
from sandbox.spec.loading import build
from sandbox.spec.source import read_source

__all__ = ["Script", "follow", "load_script"]


class Script:
    """Answers prompts from a file.

    Parameters
    ----------
    answers
        What the file says.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def answer(self, prompt: Prompt) -> str:
        """Return what the file says to a prompt; `SKIP` or `DONE` where it says nothing."""
        if prompt.kind == "question":
            place = int(prompt.name.rpartition("_")[2]) - 1
            questions = self._answers.questions
            return questions[place] if place < len(questions) else DONE
        if prompt.kind == "grade":
            return self._answers.self_.get(prompt.stage, SKIP)
        return self._answers.answers.get(prompt.name, SKIP)

    @property
    def seconds(self) -> float:
        """How long an answer takes on the clock [s]."""
        return self._answers.seconds


def load_script(path: Path, loaded: Loaded) -> Script:
    """Read an answers file and hold its names against the interview.

    Raises
    ------
    UsageError
        If it cannot be read, or answers something that is never asked.
    """
    source = read_source(path)
    answers = build(Answers, source)
    plan = loaded.walkthrough
    known = (*plan.numbers, *plan.decisions, *plan.probes, *plan.curveballs)
    checks: Iterable[tuple[str, Iterable[str], Iterable[str]]] = (
        ("answers", answers.answers, known), ("self", answers.self_, STAGES),
    )  # fmt: skip
    for key, names, among in checks:
        for name in names:
            if name not in among:
                raise source.error(
                    (key, name), "nobody asks this", got=name, hint=suggest(name, among),
                    expected="a number, decision, probe or curveball of the interview"
                    if key == "answers" else f"one of {', '.join(STAGES)}",
                )  # fmt: skip
    return Script(answers)


def follow(
    session: Session,
    script: Script,
    give: Callable[[str, float], list[Tell]],
    do_work: Callable[[], list[Tell]],
    show: Callable[[list[Tell]], None],
) -> None:
    """Hold a whole interview with a script.

    Parameters
    ----------
    give, do_work
        As those of the session, for whoever keeps every answer.
    show
        Told what is said.

    Raises
    ------
    UsageError
        For an answer that is none; everything before it is kept.
    """
    while not session.over:
        if session.waiting is not None:
            show(do_work())
        elif session.prompt is not None:
            show(give(script.answer(session.prompt), session.spent + script.seconds))
        else:
            raise UsageError("the interview asks nothing", where="walkthrough")
