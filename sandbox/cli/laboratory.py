"""``sandbox train`` and ``sandbox detectors``: measure the claims that designs rest on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.options import Json, Name, Out, Overrides, Quiet, Scenarios, Seed
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
from sandbox.cli.results import RUNS, check_free
from sandbox.cli.tables import results_console, say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.record import LabRecord

__all__ = ["detectors", "train"]

PAGE = "laboratory.html"
TABLE = "laboratory.md"
NUMBERS = "laboratory.json"


def train(
    name: Name,
    strategies: Annotated[
        str,
        typer.Option(
            "--strategies",
            metavar="A,B",
            help="all, or some of none, weight, under_sample, smote, balanced_bagging.",
        ),
    ] = "all",
    design: Annotated[
        Path | None,
        typer.Option("--design", metavar="FILE", help="Your design [the scenario's design.yaml]."),
    ] = None,
    seed: Seed = 7,
    overrides: Overrides = None,
    events: Events = None,
    columns: EventsMap = None,
    time_unit: TimeUnit = "s",
    pace: Pace = None,
    positive: Positive = None,
    sessions: Sessions = None,
    out: Out = None,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Hold imbalance strategies against each other.

    Each learns from the same past of a scenario and is judged on later weeks.
    """
    check_free(out)
    from sandbox.run.imbalance_lab import choose_strategies, run_imbalance_lab
    from sandbox.run.setup import prepare

    chosen = choose_strategies(strategies)
    typed = ["train", name, "--strategies", strategies, "--seed", str(seed)]
    typed += ["--design", str(design)] if design else []
    typed += [word for setting in overrides or () for word in ("--set", setting)]
    typed += ["--events", str(events)] if events else []
    typed += [word for column in columns or () for word in ("--map", column)]
    typed += ["--pace", pace] if pace else []
    typed += ["--positive", positive] if positive else []
    typed += ["--sessions", sessions] if sessions else []
    silent = quiet or as_json
    with recorded_events(
        events, columns or (), time_unit, pace, positive, sessions, quiet=silent
    ) as recorded:  # fmt: skip
        prepared = prepare(
            name,
            design=design,
            seed=seed,
            days=1,
            overrides=overrides or (),
            incidents=(),
            roots=scenario_roots(scenarios or ()),
            events=recorded,
        )
        record = run_imbalance_lab(prepared, chosen, _command(typed), _teller(silent))
    _tell(record, _write(record, out, f"{name}-train-seed{seed}"), as_json)


def detectors(
    rates: Annotated[
        str | None,
        typer.Option(
            "--rates",
            metavar="A,B:C",
            help="Rates that double, or shift from B to C [0.1:0.2,0.1:0.3,0.03:0.06,0.01:0.03].",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=1000, metavar="N", help="Streams of each shift.")
    ] = 5,
    out: Out = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure false alarms and delays of detectors.

    Every sequential detector reads stationary and shifted streams, as River ships it and as the
    monitors use it.
    """
    check_free(out)
    from sandbox.run.detector_lab import SHIFTS, parse_shifts, run_detector_lab

    shifts = SHIFTS if rates is None else parse_shifts(rates)
    typed = ["detectors", *(["--rates", rates] if rates else []), "--seeds", str(seeds)]
    record = run_detector_lab(shifts, seeds, _command(typed), _teller(quiet or as_json))
    _tell(record, _write(record, out, "detectors"), as_json)


def _command(words: list[str]) -> str:
    return shlex.join(["sandbox", *words])


def _teller(quiet: bool) -> Callable[[str], None]:
    """Return what tells of progress on standard error."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    return (lambda text: None) if quiet else (lambda text: console.print(text, style="dim"))


def _write(record: LabRecord, out: Path | None, stem: str) -> Path:
    from sandbox.adapters.files import (
        atomic_directory,
        next_run_directory,
        write_json,
        write_text,
    )
    from sandbox.report.laboratory import laboratory_html, laboratory_markdown

    folder = out or next_run_directory(RUNS, stem)
    with atomic_directory(folder) as hidden:
        write_json(hidden / NUMBERS, record.summary())
        write_text(hidden / TABLE, laboratory_markdown(record))
        write_text(hidden / PAGE, laboratory_html(record))
    return folder


def _tell(record: LabRecord, folder: Path, as_json: bool) -> None:
    from sandbox.report.laboratory import print_laboratory
    from sandbox.report.terminal import print_files

    if as_json:
        say_json({**record.summary(), "folder": folder})
        return
    console = results_console()
    print_laboratory(record, console)
    say()
    print_files(folder, (PAGE, NUMBERS), console)
