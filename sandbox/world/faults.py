"""Data faults: damage to events on their way in. The truth stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch, is_missing, missing_value
from sandbox.errors import UsageError, suggest
from sandbox.spec.incidents import DataFault, Incident
from sandbox.spec.scenario import EventSchema
from sandbox.world.filters import RowFilter

__all__ = ["DataFaultEngine"]

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
_RESEND = (1.0, 30.0)
"""A duplicate arrives this much later [s]: the usual time-outs of a producer that retries."""


@dataclass
class _Active:
    """A fault, what it hits, and the last value a stale field had."""

    name: str
    fault: DataFault
    rows: RowFilter
    decimals: int = 0
    last: Any = None

    def idle(self, start: float, end: float) -> bool:
        """Return whether it leaves ``[start, end)`` [s after day 0] alone and learns nothing."""
        over = self.fault.at + (np.inf if self.fault.for_ is None else self.fault.for_)
        return self.fault.kind != "stale" and (end <= self.fault.at or over <= start)

    def hit(self, batch: Batch, day_zero: float, rng: np.random.Generator) -> Mask:
        """Return the rows it hits; as many numbers are drawn whatever the time."""
        chance = rng.random(len(batch)) < self.fault.share
        since = batch["event_time"] - day_zero - self.fault.at
        end = np.inf if self.fault.for_ is None else self.fault.for_
        return chance & (since >= 0) & (since < end) & self.rows.mask(batch)


@dataclass
class _Damage:
    """A block on its way in: columns that change, and what happens to whole rows."""

    columns: dict[str, NDArray[Any]]
    delay: Floats
    kept: Mask
    resent: list[tuple[Mask, Floats]] = field(default_factory=list)


class DataFaultEngine:
    """Applies the data faults of a run, block by block.

    Conditions and shares look at the events as they happened, so that faults do not hide each
    other; faults change values in the order in which they are given.

    Parameters
    ----------
    incidents
        Active incidents by name; those without a data fault are ignored.
    schema
        Columns of the events.
    start_time
        Day 0 [s since epoch].

    Raises
    ------
    UsageError
        If a fault names an unknown field, one of the wrong type, or an unreadable condition.
    """

    def __init__(
        self, incidents: Mapping[str, Incident], schema: EventSchema, start_time: float
    ) -> None:
        self._schema = schema
        self._start = start_time
        self._held: list[Batch] = []
        self._active: list[_Active] = []
        self.turn(incidents)

    @property
    def held(self) -> int:
        """Events on their way that have not arrived yet."""
        return sum(len(batch) for batch in self._held)

    def end(self, name: str, at: float) -> None:
        """Let a fault end at `at` [s since day 0], because somebody upstream mended it."""
        for active in self._active:
            if active.name == name:
                lasts = max(at - active.fault.at, 0.0)
                active.fault = active.fault.model_copy(update={"for_": lasts})

    def turn(self, incidents: Mapping[str, Incident]) -> None:
        """Let other faults act; what is on its way still arrives.

        Raises
        ------
        UsageError
            As at birth; nothing changes then.
        """
        schema, last = self._schema, {active.name: active.last for active in self._active}
        turned = []
        for name, incident in incidents.items():
            if incident.fault is not None:
                place = f"incidents.{name}.fault"
                _check_field(incident.fault, schema, f"{place}.field")
                rows = RowFilter.parse(incident.fault.where, schema, f"{place}.where")
                column = schema.columns.get(incident.fault.field or "")
                decimals = column.decimals if column else 0
                turned.append(_Active(name, incident.fault, rows, decimals, last.get(name)))
        self._active = turned

    def apply(self, batch: Batch, start: float, end: float, rng: np.random.Generator) -> Batch:
        """Return what arrives in ``[start, end)``, in log order (order of `processing_time`).

        Parameters
        ----------
        batch
            Events of the block without truth columns, sorted by `event_time`.
        start, end
            Bounds of the block [s since epoch].
        rng
            Randomness of this block.

        Returns
        -------
        Batch
            The events with `processing_time`. A row that arrives after `end` comes in a later
            block; one that was held back earlier comes in this one. A renamed field is gone,
            and a column ``<field>_v2`` has its values; where only some rows were renamed, both
            columns are there, with missing values (NaN, -1) where the other one has the value.

        Raises
        ------
        ValueError
            If an event lies outside the block.
        """
        times = batch["event_time"]
        if len(times) and not (start <= times[0] and times[-1] < end):
            raise ValueError("expected events of the block")
        since, until = start - self._start, end - self._start
        if not self._held and all(active.idle(since, until) for active in self._active):
            return batch.with_columns(processing_time=times)
        damage = _Damage(
            columns={name: batch[name] for name in batch.names},
            delay=np.zeros(len(batch)),
            kept=np.ones(len(batch), dtype=bool),
        )
        for active in self._active:
            _damage(active, active.hit(batch, self._start, rng), damage, rng)
        return self._release([*self._held, *_arrivals(batch, damage)], end)

    def _release(self, waiting: Sequence[Batch], end: float) -> Batch:
        everything = _stack([b for b in waiting if len(b)] or list(waiting[-1:]))
        everything = everything.sort("processing_time")
        cut = int(np.searchsorted(everything["processing_time"], end, side="left"))
        late = everything.slice(cut, len(everything))
        self._held = [late] if len(late) else []
        return _without_hollow(everything.slice(0, cut), self._schema)


def _check_field(fault: DataFault, schema: EventSchema, where: str) -> None:
    if fault.field is None:
        return
    if fault.field not in schema.columns:
        raise UsageError(
            "unknown column",
            where=where,
            got=fault.field,
            expected=f"one of {', '.join(schema.columns)}",
            hint=suggest(fault.field, schema.columns),
        )
    if fault.kind == "unit_change" and schema.columns[fault.field].type != "number":
        numbers = [name for name, c in schema.columns.items() if c.type == "number"]
        raise UsageError(
            "only a number has a unit",
            where=where,
            got=fault.field,
            expected=f"one of {', '.join(numbers) or 'no column here'}",
        )


def _damage(active: _Active, hit: Mask, damage: _Damage, rng: np.random.Generator) -> None:
    """Let one fault do its work. The number of draws does not depend on what is hit."""
    fault, name, columns = active.fault, active.fault.field or "", damage.columns
    match fault.kind:
        case "nulls":
            columns[name] = _hollow(columns[name], hit)
        case "unit_change":
            changed = np.round(columns[name] * fault.factor, active.decimals)
            columns[name] = np.where(hit, changed, columns[name])
        case "stale":
            columns[name] = _stale(active, columns[name], hit)
        case "rename":
            if hit.any():
                earlier = columns.get(_renamed(name), _hollow(columns[name], ~hit))
                columns[_renamed(name)] = np.where(hit, columns[name], earlier)
                columns[name] = _hollow(columns[name], hit)
        case "late":
            damage.delay += hit * fault.delay
        case "out_of_order":
            damage.delay += hit * rng.random(len(hit)) * fault.delay
        case "duplicates":
            damage.resent.append((hit, rng.uniform(*_RESEND, size=len(hit))))
        case "thinning":
            damage.kept &= ~hit


def _renamed(name: str) -> str:
    return f"{name}_v2"


def _hollow(column: NDArray[Any], rows: Mask) -> NDArray[Any]:
    return np.where(rows, np.asarray(missing_value(column.dtype), dtype=column.dtype), column)


def _stale(active: _Active, column: NDArray[Any], hit: Mask) -> NDArray[Any]:
    """Repeat the last good value over the rows hit; remember it for the next block."""
    good = np.maximum.accumulate(np.where(hit, -1, np.arange(len(hit)))) if len(hit) else None
    if good is None:
        return column
    before = missing_value(column.dtype) if active.last is None else active.last
    repeated = np.where(good >= 0, column[np.maximum(good, 0)], np.asarray(before, column.dtype))
    active.last = repeated[-1]
    return repeated


def _arrivals(batch: Batch, damage: _Damage) -> list[Batch]:
    processing_time = batch["event_time"] + damage.delay
    sent = Batch({**damage.columns, "processing_time": processing_time})
    again = [
        sent.take(rows & damage.kept).with_columns(
            processing_time=(processing_time + later)[rows & damage.kept]
        )
        for rows, later in damage.resent
    ]
    return [sent.take(damage.kept), *again]


def _stack(batches: Sequence[Batch]) -> Batch:
    """Concatenate batches whose columns may differ: what one has not is missing there."""
    names: dict[str, NDArray[Any]] = {}
    for batch in batches:
        for name in batch.names:
            names.setdefault(name, batch[name])
    full = [
        batch.with_columns(
            **{
                name: np.full(len(batch), missing_value(column.dtype), dtype=column.dtype)
                for name, column in names.items()
                if name not in batch
            }
        )
        for batch in batches
    ]
    return Batch.concat([batch.select(names) for batch in full])


def _without_hollow(batch: Batch, schema: EventSchema) -> Batch:
    """Drop columns that rename emptied, or that nothing was moved to."""
    gone = []
    for name in schema.columns:
        other = _renamed(name)
        if other not in batch or not len(batch):
            continue
        moved, stayed = _all_missing(batch[other]), _all_missing(batch[name])
        gone += [other] if moved else [name] if stayed else []
    return batch.drop(*gone) if gone else batch


def _all_missing(column: NDArray[Any]) -> bool:
    return bool(np.all(is_missing(column)))
