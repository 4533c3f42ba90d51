"""Measure what work costs on this machine: a batch of n takes ``call + event * n``."""

from __future__ import annotations

import datetime as dt
import gc
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.capacity.drive import Driven, drive
from sandbox.capacity.plant import texts_hashed
from sandbox.pipeline.decide import decide, decide_slates
from sandbox.pipeline.features.online import warm_up
from sandbox.pipeline.handler import Handler
from sandbox.simulate.network_kernels import COOLED
from sandbox.spec.capacity import CostLine, Produced, Profile
from sandbox.spec.scenario import EventSchema
from sandbox.task.ranking import PLACES

__all__ = [
    "SIZES", "StepTimer", "Supply", "between", "calibrate", "fit_line", "machine", "pauses",
    "ready", "with_broker",
]  # fmt: skip

Floats = NDArray[np.float64]
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
REPEATS = 60
BROKER_REPEATS = 20
KEYS = 5_000
HISTORY = 60_000
"""Events that the state holds before anything is timed."""
STEPS = ("decode", "check", "text", "feature", "score", "decide", "encode")
"""What is timed, in a worker's order."""
SHORTEST_PAUSE = 0.001
IDLED, WHOLE = 1, 2
"""Ways of timing a batch besides step by step and without a pause, which is 0."""
SHIFT, SHIFT_RATE = 3.0, 50_000.0
"""For pauses a worker is watched so long [s] at so many events a second."""
SHIFT_BATCH = (500, 0.005)


def fit_line(sizes: Sequence[int], seconds: Sequence[Floats] | Floats) -> CostLine:
    """Fit ``call + event * n`` to measured times, each batch size counting equally.

    Parameters
    ----------
    sizes
        Batch sizes n.
    seconds
        Times [s] of each size, some samples each.

    Notes
    -----
    Least squares of relative errors of the medians; spread is that of samples within their size.
    """
    middle = np.array([np.median(values) for values in seconds])
    n = np.asarray(sizes, dtype=np.float64)
    design = np.stack((1.0 / middle, n / middle), axis=1)
    (call, event), *_ = np.linalg.lstsq(design, np.ones(len(n)), rcond=None)
    call, event = max(float(call), 0.0), max(float(event), 1e-10)
    noise = np.concatenate([values / np.median(values) for values in seconds])
    kept = noise[noise < np.quantile(noise, 0.99)]  # the rest are pauses
    return CostLine(call=call, event=event, spread=float(np.std(kept)))


class Supply:
    """Messages of events that fit a schema, in order of time, as many as one asks for.

    The first `HISTORY` of them are older than the longest window: after them a state forgets as
    much as it learns, as in a worker long in service.
    """

    def __init__(self, handler: Handler, schema: EventSchema, rng: np.random.Generator) -> None:
        self._codec, self._schema, self._rng = handler.codec, schema, rng
        stages = handler.pipeline.plan.stage_plans
        spans = [window.delay + window.over for stage in stages for window in stage.windows]
        longest = max((span for span in spans if np.isfinite(span)), default=600.0)
        self._step, self._now, self._next = 1.25 * longest / HISTORY, 1.7e9, 0

    def take(self, number: int) -> list[bytes]:
        """Return the next messages."""
        schema, rng = self._schema, self._rng
        times = self._now + np.cumsum(rng.exponential(self._step, number))
        ids = np.arange(self._next, self._next + number)
        columns: dict[str, NDArray[np.generic]] = {
            schema.id: ids, "event_time": times, "processing_time": times,
        }  # fmt: skip
        for name, column in schema.columns.items():
            if column.type == "key":
                columns[name] = rng.integers(0, KEYS, number)
            elif column.type == "category":
                columns[name] = rng.integers(0, len(column.values), number).astype(np.int16)
            elif column.type == "text":
                columns[name] = _messages(number, column.max_bytes, rng)
            else:
                low = column.min if column.min is not None else 0.0
                high = column.max if column.max is not None else low + 1000.0
                columns[name] = rng.uniform(low, high, number).round(column.decimals)
        self._now, self._next = float(times[-1]), self._next + number
        return self._codec.encode(Batch(columns))


def _messages(number: int, most: int, rng: np.random.Generator) -> NDArray[np.bytes_]:
    """Return texts of words of five letters."""
    letters = rng.integers(ord("a"), ord("z") + 1, (number, most), dtype=np.uint8)
    letters[:, 5::6] = ord(" ")
    return letters.view(f"S{most}").ravel()


