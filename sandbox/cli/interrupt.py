"""Ctrl-C during long work: the first asks it to stop at the next step, the second aborts."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

__all__ = ["Interrupt"]


class Interrupt:
    """A context that turns the first Ctrl-C into a request; calling it tells whether one came.

    Outside the main thread, where signals cannot be caught, it never asks.

    Parameters
    ----------
    say
        How to tell the person that the request was heard.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked = False
        self._former: object = None

    def __call__(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self._asked

    def __enter__(self) -> Self:
        """Start to listen."""
        try:
            self._former = signal.signal(signal.SIGINT, self._handle)
        except ValueError:  # not in the main thread
            self._former = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Put the former handler back."""
        if callable(self._former) or isinstance(self._former, int):
            signal.signal(signal.SIGINT, self._former)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._say("Stopping at the next step; what ran so far is kept. Ctrl-C again to abort.")
