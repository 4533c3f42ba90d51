"""Ctrl-C and SIGTERM for work that goes on until told to stop: the first one asks, in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

__all__ = ["Stop", "listening"]

INTERRUPTED = 130


class Stop:
    """Whether and how somebody asked to stop."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.by_hand = False
        """Ctrl-C, and not SIGTERM, which whoever manages processes sends."""

    def leave(self) -> None:
        """End the command: 130 after Ctrl-C."""
        if self.by_hand:
            raise typer.Exit(INTERRUPTED)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; a second Ctrl-C aborts."""
        if number == signal.SIGINT:
            if self.by_hand:
                raise KeyboardInterrupt
            self.by_hand = True
        self.event.set()


@contextmanager
def listening() -> Iterator[Stop]:
    """Yield what the first Ctrl-C or SIGTERM sets; outside the main thread nothing does."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {kind: signal.signal(kind, stop.handle) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for kind, handler in former.items():
            signal.signal(kind, handler)
