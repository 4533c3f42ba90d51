"""A small scenario made by the scaffold, prepared and run in ways that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from sandbox.record import LiveState, RunRecord
from sandbox.run.execution import VirtualRun
from sandbox.run.scaffold import write_scenario
from sandbox.run.setup import Prepared, prepare

Ready = Callable[..., Prepared]
QUICK = (
    "population=150",
    "history=20d",
    "model.champion.xgboost.trees=10",
    "model.training.window=10d",
    "retraining.when=[every 4d]",
    "retraining.cooldown=1d",
    "retraining.gate.min_positives=1",
    "retraining.gate.not_worse_by=1",
)
"""A run of a second, which trains, promotes, and alerts."""


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A root with the scenario ``parcels``."""
    root = tmp_path_factory.mktemp("scenarios")
    write_scenario("parcels", task="binary", into=root)
    return (root,)


@pytest.fixture(scope="session")
def ready(roots: tuple[Path, ...]) -> Ready:
    """Prepare the scenario; keyword arguments as for `prepare`, all of them optional."""

    def build(
        *overrides: str,
        design: Path | None = None,
        seed: int = 7,
        days: int = 12,
        incidents: Sequence[str] | None = ("no-train@4",),
    ) -> Prepared:
        return prepare(
            "parcels", design=design, seed=seed, days=days, overrides=(*QUICK, *overrides),
            incidents=incidents, roots=roots,
        )  # fmt: skip

    return build


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.states: list[LiveState] = []

    def update(self, state: LiveState) -> None:
        """Keep a state."""
        self.states.append(state)


@pytest.fixture(scope="session")
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture(scope="session")
def played(ready: Ready, watcher: Watcher) -> Iterator[tuple[VirtualRun, RunRecord]]:
    """One run, played: for reading only."""
    run = VirtualRun(ready(), watcher, lambda: False)
    yield run, run.play()
