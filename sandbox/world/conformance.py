"""Whether what a world emits fits the schema that its scenario promises."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch, is_missing
from sandbox.spec.scenario import Column, EventSchema
from sandbox.world.contract import World

__all__ = ["check_events"]


def check_events(
    batch: Batch, event_time: NDArray[np.float64], schema: EventSchema, world: type[World]
) -> tuple[str, ...]:
    """Return what is wrong with a block of events, one sentence each; empty when it conforms.

    Parameters
    ----------
    batch
        What `World.events` returned.
    event_time
        The arrival times that it was given, shape (n,) [s since epoch].
    schema
        The schema of the scenario.
    world
        The class, for its mechanisms.
    """
    wanted = (schema.id, "event_time", *schema.columns, "label", "mechanism")
    absent = [name for name in wanted if name not in batch]
    if absent:
        return (f"missing columns: {', '.join(absent)}",)
    extra = [name for name in batch.names if name not in (*wanted, "label_time")]
    problems = [f"columns that the schema does not know: {', '.join(extra)}"] if extra else []
    if not np.array_equal(batch["event_time"], event_time):
        return (*problems, "event_time differs from the arrival times")
    if len(np.unique(batch[schema.id])) != len(batch):
        problems.append(f"{schema.id} repeats")
    if not np.isfinite(batch["label"]).all():
        problems.append("label is not finite")
    codes = batch["mechanism"]
    if len(codes) and not (codes.min() >= 0 and codes.max() < len(world.mechanisms)):
        problems.append("mechanism is not an index into World.mechanisms")
    for name, column in schema.columns.items():
        problems += [f"{name} {text}" for text in _column(batch[name], column)]
    return tuple(problems)


def _column(values: NDArray[np.generic], column: Column) -> Iterator[str]:
    kind = np.dtype(column.dtype).kind
    if values.dtype.kind != kind:
        wanted = {"f": "float64", "S": f"bytes ({column.dtype})"}.get(kind, "an integer")
        yield f"has type {values.dtype}, expected {wanted}"
        return
    missing = is_missing(values)
    if missing.any() and not column.nullable:
        yield "is missing in places, and the schema says it never is"
    if column.type == "text":
        if values.dtype.itemsize > column.max_bytes:
            yield f"has up to {values.dtype.itemsize} bytes, the schema allows {column.max_bytes}"
        return
    known = values[~missing].astype(np.float64)
    low = column.min if column.type == "number" else 0
    high = len(column.values) - 1 if column.type == "category" else column.max
    if len(known) and low is not None and known.min() < low:
        yield f"goes down to {known.min():g}, the schema allows {low:g}"
    if len(known) and high is not None and known.max() > high:
        yield f"goes up to {known.max():g}, the schema allows {high:g}"
