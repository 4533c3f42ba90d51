"""The error tree. Every mistake a user can make ends here as one line and an exit code.

::

    SandboxError                exit 1   something failed that the user can act on
    ├── UsageError              exit 2   a wrong argument, name or file content
    ├── VerdictError            exit 3   it ran, and an objective or a contract failed
    └── OutputError             exit 4   results could not be written (nothing half-written stays)

Ctrl-C exits with 130, as shells expect. The grammar of a message is
``where: what; got X, expected Y. Next step.``
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["OutputError", "SandboxError", "UsageError", "VerdictError", "suggest"]


class SandboxError(Exception):
    """A failure with a message for the user.

    Parameters
    ----------
    what
        The rule that was broken, in a few words.
    where
        Place: ``file:line key``, an option or a command.
    got, expected
        The offending value, and what would have been accepted.
    hint
        The next step, a full sentence.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        got: object | None = None,
        expected: str = "",
        hint: str = "",
    ) -> None:
        self.what, self.where, self.got, self.expected, self.hint = what, where, got, expected, hint
        super().__init__(self.line())

    def line(self) -> str:
        """Return the whole message on one line."""
        facts = []
        if self.got is not None:
            facts.append(f"got {_shown(self.got)}")
        if self.expected:
            facts.append(f"expected {self.expected}")
        text = f"{self.where}: " if self.where else ""
        text += self.what + (f"; {', '.join(facts)}" if facts else "")
        text = text if text.endswith((".", "?", "!")) else text + "."
        return _printable(" ".join(f"{text} {self.hint}".split()))


class UsageError(SandboxError):
    """A wrong argument, an unknown name, or a file that says something impossible."""

    exit_code = 2


class VerdictError(SandboxError):
    """The work ran to its end and the answer is no."""

    exit_code = 3


class OutputError(SandboxError):
    """Results could not be written."""

    exit_code = 4


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``"Did you mean X?"`` for the nearest of `known`, or an empty string."""
    near = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _printable(text: str) -> str:
    """Escape control characters, so that no file can drive the user's terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
