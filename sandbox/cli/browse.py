"""``sandbox list`` and ``sandbox show``: read scenarios, run nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.options import Json, Name, Scenarios
from sandbox.cli.places import scenario_roots
from sandbox.cli.tables import say, say_json, say_table
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.spec.scenario import ObjectiveSpec, Scenario
    from sandbox.world import World

__all__ = ["list_scenarios", "show"]

DAY = 86400.0


def list_scenarios(
    scenarios: Scenarios = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a table for a README.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the scenarios."""
    from sandbox.drills.catalogue import drill_names
    from sandbox.world import Catalogue

    roots = scenario_roots(scenarios or ())
    catalogue = Catalogue(roots)
    rows = [_summary(name, catalogue.folder(name)) for name in catalogue.names()]
    drills = Counter(drill.partition("/")[0] for drill in drill_names(roots))
    for row in rows:
        row["drills"] = drills[row["name"]]
    if as_json:
        say_json(rows)
    elif markdown:
        _say_markdown([row for row in rows if "problem" not in row])
    elif rows:
        say_table(("name", "task", "days", "incidents", "drills", "title", "problem"), rows)
        say("\nsandbox show NAME tells more; sandbox run NAME runs one.")
    else:
        say("No scenarios here. `sandbox new NAME` writes one.")


def _say_markdown(rows: Sequence[Mapping[str, Any]]) -> None:
    say("| name | task | days | incidents | drills | about |\n|---|---|---|---|---|---|")
    for row in rows:
        link = f"[`{row['name']}`](scenarios/{row['name']}/README.md)"
        facts = (link, row["task"], row["days"], row["incidents"], row["drills"], row["about"])
        say(f"| {' | '.join(map(str, facts))} |")


def _summary(name: str, folder: Path) -> dict[str, Any]:
    from sandbox.spec.loading import load_scenario

    try:
        scenario, _ = load_scenario(folder / "scenario.yaml")
    except SandboxError as error:
        return {"name": name, "problem": error.line(), "folder": str(folder)}
    return {
        "name": name,
        "title": scenario.title,
        "about": scenario.about,
        "task": scenario.task,
        "days": scenario.days,
        "incidents": len(scenario.incidents),
        "folder": str(folder),
    }


def show(name: Name, scenarios: Scenarios = None, as_json: Json = False) -> None:
    """Show what a scenario asks.

    Its prompt, numbers, objectives, incidents, knobs, event columns and data flow.
    """
    from sandbox.spec.loading import load_scenario
    from sandbox.world import Catalogue, load_world_class

    folder = Catalogue(scenario_roots(scenarios or ())).folder(name)
    scenario, _ = load_scenario(folder / "scenario.yaml")
    facts = _facts(name, folder, scenario, load_world_class(folder))
    if as_json:
        say_json(facts)
    else:
        _print(facts)


def _facts(name: str, folder: Path, scenario: Scenario, world: type[World]) -> dict[str, Any]:
    return {
        "name": name,
        "title": scenario.title,
        "task": scenario.task,
        "prompt": " ".join(scenario.prompt.split()),
        "folder": folder,
        "days": scenario.days,
        "load_mean": scenario.load.mean,
        "population": scenario.population,
        "objectives": _objectives(scenario),
        "incidents": _incidents(scenario),
        "knobs": _knobs(world),
        "columns": [
            {"column": key, "type": c.type, "unit": c.unit, "about": c.about or ", ".join(c.values)}
            for key, c in scenario.event.columns.items()
        ],
        "diagram": scenario.diagram,
    }


def _knobs(world: type[World]) -> list[dict[str, Any]]:
    from sandbox.world import LABEL_DELAY

    return [
        {
            "knob": knob.name,
            "kind": knob.kind,
            "neutral": knob.neutral,
            "low": knob.low,
            "high": knob.high,
            "unit": knob.unit,
            "about": knob.about,
        }
        for knob in (*world.knobs, LABEL_DELAY)
    ]


def _objectives(scenario: Scenario) -> list[dict[str, Any]]:
    return [
        {
            "objective": name,
            "target": _target(o),
            "must_hold": o.must_hold.replace("_", " "),
            "window_days": o.window / DAY,
            "about": o.about,
        }
        for name, o in scenario.objectives.items()
    ]


def _target(objective: ObjectiveSpec) -> str:
    # str, not format: a quantity keeps the text that its author wrote.
    if objective.at_least is not None:
        return "at least " + str(objective.at_least)
    return "at most " + str(objective.at_most)


def _incidents(scenario: Scenario) -> list[dict[str, Any]]:
    return [
        {
            "incident": name,
            "kind": incident.kind,
            "day": incident.start / DAY,
            "in_timeline": name in scenario.timeline,
            "story": " ".join(incident.story.split()),
        }
        for name, incident in scenario.incidents.items()
    ]


def _print(facts: Mapping[str, Any]) -> None:
    say(f"{facts['title']} ({facts['name']}, {facts['task']})\n\n{facts['prompt']}\n")
    events = facts["load_mean"] * DAY
    say(
        f"{facts['load_mean']:,.6g} events/s on average, {events:,.0f} a day, {facts['days']} days."
    )
    if facts["population"] != 1:
        slice_of = facts["population"]
        say(f"One simulated entity stands for {slice_of:,.6g}: {events / slice_of:,.0f} a day run.")
    _section("Objectives", facts["objectives"])
    _section("Incidents", facts["incidents"])
    _section("Knobs", facts["knobs"])
    _section("Event columns", facts["columns"])
    if facts["diagram"]:
        say(f"\nData flow (mermaid)\n\n{facts['diagram'].rstrip()}")
    say(f"\nFiles: {facts['folder']}. Start with README.md and design.yaml there.")


def _section(heading: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        say(f"\n{heading}\n")
        say_table(tuple(rows[0]), rows)