def calibrate(
    handler: Handler,
    schema: EventSchema,
    number_of_trees: int,
    reference: Profile,
    progress: Callable[[float], None] = lambda share: None,
) -> Profile:
    """Return this machine's profile; what only a broker can tell stays as in `reference`.

    Every step is timed where it happens, one after the other in a worker's batch, so that caches
    are as warm as they are there; each batch size right after another batch, after a moment of
    idleness, and without stopwatches in between. Sizes come in a random order: a slow moment of
    the machine hits all alike.
    """
    rng = np.random.default_rng(0)
    supply = Supply(handler, schema, rng)
    timer = ready(handler, supply)
    took, size = np.empty((2, len(SIZES), REPEATS, len(STEPS))), 0.0
    whole = np.empty((len(SIZES), REPEATS))
    for repeat in range(REPEATS):
        messages = supply.take(3 * sum(SIZES))
        size += sum(map(len, messages)) / len(messages) / REPEATS
        gc.freeze()  # the log is not the worker's: its collections would look at every message
        at = 0
        for place in rng.permutation(3 * len(SIZES)).tolist():
            way, place = divmod(place, len(SIZES))
            batch = messages[at : at + SIZES[place]]
            at += SIZES[place]
            if way == WHOLE:
                whole[place, repeat] = timer.whole(batch)
                continue
            if way == IDLED:
                time.sleep(COOLED)
            took[way, place, repeat] = timer.take(batch)
        progress((repeat + 1) / REPEATS)
    # What happens between the steps counts as deciding.
    between = whole - took[0, :, :, :-1].sum(axis=2)
    took[:, :, :, STEPS.index("decide")] += np.maximum(np.median(between, axis=1), 0.0)[:, None]
    due = np.cumsum(rng.exponential(1.0 / SHIFT_RATE, round(SHIFT * SHIFT_RATE)))
    driven = drive(handler, supply.take(len(due)), due, *SHIFT_BATCH)
    profile = _profile(took, size, handler, number_of_trees, reference)
    every, length = pauses(driven, reference)
    return profile.model_copy(update={"pause_every": every, "pause": length})


def with_broker(profile: Profile, handler: Handler, schema: EventSchema, address: str) -> Profile:
    """Return the profile with what fetching and producing cost with a broker.

    Raises
    ------
    SandboxError
        If no broker answers there.
    """
    from sandbox.adapters.kafka import time_broker  # only here: the client takes a while to load

    messages = Supply(handler, schema, np.random.default_rng(0)).take(max(SIZES))
    sent, fetched = time_broker(address, messages, SIZES, BROKER_REPEATS)
    return profile.model_copy(
        update={
            "send": fit_line(SIZES, sent),
            "fetch": fit_line(SIZES, fetched),
            "produced": Produced(none=0.0, leader=0.0, all=0.0),
            "notes": (
                f"fetch and send were measured with the broker at {address}; a batch waits there "
                "until all replicas in step have it, so hops have no wait of their own.",
                "append is that of the reference profile.",
            ),
        }
    )


def between(first: Profile, second: Profile) -> Profile:
    """Return the middle of two measurements of one machine."""
    middle: dict[str, object] = {
        name: CostLine(**{
            part: (getattr(getattr(first, name), part) + getattr(getattr(second, name), part)) / 2
            for part in CostLine.model_fields
        })
        for name in STEPS
    }  # fmt: skip
    for name in ("cold", "pause_every", "pause"):
        middle[name] = (getattr(first, name) + getattr(second, name)) / 2
    return first.model_copy(update=middle)


