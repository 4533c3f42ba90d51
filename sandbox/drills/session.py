"""A drill session: commands in, answers out; the list of commands is the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.drills.actions import Command, parse_command
from sandbox.drills.catalogue import LoadedDrill
from sandbox.drills.conditions import Condition
from sandbox.drills.duty import Duty
from sandbox.errors import SandboxError, UsageError, suggest
from sandbox.run.interventions import Intervention
from sandbox.spec.actions import ACTIONS
from sandbox.spec.units import format_duration

__all__ = ["Session", "Step"]

END_VERBS = ("advance", "do")


@dataclass(frozen=True)
class Step:
    """One command and what came of it."""

    at: float
    """When it was given [s since the learner's arrival]."""
    command: str
    said: str
    """The answer, in a line."""
    digest: str
    """Of the state afterwards."""


class Session:
    """One learner in one drill. The same commands always lead to the same state.

    Parameters
    ----------
    loaded, seed, roots
        As for `Duty`.
    """

    def __init__(self, loaded: LoadedDrill, seed: int, roots: Sequence[Path]) -> None:
        self.loaded, self.seed, self.roots = loaded, seed, tuple(roots)
        self.duty = Duty(loaded, seed, self.roots)
        self.steps: list[Step] = []

    @property
    def over(self) -> bool:
        """Whether the drill was graded."""
        return bool(self.steps) and self.steps[-1].command == "grade"

    @property
    def elapsed(self) -> float:
        """Time since the learner's arrival [s]."""
        return self.duty.elapsed

    @property
    def hints_given(self) -> int:
        """Number of hints told so far."""
        hints = {hint.say for hint in self.loaded.drill.hints}
        return sum(step.command == "hint" and step.said in hints for step in self.steps)

    def looked(self, panel: str) -> bool:
        """Return whether a panel was looked at."""
        return any(s.command in (f"look {panel}", "look") for s in self.steps)

    def did(self, action: str) -> bool:
        """Return whether an action was taken."""
        return any(one.kind == action for one in self.duty.done)

    def diagnosed(self, cause: str | None) -> bool:
        """Return whether a cause, or any, was named."""
        named = [s.command.removeprefix("diagnose ") for s in self.diagnoses()]
        return bool(named) if cause is None else cause in named

    def diagnoses(self) -> list[Step]:
        """Return the causes that were named, in order."""
        return [s for s in self.steps if s.command.startswith("diagnose ")]

    def read(self, line: str) -> tuple[Command, Intervention | None]:
        """Read a command, and the action in it; nothing happens yet.

        Raises
        ------
        UsageError
            If it cannot be given now.
        """
        command = parse_command(line)
        if self.over and command.verb not in ("look", "grade"):
            raise UsageError(
                "the drill is over", where=command.verb, hint="Start it again with another --seed.",
            )  # fmt: skip
        if command.verb in END_VERBS and command.rest and self.duty.left <= 0:
            raise UsageError(
                "the time is up", where=command.verb, expected="diagnose or grade",
            )  # fmt: skip
        acts = command.verb == "do" and bool(command.rest)
        action = self.duty.read(command.rest) if acts else None
        causes = self.loaded.defaults.causes
        if command.verb == "diagnose" and command.rest and command.rest not in causes:
            raise UsageError(
                "unknown cause", where="diagnose", got=command.rest,
                expected=f"one of {', '.join(causes)}", hint=suggest(command.rest, causes),
            )  # fmt: skip
        return command, action

    def give(self, line: str) -> Step:
        """Carry a command out and return what came of it.

        Raises
        ------
        UsageError
            If it cannot be given now; the session is as before.
        """
        return self.take(*self.read(line))

    def take(self, command: Command, action: Intervention | None) -> Step:
        """Carry out what `read` accepted."""
        at = self.elapsed
        said = self._carry_out(command) if action is None else self.duty.act(action)
        step = Step(at, command.text, said, self.duty.digest())
        self.steps.append(step)
        return step

    def replay(self, steps: Sequence[Step]) -> None:
        """Give the commands of a kept session again.

        Raises
        ------
        SandboxError
            If they lead to another state than they did.
        """
        for kept in steps:
            try:
                step = self.give(kept.command)
            except UsageError as error:
                raise _unfaithful(kept, error.what) from error
            if step.digest != kept.digest or step.at != kept.at:
                raise _unfaithful(kept, "it leads to another state than before")

    def _carry_out(self, command: Command) -> str:
        if command.verb == "advance":
            return self._advance(command.seconds)
        if command.verb == "do":
            return "\n".join(f"{k:11s} {ACTIONS[k]}" for k in self.loaded.actions)
        if command.verb == "diagnose":
            if command.rest:
                return "noted"
            return "\n".join(f"{k:16s} {v}" for k, v in self.loaded.defaults.causes.items())
        if command.verb == "hint":
            return self._hint()
        if command.verb == "grade":
            self.duty.advance(self.duty.left)
            return "the rest of the time is played"
        return "looked"

    def _advance(self, seconds: float) -> str:
        before, alerts = self.duty.now, len(self.duty.alerts)
        told = len(self.duty.interventions)
        self.duty.advance(seconds)
        news = [f"day {a.day - self.duty.arrival:.0f}: {a.text}" for a in self.duty.alerts[alerts:]]
        news += [
            f"day {one.day - self.duty.arrival:.1f}: {one.text}: {one.outcome}"
            for one in self.duty.interventions[told:]
        ]
        passed = format_duration(self.duty.now - before)
        if self.duty.left <= 0:
            news.append("the time is up: diagnose, then grade")
        return f"{passed} passed" + "".join(f"\n{text}" for text in news)

    def _hint(self) -> str:
        hints = self.loaded.drill.hints
        for place, hint in enumerate(hints):
            fits = Condition.parse(hint.when, f"hints[{place}].when").holds(self)
            if fits and not any(step.said == hint.say for step in self.steps):
                return hint.say
        return "nothing more to say now; look around, or let time pass"


def _unfaithful(kept: Step, why: str) -> SandboxError:
    return SandboxError(
        f"the session cannot be taken up again: {why}",
        where=f"step {kept.command!r} at {format_duration(kept.at)}",
        hint="It was made with other versions of the libraries, or changed; start the drill again.",
    )
