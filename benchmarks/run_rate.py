"""Events a second: a whole run in virtual time, and the online feature fold alone.

    python benchmarks/run_rate.py [--smoke] [--write] [--profile]

End to end is the reference design of `scenarios/fraud` as `sandbox run fraud` plays it: the world
makes events, the pipeline checks them, computes features, scores and decides, labels come back, the
stack model carries the full load, monitors look every day, challengers are trained and judged.
Events of the history count: they go through everything but score and decision. The rate is given
with and without the time inside training jobs.

The fold is `benchmarks/feature_fold.py`: twelve windowed features beside a plain-Python and a River
version of the same, in the same process, outputs compared.

--smoke does little, quickly, and fails only if something is broken; --write puts the table into
benchmarks/RESULTS.md; --profile says where the time of a run goes, training left out.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib.metadata
import os
import platform
import pstats
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.feature_fold import measure as measure_fold
from sandbox.run.execution import VirtualRun
from sandbox.run.setup import prepare

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
MARKS = ("<!-- run_rate -->\n", "<!-- end of run_rate -->\n")
SMALL = ("population=300000", "world.fraud_share=3%")
"""A tenth of the events, with enough positives among them to train on."""
TARGETS = {"end to end, training excluded": 150_000, "sandbox, batches of 500": 1_000_000}
LIBRARIES = ("numpy", "numba", "xgboost-cpu", "xgboost", "scikit-learn", "river", "simpy")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    events: int
    seconds: float
    note: str = ""

    @property
    def rate(self) -> float:
        return self.events / self.seconds


class Clock:
    """Adds up the wall time and CPU time of some calls, and keeps a profiler out of them."""

    def __init__(self, profiler: cProfile.Profile | None = None) -> None:
        self.wall = self.cpu = 0.0
        self._profiler = profiler

    def around(self, work: Callable[..., Result]) -> Callable[..., Result]:
        def timed(*arguments: object) -> Result:
            if self._profiler:
                self._profiler.disable()
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return work(*arguments)
            finally:
                self.wall += time.perf_counter() - wall
                self.cpu += time.process_time() - cpu
                if self._profiler:
                    self._profiler.enable()

        return timed


def make_run(days: int | None, settings: tuple[str, ...]) -> VirtualRun:
    prepared = prepare(
        "fraud", design=None, seed=7, days=days, overrides=settings, incidents=None,
        roots=[ROOT / "scenarios"],
    )  # fmt: skip
    return VirtualRun(prepared, None, lambda: False)


def play(
    days: int | None, settings: tuple[str, ...] = (), profiler: cProfile.Profile | None = None
) -> list[Row]:
    """Play a run and return its rates.

    Raises
    ------
    RuntimeError
        If it does not end with a verdict.
    """
    run = make_run(days, settings)
    whole, training = Clock(), Clock(profiler)
    for job in ("start", "challenge"):
        setattr(run.lifecycle, job, training.around(getattr(run.lifecycle, job)))
    if profiler:
        profiler.enable()
    record = whole.around(run.play)()
    if profiler:
        profiler.disable()
    if not record.complete or not record.objectives or not training.wall:
        raise RuntimeError("the run ended without a verdict")
    events = len(run.service.log)
    note = f"{record.days:.0f} days and {run.prepared.scenario.history / 86400:.0f} of history"
    jobs = f"{len(run.lifecycle.records)} training jobs, {training.wall:.1f} s"
    return [
        Row("end to end, training excluded", events, whole.wall - training.wall, note),
        Row("the same, in CPU time", events, whole.cpu - training.cpu, "all threads"),
        Row("end to end, training included", events, whole.wall, jobs),
    ]


def fold(*, smoke: bool) -> list[Row]:
    """Return the rates of the fold and of its peers; `ValueError` if their outputs differ."""
    sizes = (4_000, 20_000) if smoke else (100_000, 2_000_000)
    results = measure_fold(*sizes, repeats=1 if smoke else 3)
    return [Row(r.name, r.events, r.events / r.rate, "one core") for r in results]


def table(rows: list[Row], base: str) -> list[str]:
    """Return rows as Markdown, each rate also as a multiple of that of `base`."""
    reference = next(row.rate for row in rows if row.name == base)
    lines = ["| version | events | s | events/s | ratio | |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        target = TARGETS.get(row.name)
        note = row.note + (f"; wanted: {target:,}" if target else "")
        lines.append(
            f"| {row.name} | {row.events:,} | {row.seconds:.3g} | {row.rate:,.0f} "
            f"| {row.rate / reference:.2g} | {note} |"
        )
    return lines


def machine() -> str:
    """Return processor, cores, load and versions on one line."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    load = f"load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {load}; Python {platform.python_version()}, "
        f"{', '.join(found)}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write(text: str) -> None:
    """Put the text between the marks of RESULTS.md, which is made if need be."""
    old = RESULTS.read_text() if RESULTS.exists() else "# Results\n\n"
    begin, end = MARKS
    if begin not in old:
        old += begin + end
    head, _, rest = old.partition(begin)
    RESULTS.write_text(head + begin + text + end + rest.partition(end)[2])


def profile(days: int | None, settings: tuple[str, ...]) -> None:
    """Print the functions that a run spends its time in, training left out."""
    profiler = cProfile.Profile(time.thread_time)
    play(days, settings, profiler)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="small: does it work at all")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    options = parser.parse_args(arguments)
    days, settings = (10, SMALL) if options.smoke else (None, ())
    where = machine()
    # Compiled code is loaded by a run that nobody times.
    play(2, SMALL)
    if options.profile:
        profile(days, settings)
        return 0
    rows, folds = play(days, settings), fold(smoke=options.smoke)
    lines = [
        "## A run in virtual time", "", *table(rows, rows[0].name), "",
        "## The feature fold alone", "", *table(folds, folds[0].name), "", where, "",
    ]  # fmt: skip
    print("\n".join(lines))
    if options.write:
        write("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
