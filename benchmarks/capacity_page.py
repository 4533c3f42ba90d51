"""Put real output into docs/capacity.md, or check that what stands there is still real.

``--write`` runs the commands that the page shows and puts their output below them.
``--check`` runs those that are the same everywhere and fails if the output is another.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
import sys
import tempfile
from pathlib import Path

from sandbox.cli.main import main as sandbox

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "capacity.md"
BLOCK = re.compile(r"```console\n\$ sandbox ([^\n]*)\n(.*?)```", re.S)
HERE_ONLY = ("twin", "calibrate")
"""Commands whose output is this machine's."""


def output_of(command: str) -> str:
    """Return what a command prints, its files aside."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(ROOT):
        words = [*shlex.split(command), "--quiet", "--out", f"{folder}/out"]
        with contextlib.redirect_stdout(said):
            code = sandbox(words)
    if code:
        raise SystemExit(f"sandbox {command}: exit code {code}")
    text = said.getvalue().partition("\nWritten to")[0]
    lines = [line.rstrip() for line in text.splitlines()]
    limits = next((i for i, line in enumerate(lines) if " events/s at the peak, " in line), None)
    return "\n".join(lines[:limits]).strip("\n") + "\n"


def refreshed(text: str, commands: tuple[str, ...] | None = None) -> str:
    """Return the page with output put anew; all of it, or that of some commands."""

    def put(block: re.Match[str]) -> str:
        command = block[1]
        if commands is not None and command.split()[0] not in commands:
            return block[0]
        return f"```console\n$ sandbox {command}\n{output_of(command)}```"

    return BLOCK.sub(put, text)


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    if options.write:
        PAGE.write_text(refreshed(text), encoding="utf-8")
        return 0
    if refreshed(text, ("capacity",)) != text:
        print(f"{PAGE.name} is stale: python benchmarks/capacity_page.py --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
