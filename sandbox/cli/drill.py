"""``sandbox drill ...``: be on call for a blind incident, and be graded by the outcome."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.options import Json, Quiet, Scenarios
from sandbox.cli.places import drill_home, scenario_roots
from sandbox.cli.progress import telling
from sandbox.cli.tables import results_console, say, say_json, say_table
from sandbox.errors import SandboxError, UsageError, VerdictError

if TYPE_CHECKING:
    from sandbox.drills.desk import Desk, Seat

__all__ = ["app"]

app = typer.Typer(
    help="Be on call for blind incidents, and be graded by the outcome.", no_args_is_help=True
)

SEATS: ContextVar[dict[str, Any] | None] = ContextVar("seats", default=None)
"""Sessions that whoever runs the commands keeps in memory."""
DrillName = Annotated[
    str, typer.Argument(metavar="DRILL", help="SCENARIO/NAME; see `sandbox drill list`.")
]
SessionName = Annotated[
    str | None,
    typer.Option("--session", "-s", metavar="NAME", help="A session [the one used last]."),
]
Home = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="Where sessions are kept.")
]


@app.command()
def play(
    drill: Annotated[
        str, typer.Argument(metavar="[DRILL]", help="Begin this one [go on with a session].")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the world.")] = 1,
    session: SessionName = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Line by line, as in a pipe or for a screen reader.")
    ] = False,
    home: Home = None,
    scenarios: Scenarios = None,
) -> None:
    """Play on a dashboard, with keys; line by line where there is no terminal."""
    from sandbox.cli.drill_play import play_lines, play_screen

    with ExitStack() as locks:
        with _desk(home, scenarios, quiet=False) as desk:
            if drill:
                seat = desk.start(drill, seed)
                locks.enter_context(desk.store.locked(seat.kept.name))
            else:
                name = desk.find(session).name
                locks.enter_context(desk.store.locked(name))
                seat = desk.open(name)
        if drill:
            _tell_story(seat)
        if plain or not (sys.stdin.isatty() and sys.stdout.isatty()):
            play_lines(desk, seat)
        else:
            if drill:
                typer.prompt("Enter begins", default="", show_default=False)
            play_screen(desk, seat)
    if seat.grade is not None:
        from sandbox.drills.debrief import headline

        say(headline(seat.grade))
        say(f"The debrief: {desk.pages(seat.kept) / 'debrief.html'}")
    else:
        say(f"Session {seat.kept.name} is kept; `sandbox drill play` goes on.")


@app.command("list")
def list_drills(scenarios: Scenarios = None, as_json: Json = False) -> None:
    """List the drills, easy ones first. Titles give nothing away."""
    from sandbox.drills.catalogue import drill_names
    from sandbox.spec.drill import LEVELS

    roots = scenario_roots(scenarios or ())
    rows = [_summary(name, roots) for name in drill_names(roots)]
    rows.sort(key=lambda row: [*LEVELS, None].index(row.get("level")))
    if as_json:
        say_json(rows)
        return
    say_table(("drill", "level", "days", "skills", "title", "problem"), rows)
    say("\nsandbox drill start DRILL begins one; sandbox drill play is the same on a dashboard.")


def _summary(name: str, roots: Sequence[Path]) -> dict[str, Any]:
    from sandbox.drills.catalogue import load_drill

    try:
        drill = load_drill(name, roots).drill
    except SandboxError as error:
        return {"drill": name, "problem": error.line()}
    return {
        "drill": name,
        "level": drill.level,
        "days": round(drill.budget.time / 86400),
        "skills": ", ".join(drill.skills),
        "title": drill.title,
    }


@app.command()
def start(
    drill: DrillName,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the world.")] = 1,
    home: Home = None,
    scenarios: Scenarios = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Arrive: read the story, and the clock runs from here."""
    from sandbox.drills.view import render_status, status

    with _desk(home, scenarios, quiet or as_json) as desk:
        seat = desk.start(drill, seed)
    if as_json:
        story = seat.session.loaded.drill.story
        say_json({"session": seat.kept.name, "story": story, **status(seat.session)})
        return
    _tell_story(seat)
    results_console().print(render_status(seat.session))
    people = ", ".join(seat.session.loaded.people)
    say(f"\nSession {seat.kept.name}. You can page: {people}.")
    say("sandbox drill look | advance 6h | do ACTION ... | diagnose CAUSE | hint | grade")


