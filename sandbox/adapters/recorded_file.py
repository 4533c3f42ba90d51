"""A user's file of events, read in pieces: Parquet or CSV, its columns named as the schema's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.adapters.recorded_positive import Positive
from sandbox.errors import UsageError, suggest

__all__ = ["EventsFile", "TableFile", "match_columns"]

_PIECE = 1 << 16
_BYTES = 8 << 20
_NULLS = ["", "NULL", "null", "NaN", "nan", "NA"]
Told = Callable[[float], None]


@dataclass(frozen=True)
class EventsFile:
    """What a user hands in.

    Parameters
    ----------
    path
        A ``.parquet`` file, or a ``.csv`` one (``.csv.gz`` too) with a header.
    columns
        ``column=field`` where the file calls a field something else.
    time_unit
        Length of one unit of a time that is a number [s].
    scratch
        An empty folder for intermediate files; whoever made it removes it.
    told
        Told of the share that is done, 0 to 1, while the file is read.
    pace
        Rows a second, where the file has no times: they are played in their order.
    positive
        What a label must be to count as 1, any other as 0; None: labels are numbers.
    sessions
        Longest gap within a request [s], where the file has no requests: rows of one user without
        a longer one are the candidates of one.
    """

    path: Path
    columns: tuple[str, ...]
    time_unit: float
    scratch: Path
    told: Told = lambda _: None
    pace: float | None = None
    positive: Positive | None = None
    sessions: float | None = None


class TableFile:
    """A table on disk whose columns are known and whose rows come in pieces.

    Raises
    ------
    UsageError
        If the file is not there, is not what its name says, or has no rows.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.malformed = path, 0
        name = path.name.lower().removesuffix(".gz")
        if not path.exists():
            raise UsageError("no such file", where=str(path), hint="Check the path.")
        if path.is_dir():
            raise UsageError("this is a directory", where=str(path), expected="one file")
        if not name.endswith((".parquet", ".pq", ".csv")):
            raise UsageError(
                "not a kind of file that can be read here",
                where=str(path), got=path.suffix or path.name, expected=".parquet or .csv",
            )  # fmt: skip
        self._csv = name.endswith(".csv")
        with self._readable():
            self.names: tuple[str, ...] = self._header()

    def pieces(self, columns: Sequence[str], told: Told) -> Iterator[Mapping[str, Any]]:
        """Yield Arrow arrays of the named columns, some 65,000 rows at a time."""
        with self._readable():
            for batch, done in (self._csv_pieces if self._csv else self._parquet_pieces)(columns):
                told(done)
                yield {name: batch.column(name) for name in columns}

    def _header(self) -> tuple[str, ...]:
        import pyarrow.parquet as pq

        if not self._csv:
            with pq.ParquetFile(self.path) as file:
                return tuple(file.schema_arrow.names)
        with self._csv_reader(None) as (reader, _):
            return tuple(reader.schema.names)

    def _parquet_pieces(self, columns: Sequence[str]) -> Iterator[tuple[Any, float]]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            rows, done = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(_PIECE, columns=list(columns)):
                done += batch.num_rows
                yield batch, done / rows

    def _csv_pieces(self, columns: Sequence[str]) -> Iterator[tuple[Any, float]]:
        self.malformed = 0
        size = max(self.path.stat().st_size, 1)
        with self._csv_reader(columns) as (reader, file):
            for batch in reader:
                yield batch, file.tell() / size

    @contextmanager
    def _csv_reader(self, columns: Sequence[str] | None) -> Iterator[tuple[Any, Any]]:
        """Yield a streaming reader of text columns, and the file that it reads.

        Rows of another length are counted and left out.
        """
        import pyarrow as pa
        from pyarrow import csv

        wanted = list(columns or ())
        with self.path.open("rb") as file:
            packed = self.path.suffix.lower() == ".gz"
            yield (
                csv.open_csv(
                    pa.CompressedInputStream(pa.PythonFile(file), "gzip") if packed else file,
                    read_options=csv.ReadOptions(block_size=_BYTES, use_threads=False),
                    parse_options=csv.ParseOptions(invalid_row_handler=self._skip),
                    convert_options=csv.ConvertOptions(
                        include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()),
                        strings_can_be_null=True, null_values=_NULLS,
                    ),
                ),
                file,
            )  # fmt: skip

    def _skip(self, row: object) -> str:
        self.malformed += 1
        return "skip"

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn what a reader says about a broken file into one line."""
        import pyarrow as pa

        where = str(self.path)
        try:
            yield
        except PermissionError:
            raise UsageError("no permission to read this file", where=where) from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            detail = (str(error).splitlines() or ["unreadable"])[0].rstrip(".")
            if "Empty CSV" in detail:
                raise UsageError("the file is empty", where=where) from None
            kind = "CSV" if self._csv else "Parquet"
            hint = f"The reader says: {detail[:160]}."
            raise UsageError(f"not readable {kind}", where=where, hint=hint) from error


def match_columns(
    table: TableFile,
    given: Sequence[str],
    fields: Mapping[str, bool],
    instead: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return which column of the file holds each field.

    Parameters
    ----------
    table
        The file.
    given
        ``column=field`` as typed; other fields are looked up by their own name.
    fields
        Every field, and whether it must be there.
    instead
        An option that does without a field, as it is typed.

    Raises
    ------
    UsageError
        For what is misspelt, named twice, or missing.
    """
    found: dict[str, str] = {}
    for text in given:
        column, equals, field = text.partition("=")
        if not equals:
            raise UsageError("not a mapping", where="--map", got=text, expected="COLUMN=FIELD")
        for name, known in ((column, table.names), (field, tuple(fields))):
            if name not in known:
                what = "the file has no such column" if name is column else "unknown field"
                raise UsageError(
                    what, where=f"--map {text}", got=name, expected=f"one of {', '.join(known)}",
                    hint=suggest(name, known),
                )  # fmt: skip
        if field in found:
            raise UsageError(
                "this field is mapped twice", where=f"--map {text}", got=field,
                expected="one column a field",
            )  # fmt: skip
        found[field] = column
    taken = set(found.values())
    for field in fields:
        if field not in found and field in table.names and field not in taken:
            found[field] = field
    missing = [field for field, needed in fields.items() if needed and field not in found]
    if missing:
        options = [(field, option) for field, option in (instead or {}).items() if field in missing]
        other = "".join(f"; or, where there is no {field}: {option}" for field, option in options)
        raise UsageError(
            f"no column for {', '.join(missing)}",
            where=str(table.path),
            got=f"columns {', '.join(table.names)}",
            hint=f"Say which it is: --map COLUMN={missing[0]}{other}",
        )
    return found
