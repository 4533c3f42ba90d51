"""Common random numbers: one named, independent stream for each source of chance.

The same seed gives the same world whatever the design, because no stream is shared between the
world and anything that depends on a design.
"""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of the stream `names` under `seed`.

    Other names give another stream, but for zeros at the end, which NumPy's seeding ignores:
    do not use both ``("x",)`` and ``("x", 0)``.

    Examples
    --------
    >>> float(stream(7, "world", 3).random()) == float(stream(7, "world", 3).random())
    True
    """
    keys = [zlib.crc32(n.encode()) if isinstance(n, str) else n & 0xFFFFFFFF for n in names]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *keys])))