@app.command()
def look(
    panel: Annotated[str, typer.Argument(help="One panel [all].")] = "",
    session: SessionName = None,
    home: Home = None,
    scenarios: Scenarios = None,
    as_json: Json = False,
) -> None:
    """See what an engineer sees: quality, drift, data, stream, money, versions, samples."""
    from dataclasses import asdict

    from sandbox.drills.view import panels_of, print_panels

    with _seat(session, home, scenarios, as_json) as (desk, seat):
        desk.give(seat, f"look {panel}".strip())
    if as_json:
        say_json([asdict(one) for one in panels_of(seat.session, panel)])
        return
    _head(seat)
    print_panels(seat.session, panel, results_console())


@app.command()
def advance(
    duration: Annotated[str, typer.Argument(help="Multiples of 6h: 6h, 1d, 2d.")],
    session: SessionName = None,
    home: Home = None,
    scenarios: Scenarios = None,
    as_json: Json = False,
) -> None:
    """Let time pass."""
    _give(f"advance {duration}", session, home, scenarios, as_json)


@app.command()
def do(
    action: Annotated[
        list[str] | None, typer.Argument(metavar="ACTION [KEY=VALUE]...", help="[list them]")
    ] = None,
    session: SessionName = None,
    home: Home = None,
    scenarios: Scenarios = None,
    as_json: Json = False,
) -> None:
    """Act. There is no undo."""
    _give(f"do {shlex.join(action or ())}".strip(), session, home, scenarios, as_json)


@app.command()
def diagnose(
    cause: Annotated[str, typer.Argument(help="What it is [list the causes].")] = "",
    session: SessionName = None,
    home: Home = None,
    scenarios: Scenarios = None,
    as_json: Json = False,
) -> None:
    """Say what it is. The last one counts; wrong ones cost points."""
    _give(f"diagnose {cause}".strip(), session, home, scenarios, as_json)


@app.command()
def hint(
    session: SessionName = None,
    home: Home = None,
    scenarios: Scenarios = None,
    as_json: Json = False,
) -> None:
    """Ask for something to think about. It is noted."""
    _give("hint", session, home, scenarios, as_json)


