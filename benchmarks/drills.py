"""Do the drills' grades separate players, on five seeds? Runs, a page, a check, and timings.

``python benchmarks/drills.py --write`` plays every drill of ``fraud`` with four players on five
seeds and writes ``docs/drills.json`` and the figures in ``docs/drills.md``. ``--check SEED`` plays
one seed again and fails if the stored rows, or the transcript on the page, are not what a run
gives. ``--time`` says how long a drill takes to begin and a day to pass.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sandbox.spec.drill import LEVELS

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "docs" / "drills.json", ROOT / "docs" / "drills.md"
PICTURE = ROOT / "docs" / "drill.svg"
ROOTS = (ROOT / "scenarios",)
SEEDS = (1, 2, 3, 4, 5)
PLAYERS = ("solution", "nobody", "retrainer", "tightener")
TRANSCRIPT = ("fraud/green-dashboards", ("look samples", "advance 1d", "look samples"))


def play_drill(job: tuple[str, int]) -> list[dict[str, Any]]:
    """Play one drill under one seed with every player."""
    from sandbox.drills.catalogue import load_drill
    from sandbox.drills.grade import grade
    from sandbox.drills.players import PLAYERS as PLAIN
    from sandbox.drills.players import play, script

    name, seed = job
    loaded = load_drill(name, ROOTS)
    players = {"solution": script(loaded.drill.solution), **PLAIN}
    played = {who: play(loaded, seed, ROOTS, player) for who, player in players.items()}
    rows = []
    for who, one in played.items():
        result = grade(one.session, nothing=played["nobody"], reference=played["solution"])
        rows.append({
            "drill": name, "level": loaded.drill.level, "seed": seed, "player": who,
            "passed": result.passed, "points": round(result.score), "lost": round(result.you.loss),
        })  # fmt: skip
    return rows


def names_of_drills() -> list[str]:
    """Return the drills of the page."""
    from sandbox.drills.catalogue import drill_names

    return [name for name in drill_names(ROOTS) if name.startswith("fraud/")]


def play_all(seeds: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
    """Play drills under every seed, on all cores."""
    jobs = [(name, seed) for name in names for seed in seeds]
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, found in enumerate(pool.map(play_drill, jobs), start=1):
            rows += found
            print(f"\r{done} of {len(jobs)} played", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of the page."""
    lines = [
        "| drill | level | solution | nobody | retrainer | tightener |",
        "|---|---|---|---|---|---|",
    ]
    drills = sorted({(LEVELS.index(r["level"]), r["drill"]) for r in rows})
    for level, drill in drills:
        cells = []
        for who in PLAYERS:
            mine = [r for r in rows if r["drill"] == drill and r["player"] == who]
            points = statistics.fmean(r["points"] for r in mine)
            lost = statistics.fmean(r["lost"] for r in mine) / 1000
            passed = sum(r["passed"] for r in mine)
            cells.append(f"{points:.0f} points, {passed}/{len(mine)}, {lost:.1f}k")
        lines.append(f"| `{drill}` | {LEVELS[level]} | {' | '.join(cells)} |")
    return lines


