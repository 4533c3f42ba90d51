"""The commands of a drill session: what they are, and reading one from a line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.errors import SandboxError, UsageError, suggest
from sandbox.spec.drill import PANELS, STEP
from sandbox.spec.source import Source
from sandbox.spec.units import parse_quantity

__all__ = ["OPERATIONS", "Command", "check_commands", "parse_command"]

OPERATIONS: Mapping[str, str] = {
    "look": f"[{'|'.join(PANELS)}]: what an engineer sees now",
    "advance": "DURATION: let time pass, in steps of 6h",
    "do": "ACTION KEY=VALUE ...: act; `do` alone lists the actions",
    "diagnose": "CAUSE: say what it is; `diagnose` alone lists the causes",
    "hint": "something to think about; it is noted in the grade",
    "grade": "play the rest of the time and say how it went; ends the drill",
}


@dataclass(frozen=True)
class Command:
    """One line of a session."""

    verb: str
    rest: str = ""
    """Panel, cause, or the action with its settings."""
    seconds: float = 0.0
    """Of `advance`."""

    @property
    def text(self) -> str:
        """The line as it is kept."""
        return f"{self.verb} {self.rest}".strip()


def parse_command(line: str) -> Command:
    """Read a line such as ``advance 6h``.

    Raises
    ------
    UsageError
        Saying what is wrong and what would do.
    """
    verb, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if verb not in OPERATIONS:
        expected = f"one of {', '.join(OPERATIONS)}"
        raise _wrong("unknown command", verb, expected, suggest(verb, OPERATIONS))
    if verb == "advance":
        return Command(verb, rest, _duration(rest))
    if verb == "look" and rest and rest not in PANELS:
        expected = f"one of {', '.join(PANELS)}"
        raise _wrong("unknown panel", rest, expected, suggest(rest, PANELS))
    if verb in ("hint", "grade") and rest:
        raise _wrong(f"{verb} takes nothing", rest, verb)
    return Command(verb, rest)


def check_commands(
    lines: Sequence[str],
    source: Source,
    place: Sequence[str | int],
    actions: Sequence[str],
    causes: Sequence[str],
    people: Sequence[str],
) -> None:
    """Hold the commands of a drill file against what there is.

    Raises
    ------
    UsageError
        At the line of the file.
    """
    for index, line in enumerate(lines):
        try:
            command = parse_command(line)
        except SandboxError as error:
            raise source.error(
                (*place, index), error.what, got=error.got, expected=error.expected,
                hint=error.hint,
            ) from None  # fmt: skip
        words = shlex.split(command.rest)
        known: Sequence[str] = {"do": actions, "diagnose": causes}.get(command.verb, ())
        if known and (not words or words[0] not in known):
            raise source.error(
                (*place, index), f"unknown after {command.verb}", got=command.rest,
                expected=f"one of {', '.join(known)}",
            )  # fmt: skip
        if words[:1] == ["page"] and not any(f"who={name}" in words for name in people):
            raise source.error(
                (*place, index), "nobody of that name", got=command.rest,
                expected=f"who= one of {', '.join(people)}",
            )  # fmt: skip


def _duration(text: str) -> float:
    expected = "a multiple of 6h such as 6h, 1d or 2d"
    try:
        quantity = parse_quantity(text)
    except ValueError:
        raise _wrong("not a duration", text, expected) from None
    if quantity.unit != "s" or quantity <= 0 or quantity % STEP:
        raise _wrong("not a duration", text, expected)
    return float(quantity)


def _wrong(what: str, got: str, expected: str, hint: str = "") -> SandboxError:
    return UsageError(what, where="drill", got=got, expected=expected, hint=hint)
