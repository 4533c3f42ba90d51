"""Put real numbers into docs/fraud-design.md, or check that what stands there is still real.

``--write`` trains and runs the designs that the page speaks of and fills the numbers in;
``--fill`` fills in those of the last time; ``--check`` runs all of it again and fails if another
number comes out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sandbox.interview.content import Loaded, load_walkthrough
from sandbox.interview.prompts import Work
from sandbox.interview.room import do_work
from sandbox.report.markdown import markdown_table
from sandbox.report.numbers import quality, words

ROOT = Path(__file__).parent.parent
PAGE, DATA = ROOT / "docs" / "fraud-design.md", ROOT / "docs" / "fraud-design.json"
FIGURE = re.compile(r"<!--=([a-z_.0-9]+)-->(.*?)<!--/-->", re.S)
TABLE = re.compile(r"<!-- ([a-z]+) -->\n(?:.*?\n)??<!-- end -->", re.S)
BALLS = ("ring", "cents")
ROOTS = (ROOT / "scenarios",)


def measure() -> dict[str, Any]:
    """Train and run the reference and the naive design, as an interview does."""
    loaded = load_walkthrough("fraud", ROOTS)
    naive, best = (
        (loaded.folder / name).read_text(encoding="utf-8") for name in ("naive.yaml", "design.yaml")
    )
    with tempfile.TemporaryDirectory() as folder:

        def work(name: str, design: str, **more: Any) -> Any:
            inputs = {"design": design, **more}
            return do_work(Work(name, "", inputs), loaded, ROOTS, Path(folder), print)

        train = work("train", naive)
        calm = work("calm", best)
        hit = work("hit", naive, curveballs=list(BALLS))
    return {
        "train": [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
                  for row in train["rows"]],
        "calm": _kept(calm), "load": {k: v for k, v in calm["load"].items() if v is not None},
        "naive": _kept(hit["yours"]), "reference": _kept(hit["reference"]),
        "balls": {ball["name"]: ball["said"] for ball in hit["curveballs"]},
    }  # fmt: skip


def _kept(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "objectives": {
            one["name"]: [one["shown"], one["target"], one["passed"]] for one in run["objectives"]
        },
        "lost": round(run["money"]["total"]),
        "no_model": round(run["money"]["no_model"]),
        "incidents": {one["name"]: {k: one[k] for k in ("detected_day", "detected_by",
                                                         "recovered_day", "lesson")}
                      for one in run["incidents"]},
        "promoted": run["versions"],
    }  # fmt: skip


def figures(loaded: Loaded, data: dict[str, Any]) -> dict[str, str]:
    """Return every number that the page may name."""
    naive, reference = data["train"][0], data["train"][-1]
    found = dict(loaded.shown)
    for who, row in (("naive", naive), ("reference", reference)):
        found[f"{who}.pr_auc_trained"] = quality(row["pr_auc"])
        found[f"{who}.promised"] = f"{row['promised']:.1f}"
    found["baseline.pr_auc_trained"] = quality(data["train"][1]["pr_auc"])
    for who in ("calm", "naive", "reference"):
        found[f"{who}.lost"] = f"{data[who]['lost']:,} USD"
        found[f"{who}.no_model"] = f"{data[who]['no_model']:,} USD"
        for name, (shown, _, _) in data[who]["objectives"].items():
            found[f"{who}.{name}"] = shown
    load = data["load"]
    found["load.p99"] = f"{1000 * load['p99']:.1f} ms"
    found["load.most"] = f"{load['most']:,.0f}/s"
    found["load.cost"] = f"{load['cost']:,.0f} USD"
    return found


def tables(data: dict[str, Any]) -> dict[str, list[str]]:
    """Return the tables of the page."""
    verdict = [
        (words(name), target, shown, data["reference"]["objectives"][name][0],
         data["naive"]["objectives"][name][0])
        for name, (shown, target, _) in data["calm"]["objectives"].items()
    ]  # fmt: skip
    training = [
        (row["who"].replace("your model", "the naive design").replace("yours", "naive"),
         row["model"], quality(row["pr_auc"]), quality(row["recall_at_capacity"]),
         f"{row['promised']:.1f}", f"{row['cost']:,.0f}")
        for row in data["train"]
    ]  # fmt: skip
    head = ("objective", "target", "reference, calm", "reference, hit", "naive, hit")
    names = ("", "model", "PR-AUC", "recall among reviewed", "promised", "cost a day, USD")
    return {
        "verdict": markdown_table(head, verdict),
        "training": markdown_table(names, training),
        "happened": [f"- **{words(n)}**, naive: {said}" for n, said in data["balls"].items()]
        + [f"- **{words(n)}**, reference: {one['lesson']}"
           for n, one in data["reference"]["incidents"].items()],
    }  # fmt: skip


def filled(text: str, data: dict[str, Any]) -> str:
    """Return the page with numbers and tables put anew."""
    known = figures(load_walkthrough("fraud", ROOTS), data)
    text = FIGURE.sub(lambda m: f"<!--={m[1]}-->{known[m[1]]}<!--/-->", text)
    made = tables(data)

    def put(block: re.Match[str]) -> str:
        return f"<!-- {block[1]} -->\n" + "\n".join(made[block[1]]) + "\n<!-- end -->"

    return TABLE.sub(put, text)


def main() -> int:
    """Write, fill or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    for name in ("write", "fill", "check"):
        mode.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    data = json.loads(DATA.read_text(encoding="utf-8")) if DATA.is_file() else {}
    if not options.fill:
        began = time.perf_counter(), time.process_time()
        fresh = json.loads(json.dumps(measure()))
        wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        print(f"{wall:.0f} s on the clock, {cpu:.0f} s of processor time")
        text = PAGE.read_text(encoding="utf-8")
        if options.check:
            stale = fresh != data or filled(text, data) != text
            print(f"{PAGE.name} is {'stale' if stale else 'fresh'}", file=sys.stderr)
            return int(stale)
        data = fresh
        DATA.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), data), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
