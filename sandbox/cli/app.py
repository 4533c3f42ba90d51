"""The commands, gathered."""

from __future__ import annotations

from typing import Annotated

import typer

from sandbox import __version__
from sandbox.cli import (
    act,
    author,
    browse,
    capacity,
    drill,
    fault,
    laboratory,
    live,
    simulate,
    sweep,
    twin,
    walkthrough,
)

__all__ = ["app"]

EXIT_CODES = (
    "Exit codes: 0 fine; 1 failed; 2 wrong usage or file content; 3 a check failed, or an "
    "objective with --strict; 4 results could not be written; 130 interrupted."
)

app = typer.Typer(
    name="sandbox",
    help="Practise machine-learning system design on systems that really run.",
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sandbox {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("list")(browse.list_scenarios)
app.command("show")(browse.show)
app.command("run")(simulate.run)
app.command("compare")(simulate.compare)
app.command("train")(laboratory.train)
app.command("detectors")(laboratory.detectors)
app.command("capacity")(capacity.capacity)
app.command("calibrate")(twin.calibrate)
app.command("twin")(twin.twin)
app.command("sweep")(sweep.sweep)
app.add_typer(drill.app, name="drill")
app.command("up")(live.up)
app.command("down")(live.down)
app.command("status")(live.status)
app.command("role")(live.role)
app.add_typer(act.drift_app, name="drift")
app.add_typer(act.incident_app, name="incident")
app.command("load")(act.load)
app.command("retrain")(act.retrain)
app.command("promote")(act.promote)
app.command("rollback")(act.rollback)
app.command("canary")(act.canary)
app.command("shadow")(act.shadow)
app.command("threshold")(act.threshold)
app.command("explore")(act.explore)
app.command("fault")(fault.fault)
app.command("walkthrough")(walkthrough.walkthrough)
app.command("check")(author.check)
app.command("new")(author.new)
app.command("reproduce")(author.reproduce)
