"""``python -m benchmarks.reliability``: play the trials, print what came of them.

``--write`` fills docs/reliability.md; ``--only NAME ...`` plays some, and leaves the other rows as
they are; ``--small`` plays less.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.broker import a_broker
from benchmarks.reliability.scene import Result, Scene, Size
from benchmarks.reliability.trials import TRIALS
from benchmarks.sheet import machine

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
SMALL = Size(kills=3, events=20_000, rate=1500.0)


def expected(name: str, result: Result) -> bool:
    """Tell whether a trial came out as it must."""
    found = result.audit
    if name == "separate":
        return found.doubled > 0  # the mistake shows, or the other trials prove nothing
    if name == "retention":
        taken, told = result.facts["taken"], result.facts["reported"]
        return not found.doubled and found.lost == taken == told and not found.different
    if name == "pages" and result.facts["whole"] < result.facts["pages"]:
        return False
    if name == "replaced" and not result.facts["refused"]:
        return False
    return found.clean


def lines(results: Sequence[tuple[str, Result, float]]) -> list[str]:
    """Return the figures as Markdown."""
    out = [
        "| trial | events | decided once | lost | doubled | states held against a fold, different "
        "| recovery median, longest | |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for name, result, _ in results:
        found, waits = result.audit, result.recoveries
        wait = f"{np.median(waits):.1f} s, {max(waits):.1f} s" if waits else ""
        states = f"{found.states}, {found.different}" if found.states else "not compared"
        note = "as expected" if expected(name, result) else "**not as expected**"
        more = {
            "retention": f"retention took {result.facts.get('taken', 0):,.0f} messages, "
            f"{result.facts.get('reported', 0):,.0f} reported",
            "pages": f"{result.facts.get('pages', 0):,.0f} pages, "
            f"{result.facts.get('whole', 0):,.0f} of them whole",
            "replaced": "its writes were refused, and it ended",
            "separate": "the control: a harness that sees the mistake",
        }.get(name, "")
        out.append(
            f"| {result.name} | {found.sent:,} | {found.sent - found.lost:,} | {found.lost:,} "
            f"| {found.doubled:,} | {states} | {wait} | {'; '.join(filter(None, (more, note)))} |"
        )
    return out


def _with_new_rows(former: Sequence[str], rows: Sequence[str]) -> list[str]:
    """Return a table with rows in place of those of the same first cell."""
    new = {row.split("|")[1]: row for row in rows}
    return [new.get(row.split("|")[1], row) if row.startswith("|") else row for row in former]


def main() -> int:
    """Play, print, and fail where something came out wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    size, results = SMALL if asked.small else Size(), list[tuple[str, Result, float]]()
    with a_broker() as broker, TemporaryDirectory(prefix="trials-") as folder:
        for name in asked.only:
            began = time.monotonic()
            result = TRIALS[name](Scene(broker, Path(folder), size))
            results.append((name, result, time.monotonic() - began))
            print(f"{results[-1][2]:.0f} s", json.dumps(dict(result.facts)), flush=True)
            print(lines(results[-1:])[-1], flush=True)
    figures = [*lines(results), "", machine()]
    if asked.write:
        page = PAGE.read_text()
        head, _, rest = page.partition(BEGIN)
        former, _, tail = rest.partition(END)
        if len(results) < len(TRIALS):
            figures = _with_new_rows(former.splitlines(), lines(results)[2:])
        PAGE.write_text(head + BEGIN + "\n".join(figures) + "\n" + END + tail)
    return 0 if all(expected(name, result) for name, result, _ in results) else 3


if __name__ == "__main__":
    sys.exit(main())