def ready(handler: Handler, supply: Supply) -> StepTimer:
    """Compile, fill the state and go through every batch size once; return what times batches."""
    warm_up(handler.pipeline.plan)
    timer = StepTimer(handler)
    for size in (*[HISTORY // 10] * 10, *SIZES):
        timer.take(supply.take(size))
    gc.collect()
    gc.freeze()  # as a worker does once it is up: collections need not look at what stays
    return timer


class StepTimer:
    """A handler's work, step by step under a stopwatch."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._codec, self._pipeline = handler.codec, handler.pipeline
        self._serving = handler.serving

    def whole(self, messages: Sequence[bytes]) -> float:
        """Handle a batch as a worker does; return how long it took [s]."""
        began = time.perf_counter()
        self._handler.handle(messages)
        return time.perf_counter() - began

    def take(self, messages: Sequence[bytes]) -> Floats:
        """Handle a batch; return how long each of `STEPS` took [s]."""
        pipeline, marks = self._pipeline, [time.perf_counter()]
        events = self._codec.decode(messages)
        marks.append(time.perf_counter())
        valid, _ = pipeline.check.check(events)
        marks.append(time.perf_counter())
        cleaned = pipeline.plan.cleaner.clean(valid)
        features = pipeline.store.of_rows(cleaned)
        marks.append(time.perf_counter())
        pipeline.store.fold(cleaned, None, features)
        marks.append(time.perf_counter())
        score, spread = self._serving.score(features), self._serving.spread(features)
        marks.append(time.perf_counter())
        risk, slate = score if spread is None else spread, pipeline.plan.slate
        decided = (
            decide(risk, self._serving.thresholds)
            if slate is None
            else decide_slates(score, features[:, slate.request], PLACES)
        )
        version = np.zeros(len(valid), dtype=np.int16)
        ids = valid[pipeline.plan.id]
        self._codec.encode_decisions(ids, decided.decision, score, version)
        marks.append(time.perf_counter())
        self._codec.encode(valid)
        marks.append(time.perf_counter())
        took, at = np.diff(marks), STEPS.index("text")
        if not pipeline.plan.hashed:  # then it is a part of the other features
            took[at], took[at + 1] = 0.0, took[at] + took[at + 1]
        return took


def _lines(warm: Floats, handler: Handler, reference: Profile) -> dict[str, CostLine]:
    """Return what a batch costs in every step."""
    plan = handler.pipeline.plan
    stages, columns = len(plan.stage_plans), len(plan.names) - sum(r.into for r in plan.hashed)
    lines = {name: fit_line(SIZES, warm[:, :, place]) for place, name in enumerate(STEPS)
             if name != "text" or plan.hashed}  # fmt: skip
    lines["feature"] = _apart(lines["feature"], max(columns, 1), stages)
    lines["text"] = _apart(lines["text"], texts_hashed(plan), 1) if plan.hashed else reference.text
    return lines


def _profile(
    took: Floats, size: float, handler: Handler, number_of_trees: int, reference: Profile
) -> Profile:  # fmt: skip
    """Return what times of shape (2, sizes, repeats, steps) come to; the second half idled."""
    warm = took[0]
    lines = _lines(warm, handler, reference)
    cooled = np.median(took[1].sum(axis=2), axis=1) / np.median(warm.sum(axis=2), axis=1)
    return reference.model_copy(
        update={
            **lines,
            "score": _apart(lines["score"], number_of_trees, 1),
            "machine": machine(),
            "measured": dt.datetime.now(dt.UTC).date(),
            "notes": (
                "fetch, send, append and hops are those of the reference profile: no broker was "
                "asked.",
            ),
            "cold": max(float(np.median(cooled)) - 1.0, 0.0),
            "event_bytes": size,
        }
    )


def _apart(line: CostLine, pieces: float, stages: int) -> CostLine:
    """Return what one column or tree adds to an event, and one stage to a batch."""
    return line.model_copy(
        update={"call": line.call / max(stages, 1), "event": line.event / pieces}
    )


def pauses(driven: Driven, reference: Profile) -> tuple[float, float]:
    """Return the mean time between pauses and their length [s].

    A pause is what makes a batch twice as long as usual and at least `SHORTEST_PAUSE` longer.
    """
    number, took = driven.batches
    # An overloaded machine takes whole batches only: they are of one size, and tell of no line.
    degree = min(1, len(np.unique(number)) - 1)
    usual = np.polyval(np.polyfit(number, took, degree, w=1.0 / took), number)
    over = took - usual
    paused = over > np.maximum(usual, SHORTEST_PAUSE)
    if not paused.any():
        return reference.pause_every, reference.pause
    return float(driven.length / paused.sum()), float(over[paused].mean())


def machine() -> str:
    """Return processor, cores and versions on one line."""
    info, name = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    libraries = ", ".join(
        f"{library} {importlib.metadata.version(library)}" for library in ("numpy", "msgspec")
    )
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"
