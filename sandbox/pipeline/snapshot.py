"""State as bytes: named arrays as ``npz``, without pickle, stamped with version and owner."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SNAPSHOT_VERSION", "pack", "unpack"]

SNAPSHOT_VERSION = 1
_STAMP = "stamp"


def pack(arrays: Mapping[str, NDArray[Any]], owner: str) -> bytes:
    """Return arrays as bytes that only `unpack` with the same owner accepts.

    Equal arrays give equal bytes: no clock enters.
    """
    stamp = np.array([f"{SNAPSHOT_VERSION}", owner])
    stored: dict[str, Any] = {_STAMP: stamp, **arrays}
    buffer = io.BytesIO()
    np.savez(buffer, **stored)
    return buffer.getvalue()


def unpack(data: bytes, owner: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a snapshot.

    Raises
    ------
    ValueError
        If the bytes are no snapshot, or one of another version or owner.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        version, found = (str(part) for part in arrays.pop(_STAMP))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError("not a snapshot") from error
    if version != f"{SNAPSHOT_VERSION}":
        raise ValueError(f"snapshot of version {version}, expected {SNAPSHOT_VERSION}")
    if found != owner:
        raise ValueError(f"snapshot of another plan: got {found!r}, expected {owner!r}")
    return arrays
