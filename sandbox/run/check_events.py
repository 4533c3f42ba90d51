"""The part of ``sandbox check`` that looks at events: schema, chance, labels, knobs, features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sandbox.batch import Batch
from sandbox.errors import VerdictError
from sandbox.pipeline.features.history import compute_history
from sandbox.pipeline.features.online import FeatureStore
from sandbox.run.setup import DAY, Prepared
from sandbox.run.traffic import BLOCK, Block, Traffic
from sandbox.spec.incidents import Drift, Incident
from sandbox.spec.units import format_duration
from sandbox.world import Knob

__all__ = ["check_blocks", "check_features", "check_knobs", "check_labels", "check_seeds"]

ENOUGH = 120_000
"""Events that are looked at [rows]; the whole history where it has fewer."""
FEW = 8
"""Blocks in which chance must show."""
LONG = 16
"""Blocks within which a knob must show."""


def check_blocks(prepared: Prepared) -> tuple[list[Block], str]:
    """Make events of consecutive blocks of the history and hold each block against the schema.

    Returns
    -------
    list of Block
        For further checks.
    str
        What was seen.

    Raises
    ------
    SandboxError
        If events do not conform, ids do not ascend, or there are none.
    """
    blocks, rows = [], 0
    for block in _blocks(prepared, -_history(prepared), 0):
        blocks.append(block)
        rows += len(block.truth)
        if rows >= ENOUGH:
            break
    if not rows:
        raise VerdictError(
            "no event happens before day 0", where=_world(prepared), hint="Look at `load.mean`."
        )
    days = len(blocks) * BLOCK / DAY
    return blocks, f"{rows:,} events of {days:.0f} days fit the schema"


def check_seeds(prepared: Prepared) -> str:
    """Make the same blocks again, and under another seed.

    Raises
    ------
    SandboxError
        If one seed gives two worlds, or two seeds one.
    """
    first = -_history(prepared)
    blocks = list(_blocks(prepared, first, first + FEW))
    for block, again in zip(blocks, _blocks(prepared, first, first + FEW), strict=True):
        differs = _difference(block.truth, again.truth)
        if differs:
            raise VerdictError(
                f"the same seed gives other events: {differs} differs",
                where=_world(prepared),
                hint="Take all chance from the generators that the world is given.",
            )
    start = prepared.scenario.start_time + first * BLOCK
    if Traffic(prepared).world.arrivals(start, start + BLOCK) is not None:
        return "the same under every seed: it plays a recording"
    other = _blocks(replace(prepared, seed=prepared.seed + 1), first, first + FEW)
    if not any(_difference(a.truth, b.truth) for a, b in zip(blocks, other, strict=True)):
        raise VerdictError(
            "another seed gives the same events",
            where=_world(prepared),
            hint="Take all chance from the generators that the world is given.",
        )
    return "the same seed gives the same events, another one others"


def check_labels(prepared: Prepared, blocks: list[Block]) -> str:
    """Look at how many events of each class there are, and when their labels come.

    Raises
    ------
    SandboxError
        If there is only one class, or a label comes before its event.
    """
    truth = Batch.concat([block.truth for block in blocks])
    label, delay = truth["label"], truth["label_time"] - truth["event_time"]
    classes = np.unique(label)
    allowed = prepared.task.label_values
    if allowed and not np.isin(classes, allowed).all():
        raise VerdictError(
            f"labels are not {' or '.join(f'{value:g}' for value in allowed)}",
            where=_world(prepared), got=classes[:5].tolist(),
        )  # fmt: skip
    if len(classes) < 2:
        raise VerdictError(
            "all events have the same label",
            where=_world(prepared),
            got=f"{len(label):,} times {classes[0]:g}",
            expected=f"different {prepared.task.cases} in the history",
        )
    missing = prepared.task.why_too_little(label, least=1)
    if missing:
        raise VerdictError(
            "nothing can be learnt from these labels",
            where=_world(prepared),
            got=f"{len(label):,} events, labels from {classes[0]:g} to {classes[-1]:g}",
            expected=f"{missing} in the history",
        )
    arriving = delay[np.isfinite(delay)]
    if not len(arriving) or arriving.min() < 0:
        raise VerdictError(
            "labels must come, and after their events",
            where=_world(prepared),
            got=f"{format_duration(float(arriving.min()))} after" if len(arriving) else "none",
        )
    soonest, median = float(arriving.min()), float(np.median(arriving))
    told = f"{prepared.task.describe_labels(label)}; known after {_days(median)} (median)"
    if soonest < BLOCK:
        told += f"; features meet labels with the next block of {format_duration(BLOCK)}"
    return told


def check_knobs(prepared: Prepared) -> str:
    """Turn every knob to its far end from day 0 on.

    Raises
    ------
    SandboxError
        If nothing moves, or events no longer fit the schema.
    """
    knobs = prepared.world_class.knobs
    if not knobs:
        return "none"
    usual = list(_blocks(prepared, 0, LONG))
    for knob in knobs:
        far = knob.high if knob.high - knob.neutral >= knob.neutral - knob.low else knob.low
        turned = _blocks(replace(prepared, incidents={"turned": _turn(knob, far)}), 0, LONG)
        if not any(_difference(a.truth, b.truth) for a, b in zip(usual, turned, strict=True)):
            raise VerdictError(
                f"knob {knob.name} moves nothing",
                where=_world(prepared),
                got=f"the same events at {far:g} as at {knob.neutral:g}",
                hint="Let the world read it, or leave it out.",
            )
    return f"events move with {', '.join(knob.name for knob in knobs)}"


def check_features(prepared: Prepared, blocks: list[Block]) -> str:
    """Compute the design's features online, block by block, and at once as training does.

    Raises
    ------
    SandboxError
        If one bit differs.
    """
    plan, store = prepared.plan, FeatureStore(prepared.plan)
    logs = [block.truth.with_columns(processing_time=block.truth["event_time"]) for block in blocks]
    log = Batch.concat(logs)
    end = prepared.scenario.start_time + blocks[-1].end
    names = (plan.id, "event_time", "label", "label_time", *plan.stages)
    labels = log.select(names).take(log["label_time"] < end).sort("label_time")
    due = np.searchsorted(
        labels["label_time"], [prepared.scenario.start_time + block.end for block in blocks]
    ).tolist()
    parts = [
        store.update(part, labels.slice(a, b))
        for part, a, b in zip(logs, [0, *due[:-1]], due, strict=True)
    ]
    online, history = np.concatenate(parts), compute_history(plan, log, labels)
    unequal = (online.view(np.uint32) != history.view(np.uint32)).any(axis=0)
    if unequal.any():
        raise VerdictError(
            "a feature is not the same online and in training",
            where=prepared.design_name,
            got=", ".join(n for n, bad in zip(plan.names, unequal, strict=True) if bad),
        )
    return f"{len(plan.names)} equal to the last bit on {len(log):,} events, {len(labels):,} labels"


def _blocks(prepared: Prepared, first: int, stop: int) -> Iterator[Block]:
    traffic = Traffic(prepared, thorough=True)
    for index in range(first, stop):
        yield traffic.block(index)


def _history(prepared: Prepared) -> int:
    return math.ceil(prepared.scenario.history / BLOCK)


def _turn(knob: Knob, to: float) -> Incident:
    return Incident(story="", drift=Drift(kind=knob.kind, knob=knob.name, to=to, at=0.0))


def _difference(one: Batch, other: Batch) -> str:
    """Return the first column in which two batches differ; empty if none does."""
    if one.names != other.names or len(one) != len(other):
        return "their number" if one.names == other.names else "the set of columns"
    for name in one.names:
        a, b = one[name], other[name]
        if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            return name
    return ""


def _world(prepared: Prepared) -> str:
    return str(prepared.folder / "world.py")


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.1f} days" if seconds >= DAY else format_duration(round(seconds))
