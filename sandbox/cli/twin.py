"""``sandbox calibrate`` and ``twin``: what work costs here, and whether the model of it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.designs import DesignFile, prepare_design
from sandbox.cli.options import Json, Name, Out, Overrides, Quiet, Scenarios, Seed, Strict
from sandbox.cli.places import calibration_file, scenario_names, scenario_roots
from sandbox.cli.progress import telling
from sandbox.cli.results import check_free, leave_page
from sandbox.cli.tables import say, say_json, say_table
from sandbox.errors import VerdictError

if TYPE_CHECKING:
    from sandbox.capacity.twin import TwinRecord
    from sandbox.spec.capacity import Profile

__all__ = ["calibrate", "twin"]

PAGE, NUMBERS = "twin.html", "twin.json"


def calibrate(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Whose events and design [the first of `sandbox list`]."
        ),
    ] = None,
    design: DesignFile = None,
    kafka: Annotated[
        str | None,
        typer.Option(
            "--kafka", metavar="HOST:PORT", help="Measure produce and fetch with this broker too."
        ),
    ] = None,
    seed: Seed = 7,
    overrides: Overrides = None,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Measure what work costs on this machine.

    `capacity` uses it from then on. Takes some seconds; leave the machine alone meanwhile.
    """
    from sandbox.adapters.files import write_text
    from sandbox.capacity.calibrate import calibrate as measure
    from sandbox.capacity.calibrate import with_broker
    from sandbox.capacity.files import REFERENCE, load_profile, profile_text
    from sandbox.capacity.plant import trees
    from sandbox.run.stand_in import stand_in_handler

    chosen = name or scenario_names(scenario_roots(scenarios or ()))[0]
    prepared = prepare_design(chosen, design, seed, overrides, scenarios)
    reference, _ = load_profile(REFERENCE, None)
    with telling(quiet or as_json) as (tell, progress):
        tell("a worker as busy as the design's")
        handler = stand_in_handler(prepared)
        tell("decode, check, features, score, decide, encode")
        size = trees(prepared.design)
        profile = measure(handler, prepared.scenario.event, size, reference, progress)
        if kafka is not None:
            tell("produce, fetch")
            profile = with_broker(profile, handler, prepared.scenario.event, kafka)
    target = calibration_file()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, profile_text(profile))
    if as_json:
        say_json({"file": target, **profile.model_dump(mode="json")})
        return
    _say_profile(profile)
    say(f"Written to {target}; `sandbox capacity` and `sandbox twin` use it from now on.")


def _say_profile(profile: Profile) -> None:
    lines = ("fetch", "decode", "check", "feature", "score", "decide", "encode", "send", "append")
    say(profile.machine)
    say_table(
        ("work", "a_batch_us", "an_event_us", "spread"),
        [
            {
                "work": name,
                "a_batch_us": round(getattr(profile, name).call * 1e6, 1),
                "an_event_us": round(getattr(profile, name).event * 1e6, 3),
                "spread": round(getattr(profile, name).spread, 2),
            }
            for name in lines
        ],
    )
    for note in profile.notes:
        say(note)


def twin(
    name: Name,
    design: DesignFile = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.2, max=60.0, metavar="N", help="Of each round.")
    ] = 2.0,
    seed: Seed = 7,
    overrides: Overrides = None,
    out: Out = None,
    strict: Strict = False,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Hold predictions against a real worker.

    The machine is measured anew first. Takes about a minute; leave the machine alone meanwhile.
    """
    check_free(out)
    from sandbox.capacity.files import REFERENCE, load_profile
    from sandbox.run.stand_in import run_twin_of

    prepared = prepare_design(name, design, seed, overrides, scenarios)
    reference, _ = load_profile(REFERENCE, None)
    with telling(quiet or as_json) as (tell, progress):
        record = run_twin_of(prepared, reference, seconds, tell, progress)
    _leave(record, out, as_json)
    if strict and record.misses():
        raise VerdictError(f"predictions miss: {'; '.join(record.misses())}", where=f"twin {name}")


def _leave(record: TwinRecord, out: Path | None, as_json: bool) -> None:
    from sandbox.report.twin import print_twin, twin_html

    leave_page(
        f"{record.scenario}-twin", out, (PAGE, NUMBERS), record.summary(),
        lambda: twin_html(record),
        lambda console: print_twin(record, console), as_json=as_json,
    )  # fmt: skip
