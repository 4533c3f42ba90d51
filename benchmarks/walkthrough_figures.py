"""Run again what the figures of walkthroughs claim to be measured by.

A figure whose source is ``sandbox run ...: NAME`` is what that command measures: an objective, or
``money.total``. ``--check N`` runs the first N commands (0: all) and fails if another number comes
out; the numbers are then told, to be put in by hand.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from sandbox.interview.content import Loaded, load_walkthrough, walkthrough_names
from sandbox.run.execution import execute
from sandbox.run.setup import Prepared, prepare
from sandbox.spec.stated import show_number
from sandbox.spec.walkthrough import Figure

ROOTS = (Path(__file__).parent.parent / "scenarios",)
COMMAND = "sandbox run "
SEED = 7


def measured(loaded: Loaded) -> dict[str, dict[str, Figure]]:
    """Return the measured figures of an interview by the command that gives them."""
    found: dict[str, dict[str, Figure]] = {}
    for name, figure in loaded.walkthrough.figures.items():
        if figure.source.startswith(COMMAND):
            found.setdefault(figure.source.rpartition(": ")[0], {})[name] = figure
    return found


def prepared(command: str) -> Prepared:
    """Return the run that a command asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("--days", type=int)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--incident", action="append")
    asked = parser.parse_args(shlex.split(command.removeprefix(COMMAND)))
    return prepare(
        asked.scenario, design=None, seed=SEED, days=asked.days, overrides=asked.set,
        incidents=asked.incident, roots=ROOTS,
    )  # fmt: skip


def results(command: str) -> Mapping[str, float]:
    """Run a command and return everything that a figure may name."""
    summary = execute(prepared(command)).summary()
    found = {one["name"]: one["measured"] for one in summary["objectives"]}
    return {**found, "money.total": summary["money"]["total"]}


def stale(loaded: Loaded, most: int) -> Iterator[str]:
    """Yield what is not as it stands there, in words."""
    for command, figures in list(measured(loaded).items())[: most or None]:
        found = results(command)
        for name, figure in figures.items():
            key = figure.source.rpartition(": ")[2]
            fresh = show_number(found[key], figure.as_)
            print(f"{loaded.name} {name}: {loaded.shown[name]}, measured {fresh}", flush=True)
            if fresh != loaded.shown[name]:
                yield f"{name} is {fresh}"


def main() -> int:
    """Check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", type=int, required=True, metavar="N")
    parser.add_argument("--scenario", choices=walkthrough_names(ROOTS), help="this one alone")
    asked = parser.parse_args()
    began = time.perf_counter()
    wrong: list[str] = []
    for name in [asked.scenario] if asked.scenario else walkthrough_names(ROOTS):
        wrong += stale(load_walkthrough(name, ROOTS), asked.check)
    print(f"{time.perf_counter() - began:.0f} s on the clock")
    print(f"stale: {'; '.join(wrong)}" if wrong else "fresh", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
