"""Compiled copies of the generators behind ``numpy.random.seed`` and ``random.seed``.

Data sets were published that only these streams reproduce, drawn one number at a time in a Python
loop. Here the same streams run inside compiled code, bit for bit. New worlds use NumPy's
`Generator` instead.

Sources: Matsumoto and Nishimura, "Mersenne Twister" (1998), with its two ways of seeding; Marsaglia
and Bray (1964) for normals by the polar method; Knuth, TAOCP 2, 3.4.1 for Poisson by
multiplication. A caller's disk cache does not notice changes here: after one, touch the caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Stream",
    "below",
    "compiled",
    "new_stream",
    "normal",
    "poisson",
    "seed_numpy",
    "seed_python",
    "uniform",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_WORDS = 624
_LAG = 397
_LOW = 0xFFFFFFFF


def compiled(function: _Function) -> _Function:
    """Compile a function at its first call and keep the machine code on disk."""
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


class Stream(NamedTuple):
    """State of one generator, changed in place by the functions here."""

    words: NDArray[np.int64]
    """(625,): the 624 words of the twister, and how many of them are used."""
    spare: NDArray[np.float64]
    """(2,): whether a normal is kept for the next call, and which."""


def new_stream() -> Stream:
    """Return a stream that must be seeded before use."""
    return Stream(np.zeros(_WORDS + 1, dtype=np.int64), np.zeros(2))


@compiled
def seed_numpy(stream: Stream, seed: int) -> None:
    """Do what ``numpy.random.seed(seed)`` does, for ``0 <= seed < 2**32``."""
    words = stream.words
    words[0] = seed
    for i in range(1, _WORDS):
        words[i] = (1812433253 * (words[i - 1] ^ (words[i - 1] >> 30)) + i) & _LOW
    words[_WORDS] = _WORDS
    stream.spare[0] = 0.0


@compiled
def seed_python(stream: Stream, seed: int) -> None:
    """Do what ``random.seed(seed)`` does, for ``0 <= seed < 2**32``."""
    seed_numpy(stream, 19650218)
    words, i = stream.words, 1
    for _ in range(_WORDS):
        mixed = (words[i - 1] ^ (words[i - 1] >> 30)) * 1664525
        words[i] = ((words[i] ^ mixed) + seed) & _LOW
        i += 1
        if i == _WORDS:
            words[0], i = words[_WORDS - 1], 1
    for _ in range(_WORDS - 1):
        mixed = (words[i - 1] ^ (words[i - 1] >> 30)) * 1566083941
        words[i] = ((words[i] ^ mixed) - i) & _LOW
        i += 1
        if i == _WORDS:
            words[0], i = words[_WORDS - 1], 1
    words[0] = 1 << 31


@compiled
def _bits(stream: Stream) -> int:
    """Return the next 32 bits."""
    words = stream.words
    if words[_WORDS] == _WORDS:
        for i in range(_WORDS):
            joined = (words[i] & 0x80000000) | (words[(i + 1) % _WORDS] & 0x7FFFFFFF)
            words[i] = words[(i + _LAG) % _WORDS] ^ (joined >> 1) ^ ((joined & 1) * 0x9908B0DF)
        words[_WORDS] = 0
    y = words[words[_WORDS]]
    words[_WORDS] += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    return int(y ^ (y >> 18))


@compiled
def _unit(stream: Stream) -> float:
    """Return a number in [0, 1) with 53 random bits."""
    high = _bits(stream) >> 5
    return (high * 67108864.0 + (_bits(stream) >> 6)) / 9007199254740992.0


@compiled
def uniform(stream: Stream, low: float, high: float) -> float:
    """Do what ``numpy.random.uniform(low, high)`` does."""
    return low + (high - low) * _unit(stream)


@compiled
def normal(stream: Stream, mean: float, deviation: float) -> float:
    """Do what ``numpy.random.normal(mean, deviation)`` does: pairs, the second kept."""
    spare = stream.spare
    if spare[0] == 1.0:
        spare[0] = 0.0
        return float(mean + deviation * spare[1])
    r2 = 0.0
    while r2 >= 1.0 or r2 == 0.0:
        x1 = 2.0 * _unit(stream) - 1.0
        x2 = 2.0 * _unit(stream) - 1.0
        r2 = x1 * x1 + x2 * x2
    factor = math.sqrt(-2.0 * math.log(r2) / r2)
    spare[0], spare[1] = 1.0, factor * x1
    return float(mean + deviation * (factor * x2))


@compiled
def poisson(stream: Stream, mean: float) -> int:
    """Do what ``numpy.random.poisson(mean)`` does, for ``0 <= mean < 10`` only."""
    if mean == 0.0:
        return 0
    limit, product, count = math.exp(-mean), _unit(stream), 0
    while product > limit:
        product *= _unit(stream)
        count += 1
    return count


@compiled
def below(stream: Stream, limit: int) -> int:
    """Return the index that ``random.choice`` takes in a list of `limit` items, 1 to 2**31."""
    width = 0
    while limit >> width:
        width += 1
    pick = limit
    while pick >= limit:
        pick = _bits(stream) >> (32 - width)
    return pick
