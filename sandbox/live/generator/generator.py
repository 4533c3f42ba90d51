"""Generator: the outside world as a role: sends events and labels, whoever or whatever dies."""

from __future__ import annotations

import time

from sandbox.adapters.event_log import Fenced, Place
from sandbox.errors import SandboxError, UsageError
from sandbox.live.generator.playing import Playing
from sandbox.live.role import Setting

__all__ = ["Generator"]

REST = 1.0
"""Wait before the log is asked again after it did not answer [s]."""
STAND_BY = 5.0
"""Silence of the one that took over after which this one goes on [s]."""


class Generator:
    """The outside world of a live system; there is one.

    It sends the history, waits for the first champion, then lives through simulated time at the
    given speed. Where it starts on a log that has a past, it goes on from there. While the log
    does not take messages, simulated time stands still; afterwards it catches up with the clock.
    A second one takes over from the first, which stands by until nothing comes any more.

    Parameters
    ----------
    setting
        What the role works with.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._playing: Playing | None = None
        self._failed = ""
        self._stood_by_since: float | None = None
        self._ends: dict[Place, int] = {}

    def step(self, patience: float) -> None:
        """Go on for a moment.

        Raises
        ------
        UsageError
            If the world does not keep its promises.
        """
        try:
            if self._stood_by_since is not None and self._stands_by(self._stood_by_since):
                time.sleep(min(patience, REST))
                return
            if self._playing is None:
                self._playing = Playing(self._setting)
            self._playing.step(patience)
            self._failed = ""
        except UsageError:
            raise
        except Fenced as error:
            self._failed = f"another generator took over: {error}"
            self._stood_by_since = time.monotonic()
            self.close()
        except SandboxError as error:
            self._failed = error.line()
            time.sleep(min(patience, REST))

    def _stands_by(self, since: float) -> bool:
        """Tell whether another one goes on; where none does, it is this one's turn again."""
        if time.monotonic() < since + STAND_BY:
            return True
        topics, log = self._setting.topics, self._setting.log
        ends = log.ends([*topics.places(topics.events), *topics.places(topics.happenings)])
        moved, self._ends = ends != self._ends, ends
        self._stood_by_since = time.monotonic() if moved else None
        return moved

    def ready(self) -> bool:
        """Tell whether the clock runs and the log takes what is sent."""
        return self._playing is not None and self._playing.live and not self._failed

    def why_not(self) -> str:
        """Say what it waits for; empty when it is ready."""
        if self._failed or self.ready():
            return self._failed
        return "the history is on its way, or no first model has been trained"

    def close(self) -> None:
        """End between two moments."""
        if self._playing is not None:
            self._playing.close()
        self._playing = None
