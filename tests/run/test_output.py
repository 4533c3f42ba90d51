from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.adapters.files import read_parquet
from sandbox.errors import OutputError
from sandbox.record import RunRecord
from sandbox.run.execution import VirtualRun
from sandbox.run.output import write_run

Played = tuple[VirtualRun, RunRecord]


@pytest.fixture
def record(played: Played) -> RunRecord:
    return played[1]


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file grow beyond 16 kB: a full disk, as far as a process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, old)


def test_a_run_leaves_what_is_needed_to_look_at_it_again(record: RunRecord, tmp_path: Path) -> None:
    folder = write_run(record, tmp_path / "mine", {"report.html": lambda r: f"<p>{r.events}"})
    assert folder == tmp_path / "mine" and os.listdir(tmp_path) == ["mine"]
    assert sorted(os.listdir(folder)) == [
        "design.yaml", "events.parquet", "metrics.parquet", "report.html", "summary.json",
    ]  # fmt: skip
    assert json.loads((folder / "summary.json").read_text()) == record.summary()
    assert (folder / "report.html").read_text() == f"<p>{record.events}"
    assert (folder / "design.yaml").read_text() == record.design_text
    assert record.log is not None
    events = read_parquet(folder / "events.parquet")
    assert events.names == record.log.names
    np.testing.assert_array_equal(events["score"], record.log["score"])


def test_metrics_come_back_as_they_were(record: RunRecord, tmp_path: Path) -> None:
    table = read_parquet(write_run(record, tmp_path / "x") / "metrics.parquet")
    mine = (table["metric"] == "psi") & (table["series"] == "score")
    days, values = record.metrics.series("psi", "score")
    np.testing.assert_array_equal(table["day"][mine], days)
    np.testing.assert_array_equal(table["value"][mine], values)
    assert len(table) == sum(1 for _ in record.metrics.rows())


def test_runs_are_numbered(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short = replace(record, log=None)
    folders = [write_run(short, None), write_run(short, None)]
    assert [str(folder) for folder in folders] == [
        "runs/parcels-seed7-001", "runs/parcels-seed7-002",
    ]  # fmt: skip
    assert "events.parquet" not in os.listdir(folders[0])


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_leaves_nothing(record: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        write_run(record, tmp_path / "mine")
    assert "\n" not in str(caught.value) and str(tmp_path / "mine") in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("small_files")
def test_a_full_disk_gives_the_number_back(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError):
        write_run(record, None)
    assert os.listdir(tmp_path / "runs") == []


def test_a_page_that_fails_leaves_nothing(record: RunRecord, tmp_path: Path) -> None:
    def page(_: RunRecord) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_run(record, tmp_path / "mine", {"report.html": page})
    assert os.listdir(tmp_path) == []


def test_a_folder_with_something_in_it_stays_as_it_is(record: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write_run(record, tmp_path)
    assert os.listdir(tmp_path) == ["precious"]
