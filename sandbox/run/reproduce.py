"""Held against the published record: the same data, the same protocol, the same figures.

A scenario whose folder has a ``reproduce.yaml`` can be reproduced. Its world must be a recording,
its features come from ``design.yaml`` and the shared feature engine.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.plan import FeaturePlan
from sandbox.run.reproduce_models import fit_and_score
from sandbox.run.reproduce_spec import Contender, Protocol, Reproduction, Split
from sandbox.spec.design import Design
from sandbox.spec.loading import build, check_design, load_design, load_scenario
from sandbox.spec.scenario import Scenario
from sandbox.spec.source import Source, read_source
from sandbox.task.card_precision import card_precision
from sandbox.task.metrics import pr_auc, roc_auc
from sandbox.world import RecordedWorld, build_world, label_times, load_world_class

__all__ = ["Fact", "Fold", "ReproduceReport", "ReproduceRow", "plan_fold", "reproduce"]

FILE = "reproduce.yaml"
DAY = 86400.0
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Fact:
    """A number of the data set, to be met exactly."""

    name: str
    published: int
    measured: int

    @property
    def passed(self) -> bool:
        """Whether they agree."""
        return self.published == self.measured


@dataclass(frozen=True)
class ReproduceRow:
    """One published figure beside the measured one."""

    model: str
    split: str
    metric: str
    published: float
    measured: float
    tolerance: float
    held: bool
    """Whether it must agree."""
    about: str

    @property
    def difference(self) -> float:
        """Measured minus published."""
        return self.measured - self.published

    @property
    def within(self) -> bool:
        """Whether the difference is within the tolerance."""
        return abs(self.difference) <= self.tolerance


@dataclass(frozen=True)
class ReproduceReport:
    """Published beside measured."""

    title: str
    source: str
    facts: tuple[Fact, ...]
    rows: tuple[ReproduceRow, ...]
    seconds: Mapping[str, float]
    """Time by step: ``data``, ``features``, ``models``."""

    @property
    def passed(self) -> bool:
        """Whether every fact is met and every figure that must agree is within tolerance."""
        figures = all(c.within for c in self.rows if c.held)
        return figures and all(fact.passed for fact in self.facts)


@dataclass(frozen=True)
class Fold:
    """Rows of one training and one test slice."""

    train: slice
    test: Ints


@dataclass(frozen=True)
class _Data:
    """The recording with its features."""

    recording: Batch
    features: NDArray[np.float32]
    key: Ints
    day: Ints
    """Days since the epoch."""


def reproduce(folder: Path, progress: Callable[[str], None] | None = None) -> ReproduceReport:
    """Reproduce the published record of the scenario in `folder`.

    Parameters
    ----------
    folder
        The scenario: ``reproduce.yaml`` beside ``scenario.yaml``, ``design.yaml``, ``world.py``.
    progress
        Told in a few words what comes next.

    Raises
    ------
    UsageError
        If there is no record, the files are wrong, or the world is no recording.
    """
    tell = progress or (lambda text: None)
    source = _record(folder)
    plan = build(Reproduction, source)
    scenario, design = _scenario(folder, plan, source)
    clock = [time.perf_counter()]
    tell("events")
    world = _recorded_world(folder, scenario)
    clock.append(time.perf_counter())
    tell("features")
    data = _prepare(world.recording, scenario, design, plan.protocol.key)
    clock.append(time.perf_counter())
    folds = {
        start: plan_fold(world.recording["event_time"], data.key, world.recording["label"],
                         _midnight(start), plan.protocol)
        for split in plan.splits.values()
        for start in split.starts
    }  # fmt: skip
    rows = []
    for number, contender in enumerate(plan.models, 1):
        tell(f"model {number} of {len(plan.models)}: {contender.name}")
        rows += _compare(contender, data, folds, plan)
    clock.append(time.perf_counter())
    steps = dict(zip(("data", "features", "models"), np.diff(clock).tolist(), strict=True))
    facts = _facts(plan, world, folds)
    return ReproduceReport(scenario.title, plan.source, facts, tuple(rows), steps)


def plan_fold(
    event_time: Floats, key: Ints, label: Floats, start: float, protocol: Protocol
) -> Fold:
    """Return the rows of the fold whose training begins at `start` [s since epoch], a midnight.

    A test day leaves out keys with a positive from `start` on that is known at the day's first
    moment: their cards are blocked by then, and finding them again would be no merit.

    Parameters
    ----------
    event_time
        Shape (n,), ascending [s since epoch].
    key, label
        Shape (n,).
    start, protocol
        First moment of training, and the lengths of the slices.
    """
    train_to = start + protocol.train
    test_from = train_to + protocol.delay
    edges = (start, train_to, test_from, test_from + protocol.test)
    first, stop, begin, end = (int(i) for i in np.searchsorted(event_time, edges))
    seen = slice(first, end)
    names, code = np.unique(key[seen], return_inverse=True)
    positive = label[seen] > 0
    caught = np.full(len(names), np.inf)
    np.minimum.at(caught, code[positive], event_time[seen][positive])
    times = event_time[begin:end]
    morning = start + np.floor((times - start) / DAY) * DAY
    kept = caught[code[begin - first :]] >= morning - protocol.delay
    return Fold(slice(first, stop), begin + np.flatnonzero(kept))


def _record(folder: Path) -> Source:
    if not (folder / FILE).is_file():
        raise UsageError(
            "nothing was published about this scenario",
            where=str(folder),
            expected=f"a file {FILE} in the folder",
        )
    return read_source(folder / FILE)


def _scenario(folder: Path, plan: Reproduction, source: Source) -> tuple[Scenario, Design]:
    scenario, _ = load_scenario(folder / "scenario.yaml")
    design, written = load_design(folder / "design.yaml")
    check_design(design, written, scenario)
    key = plan.protocol.key
    if key not in scenario.event.keys:
        known = f"one of {', '.join(scenario.event.keys)}"
        raise source.error(("protocol", "key"), "not a key column", got=key, expected=known)
    return scenario, design


def _recorded_world(folder: Path, scenario: Scenario) -> RecordedWorld:
    # A recording is the same whatever the seed.
    where, rng = str(folder / "scenario.yaml"), np.random.default_rng(0)
    world = build_world(load_world_class(folder), scenario.world, rng, where)
    if not isinstance(world, RecordedWorld):
        raise UsageError(
            "only a recording can be held against a record",
            where=str(folder / "world.py"),
            got=type(world).__name__,
            expected="a subclass of sandbox.world.RecordedWorld",
        )
    return world


def _prepare(recording: Batch, scenario: Scenario, design: Design, key: str) -> _Data:
    """Compute the features of the whole recording, with labels known when the scenario says."""
    times, label = recording["event_time"], recording["label"]
    known_at = label_times(times, label, scenario.labels, np.random.default_rng(0))
    known = np.isfinite(known_at)
    feed = recording.with_columns(label_time=known_at).take(known).sort("label_time")
    plan = FeaturePlan.compile(
        design.features, scenario.event, design.ingest.key, clean=design.clean
    )
    log = recording.with_columns(processing_time=times)
    features = compute_history(plan, log, feed)
    day = np.floor(times / DAY).astype(np.int64)
    return _Data(recording, features, recording[key].astype(np.int64), day)


def _compare(
    contender: Contender, data: _Data, folds: Mapping[dt.date, Fold], plan: Reproduction
) -> list[ReproduceRow]:
    starts = {s for name in contender.published for s in plan.splits[name].starts}
    measured = {s: _measure(contender, data, folds[s], plan.protocol.top) for s in starts}
    bounds, found = dict(plan.tolerance.items()), []
    for split, figures in contender.published.items():
        for metric, published in figures.items():
            mean = float(np.mean([measured[s][metric] for s in plan.splits[split].starts]))
            model, held, about = contender.name, contender.held, contender.about
            bound = bounds[metric]
            found.append(ReproduceRow(model, split, metric, published, mean, bound, held, about))
    return found


def _measure(contender: Contender, data: _Data, fold: Fold, top: int) -> dict[Any, float]:
    label = data.recording["label"]
    score = fit_and_score(
        contender, data.features[fold.train], label[fold.train], data.features[fold.test]
    )
    truth, key, day = label[fold.test], data.key[fold.test], data.day[fold.test]
    return {
        "roc_auc": roc_auc(truth, score),
        "pr_auc": pr_auc(truth, score),
        "card_precision": card_precision(truth, score, key, day, top),
    }


def _facts(
    plan: Reproduction, world: RecordedWorld, folds: Mapping[dt.date, Fold]
) -> tuple[Fact, ...]:
    label, codes = world.recording["label"], world.recording["mechanism"]
    counts = dict(zip(world.mechanisms, np.bincount(codes).tolist(), strict=False))
    found = [
        Fact("events", plan.facts.events, len(label)),
        Fact("positives", plan.facts.positives, int(label.sum())),
    ]
    for name, published in plan.facts.mechanisms.items():
        found.append(Fact(name, published, counts.get(name, 0)))
    for name, split in plan.splits.items():
        found += _split_facts(name, split, label, [folds[s] for s in split.starts])
    return tuple(found)


def _split_facts(name: str, split: Split, label: Floats, folds: list[Fold]) -> list[Fact]:
    measured = {
        "train_rows": sum(fold.train.stop - fold.train.start for fold in folds),
        "train_positives": sum(label[fold.train].sum() for fold in folds),
        "test_rows": sum(len(fold.test) for fold in folds),
        "test_positives": sum(label[fold.test].sum() for fold in folds),
    }
    found = []
    for what, value in measured.items():
        published = getattr(split, what)
        if published is not None:
            found.append(Fact(f"{name} {what.replace('_', ' ')}", published, int(value)))
    return found


def _midnight(date: dt.date) -> float:
    return dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC).timestamp()
