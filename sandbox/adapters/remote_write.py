"""Prometheus remote write: samples with timestamps of their own, past ones included.

The receiver must run with ``--web.enable-remote-write-receiver`` and, for samples older than an
hour, with ``storage.tsdb.out_of_order_time_window`` in its configuration.
Source: Prometheus Remote-Write 1.0 specification.
"""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from sandbox.errors import SandboxError, UsageError

__all__ = ["Line", "write", "write_address"]

PATH = "/api/v1/write"
AT_ONCE = 10_000
"""Samples in one request."""
PATIENCE = 30.0
"""For an answer [s]."""


@dataclass(frozen=True)
class Line:
    """One time series."""

    name: str
    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]
    """Pairs of time [s since epoch] and value, in order of time."""


def write(url: str, lines: Iterable[Line]) -> int:
    """Send samples; return how many.

    Parameters
    ----------
    url
        Of Prometheus, such as ``http://localhost:9090``; its path is added if it has none.

    Raises
    ------
    UsageError
        If the URL is none.
    SandboxError
        If nobody answers, or the samples are refused.
    """
    target, sent = write_address(url), 0
    for part in _parts(lines):
        request = urllib.request.Request(
            target, data=bytes(cramjam.snappy.compress_raw(_encode(part))), method="POST",
            headers={
                "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                "X-Prometheus-Remote-Write-Version": "0.1.0", "User-Agent": "ml-design-sandbox",
            },
        )  # fmt: skip
        try:
            urllib.request.urlopen(request, timeout=PATIENCE).close()
        except urllib.error.HTTPError as error:
            raise _refused(url, error) from None
        except OSError as error:
            raise SandboxError(
                "Prometheus does not answer", where="--to-prometheus", got=url,
                hint=str(getattr(error, "reason", error)) + ".",
            ) from None  # fmt: skip
        sent += sum(len(line.samples) for line in part)
    return sent


def write_address(url: str) -> str:
    """Return where samples go for a URL of Prometheus.

    Raises
    ------
    UsageError
        If it is no URL.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise UsageError("not a URL", where="--to-prometheus", got=url, expected="http://HOST:PORT")
    path = parts.path if parts.path not in ("", "/") else PATH
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _refused(url: str, error: urllib.error.HTTPError) -> SandboxError:
    said = error.read(500).decode(errors="replace").strip().splitlines()
    hint = said[0] if said else error.reason
    if error.code == 404:
        hint = "Start it with --web.enable-remote-write-receiver."
    elif any(word in hint for word in ("out of bounds", "out of order", "too old")):
        hint = f"{hint}; set storage.tsdb.out_of_order_time_window to the simulated length."
    return SandboxError(
        "Prometheus refused the samples", where="--to-prometheus", got=f"{url}: {error.code}",
        hint=hint,
    )  # fmt: skip


def _parts(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield lines, long ones cut, with about `AT_ONCE` samples together."""
    part: list[Line] = []
    room = AT_ONCE
    for line in lines:
        for at in range(0, len(line.samples), AT_ONCE):
            piece = Line(line.name, line.labels, line.samples[at : at + AT_ONCE])
            if len(piece.samples) > room and part:
                yield part
                part, room = [], AT_ONCE
            part.append(piece)
            room -= len(piece.samples)
    if part:
        yield part


def _encode(lines: Sequence[Line]) -> bytes:
    request = _message()()
    for line in lines:
        series = request.timeseries.add()
        for name, value in sorted({**line.labels, "__name__": line.name}.items()):
            series.labels.add(name=name, value=value)
        for time, number in line.samples:
            series.samples.add(value=number, timestamp=round(time * 1000))
    encoded: bytes = request.SerializeToString()
    return encoded


@cache
def _message() -> Any:
    """Return the class of ``prometheus.WriteRequest``; the numbers are those of its fields."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="sandbox/remote_write.proto", package="prometheus", syntax="proto3"
    )
    layout: Mapping[str, Sequence[tuple[str, int, int, str]]] = {
        "Label": (("name", 1, kinds.TYPE_STRING, ""), ("value", 2, kinds.TYPE_STRING, "")),
        "Sample": (("value", 1, kinds.TYPE_DOUBLE, ""), ("timestamp", 2, kinds.TYPE_INT64, "")),
        "TimeSeries": (("labels", 1, kinds.TYPE_MESSAGE, "Label"),
                       ("samples", 2, kinds.TYPE_MESSAGE, "Sample")),
        "WriteRequest": (("timeseries", 1, kinds.TYPE_MESSAGE, "TimeSeries"),),
    }  # fmt: skip
    for name, fields in layout.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            many = kinds.LABEL_REPEATED if of else kinds.LABEL_OPTIONAL
            new = message.field.add(name=field, number=number, type=kind, label=many)
            if of:
                new.type_name = f".prometheus.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))
