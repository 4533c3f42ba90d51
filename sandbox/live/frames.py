"""Frames: batches as messages, so that what a message costs is paid once for many events.

A frame is msgpack: column name to ``[dtype, shape, bytes]``. Nothing in it is code.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from sandbox.batch import Batch

__all__ = ["NotAFrame", "frame_of", "frames_of", "is_frame", "read_frame"]

_KINDS = frozenset("iufbS")
_Columns = dict[str, tuple[str, tuple[int, ...], bytes]]
_DECODER = msgspec.msgpack.Decoder(_Columns)
_ENCODER = msgspec.msgpack.Encoder()
_JSON = ord("{")
LARGEST = 1 << 19
"""Bytes of a frame; a broker takes twice as many by default."""


class NotAFrame(ValueError):
    """The bytes are no frame."""


def frame_of(batch: Batch) -> bytes:
    """Return a batch as a message.

    Examples
    --------
    >>> read_frame(frame_of(Batch({"id": [1, 2], "amount": [0.5, 7.0]})))["amount"]
    array([0.5, 7. ])
    """
    columns = {}
    for name in batch.names:
        values = np.ascontiguousarray(batch[name])
        columns[name] = (values.dtype.str, values.shape, values.data)
    return _ENCODER.encode(columns)


def frames_of(batch: Batch) -> Iterator[bytes]:
    """Yield a batch as messages that a broker takes: at most `LARGEST` bytes each, or one row.

    Examples
    --------
    >>> frames = list(frames_of(Batch({"id": np.arange(200_000)})))
    >>> [len(read_frame(one)) for one in frames]
    [65536, 65536, 65536, 3392]
    """
    width = sum(batch[name].nbytes for name in batch.names) // max(len(batch), 1)
    rows = max(LARGEST // max(width, 1), 1)
    for start in range(0, len(batch), rows):
        yield frame_of(batch.slice(start, min(start + rows, len(batch))))


def is_frame(message: bytes) -> bool:
    """Tell a frame from an event in JSON by its first byte."""
    return bool(message) and message[0] != _JSON


def read_frame(message: bytes) -> Batch:
    """Return the batch of a message.

    Raises
    ------
    NotAFrame
        If it is none: torn, of other types than numbers and bytes, or of columns that differ in
        length.
    """
    try:
        columns = {}
        for name, (kind, shape, data) in _DECODER.decode(message).items():
            dtype = np.dtype(kind)
            if dtype.kind not in _KINDS:
                raise NotAFrame(f"column {name} is of type {kind}")
            columns[name] = np.frombuffer(data, dtype=dtype).reshape(shape)
        return Batch(columns)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise NotAFrame(str(error)) from None
