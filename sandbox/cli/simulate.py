"""``sandbox run`` and ``sandbox compare``: simulate, write results, say the verdict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.designs import DesignFile
from sandbox.cli.export import ToPrometheus, send
from sandbox.cli.options import (
    Days,
    Incidents,
    Json,
    Name,
    NoIncidents,
    Out,
    Overrides,
    Quiet,
    Scenarios,
    Seed,
    Strict,
)
from sandbox.cli.places import scenario_roots
from sandbox.cli.recorded import (
    Events,
    EventsMap,
    Pace,
    Positive,
    Sessions,
    TimeUnit,
    recorded_events,
)
from sandbox.cli.results import (
    COMPARISON,
    REPORT,
    check_free,
    run_all,
    write_comparison,
    write_one,
)
from sandbox.cli.tables import results_console, say, say_json
from sandbox.errors import OutputError, UsageError, VerdictError

if TYPE_CHECKING:
    from sandbox.record import RunRecord

__all__ = ["chosen_incidents", "compare", "run"]

INTERRUPTED = 130


def run(
    name: Name,
    design: DesignFile = None,
    days: Days = None,
    seed: Seed = 7,
    overrides: Overrides = None,
    incident: Incidents = None,
    no_incidents: NoIncidents = False,
    do: Annotated[
        list[str] | None,
        typer.Option(
            "--do",
            metavar="'ACTION@DAY KEY=VALUE ...'",
            help="Act as on call: retrain, promote, rollback, threshold, repair (repeatable).",
        ),
    ] = None,
    events: Events = None,
    columns: EventsMap = None,
    time_unit: TimeUnit = "s",
    pace: Pace = None,
    positive: Positive = None,
    sessions: Sessions = None,
    to_prometheus: ToPrometheus = None,
    out: Out = None,
    strict: Strict = False,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Run a design of a scenario.

    Months of virtual time in seconds; at the end a verdict and a report.
    """
    chosen = chosen_incidents(incident, no_incidents)
    check_free(out)
    from sandbox.run.interventions import parse_interventions
    from sandbox.run.setup import prepare

    silent = quiet or as_json
    with recorded_events(
        events, columns or (), time_unit, pace, positive, sessions, quiet=silent
    ) as recorded:  # fmt: skip
        prepared = prepare(
            name,
            design=design,
            seed=seed,
            days=days,
            overrides=overrides or (),
            incidents=chosen,
            roots=scenario_roots(scenarios or ()),
            events=recorded,
        )
        done = parse_interventions(do or (), prepared)
        (record,) = run_all([prepared], quiet=silent, interventions=done)
    _write_and_tell(record, out, as_json)
    if to_prometheus is not None:
        from sandbox.report.prometheus import run_lines

        send(to_prometheus, run_lines(record, time.time()))
    _leave([record], strict)


def compare(
    name: Name,
    designs: Annotated[
        list[Path], typer.Argument(metavar="DESIGN...", help="Two or more design files.")
    ],
    days: Days = None,
    seed: Seed = 7,
    overrides: Overrides = None,
    incident: Incidents = None,
    no_incidents: NoIncidents = False,
    events: Events = None,
    columns: EventsMap = None,
    time_unit: TimeUnit = "s",
    pace: Pace = None,
    positive: Positive = None,
    sessions: Sessions = None,
    out: Out = None,
    strict: Strict = False,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Hold several designs against each other.

    All of them meet the same world, event for event, and the same incidents.
    """
    chosen = chosen_incidents(incident, no_incidents)
    check_free(out)
    if len(designs) < 2:
        raise UsageError(
            "too few designs", where="compare", got=len(designs), expected="two files or more"
        )
    from sandbox.run.setup import prepare

    silent = quiet or as_json
    with recorded_events(
        events, columns or (), time_unit, pace, positive, sessions, quiet=silent
    ) as recorded:  # fmt: skip
        prepared = [
            prepare(
                name,
                design=design,
                seed=seed,
                days=days,
                overrides=overrides or (),
                incidents=chosen,
                roots=scenario_roots(scenarios or ()),
                events=recorded,
            )
            for design in designs
        ]
        records = run_all(prepared, quiet=silent)
    if len(records) == 1:  # stopped before there was anything to compare
        _write_and_tell(records[0], out, as_json)
    else:
        _write_and_compare(records, out, as_json)
    _leave(records, strict)


def chosen_incidents(named: Sequence[str] | None, none: bool) -> tuple[str, ...] | None:
    """Return the incidents asked for; None for the scenario's timeline.

    Raises
    ------
    UsageError
        If both some and none are asked for.
    """
    if named and none:
        raise UsageError(
            "cannot have both",
            where="--incident, --no-incidents",
            expected="one of them",
            hint="Leave one out.",
        )
    if none:
        return ()
    return tuple(named) if named else None


def _write_and_tell(record: RunRecord, out: Path | None, as_json: bool) -> None:
    """Write a run and say its verdict; a full disk takes the files, not the verdict."""
    try:
        folder = write_one(record, out)
    except OutputError:
        _tell_run(record, None, as_json)
        raise
    _tell_run(record, folder, as_json)


def _tell_run(record: RunRecord, folder: Path | None, as_json: bool) -> None:
    from sandbox.report.terminal import print_files, print_incidents, print_verdict

    if as_json:
        say_json({**record.summary(), "folder": folder})
        return
    console = results_console()
    print_verdict(record, console)
    say()
    print_incidents(record, console)
    say()
    if folder is not None:
        print_files(folder, (REPORT, "summary.json"), console)


def _write_and_compare(records: Sequence[RunRecord], out: Path | None, as_json: bool) -> None:
    """Write a comparison and say it; a full disk takes the files, not the table."""
    try:
        folder = write_comparison(records, out)
    except OutputError:
        _tell_comparison(records, None, as_json)
        raise
    _tell_comparison(records, folder, as_json)


def _tell_comparison(records: Sequence[RunRecord], folder: Path | None, as_json: bool) -> None:
    from sandbox.report.compare import compare_sentence
    from sandbox.report.terminal import print_comparison, print_files

    sentence = compare_sentence(records)
    if as_json:
        runs: list[dict[str, Any]] = [record.summary() for record in records]
        say_json({"sentence": sentence, "runs": runs, "folder": folder})
        return
    console = results_console()
    print_comparison(records, sentence, console)
    if folder is not None:
        print_files(folder, (COMPARISON,), console)


def _leave(records: Sequence[RunRecord], strict: bool) -> None:
    """End with 130 after Ctrl-C, and with 3 when an objective failed and somebody minds."""
    if not all(record.complete for record in records):
        raise typer.Exit(INTERRUPTED)
    failed = {
        f"{record.design}: {result.name}" if len(records) > 1 else result.name
        for record in records
        for result in record.objectives
        if result.passed is False
    }
    if strict and failed:
        raise VerdictError(f"objectives failed: {', '.join(sorted(failed))}", where="--strict")
