"""Mistakes in a scenario author's own code: one line with its place, not our traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.errors import UsageError

__all__ = ["MISTAKES", "blamed_on", "line_in"]

MISTAKES = (
    SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, LookupError,
    ArithmeticError, AssertionError, OSError, RuntimeError,
)  # fmt: skip
"""What an author's own module may raise."""


@contextmanager
def blamed_on(file: Path, hint: str = "") -> Iterator[None]:
    """Turn an exception that comes out of `file` into a `UsageError` at its line.

    One that does not pass through the file is ours and stays as it is.

    Raises
    ------
    UsageError
        In place of the author's mistake, which is its cause.
    """
    try:
        yield
    except MISTAKES as error:
        line = line_in(error, file)
        if line is None:
            raise
        raise UsageError(
            f"{type(error).__name__}: {error}", where=f"{file}:{line}", hint=hint
        ) from error


def line_in(error: BaseException, file: Path) -> int | None:
    """Return the last line of `file` on the way to the error; None if it is not on the way."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
