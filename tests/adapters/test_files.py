from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.adapters.files import (
    atomic_directory,
    check_writable,
    json_bytes,
    next_run_directory,
    read_parquet,
    write_json,
    write_parquet,
    write_text,
)
from sandbox.batch import Batch
from sandbox.errors import OutputError, UsageError
from sandbox.spec.units import parse_quantity


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_parquet_round_trip(tmp_path: Path) -> None:
    batch = Batch(
        {
            "id": np.arange(4),
            "amount": np.array([1.5, np.nan, -0.0, 1e300]),
            "code": np.array([0, -1, 2, 1], dtype=np.int8),
            "name": np.array(["a", "é", "", "b"]),
            "features": np.arange(12, dtype=np.float32).reshape(4, 3),
        }
    )
    write_parquet(tmp_path / "log.parquet", batch)
    back = read_parquet(tmp_path / "log.parquet")
    assert back.names == batch.names
    for name in batch.names:
        np.testing.assert_array_equal(back[name], batch[name])
    assert back["code"].dtype == np.int8 and back["features"].dtype == np.float32
    assert os.listdir(tmp_path) == ["log.parquet"]


def test_parquet_of_no_rows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "x.parquet", {"day": np.zeros(0)})
    assert len(read_parquet(tmp_path / "x.parquet")) == 0


def test_unreadable_parquet_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no parquet\nat all")
    with pytest.raises(UsageError, match="not a readable Parquet file") as caught:
        read_parquet(tmp_path / "x")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="no such file"):
        read_parquet(tmp_path / "absent")


def test_json_keeps_order_and_floats_and_drops_what_is_not_finite() -> None:
    value = {"b": 0.1 + 0.2, "a": [float("nan"), float("inf"), None], "n": np.float64(2.5)}
    text = json_bytes({**value, "i": np.int64(3), "v": np.array([1.0, np.nan])}).decode()
    assert text.index('"b"') < text.index('"a"')
    assert "0.30000000000000004" in text and "2.5" in text and "NaN" not in text
    assert text.count("null") == 4 and text.endswith("}\n")


def test_json_of_a_quantity_and_of_nonsense() -> None:
    assert json_bytes({"t": parse_quantity("5ms")}) == b'{\n  "t": 0.005\n}\n'
    with pytest.raises(TypeError, match="no JSON form"):
        json_bytes({"x": object()})


@given(st.dictionaries(st.text(), st.floats() | st.integers(-(2**53), 2**53) | st.text()))
def test_json_is_deterministic(value: dict[str, object]) -> None:
    assert json_bytes(value) == json_bytes(dict(value))


def test_write_text_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    write_text(path, "old")
    write_text(path, "neu ü\n")
    assert path.read_bytes() == "neu ü\n".encode()
    assert os.listdir(tmp_path) == ["a.html"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left") as caught:
        write_json(path, {"a": 2})
    assert caught.value.exit_code == 4 and str(path) in str(caught.value)
    assert path.read_bytes() == json_bytes({"a": 1}) and os.listdir(tmp_path) == ["a.json"]


def test_directory_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "run"
    with atomic_directory(target) as folder:
        assert folder.parent == target.parent and folder.name.startswith(".")
        write_text(folder / "a", "x")
        (folder / "sub").mkdir()
        assert not target.exists()
    assert (target / "a").read_text() == "x" and os.listdir(target.parent) == ["run"]


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt()])
def test_directory_vanishes_after_a_failure(tmp_path: Path, error: BaseException) -> None:
    target = next_run_directory(tmp_path, "fraud-seed7")
    with pytest.raises(type(error)), atomic_directory(target) as folder:
        write_text(folder / "a", "x")
        raise error
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with pytest.raises(OutputError) as caught, atomic_directory(target) as folder:
        (folder / "big").symlink_to("/dev/full")
        (folder / "big").write_text("x" * 100_000)
    line = str(caught.value)
    assert "no space left on the disk" in line and "--out" in line and "\n" not in line
    assert str(target) in line and os.listdir(tmp_path) == []


def test_taken_directory_is_kept(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("x")
    with pytest.raises(OutputError, match="exists already"), atomic_directory(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / "mine").read_text() == "x"
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="exists already"), atomic_directory(tmp_path / "file"):
        pass
    with (
        pytest.raises(OutputError, match=r"is a file, not a directory|exists already"),
        atomic_directory(tmp_path / "file" / "run"),
    ):
        pass


def test_permission_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="no permission to write here"):
        next_run_directory(tmp_path / "runs", "fraud")


def test_a_place_is_tried_before_time_is_spent(tmp_path: Path) -> None:
    check_writable(tmp_path / "not" / "yet" / "there")
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file, not a directory"):
        check_writable(tmp_path / "file" / "run")
    with pytest.raises(OutputError, match=r"cannot write|no permission|read-only"):
        check_writable(Path("/proc/sandbox/run"))


def test_run_directories_count_up(tmp_path: Path) -> None:
    names = [next_run_directory(tmp_path, "fraud-seed7").name for _ in range(3)]
    assert names == ["fraud-seed7-001", "fraud-seed7-002", "fraud-seed7-003"]
    (tmp_path / "fraud-seed7-002").rmdir()
    (tmp_path / "fraud-seed7-x").mkdir()
    assert next_run_directory(tmp_path, "fraud-seed7").name == "fraud-seed7-004"
    assert next_run_directory(tmp_path, "fraud").name == "fraud-001"


def test_run_directories_are_exclusive(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(next_run_directory(tmp_path, "s")))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 16
