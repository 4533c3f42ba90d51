"""Measure what ``docs/imbalance.md`` and ``docs/detectors.md`` show, and put it there.

``python benchmarks/laboratories.py --write`` takes some five minutes: it runs the commands that
the pages name, keeps their numbers beside the pages as JSON, and renews the part of each page
between its two comments. Without ``--write`` it prints what is kept; a test holds pages and
numbers together.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- begin measured -->\n", "<!-- end measured -->\n"
COMMANDS: Mapping[str, Sequence[str]] = {
    "imbalance": [f"train fraud --strategies all --seed {seed}" for seed in (7, 8, 9)],
    "detectors": ["detectors --seeds 30",
                  "detectors --rates 0.003:0.009,0.15:0.25 --seeds 10"],
}  # fmt: skip


def measure(command: str) -> dict[str, object]:
    """Run one command and return the numbers it writes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        words = [sys.executable, "-m", "sandbox", *shlex.split(command), "-q", "--out", str(out)]
        subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        numbers: dict[str, object] = json.loads((out / "laboratory.json").read_text())
        return numbers


def section(kind: str, kept: bytes) -> str:
    """Return the measured part of a page: the first measurement whole, of others what counts."""
    import msgspec

    from sandbox.record import LabRecord
    from sandbox.report.laboratory import laboratory_markdown

    records = msgspec.json.decode(kept, type=list[LabRecord])
    if kind == "detectors":
        return "\n".join(map(laboratory_markdown, records))
    others = [f"- `{record.command}`: {record.lesson[0]}" for record in records[1:]]
    return "\n".join([laboratory_markdown(records[0]), "Other worlds:\n", *others, ""])


def main() -> int:
    """Print or renew both pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="measure, and renew the pages")
    parser.add_argument("--only", choices=list(COMMANDS), help="one of the pages")
    args = parser.parse_args()
    for kind in [args.only] if args.only else COMMANDS:
        data, page = ROOT / "docs" / f"{kind}.json", ROOT / "docs" / f"{kind}.md"
        if args.write:
            numbers = [measure(command) for command in COMMANDS[kind]]
            data.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
            head, rest = page.read_text().split(BEGIN)
            tail = rest.split(END)[1]
            page.write_text(f"{head}{BEGIN}\n{section(kind, data.read_bytes())}\n{END}{tail}")
        print(section(kind, data.read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
