"""A sweep: many designs in one world, each with its verdict; which of them are worth having."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from sandbox.adapters.files import write_json
from sandbox.adapters.search import Search
from sandbox.errors import SandboxError, UsageError
from sandbox.record import Assignment, Trial
from sandbox.run.execution import execute
from sandbox.run.setup import Prepared, prepare

__all__ = [
    "Chooser",
    "Grid",
    "Searched",
    "SweepPlan",
    "known_trials",
    "pareto",
    "parse_over",
    "play_trial",
    "run_sweep",
]

MOST_GRID = 2_000
REPEATS = 50
"""Assignments that a search may repeat before it counts as at its end."""


@dataclass(frozen=True)
class SweepPlan:
    """What is swept over, and in which world."""

    name: str
    roots: tuple[str, ...]
    design: str | None
    seed: int
    days: int | None
    overrides: tuple[str, ...]
    incidents: tuple[str, ...] | None
    over: Mapping[str, tuple[str, ...]]

    def prepared(self, assignment: Assignment) -> Prepared:
        """Return the run of one assignment.

        Raises
        ------
        UsageError
            For whatever is wrong with it.
        """
        settings = (*self.overrides, *(f"{key}={value}" for key, value in assignment))
        return prepare(
            self.name, design=Path(self.design) if self.design else None, seed=self.seed,
            days=self.days, overrides=settings, incidents=self.incidents,
            roots=[Path(root) for root in self.roots],
        )  # fmt: skip

    def check(self) -> Prepared:
        """Try every value once, with the first of the other keys; return the first of all.

        Raises
        ------
        UsageError
            For the first that is refused.
        """
        first = {key: values[0] for key, values in self.over.items()}
        prepared = self.prepared(tuple(first.items()))
        for key, values in self.over.items():
            for value in values[1:]:
                self.prepared(tuple({**first, key: value}.items()))
        return prepared

    def fingerprint(self) -> str:
        """Return a short name for everything but the values that are tried."""
        plain = {k: v for k, v in asdict(self).items() if k not in ("over", "roots")}
        if self.design:
            plain["design"] = Path(self.design).read_text(encoding="utf-8")
        plain["keys"] = sorted(self.over)
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:8]


class Chooser(Protocol):
    """Says which assignment comes next."""

    total: int
    """Trials that it wants at most."""

    def ask(self) -> Assignment | None:
        """Return the next one; None when nothing is left, or not before something is told."""
        ...

    def tell(self, trial: Trial) -> None:
        """Take note of a finished trial."""
        ...


class Grid:
    """Every combination, in order."""

    def __init__(self, over: Mapping[str, Sequence[str]]) -> None:
        self.total = math.prod(len(values) for values in over.values())
        if self.total > MOST_GRID:
            raise UsageError(
                "too many combinations for a grid", where="--over", got=f"{self.total:,}",
                expected=f"at most {MOST_GRID:,}", hint="Search instead: --search optuna.",
            )  # fmt: skip
        pairs = ([(key, value) for value in values] for key, values in over.items())
        self._rest: Iterator[Assignment] = itertools.product(*pairs)

    def ask(self) -> Assignment | None:
        """Return the next combination."""
        return next(self._rest, None)

    def tell(self, trial: Trial) -> None:
        """Nothing is learned from it."""


class Searched:
    """What Optuna chooses, `total` different assignments at most.

    Parameters
    ----------
    axes
        Objectives that it is to improve.
    known
        Assignments of an earlier sweep, which are asked for first.
    """

    def __init__(
        self, search: Search, axes: Sequence[str], total: int, known: Sequence[Assignment] = ()
    ) -> None:
        self.total = total
        self._search, self._axes = search, axes
        self._numbers: dict[Assignment, list[int]] = {}
        self._told: dict[Assignment, Trial] = {}
        for assignment in known[:total]:
            search.first(dict(assignment))

    def ask(self) -> Assignment | None:
        """Return one that was not asked for before."""
        if len(self._numbers) >= self.total:
            return None
        for _ in range(REPEATS):
            number, values = self._search.ask()
            assignment = tuple(values.items())
            if assignment not in self._numbers:
                self._numbers[assignment] = [number]
                return assignment
            if assignment in self._told:
                self._search.tell(number, self._values(self._told[assignment]))
            else:
                self._numbers[assignment].append(number)
        return None

    def tell(self, trial: Trial) -> None:
        """Let Optuna learn from it."""
        self._told[trial.assignment] = trial
        for number in self._numbers[trial.assignment]:
            self._search.tell(number, self._values(trial))
        self._numbers[trial.assignment].clear()

    def _values(self, trial: Trial) -> list[float | None]:
        return [trial.measured.get(axis) for axis in self._axes]


def parse_over(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``key=v1,v2`` settings; commas inside brackets belong to a value.

    Raises
    ------
    UsageError
        If a text is none, or a key comes twice.

    Examples
    --------
    >>> parse_over(["model.imbalance=none,smote", "monitoring.alerts=[],[a,b]"])
    {'model.imbalance': ('none', 'smote'), 'monitoring.alerts': ('[]', '[a,b]')}
    """
    over: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        found = tuple(dict.fromkeys(filter(None, _split(values))))
        if not equals or not key.strip() or not found:
            raise UsageError(
                "not a range of values", where="--over", got=text,
                expected="KEY=V1,V2 such as pipeline.workers=2,4,8",
            )  # fmt: skip
        if key.strip() in over:
            raise UsageError("a key comes twice", where="--over", got=key.strip())
        over[key.strip()] = found
    return over


