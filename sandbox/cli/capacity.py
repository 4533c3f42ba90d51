"""``sandbox capacity``: load, latency and cost before anything is built."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.designs import DesignFile, ProfileFile, prepare_design
from sandbox.cli.export import ToPrometheus, send
from sandbox.cli.options import Json, Name, Out, Overrides, Quiet, Scenarios, Seed, Strict
from sandbox.cli.places import calibration_file
from sandbox.cli.progress import telling
from sandbox.cli.results import check_free, leave_page
from sandbox.errors import UsageError, VerdictError

if TYPE_CHECKING:
    from sandbox.capacity.study import Asked, CapacityRecord
    from sandbox.run.setup import Prepared

__all__ = ["capacity"]

PAGE, NUMBERS = "capacity.html", "capacity.json"


def capacity(
    name: Name,
    design: DesignFile = None,
    tps: Annotated[
        str | None,
        typer.Option("--tps", metavar="N", help="Mean events a second [the scenario's]."),
    ] = None,
    peak: Annotated[
        float | None,
        typer.Option("--peak", metavar="X", help="Peak over mean [that of the daily cycle]."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="KIND[=VALUE][@START][/LENGTH]",
            help="Trouble such as worker_loss=2@60s/2min (repeatable); see docs/capacity.md.",
        ),
    ] = None,
    seconds: Annotated[
        int,
        typer.Option("--seconds", min=30, max=7200, metavar="N", help="Length of the fault trial."),
    ] = 300,
    profile: ProfileFile = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="Your prices [shipped ones].")
    ] = None,
    seed: Seed = 7,
    overrides: Overrides = None,
    to_prometheus: ToPrometheus = None,
    out: Out = None,
    strict: Strict = False,
    quiet: Quiet = False,
    as_json: Json = False,
    scenarios: Scenarios = None,
) -> None:
    """Say what load a design carries, and what it costs.

    Every event of the peak is carried through the design's queues in virtual time.
    """
    check_free(out)
    from sandbox.capacity.files import load_prices, load_profile
    from sandbox.capacity.study import run_study

    prepared = prepare_design(name, design, seed, overrides, scenarios)
    known, profile_name = load_profile(profile, calibration_file())
    paid = load_prices(prices)
    asked = _asked(prepared, tps, peak, fault or (), float(seconds), seed, profile_name)
    with telling(quiet or as_json) as (tell, progress):
        record = run_study(prepared.design, prepared.plan, known, paid, asked, tell, progress)
    _leave(record, out, as_json)
    if to_prometheus is not None:
        from sandbox.report.prometheus import study_lines

        send(to_prometheus, study_lines(record, time.time()))
    missed = record.steady is None or record.steady.quantiles[2] > asked.objective
    if strict and missed:
        raise VerdictError("the objective is missed at the peak", where=f"capacity {name}")


def _asked(
    prepared: Prepared, tps: str | None, peak: float | None, faults: list[str] | tuple[str, ...],
    length: float, seed: int, profile_name: str,
) -> Asked:  # fmt: skip
    from sandbox.capacity.estimate import usual_peak
    from sandbox.capacity.faults import parse_fault
    from sandbox.capacity.study import Asked

    load = prepared.scenario.load
    mean = load.mean if tps is None else _rate(tps)
    if peak is not None and not 1 <= peak <= 1e6:
        raise UsageError("not a peak", where="--peak", got=f"{peak:g}", expected="1 to 1000000")
    wanted = prepared.scenario.objectives.get("event_to_decision_p99")
    return Asked(
        scenario=prepared.name, design_name=prepared.design_name, mean_rate=mean,
        rate=mean * (usual_peak(load) / load.mean if peak is None else peak),
        objective=wanted.bound if wanted else prepared.design.pipeline.budget,
        budget=prepared.design.pipeline.budget, length=length,
        faults=tuple(parse_fault(text, length / 5, length / 5) for text in faults),
        seed=seed, profile_name=profile_name,
    )  # fmt: skip


def _rate(text: str) -> float:
    from sandbox.spec.units import parse_quantity

    try:
        rate = parse_quantity(text)
    except ValueError:
        rate = None
    if rate is None or rate.unit not in ("", "/s") or not 0 < rate <= 1e8:
        raise UsageError(
            "not a load", where="--tps", got=text, expected="events a second such as 50000",
            hint="At most 100 million.",
        )  # fmt: skip
    return float(rate)


def _leave(record: CapacityRecord, out: Path | None, as_json: bool) -> None:
    from sandbox.report.capacity import capacity_html, print_capacity

    leave_page(
        f"{record.asked.scenario}-capacity", out, (PAGE, NUMBERS), record.summary(),
        lambda: capacity_html(record),
        lambda console: print_capacity(record, console), as_json=as_json,
    )  # fmt: skip