def conclusions(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what holds on how many games; computed, never assumed."""
    games = sorted({(r["drill"], r["seed"]) for r in rows})
    by = {(r["drill"], r["seed"], r["player"]): r for r in rows}
    others = PLAYERS[1:]
    best = sum(
        all(by[*g, "solution"]["points"] > by[*g, p]["points"] for p in others) for g in games
    )
    passed = sum(by[*g, "solution"]["passed"] for g in games)
    failed = sum(not by[*g, p]["passed"] for g in games for p in others)
    lost = {key: row["lost"] for key, row in by.items()}
    worse = {p: sum(lost[*g, p] > lost[*g, "nobody"] for g in games) for p in others[1:]}
    n = len(games)
    return [
        f"- The reference solution passes {passed} of {n} games and has the most points in {best}.",
        f"- Nobody, the retrainer and the tightener fail {failed} of {len(others) * n} games.",
        f"- Acting without a diagnosis loses more than doing nothing in {worse['retrainer']} "
        f"(retrainer) and {worse['tightener']} (tightener) of {n} games.",
    ]


def transcript() -> list[str]:
    """Return what a session says, as the page shows it."""
    from sandbox.cli.main import main

    drill, commands = TRANSCRIPT
    out = io.StringIO()
    with tempfile.TemporaryDirectory() as home:
        lines = (["drill", "start", drill], *(["drill", *c.split()] for c in commands))
        for arguments in lines:
            out.write(f"$ sandbox {' '.join(arguments)}\n")
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                if main([*arguments, "--home", home, "--scenarios", str(ROOTS[0])]):
                    raise SystemExit(f"failed: {arguments}")
    return ["```", *(line.rstrip() for line in out.getvalue().splitlines()), "```"]


def picture() -> str:
    """Return the dashboard as an SVG, on the second day of a drill."""
    from rich.console import Console

    from sandbox.drills.catalogue import load_drill
    from sandbox.drills.dashboard import Screen
    from sandbox.drills.session import Session

    session = Session(load_drill(TRANSCRIPT[0], ROOTS), 1, ROOTS)
    screen = Screen(session, lambda line: session.give(line).said)
    for key in "AA7":
        screen.press(key)
    console = Console(
        record=True, width=112, height=40, file=io.StringIO(), color_system="truecolor"
    )
    console.print(screen.render(console))
    return console.export_svg(title="sandbox drill play", unique_id="drill")


def filled(page: str, parts: Mapping[str, Sequence[str]]) -> str:
    """Return the page with the text between each pair of markers replaced."""
    for name, lines in parts.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
        text = "\n".join([begin, *lines, end])
        page = pattern.sub(lambda _, text=text: text, page)
    return page


def time_it() -> None:
    """Say how long a drill takes to begin, a day to pass, and the commands that do it."""
    from sandbox.drills.catalogue import load_drill
    from sandbox.drills.session import Session

    loaded = load_drill(TRANSCRIPT[0], ROOTS)
    Session(loaded, 1, ROOTS)  # compiled kernels, files in memory
    begun = time.perf_counter()
    session = Session(loaded, 1, ROOTS)
    print(f"a drill begins, in a warm process: {time.perf_counter() - begun:.2f} s")
    days = []
    for _ in range(10):
        begun = time.perf_counter()
        session.give("advance 1d")
        days.append(time.perf_counter() - begun)
    print(f"advance 1d, in a warm process: {statistics.median(days) * 1e3:.0f} ms")
    alone = {**os.environ, "SANDBOX_NO_KEEPER": "1"}
    with tempfile.TemporaryDirectory() as home:
        print("each command alone:")
        _time_commands(home, alone)
        kept = {**os.environ, "XDG_RUNTIME_DIR": home}
        keeper = subprocess.Popen([sys.executable, "-m", "sandbox.cli.keeper"], env=kept, cwd=ROOT)
        time.sleep(5.0)
        print("with the keeper, as at a terminal:")
        _time_commands(home, kept)
        keeper.terminate()
        keeper.wait()


def _time_commands(home: str, environment: Mapping[str, str]) -> None:
    for arguments in (["start", TRANSCRIPT[0]], ["look", "money"], *[["advance", "1d"]] * 3):
        begun = time.perf_counter()
        command = [sys.executable, "-m", "sandbox", "drill", *arguments, "--home", home]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
        print(f"  sandbox drill {' '.join(arguments)}: {time.perf_counter() - begun:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--page", action="store_true", help="write the page from stored rows")
    parser.add_argument("--check", type=int, metavar="SEED")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="check each Nth drill")
    parser.add_argument("--time", action="store_true")
    asked = parser.parse_args()
    if asked.time:
        time_it()
    if asked.write:
        rows = play_all(SEEDS, names_of_drills())
        DATA.write_text(json.dumps(rows, indent=0) + "\n")
    if asked.write or asked.page:
        rows = json.loads(DATA.read_text())
        parts = {"table": [*table(rows), "", *conclusions(rows)], "transcript": transcript()}
        PAGE.write_text(filled(PAGE.read_text(), parts))
        PICTURE.write_text(picture())
    if asked.check is not None:
        stored = json.loads(DATA.read_text())
        names = names_of_drills()[:: asked.every]
        fresh = play_all([asked.check], names)
        mine = [r for r in stored if r["seed"] == asked.check and r["drill"] in names]
        stale = [r for r in mine if r not in fresh]
        parts = {"table": [*table(stored), "", *conclusions(stored)], "transcript": transcript()}
        old = filled(PAGE.read_text(), parts) != PAGE.read_text()
        if stale or old or picture() != PICTURE.read_text():
            sys.exit(
                f"docs/drills.md is stale ({len(stale)} rows); run {Path(__file__).name} --write"
            )


if __name__ == "__main__":
    main()
