"""Files: Parquet, JSON, and directories that appear whole or not at all.

Sole importer of pyarrow. What goes wrong with the disk ends as one line of `OutputError`.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sandbox.batch import Batch
from sandbox.errors import OutputError, UsageError

__all__ = [
    "atomic_directory",
    "check_writable",
    "json_bytes",
    "next_run_directory",
    "output_errors",
    "read_parquet",
    "write_json",
    "write_parquet",
    "write_text",
]

_ELSEWHERE = "Choose another place with --out."
_RULES = {
    errno.ENOSPC: ("no space left on the disk", f"Free some space, or: {_ELSEWHERE}"),
    errno.EDQUOT: ("the disk quota is used up", f"Free some space, or: {_ELSEWHERE}"),
    errno.EFBIG: ("the file is larger than allowed here", _ELSEWHERE),
    errno.EACCES: ("no permission to write here", _ELSEWHERE),
    errno.EPERM: ("no permission to write here", _ELSEWHERE),
    errno.EROFS: ("the disk is read-only", _ELSEWHERE),
    errno.EEXIST: ("exists already", "Remove it, or: " + _ELSEWHERE),
    errno.ENOTEMPTY: ("exists already and is not empty", "Remove it, or: " + _ELSEWHERE),
    errno.ENOTDIR: ("part of this path is a file, not a directory", _ELSEWHERE),
    errno.EISDIR: ("is a directory, not a file", _ELSEWHERE),
    errno.ENAMETOOLONG: ("the name is too long", _ELSEWHERE),
}


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into an `OutputError` about `path`.

    Raises
    ------
    OutputError
        With the rule that was broken and a next step, on one line.
    """
    try:
        yield
    except OSError as error:
        detail = (error.strerror or str(error)).splitlines()[0]
        rule, hint = _RULES.get(error.errno or 0, (f"cannot write ({detail})", _ELSEWHERE))
        raise OutputError(rule, where=str(path), hint=hint) from error


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a hidden sibling directory that becomes `path` when the block succeeds.

    Files are flushed to the disk before the rename. After any failure, Ctrl-C included, neither
    the hidden directory nor an empty reservation of `path` is left. `path` may exist when empty.

    Raises
    ------
    OutputError
        If `path` is taken or cannot be written.
    """
    path = Path(os.path.abspath(path))
    hidden = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and any(path.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        if path.exists() and not path.is_dir():
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        hidden.mkdir()
        try:
            yield hidden
            _flush(hidden)
            os.rename(hidden, path)
        except BaseException as error:
            shutil.rmtree(hidden, ignore_errors=True)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            if isinstance(error, OutputError):  # say the place that the user knows
                error.where = error.where.replace(str(hidden), str(path))
                error.args = (error.line(),)
            raise
        _sync(path.parent)


def check_writable(path: Path) -> None:
    """Refuse a place where nothing can be written, before time is spent on what goes there.

    Raises
    ------
    OutputError
        If no directory can be made there; nothing is left behind.
    """
    path = Path(os.path.abspath(path))
    with output_errors(path):
        near = next(place for place in (path, *path.parents) if place.exists())
        os.rmdir(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=near))


def next_run_directory(parent: Path, stem: str) -> Path:
    """Create and return the first free ``parent/stem-001``, ``-002``, ...

    The empty directory reserves the name: two runs that start together get different ones, since
    ``mkdir`` either creates or fails.

    Raises
    ------
    OutputError
        If `parent` cannot be written.
    """
    with output_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        taken = [p.name[len(stem) + 1 :] for p in parent.glob(f"{stem}-*")]
        first = max((int(t) for t in taken if t.isdecimal()), default=0) + 1
        for number in itertools.count(first):
            path = parent / f"{stem}-{number:03d}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    raise AssertionError("unreachable: the count has no end")


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing, as UTF-8."""
    _write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON; see `json_bytes`."""
    _write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return indented JSON with a trailing newline, the same bytes for the same value.

    Keys keep their order. Floats keep their shortest exact form; NaN and infinities become null.
    NumPy scalars and arrays, dataclasses, paths and tuples are understood.

    Raises
    ------
    TypeError
        For a value that has no JSON form.
    """
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2) + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, float):  # a subclass, such as a quantity with its unit
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def write_parquet(path: Path, columns: Batch | Mapping[str, ArrayLike]) -> None:
    """Write columns as a Parquet file, whole or not at all.

    Two-dimensional columns of shape (n, k) become lists of fixed length k.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    batch = columns if isinstance(columns, Batch) else Batch(columns)
    arrays = [_arrow(pa, batch[name]) for name in batch.names]
    table = pa.Table.from_arrays(arrays, names=list(batch.names))
    with _replacing(path) as hidden:
        pq.write_table(table, hidden, compression="zstd")


def read_parquet(path: Path) -> Batch:
    """Read a Parquet file into a batch.

    Raises
    ------
    UsageError
        If there is no such file, or it is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UsageError("no such file", where=str(path)) from None
    except (OSError, pa.ArrowException) as error:
        rule = "not a readable Parquet file"
        raise UsageError(rule, where=str(path), hint=str(error).splitlines()[0]) from error
    return Batch({name: _numpy(pa, table.column(name)) for name in table.column_names})


def _arrow(pa: Any, column: NDArray[Any]) -> Any:
    if column.ndim == 1:
        return pa.array(column)
    flat = pa.array(np.ascontiguousarray(column).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, column.shape[1])


def _numpy(pa: Any, column: Any) -> NDArray[Any]:
    array = column.combine_chunks()
    if pa.types.is_fixed_size_list(column.type):
        return np.asarray(array.flatten()).reshape(len(array), column.type.list_size)
    return np.asarray(array)


def _write_bytes(path: Path, data: bytes) -> None:
    with _replacing(path) as hidden:
        hidden.write_bytes(data)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a hidden sibling that takes the place of `path` when the block succeeds."""
    path = Path(os.path.abspath(path))
    hidden = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with output_errors(path):
        try:
            yield hidden
            _sync(hidden)
            os.replace(hidden, path)
        except BaseException:
            hidden.unlink(missing_ok=True)
            raise


def _flush(directory: Path) -> None:
    for folder, _, files in os.walk(directory):
        for name in files:
            _sync(Path(folder) / name)
        _sync(Path(folder))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
