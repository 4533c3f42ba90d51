"""``sandbox new``, ``check``, ``reproduce``: write a scenario, hold it to contract and record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sandbox.cli.options import Json, Name, Scenarios
from sandbox.cli.places import scenario_roots
from sandbox.cli.tables import say, say_json, say_table
from sandbox.errors import VerdictError

__all__ = ["check", "new", "reproduce"]


def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, dashes.")
    ],
    task: Annotated[
        str, typer.Option("--task", metavar="TASK", help="Its machine-learning task.")
    ] = "binary",
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="Folder that gets the new folder.")
    ] = Path("scenarios"),
    as_json: Json = False,
) -> None:
    """Write a small scenario to start from."""
    from sandbox.run.scaffold import write_scenario

    folder = write_scenario(name, task=task, into=into)
    if as_json:
        say_json(
            {"name": name, "folder": folder, "files": sorted(p.name for p in folder.iterdir())}
        )
        return
    found = {root.resolve() for root in scenario_roots()}
    flag = "" if folder.parent.resolve() in found else f" --scenarios {into}"
    say(f"{folder}/ is written. Next:")
    say(f"  sandbox check {name}{flag}")
    say(f"  sandbox run {name}{flag} --days 20")
    say(f"Then read {folder / 'README.md'}, and make it yours.")


def check(name: Name, scenarios: Scenarios = None, as_json: Json = False) -> None:
    """Check that a scenario keeps the contract.

    Exit 3 when it does not.
    """
    from sandbox.run.check import check_scenario

    results = check_scenario(name, scenario_roots(scenarios or ()))
    rows = [{"check": r.name, "passed": r.passed, "detail": r.detail} for r in results]
    if as_json:
        say_json(rows)
    else:
        say_table(("check", "passed", "detail"), rows)
    failed = [result.name for result in results if not result.passed]
    if failed:
        raise VerdictError(
            f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}",
            where=f"check {name}",
        )


def reproduce(name: Name, scenarios: Scenarios = None, as_json: Json = False) -> None:
    """Hold a scenario against its published record.

    Exit 3 when a figure that must agree is past its tolerance.
    """
    from sandbox.run.reproduce import reproduce as run_reproduction
    from sandbox.world.load import Catalogue

    folder = Catalogue(scenario_roots(scenarios or ())).folder(name)
    report = run_reproduction(folder, lambda step: typer.echo(step, err=True))
    facts = [
        {"number": f.name, "published": f.published, "measured": f.measured, "passed": f.passed}
        for f in report.facts
    ]
    rows = [
        {
            "model": r.model,
            "split": r.split,
            "metric": r.metric,
            "published": r.published,
            "measured": round(r.measured, 4),
            "difference": round(r.difference, 4),
            "within": r.within if r.held else "not held",
        }
        for r in report.rows
    ]
    if as_json:
        say_json({"facts": facts, "rows": rows, "passed": report.passed})
    else:
        say(f"{report.title}: {report.source}")
        say_table(tuple(facts[0]), facts)
        say_table(tuple(rows[0]), rows)
        say("; ".join(f"{step} {seconds:.1f} s" for step, seconds in report.seconds.items()))
    if not report.passed:
        raise VerdictError("figures differ from the published record", where=name)
