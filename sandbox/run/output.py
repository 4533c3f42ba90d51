"""What a run leaves on disk: ``summary.json``, Parquet tables, the design, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from sandbox.adapters.files import (
    atomic_directory,
    next_run_directory,
    write_json,
    write_parquet,
    write_text,
)
from sandbox.batch import Batch
from sandbox.record import RunRecord

__all__ = ["write_run"]

RUNS = Path("runs")


def write_run(
    record: RunRecord,
    out: Path | None,
    pages: Mapping[str, Callable[[RunRecord], str]] | None = None,
) -> Path:
    """Write a run into a folder that appears whole or not at all.

    Parameters
    ----------
    record
        The run; an incomplete one is written like any other and says so in its summary.
    out
        The folder, new or empty; absent: the next free ``runs/<scenario>-seed<n>-<nnn>``.
    pages
        Further text files by name and how to render them, such as ``report.html``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OutputError
        If it cannot be written; nothing is left behind.
    """
    folder = out or next_run_directory(RUNS, f"{record.scenario}-seed{record.seed}")
    with atomic_directory(folder) as hidden:
        write_json(hidden / "summary.json", record.summary())
        write_parquet(hidden / "metrics.parquet", _metrics(record))
        if record.log is not None:
            write_parquet(hidden / "events.parquet", record.log)
        write_text(hidden / "design.yaml", record.design_text)
        for name, render in (pages or {}).items():
            write_text(hidden / name, render(record))
    return folder


def _metrics(record: RunRecord) -> Batch:
    rows = list(record.metrics.rows())
    return Batch(
        {
            "day": np.array([row[0] for row in rows], dtype=np.float64),
            "metric": np.array([row[1] for row in rows], dtype=object),
            "series": np.array([row[2] for row in rows], dtype=object),
            "value": np.array([row[3] for row in rows], dtype=np.float64),
        }
    )
