"""Following: a worker's view of which models decide, kept up without a gap.

The newest `ServingState` counts. Its models are fetched and warmed in another thread; until they
are there, the former ones decide.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from sandbox.errors import SandboxError
from sandbox.live.messages import ServingState, decode
from sandbox.live.role import Setting
from sandbox.model import ModelVersion, version_from_files
from sandbox.pipeline.decider import Scorer, Serving
from sandbox.run.lifecycle import Deciders
from sandbox.run.service import serving

__all__ = ["Following", "Models", "serving_of"]

LOOK = 0.2
"""Time between two looks at the serving state [s]."""


@dataclass(frozen=True)
class Models:
    """Who decides, and who only scores."""

    state: ServingState
    serving: Serving
    challenger: Scorer | None = None


class Following:
    """Keeps `models` at the newest serving state.

    Parameters
    ----------
    setting
        Log, topics, registry and metrics.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._reader = setting.log.reader([setting.topics.serving])
        self._known: dict[int, ModelVersion] = {}
        self._wanted: ServingState | None = None
        self._news = threading.Event()
        self._ended = False
        self._look_at = 0.0
        self.models: Models | None = None
        """None before the first champion."""
        self.failed = ""
        """Why the newest models are not in use yet; empty where they are."""
        self._loader = threading.Thread(target=self._follow, name="models", daemon=True)
        self._loader.start()

    def look(self) -> None:
        """Notice a newer state; returns at once, and looks a few times a second only."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK
        for chunk in self._reader.poll(0.0):
            for value in chunk.values:
                try:
                    self._wanted = decode(value, ServingState)
                except msgspec.MsgspecError as error:
                    self.failed = f"serving state cannot be read: {error}"
                else:
                    self._news.set()

    def close(self) -> None:
        """Stop following."""
        self._ended = True
        self._news.set()
        self._loader.join()
        self._reader.close()

    def _follow(self) -> None:
        while not self._ended:
            self._news.wait()
            self._news.clear()
            wanted = self._wanted
            if wanted is None or self._ended:
                continue
            try:
                self._use(wanted)
                self.failed = ""
            except SandboxError as error:
                self.failed = error.line()
                # The registry may be back in a moment.
                threading.Timer(2.0, self._news.set).start()

    def _use(self, state: ServingState) -> None:
        numbers = [n for n in (state.champion, state.challenger) if n]
        for number in numbers:
            if number not in self._known:
                files = self._setting.registry.files(number)
                version = version_from_files(files, where=f"registry version {number}")
                # The first prediction of a model costs more than those after it.
                version.predict(np.zeros((1, len(version.names)), dtype=np.float32))
                self._known[number] = version
        self.models = serving_of(state, self._known)
        gauge = self._setting.metrics.serving_version
        gauge.labels("champion").set(state.champion)
        gauge.labels("challenger").set(state.challenger)


def serving_of(state: ServingState, versions: Mapping[int, ModelVersion]) -> Models:
    """Return what a state says, with its models."""
    champion = versions[state.champion]
    if state.review_above is not None:
        champion = replace(champion, review_above=state.review_above)
    if state.block_above is not None:
        champion = replace(champion, block_above=state.block_above)
    other = versions[state.challenger] if state.challenger else None
    canary = other if state.canary > 0 else None
    serves = serving(Deciders(champion, canary, state.canary if canary else 0.0))
    return Models(state, serves, other.predict if other is not None else None)
