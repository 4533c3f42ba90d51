"""Drive a real worker in wall-clock time, with a log in memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.handler import Handler

__all__ = ["Driven", "drive", "top_speed"]

Floats = NDArray[np.float64]
SPIN = 0.001
"""The last moments before a batch are waited for busily [s]: a sleep may take so much longer."""


@dataclass(frozen=True)
class Driven:
    """What a real worker did in one round."""

    waits: Floats
    """From arrival to the start of its batch [s], shape (n,)."""
    latencies: Floats
    """From arrival to decision [s], shape (n,)."""
    batches: Floats
    """Events of each batch, and how long handling them took [s], shape (2, batches)."""
    length: float
    """Until the last decision [s]."""


def top_speed(handler: Handler, messages: Sequence[bytes], max_batch: int) -> float:
    """Return the events a second of a real worker that always finds full batches."""
    gc.freeze()
    began = time.perf_counter()
    for at in range(0, len(messages), max_batch):
        handler.handle(messages[at : at + max_batch])
    return len(messages) / (time.perf_counter() - began)


def drive(
    handler: Handler, messages: Sequence[bytes], due: Floats, max_batch: int, linger: float
) -> Driven:
    """Let a real worker handle messages that become due in wall-clock time.

    Parameters
    ----------
    due
        When each arrives [s since the start], ascending, shape (n,).
    max_batch, linger
        A batch starts when as many wait, or so long after its first event [s].

    Notes
    -----
    Arrivals do not wait for the worker (open loop), so a slow batch shows in all that come
    meanwhile.
    """
    waits, latencies = np.empty(len(due)), np.empty(len(due))
    batches: list[tuple[int, float]] = []
    gc.freeze()  # the log is not the worker's: its collections would look at every message
    began, at = time.perf_counter(), 0
    while at < len(due):
        start = due[at] + linger
        if at + max_batch <= len(due):
            start = min(start, due[at + max_batch - 1])
        _wait_until(began + start)
        now = time.perf_counter() - began
        end = min(int(np.searchsorted(due, now, side="right")), at + max_batch)
        waits[at:end] = now - due[at:end]
        handler.handle(messages[at:end])
        done = time.perf_counter() - began
        latencies[at:end] = done - due[at:end]
        batches.append((end - at, done - now))
        at = end
    length = float(due[-1] + latencies[-1])
    return Driven(waits, latencies, np.array(batches, dtype=np.float64).T, length)


def _wait_until(moment: float) -> None:
    while (left := moment - time.perf_counter()) > 0:
        if left > SPIN:
            time.sleep(left - SPIN)
