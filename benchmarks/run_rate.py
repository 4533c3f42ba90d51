"""Events a second of a whole run in virtual time.

    python benchmarks/run_rate.py [--smoke] [--write] [--profile]

End to end is the reference design of `scenarios/fraud` as `sandbox run fraud` plays it: the world
makes events, the pipeline checks them, computes features, scores and decides, labels come back, the
stack model carries the full load, monitors look every day, challengers are trained and judged.
Events of the history count: they go through everything but score and decision. The rate is given
with and without the time inside training jobs.

--smoke does little, quickly, and fails only if something is broken; --write puts the table into
benchmarks/RESULTS.md; --profile says where the time of a run goes, training left out.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Callable

from benchmarks.sheet import ROOT, Result, Row, machine, publish, table
from sandbox.run.execution import VirtualRun
from sandbox.run.setup import prepare

SMALL = ("population=300000", "world.fraud_share=3%")
"""A tenth of the events, with enough positives among them to train on."""
WANTED = 150_000


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
    history = run.prepared.scenario.history / 86400
    note = f"{record.days:.0f} days and {history:.0f} of history; wanted: {WANTED:,}"
    jobs = f"{len(run.lifecycle.records)} training jobs, {training.wall:.1f} s"
    return [
        Row(
            "end to end, training excluded",
            events,
            whole.wall - training.wall,
            whole.cpu - training.cpu,
            note,
        ),
        Row("end to end, training included", events, whole.wall, whole.cpu, jobs),
    ]


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
    rows = play(days, settings)
    lines = ["## A run in virtual time", "", *table(rows, rows[0].name), "", where]
    publish("run_rate", lines, write=options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