def _split(values: str) -> Iterator[str]:
    depth, word = 0, ""
    for letter in values:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            yield word.strip()
            word = ""
        else:
            word += letter
    yield word.strip()


def play_trial(plan: SweepPlan, assignment: Assignment, stop_file: str = "") -> Trial | None:
    """Run one assignment; None if it was stopped, which a file at `stop_file` asks for."""
    flag = Path(stop_file)
    try:
        record = execute(plan.prepared(assignment), stop=lambda: bool(stop_file) and flag.exists())
    except SandboxError as error:
        return Trial(assignment, refused=error.line())
    if not record.complete:
        return None
    results = record.objectives
    return Trial(
        assignment,
        {r.name: r.measured for r in results},
        {r.name: r.shown for r in results},
        {r.name: r.passed for r in results},
    )


def pareto(trials: Sequence[Trial], axes: Sequence[str], more: Mapping[str, bool]) -> list[int]:
    """Return the trials that no other one beats: as good on every axis and better on one.

    `more` says on which axes more is better. A trial without a figure on some axis is left out.
    """
    values: dict[int, list[float]] = {}
    for place, trial in enumerate(trials):
        found = [trial.measured.get(axis) for axis in axes]
        known = [v for v in found if v is not None]
        if known and len(known) == len(found):
            values[place] = [v if more[axis] else -v for v, axis in zip(known, axes, strict=True)]
    return [
        place
        for place, mine in values.items()
        if not any(
            other != mine and all(o >= m for o, m in zip(other, mine, strict=True))
            for other in values.values()
        )
    ]


def run_sweep(
    plan: SweepPlan,
    chooser: Chooser,
    folder: Path,
    pool: Executor,
    at_once: int,
    *,
    finished: Callable[[Trial, int], None] = lambda trial, number: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[list[Trial], bool]:
    """Play what the chooser asks for; return the trials, and whether none is missing.

    Every finished trial is a file in `folder`; those that lie there are not played again. Trials
    that run when `stop` says so are told to end, and are lost.

    Raises
    ------
    SandboxError
        If a process that plays trials dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = known_trials(folder)
    done: list[Trial] = []
    running: set[Future[Trial | None]] = set()
    flag = folder / "stop"
    flag.unlink(missing_ok=True)

    def keep(trial: Trial) -> None:
        write_json(folder / f"{trial.name}.json", asdict(trial))
        done.append(trial)
        chooser.tell(trial)
        finished(trial, len(done))

    while not stop():
        while len(running) < at_once and (asked := chooser.ask()) is not None:
            known = stored.get(Trial(asked).name)
            if known is None:
                running.add(pool.submit(play_trial, plan, asked, str(flag)))
            else:
                keep(known)
        if not running:
            return done, True
        ended, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
        for trial in map(_result, ended):
            if trial is not None:
                keep(trial)
    flag.touch()
    wait(running)
    flag.unlink(missing_ok=True)
    return done, False


def _result(future: Future[Trial | None]) -> Trial | None:
    try:
        return future.result()
    except BrokenProcessPool:
        raise SandboxError(
            "a process that played a trial died", where="sweep",
            hint="Perhaps there is too little memory: try --jobs 1. Finished trials are kept.",
        ) from None  # fmt: skip


def known_trials(folder: Path) -> dict[str, Trial]:
    """Return the trials of an earlier, perhaps interrupted sweep."""
    found = {}
    for file in sorted(folder.glob("*.json")):
        plain = json.loads(file.read_text(encoding="utf-8"))
        plain["assignment"] = tuple((key, value) for key, value in plain["assignment"])
        found[file.stem] = Trial(**plain)
    return found
