"""Execute prepared runs under a live view, and put what they leave behind into a folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.cli.interrupt import Interrupt
from sandbox.cli.tables import results_console, say, say_json
from sandbox.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console

    from sandbox.record import RunRecord
    from sandbox.run.interventions import Intervention
    from sandbox.run.setup import Prepared

__all__ = [
    "check_free",
    "leave_page",
    "leave_study",
    "run_all",
    "write_comparison",
    "write_one",
]

RUNS = Path("runs")
REPORT = "report.html"
COMPARISON = "compare.html"


def check_free(out: Path | None) -> None:
    """Refuse a folder for results that is taken or cannot be written, before minutes are spent.

    Raises
    ------
    OutputError
        If `out` is a file or a folder with content, or no folder can be made there.
    """
    from sandbox.adapters.files import check_writable

    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(
            "exists already",
            where=f"--out {out}",
            expected="a new or an empty folder",
            hint="Remove it or choose another place.",
        )
    check_writable(out or RUNS)


def run_all(
    prepared: Sequence[Prepared], *, quiet: bool, interventions: Sequence[Intervention] = ()
) -> list[RunRecord]:
    """Run one after the other, with the same interventions, and return their records.

    After a first Ctrl-C the last record is incomplete, and the remaining ones are not run.
    Progress goes to standard error: a block on a terminal, a line a simulated week elsewhere.
    """
    from rich.console import Console

    records: list[RunRecord] = []
    console = Console(stderr=True, highlight=False)
    with Interrupt(lambda text: console.print(text)) as interrupt:
        for one in prepared:
            records.append(_run_one(one, console, interrupt, interventions, quiet=quiet))
            if not records[-1].complete:
                break
    return records


def _run_one(
    prepared: Prepared, console: Console, interrupt: Interrupt,
    interventions: Sequence[Intervention], *, quiet: bool,
) -> RunRecord:  # fmt: skip
    from sandbox.report.live import LiveHeader, view_for
    from sandbox.run.execution import execute

    view = view_for(console, quiet=quiet)
    record = None
    view.start(LiveHeader(prepared.name, prepared.design_name, prepared.seed, prepared.days))
    try:
        record = execute(prepared, view, interrupt, interventions)
    finally:
        view.finish(record)
    return record


def write_one(record: RunRecord, out: Path | None) -> Path:
    """Write one run with its report and return the folder.

    Raises
    ------
    OutputError
        If it cannot be written; nothing is left behind.
    """
    from sandbox.report.html import report_html
    from sandbox.run.output import write_run

    return write_run(record, out, {REPORT: report_html})


def write_comparison(records: Sequence[RunRecord], out: Path | None) -> Path:
    """Write the comparison, and every run in a folder of its own below; return the folder.

    Raises
    ------
    OutputError
        If it cannot be written; nothing is left behind.
    """
    from sandbox.adapters.files import atomic_directory, next_run_directory, write_text
    from sandbox.report.compare import compare_html

    first = records[0]
    folder = out or next_run_directory(RUNS, f"{first.scenario}-compare-seed{first.seed}")
    with atomic_directory(folder) as hidden:
        for number, record in enumerate(records, start=1):
            write_one(record, hidden / f"{number}-{_slug(record.design)}")
        write_text(hidden / COMPARISON, compare_html(records))
    return folder


def leave_page(
    stem: str,
    out: Path | None,
    files: tuple[str, str],
    summary: Mapping[str, Any],
    html: Callable[[], str],
    tell: Callable[[Console], None],
    *,
    as_json: bool,
) -> None:
    """Leave a study as a page and its numbers in a folder of its own; see `leave_study`.

    Parameters
    ----------
    stem
        The folder's name begins so, where `out` names none.
    files
        Names of the page and of the numbers.
    html
        Makes the page.
    """
    from sandbox.adapters.files import atomic_directory, next_run_directory, write_json, write_text

    def write() -> Path:
        folder = out or next_run_directory(RUNS, stem)
        with atomic_directory(folder) as hidden:
            write_json(hidden / files[1], summary)
            write_text(hidden / files[0], html())
        return folder

    leave_study(write, summary, tell, files, as_json=as_json)


def leave_study(
    write: Callable[[], Path],
    summary: Mapping[str, Any],
    tell: Callable[[Console], None],
    files: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Write what a study found and say it; a full disk takes the files, not what was found.

    Parameters
    ----------
    write
        Writes the files and returns their folder.
    tell
        Says it on a console, where JSON is not asked for.
    files
        Names of those that are worth opening.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    try:
        folder = write()
    except OutputError:
        _say_study(summary, tell, None, files, as_json=as_json)
        raise
    _say_study(summary, tell, folder, files, as_json=as_json)


def _say_study(
    summary: Mapping[str, Any],
    tell: Callable[[Console], None],
    folder: Path | None,
    files: Sequence[str],
    *,
    as_json: bool,
) -> None:
    from sandbox.report.terminal import print_files

    if as_json:
        say_json({**summary, "folder": folder})
        return
    console = results_console()
    tell(console)
    if folder is not None:
        say()
        print_files(folder, files, console)


def _slug(text: str) -> str:
    """Return a text as a file name.

    Examples
    --------
    >>> _slug("Never retrain!"), _slug("...")
    ('never-retrain', 'design')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "design"
