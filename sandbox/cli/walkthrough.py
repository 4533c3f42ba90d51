"""``sandbox walkthrough``: an interview about a scenario, on a design that really runs."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.options import Json, Quiet, Scenarios
from sandbox.cli.places import interview_home, scenario_roots
from sandbox.cli.progress import telling
from sandbox.cli.tables import results_console, say, say_json, say_table
from sandbox.errors import UsageError, VerdictError

if TYPE_CHECKING:
    from sandbox.interview.notes import Setup
    from sandbox.interview.prompts import Tell
    from sandbox.interview.room import Room, Seat

__all__ = ["walkthrough"]

LEVELS = ("junior", "senior", "staff")
HISTORY, CHECK = "history", "check"


def walkthrough(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A scenario; or `history`, or `check`.")
    ],
    scenario: Annotated[
        str, typer.Argument(metavar="[NAME]", help="For `check`: the scenario.")
    ] = "",
    level: Annotated[
        str, typer.Option("--level", metavar="L", help="junior, senior or staff.")
    ] = "senior",
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=1, max=600, metavar="N", help="On the clock [45]."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Answer from a file.")
    ] = None,
    exam: Annotated[
        bool, typer.Option("--exam", help="No hints and no explanations before the end.")
    ] = False,
    study: Annotated[bool, typer.Option("--study", help="Explain every step at once.")] = False,
    print_sheet: Annotated[
        bool, typer.Option("--print", help="Print a study sheet as Markdown, and hold nothing.")
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Line by line, as in a pipe or for a screen reader.")
    ] = False,
    new: Annotated[bool, typer.Option("--new", help="Begin again; do not go on.")] = False,
    session: Annotated[
        str | None, typer.Option("--session", "-s", metavar="NAME", help="Go on with this one.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option("--home", metavar="DIR", help="Where interviews are kept.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Hold a system-design interview on your own design.

    It is trained and run. Four stages: clarify, data flow, model, production. Every answer is kept
    at once; the same command goes on. `sandbox walkthrough history` shows progress.
    """
    if name == HISTORY:
        _history(home, scenarios, as_json)
    elif name == CHECK:
        _check(scenario, scenarios, as_json)
    elif print_sheet:
        _print_sheet(name, level, scenarios)
    else:
        setup = _setup(level, minutes, exam, study)
        _interview(
            name,
            setup,
            answers,
            session,
            home,
            scenarios,
            begin=new or answers is not None,
            plain=plain,
            quiet=quiet,
            as_json=as_json,
        )


