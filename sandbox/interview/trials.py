"""The assembled design, run: first while nothing happens, then met by two curveballs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.capacity.estimate import usual_peak
from sandbox.capacity.faults import parse_fault
from sandbox.capacity.files import REFERENCE, load_prices, load_profile
from sandbox.capacity.study import Asked, CapacityRecord, run_study
from sandbox.interview.content import Loaded
from sandbox.record import RunRecord
from sandbox.run.execution import execute
from sandbox.run.setup import DAY, Prepared
from sandbox.spec.incidents import Incident

__all__ = ["FAULT_LENGTH", "run_calm", "run_hit"]

FAULT_LENGTH = 60.0
"""How long a fault of the capacity study lasts, and when it begins [s]."""
TRIAL = 240.0
Prepare = Callable[[Path | None], Prepared]
Say = Callable[[str], None]


def run_calm(prepare: Prepare, design: Path, tell: Say) -> dict[str, Any]:
    """Run a design while nothing happens, and carry the stated load's peak through it."""
    prepared = prepare(design)
    tell(f"running your design for {prepared.days} days, and nothing happens")
    record = execute(replace(prepared, incidents={}))
    tell("the peak of the stated load, every event carried")
    study = _study(prepared, ())
    return {**_result(record, prepared), "load": _load(study)}


def run_hit(
    loaded: Loaded, prepare: Prepare, design: Path, names: Sequence[str], tell: Say
) -> dict[str, Any]:
    """Let curveballs meet a design and the reference, on the same events of the same seed."""
    runs = loaded.walkthrough.runs
    balls = {name: loaded.walkthrough.curveballs[name] for name in names}
    incidents = dict(_incidents(loaded, names))
    yours, reference = prepare(design), prepare(None)
    tell("the curveballs hit your design, and the reference")
    both = [replace(one, incidents=incidents) for one in (yours, reference)]
    with ThreadPoolExecutor(len(both)) as pool:  # most of a run is training, outside Python's lock
        mine, theirs = map(_result, pool.map(execute, both), both)
    told = []
    for place, (name, ball) in enumerate(balls.items()):
        if ball.fault is not None:
            tell(f"{ball.title}, at the peak")
            pair = [_load(_study(one, (ball.fault,))) for one in (yours, reference)]
            told.append({"name": name, "title": ball.title, **_fault_words(*pair)})
        else:
            onset = runs.onsets[place] / DAY
            told.append({"name": name, "title": ball.title,
                         **_incident_words(f"{name}", onset, mine, theirs)})  # fmt: skip
    return {"days": runs.days, "yours": mine, "reference": theirs, "curveballs": told}


def _incidents(loaded: Loaded, names: Sequence[str]) -> dict[str, Incident]:
    found = {}
    for name, onset in zip(names, loaded.walkthrough.runs.onsets, strict=False):
        ball = loaded.walkthrough.curveballs[name]
        if ball.incident is not None:
            incident = loaded.scenario.incidents[ball.incident]
            found[name] = incident.placed(onset, ball.change)
    return found


def _result(record: RunRecord, prepared: Prepared) -> dict[str, Any]:
    """Return what is kept of a run."""
    summary = record.summary()
    bounds = prepared.scenario.objectives
    objectives = [
        {**one, "bound": bounds[one["name"]].bound,
         "at_least": bounds[one["name"]].at_least is not None}
        for one in summary["objectives"]
    ]  # fmt: skip
    _, total = record.metrics.series("loss", "total")
    daily = np.diff(np.concatenate([[0.0], total]))
    kept = ("incidents", "alerts", "money", "counts", "design", "seed", "days")
    return {
        **{name: summary[name] for name in kept},
        "objectives": objectives,
        "versions": [v["promoted_day"] for v in summary["versions"]],
        "daily_loss": [float(value) for value in daily],
    }


def _study(prepared: Prepared, faults: Sequence[str]) -> CapacityRecord:
    load = prepared.scenario.load
    wanted = prepared.scenario.objectives.get("event_to_decision_p99")
    budget = prepared.design.pipeline.budget
    profile, name = load_profile(REFERENCE, None)
    asked = Asked(
        scenario=prepared.name, design_name=prepared.design_name, mean_rate=load.mean,
        rate=usual_peak(load), objective=wanted.bound if wanted else budget, budget=budget,
        length=TRIAL, faults=tuple(parse_fault(f, FAULT_LENGTH, FAULT_LENGTH) for f in faults),
        seed=prepared.seed, profile_name=name,
    )  # fmt: skip
    return run_study(
        prepared.design, prepared.plan, profile, load_prices(None), asked, lambda text: None
    )


def _load(study: CapacityRecord) -> dict[str, Any]:
    summary = study.summary()
    under, steady, drain = study.under_fault, study.steady, study.drain
    return {
        "rate": study.asked.rate,
        "most": study.most,
        "bottleneck": study.bottleneck,
        "p99": steady.quantiles[2] if steady else None,
        "cost": summary["cost_a_month"],
        "p99_under_fault": under.quantiles[2] if under else None,
        "answered_under_fault": under.answered if under else None,
        "drained": drain.seconds if drain else None,
        "most_waiting": drain.max_lag if drain else None,
    }


def _fault_words(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    answered = mine["answered_under_fault"] or 0.0
    best = theirs["answered_under_fault"] or 0.0
    drained = mine["drained"]
    after = (
        "the backlog never went"
        if drained is None
        else f"the backlog was gone {drained:.0f} s later"
    )
    return {
        "kind": "fault", "yours": mine, "reference": theirs,
        "kept": max(0.0, min(1.0, 1.0 - 4 * (best - answered))),
        "said": f"{answered:.2%} of the events were answered in time (the reference: {best:.2%}); "
        f"{after}, with {mine['most_waiting']:,} waiting at most.",
    }  # fmt: skip


def _incident_words(
    name: str, onset: float, mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what an incident did to both: losses from its onset on, and how it was noticed."""
    first = int(onset)
    lost, best = (sum(run["daily_loss"][first:]) for run in (mine, theirs))
    met = next((one for one in mine["incidents"] if one["name"] == name), None)
    return {
        "kind": "incident", "yours": lost, "reference": best,
        "kept": max(0.0, min(1.0, best / lost)) if lost > 0 else 1.0,
        "said": f"From day {first} on you lost {lost:,.0f} USD, the reference {best:,.0f} USD. "
        + (met["lesson"] if met else ""),
    }  # fmt: skip
