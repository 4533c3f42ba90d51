"""Where the command line begins and ends: every failure becomes one line and an exit code here."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

import typer

from sandbox.errors import OutputError, SandboxError

__all__ = ["entry", "main"]

INTERRUPTED = 130
BROKEN_PIPE = 141


def entry() -> None:
    """Run the command line and leave the process with its exit code."""
    sys.excepthook = _report_bug
    sys.exit(_ended(lambda: _kept(sys.argv[1:])))


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    args
        Arguments without the program's name; those of the process when absent.

    Returns
    -------
    int
        0 for success, the ``exit_code`` of a `SandboxError`, 2 for wrong usage, 130 after Ctrl-C,
        141 when the reader of a pipe went away.
    """
    return _ended(lambda: _invoke(args))


def _ended(work: Callable[[], int]) -> int:
    """Do the work, and turn whatever ends it into an exit code and at most one line."""
    try:
        code = work()
        sys.stdout.flush()
    except SandboxError as error:
        return _fail(error.line(), error.exit_code)
    except typer.TyperException as error:
        return _fail(_usage_line(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted.", INTERRUPTED)
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE
    except OSError as error:
        if error.filename is not None:  # not a stream of ours, hence a bug
            raise
        _silence_stdout()
        full = OutputError("could not be written", where="standard output", got=error.strerror)
        return _fail(full.line(), full.exit_code)
    return _fail("interrupted.", code) if code == INTERRUPTED else code


def _kept(arguments: Sequence[str]) -> int:
    """Have the keeper of drills do what it can do; do everything else here."""
    if list(arguments[:1]) != ["drill"]:
        return _invoke(None)
    from sandbox.cli.keeper_link import SERVED, ask, wake

    code = ask(arguments) if arguments[1:2] and arguments[1] in SERVED else None
    if code is not None:
        return code
    wake()
    return _invoke(None)


def _invoke(args: Sequence[str] | None) -> int:
    from sandbox.cli.app import app

    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=None if args is None else list(args), prog_name="sandbox", standalone_mode=False
        )
    except SystemExit as end:
        # Typer turns a broken pipe into exit code 1; anything else is completion being served.
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        code = end.code
    return code if isinstance(code, int) else 0


def _silence_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe or a full disk on its way out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _fail(line: str, code: int) -> int:
    print(f"error: {line}", file=sys.stderr)
    return code


def _usage_line(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    place = context.command_path if context is not None else "sandbox"
    message = " ".join(error.format_message().split()).rstrip(".")
    end = "" if message.endswith(("?", "!")) else "."
    return f"{place}: {message[:1].lower()}{message[1:]}{end} See `{place} --help`."


def _report_bug(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    traceback.print_exception(kind, error, where)
    print(
        "\nerror: this is a bug of the sandbox, not yours. Please file an issue with the command, "
        "the lines above and `sandbox --version`.",
        file=sys.stderr,
    )