@app.command()
def grade(
    session: SessionName = None,
    home: Home = None,
    scenarios: Scenarios = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Play the rest of the time, and say how it went."""
    with _seat(session, home, scenarios, quiet or as_json) as (desk, seat):
        if not seat.kept.over:
            desk.give(seat, "grade")
    folder = desk.pages(seat.kept)
    if as_json:
        say_json({**(seat.kept.result or {}), "folder": folder})
        return
    say((folder / "debrief.md").read_text(encoding="utf-8"))
    say(f"The same as a page: {folder / 'debrief.html'}")


@app.command()
def solution(
    session: SessionName = None,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Be graded as it stands, then see it.")
    ] = False,
    home: Home = None,
    scenarios: Scenarios = None,
) -> None:
    """Show the reference solution, once the drill is over."""
    with _desk(home, scenarios, quiet=False) as desk:
        kept = desk.find(session)
        if not kept.over and not give_up:
            raise UsageError(
                "the drill is not over", where="drill solution",
                expected="`sandbox drill grade` first, or --give-up",
            )  # fmt: skip
        loaded = desk.drill_of(kept)
    if not kept.over:
        with _seat(session, home, scenarios, quiet=False) as (desk, seat):
            desk.give(seat, "grade")
    for command in loaded.drill.solution:
        say(command)
    say(f"\n{loaded.drill.debrief.strip()}")


@app.command()
def sessions(home: Home = None, as_json: Json = False) -> None:
    """List the sessions, the one used last at the end."""
    from sandbox.drills.store import SessionStore

    store = SessionStore(home or drill_home())
    found = [store.load(name) for name in store.names()]
    rows = [
        {"session": k.name, "drill": k.drill, "seed": k.seed, "steps": len(k.steps),
         "points": round(k.result["score"]) if k.result else None}
        for k in found
    ]  # fmt: skip
    if as_json:
        say_json(rows)
    elif rows:
        say_table(("session", "drill", "seed", "steps", "points"), rows)
    else:
        say("No session yet. `sandbox drill start DRILL` begins one.")


@app.command()
def history(home: Home = None, scenarios: Scenarios = None, as_json: Json = False) -> None:
    """Show what was graded, and progress by skill."""
    from sandbox.drills.history import progress_by_skill

    with _desk(home, scenarios, quiet=True) as desk:
        graded = desk.history()
    skills = progress_by_skill(graded)
    if as_json:
        say_json({"graded": graded, "skills": skills})
        return
    if not graded:
        say("Nothing graded yet.")
        return
    keys = ("session", "drill", "level", "passed")
    say_table((*keys, "points"), [{**{k: g[k] for k in keys}, "points": round(g["score"])}
                                  for g in graded])  # fmt: skip
    say()
    say_table(("skill", "drills", "passed", "best", "last", "trend"), skills)


@app.command()
def new(drill: DrillName, scenarios: Scenarios = None) -> None:
    """Write a drill file to start from, into the scenario's folder."""
    from sandbox.drills.scaffold import write_drill
    from sandbox.world import Catalogue

    scenario, _, name = drill.partition("/")
    file = write_drill(name, Catalogue(scenario_roots(scenarios or ())).folder(scenario))
    say(f"{file}\nEdit it, then: sandbox drill check {drill}")


@app.command()
def check(
    drill: Annotated[
        list[str] | None, typer.Argument(metavar="[DRILL]...", help="Which [all].")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the world.")] = 1,
    scenarios: Scenarios = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Hold drills to their contract: idling fails, the solution passes, wrong remedies fail."""
    from sandbox.drills.catalogue import drill_names, load_drill
    from sandbox.drills.contract import check_drill

    roots, rows = scenario_roots(scenarios or ()), []
    with telling(quiet=quiet or as_json) as (tell, _):
        for name in drill or drill_names(roots):
            loaded = load_drill(name, roots)
            tell(f"playing {name}")
            for one in check_drill(loaded, seed, roots):
                rows.append({"drill": name, "promise": one.name, "kept": one.kept,
                             "seen": one.detail})  # fmt: skip
    if as_json:
        say_json(rows)
    else:
        say_table(("drill", "promise", "kept", "seen"), rows)
    broken = [f"{row['drill']}: {row['promise']}" for row in rows if not row["kept"]]
    if broken:
        raise VerdictError(f"promises broken: {'; '.join(broken)}", where="drill check")


def _give(
    line: str, session: str | None, home: Path | None, scenarios: list[Path] | None, as_json: bool
) -> None:
    """Give a command and print what came of it."""
    from sandbox.drills.view import status

    with _seat(session, home, scenarios, as_json) as (desk, seat):
        step = desk.give(seat, line)
    if as_json:
        say_json({"command": step.command, "said": step.said, **status(seat.session)})
        return
    _head(seat)
    say(step.said)


def _tell_story(seat: Seat) -> None:
    told = seat.session.loaded.drill
    results_console().print(f"{told.title} ({told.level})\n\n{told.story.strip()}\n")


def _head(seat: Seat) -> None:
    from sandbox.drills.view import status_line

    say(status_line(seat.session))
    say()


@contextmanager
def _desk(home: Path | None, scenarios: list[Path] | None, quiet: bool) -> Iterator[Desk]:
    with telling(quiet=quiet) as (tell, _):
        from sandbox.drills.desk import Desk

        roots = scenario_roots(scenarios or ())
        yield Desk(home or drill_home(), roots, tell, SEATS.get())


@contextmanager
def _seat(
    session: str | None, home: Path | None, scenarios: list[Path] | None, quiet: bool
) -> Iterator[tuple[Desk, Seat]]:
    """Open a session with nobody else at it."""
    with _desk(home, scenarios, quiet) as desk:
        name = desk.find(session).name
        with desk.store.locked(name):
            yield desk, desk.open(name)
