"""Does a scenario keep its promise on other seeds? Its main incident hurts, and who recovers.

``python benchmarks/scenario_seeds.py NAME --write`` plays the reference design and the scenario's
naive one on five seeds and writes ``docs/NAME-seeds.json`` and ``docs/NAME-seeds.md``; the main
incident is the first of the timeline. ``--check SEED`` plays the reference on one seed again and
fails if its stored row is no longer what a run gives.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent
SCENARIOS = ROOT / "scenarios"
SEEDS = (1, 2, 3, 4, 5)
DESIGNS = ("reference", "naive")
HURT, BACK = 0.9, 0.9
"""Shares of the former value of the main metric: below it is hurt, at it is back."""


def pages(name: str) -> tuple[Path, Path]:
    """Return where a scenario's figures and page are."""
    return ROOT / "docs" / f"{name}-seeds.json", ROOT / "docs" / f"{name}-seeds.md"


def play(job: tuple[str, int, str]) -> dict[str, Any]:
    """Run one design on one seed and return what the table needs, rounded as it is shown."""
    from sandbox.run.execution import execute
    from sandbox.run.setup import prepare

    name, seed, design = job
    file = SCENARIOS / name / "naive.yaml" if design == "naive" else None
    prepared = prepare(name, design=file, seed=seed, days=None, overrides=(), incidents=None,
                       roots=[SCENARIOS])  # fmt: skip
    record = execute(prepared)
    main_one = prepared.scenario.timeline[0]
    incident = next(i for i in record.incidents if i.name == main_one)
    alerts = [a.day for a in record.alerts if a.day > incident.start_day]
    return {
        "seed": seed,
        "design": design,
        "metric": prepared.task.primary,
        "incident": main_one,
        "start": incident.start_day,
        "before": _short(incident.primary_before),
        "worst": _short(incident.primary_worst),
        "end": _short(incident.primary_end),
        "alert": alerts[0] if alerts else None,
        "hurt": incident.hurt,
        "recovered_day": incident.recovered_day,
        "lost": round(record.money["total"]),
        "missed": [o.name for o in record.objectives if o.passed is False],
    }


def render(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page for stored rows."""
    by = {(r["seed"], r["design"]): r for r in rows}
    seeds = sorted({r["seed"] for r in rows})
    one = rows[0]
    lines = [
        f"# {name} on five seeds",
        "",
        f"Made by `python benchmarks/scenario_seeds.py {name} --write`. The main incident is",
        f"`{one['incident']}`, from day {one['start']:.0f}; the metric is {one['metric']} by the "
        "oracle.",
        "",
        "| seed | design | before | worst | last week | first alert | back at 90 % | lost | "
        "objectives missed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for seed in seeds:
        for design in DESIGNS:
            r = by[seed, design]
            missed = ", ".join(r["missed"]) or "none"
            lines.append(
                f"| {seed} | {design} | {r['before']} | {r['worst']} | {r['end']} | "
                f"{_day(r['alert'])} | {_back(r)} | {r['lost']:,} USD | {missed} |"
            )
    pairs = [(by[seed, "reference"], by[seed, "naive"]) for seed in seeds]
    return "\n".join([*lines, "", *_conclusions(pairs), ""])


def _conclusions(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    """Say what holds on how many seeds; computed, never assumed."""
    n = len(pairs)
    hurt = sum(
        r["worst"] < HURT * r["before"] and v["worst"] < HURT * v["before"] for r, v in pairs
    )
    back = sum(r["end"] >= BACK * r["before"] for r, _ in pairs)
    stuck = sum(v["end"] < BACK * v["before"] for _, v in pairs)
    met = sum(not r["missed"] for r, _ in pairs)
    saved = [v["lost"] - r["lost"] for r, v in pairs]
    return [
        "## What holds",
        "",
        "- The incident costs both designs more than a tenth of the metric on "
        f"{hurt} of {n} seeds.",
        f"- The reference design ends at 90 % of its former value or more on {back} of {n}; "
        f"the naive one stays below that on {stuck} of {n}.",
        f"- The reference design meets every objective on {met} of {n}; it loses {min(saved):,} to "
        f"{max(saved):,} USD less than the naive one in the simulated slice.",
    ]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _back(row: Mapping[str, Any]) -> str:
    return _day(row["recovered_day"]) if row["hurt"] else "stayed above 85 %"


def _day(day: float | None) -> str:
    return "never" if day is None else f"day {day:.0f}"


def main() -> int:
    """Write the page, or check one row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a scenario with a naive.yaml")
    parser.add_argument("--write", action="store_true", help="play all seeds and write the page")
    parser.add_argument("--check", type=int, metavar="SEED", help="play one seed and compare")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    data, page = pages(args.name)
    if args.check is not None:
        stored = json.loads(data.read_text())
        (row,) = (r for r in stored if (r["seed"], r["design"]) == (args.check, "reference"))
        now = json.loads(json.dumps(play((args.name, args.check, "reference"))))
        print("fresh" if now == row else f"stale: stored {row}, now {now}")
        return 0 if now == row else 1
    jobs = [(args.name, seed, design) for seed in SEEDS for design in DESIGNS]
    with ProcessPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(play, jobs))
    text = render(args.name, rows)
    if args.write:
        data.write_text(json.dumps(rows, indent=1) + "\n")
        page.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