def _interview(
    name: str, setup: Setup, answers: Path | None, session: str | None, home: Path | None,
    scenarios: list[Path] | None, *, begin: bool, plain: bool, quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Begin an interview or go on with one, with nobody else at it."""
    from sandbox.interview.room import Room

    silent = quiet or as_json or answers is None
    with ExitStack() as locks:
        with telling(quiet=silent) as (tell, _):
            room = Room(home or interview_home(), scenario_roots(scenarios or ()), tell)
            seat = _seat(room, name, setup, session, begin=begin)
            locks.enter_context(room.store.locked(seat.kept.name))
            if answers is not None:
                _follow(room, seat, answers, quiet or as_json)
        try:
            if answers is None:
                _hold(room, seat, plain)
        except KeyboardInterrupt:
            _close(room, seat, as_json)
            raise
        _close(room, seat, as_json)


def _setup(level: str, minutes: float | None, exam: bool, study: bool) -> Setup:
    from sandbox.errors import suggest
    from sandbox.interview.notes import Setup

    if level not in LEVELS:
        raise UsageError(
            "unknown level", where="--level", got=level, expected=f"one of {', '.join(LEVELS)}",
            hint=suggest(level, LEVELS),
        )  # fmt: skip
    if exam and study:
        raise UsageError("cannot have both", where="--exam, --study", expected="one of them")
    return Setup(level, minutes or 45.0, "exam" if exam else "study" if study else "normal")


def _seat(room: Room, name: str, setup: Setup, session: str | None, *, begin: bool) -> Seat:
    """Go on with an interview, or begin one."""
    if session is not None:
        return room.open(room.store.load(session))
    kept = None if begin else room.store.latest(name)
    if kept is None:
        return room.start(name, setup)
    say(f"Going on with {kept.name}, {len(kept.steps)} answers in. (--new begins another.)")
    return room.open(kept)


def _follow(room: Room, seat: Seat, answers: Path, quiet: bool) -> None:
    from sandbox.cli.walkthrough_lines import print_told
    from sandbox.interview.script import follow, load_script

    script = load_script(answers, seat.session.loaded)
    console = results_console()

    def show(told: list[Tell]) -> None:
        if not quiet:
            print_told(console, told)

    show(list(seat.session.told))
    follow(
        seat.session, script, lambda text, at: room.give(seat, text, at),
        lambda: room.do_work(seat), show,
    )  # fmt: skip


def _hold(room: Room, seat: Seat, plain: bool) -> None:
    """Hold an interview with a person."""
    from sandbox.cli.walkthrough_lines import hold_lines

    if plain or not (sys.stdin.isatty() and sys.stdout.isatty()):
        hold_lines(room, seat)
        return
    from sandbox.cli.walkthrough_screen import hold_screen

    hold_screen(room, seat)


def _close(room: Room, seat: Seat, as_json: bool) -> None:
    folder = room.pages(seat.kept)
    if not seat.kept.over:
        say(f"{seat.kept.name} is kept; `sandbox walkthrough {seat.kept.scenario}` goes on.")
        return
    if as_json:
        say_json({**(seat.kept.result or {}), "session": seat.kept.name, "folder": folder})
        return
    from sandbox.interview.debrief import headline
    from sandbox.interview.score import score

    notes = seat.session.notes
    say()
    say(headline(notes, score(notes)))
    rows = [{"stage": k, "points": round(v)} for k, v in score(notes).stages.items()]
    say_table(("stage", "points"), rows)
    say(f"The debrief: {folder / 'debrief.html'}, {folder / 'debrief.md'}")


def _history(home: Path | None, scenarios: list[Path] | None, as_json: bool) -> None:
    from sandbox.interview.history import progress_by_stage
    from sandbox.interview.room import Room

    room = Room(home or interview_home(), scenario_roots(scenarios or ()), lambda text: None)
    held = room.history()
    stages = progress_by_stage(held)
    if as_json:
        say_json({"held": held, "stages": stages})
        return
    if not held:
        say("No interview was finished yet. `sandbox walkthrough NAME` begins one.")
        return
    keys = ("session", "level", "mode", "grade", "passed")
    rows: list[dict[str, Any]] = [
        {**{k: one[k] for k in keys}, "points": round(one["score"])} for one in held
    ]
    say_table(("session", "level", "mode", "points", "grade", "passed"), rows)
    say()
    say_table(("stage", "level", "times", "best", "last", "trend"), stages)


def _check(name: str, scenarios: list[Path] | None, as_json: bool) -> None:
    if not name:
        raise UsageError(
            "which scenario", where="walkthrough check", expected="sandbox walkthrough check NAME"
        )
    from sandbox.interview.contract import check_walkthrough

    found = check_walkthrough(name, scenario_roots(scenarios or ()))
    rows = [{"promise": p.name, "kept": p.kept, "seen": p.detail} for p in found]
    if as_json:
        say_json(rows)
    else:
        say_table(("promise", "kept", "seen"), rows)
    broken = [str(row["promise"]) for row in rows if not row["kept"]]
    if broken:
        raise VerdictError(f"promises broken: {'; '.join(broken)}", where=f"walkthrough {name}")


def _print_sheet(name: str, level: str, scenarios: list[Path] | None) -> None:
    from sandbox.interview.content import load_walkthrough
    from sandbox.interview.sheet import study_sheet

    _setup(level, None, exam=False, study=False)
    say(study_sheet(load_walkthrough(name, scenario_roots(scenarios or ())), level))
