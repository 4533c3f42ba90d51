"""What the benchmarks share: rows of a table, the machine, and the page that they fill."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
LIBRARIES = (
    "numpy", "numba", "xgboost-cpu", "xgboost", "scikit-learn", "simpy", "river", "bytewax",
    "pandas", "polars", "duckdb",
)  # fmt: skip
Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One line of a table: how long `events` took, in wall time and in CPU time of all threads."""

    name: str
    events: int
    seconds: float
    cpu: float | None = None
    note: str = ""

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def table(rows: Sequence[Row], base: str) -> list[str]:
    """Return rows as Markdown, each rate also as a multiple of that of `base`."""
    reference = next(row.rate for row in rows if row.name == base)
    lines = [
        "| version | events | s | CPU s | events/s | ratio | |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        cpu = "" if row.cpu is None else f"{row.cpu:.3g}"
        lines.append(
            f"| {row.name} | {row.events:,} | {row.seconds:.3g} | {cpu} "
            f"| {row.rate:,.0f} | {row.rate / reference:.2g} | {row.note} |"
        )
    return lines


def installed(module: str) -> bool:
    """Return whether a peer can be measured."""
    return importlib.util.find_spec(module) is not None


def absent(peers: Mapping[str, str]) -> list[str]:
    """Return a line that names the peers (module: name) which are not installed, if any."""
    missing = [name for module, name in peers.items() if not installed(module)]
    if not missing:
        return []
    return ["", f"Left out, not installed: {', '.join(missing)}. `pip install -e '.[bench]'`"]


def best_of(
    work: Mapping[str, Callable[[], Result]], repeats: int
) -> dict[str, tuple[Result, float, float]]:
    """Run every contender `repeats` times in turn; return result, and median wall and CPU time [s].

    Taking turns spreads what else the machine does over all of them.
    """
    results: dict[str, Result] = {}
    walls: dict[str, list[float]] = {name: [] for name in work}
    cpus: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, run in work.items():
            wall, cpu = time.perf_counter(), time.process_time()
            results[name] = run()
            walls[name].append(time.perf_counter() - wall)
            cpus[name].append(time.process_time() - cpu)
    return {
        name: (results[name], statistics.median(walls[name]), statistics.median(cpus[name]))
        for name in work
    }


def machine() -> str:
    """Return processor, cores, load, versions and date on one line."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    load = f"load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return (
        f"{today}: {_processor()}, {os.cpu_count()} cores, {load}; "
        f"Python {platform.python_version()}, {', '.join(found)}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def publish(section: str, lines: Sequence[str], *, write: bool) -> None:
    """Print lines; with `write`, also put them into their section of RESULTS.md."""
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if not write:
        return
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->\n"
    page = RESULTS.read_text() if RESULTS.exists() else "# Results\n\n"
    if begin not in page:
        page = page.rstrip("\n") + f"\n\n{begin}{end}"
    head, _, rest = page.partition(begin)
    RESULTS.write_text(head + begin + text + end + rest.partition(end)[2])
