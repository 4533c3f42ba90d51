"""Panels about the data: volumes, fields, features as served, and single cases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sandbox.drills.duty import Duty
from sandbox.drills.table import Panel, PanelTable
from sandbox.pipeline.decide import DECISIONS
from sandbox.pipeline.schema import REASONS
from sandbox.report.live import trend
from sandbox.report.numbers import number, share
from sandbox.run.setup import DAY
from sandbox.spec.scenario import EventSchema

__all__ = ["data", "samples"]

DAYS = 14
CASES = 8
Rows = NDArray[np.int64]


def data(duty: Duty) -> Panel:
    """Volumes, what the schema refused, fields now and before, features as served."""
    tables = [_volumes(duty), _refused(duty), _fields(duty)]
    return Panel("data", tuple(t for t in tables if t.rows), tuple(_served(duty)))


def _span(duty: Duty, first: float, last: float) -> Rows:
    """Return the rows that arrived from `first` to `last` days ago."""
    log, now = duty.service.log, duty.prepared.scenario.start_time + duty.now
    span = log.rows_between(now - first * DAY, now - last * DAY)
    return np.arange(span.start, span.stop)


def _volumes(duty: Duty) -> PanelTable:
    counts = [float(len(_span(duty, back, back - 1))) for back in range(DAYS, 0, -1)]
    log = duty.service.log
    late = [
        float((log.column("processing_time")[rows] - log.column("event_time")[rows]).mean())
        for rows in (_span(duty, 8, 7), _span(duty, 1, 0))
        if len(rows)
    ]
    rows = [("events a day", trend(counts), number(counts[-8]), number(counts[-1]))]
    if len(late) == 2:
        rows.append(("seconds until it arrives, mean", "", number(late[0]), number(late[1])))
    return PanelTable("Volume", ("", "two weeks", "a week ago", "last day"), tuple(rows))


def _refused(duty: Duty) -> PanelTable:
    rows = []
    for reason in duty.metrics.names("invalid"):
        days, values = duty.metrics.series("invalid", reason)
        now = float(values[-1]) if days[-1] >= duty.now / DAY - 1e-6 else 0.0
        rows.append((reason, share(now), f"{days[0] - duty.arrival:+.0f}d"))
    return PanelTable("Refused by the schema", ("reason", "last day", "first seen"), tuple(rows))


def _fields(duty: Duty) -> PanelTable:
    """Medians and quartiles of the number fields, in all and by category."""
    schema, log = duty.prepared.scenario.event, duty.service.log
    before, now = _span(duty, DAYS, 7), _span(duty, 1, 0)
    rows = []
    for name, column in schema.columns.items():
        if column.type == "number":
            for text, keep_before, keep_now in _slices(duty, schema, before, now):
                then, today = (log.column(name)[keep_before], log.column(name)[keep_now])
                rows.append((name, text, _quartiles(then), _quartiles(today), _missing(today)))
        elif column.type == "category":
            for code, value in enumerate(column.values):
                then, today = (log.column(name)[r] == code for r in (before, now))
                rows.append((name, value, share(_mean(then)), share(_mean(today)), ""))
    head = ("field", "where", "the week before last", "last day", "missing")
    return PanelTable("Fields: quarter, median, three quarters; or share", head, tuple(rows))


def _slices(
    duty: Duty, schema: EventSchema, before: Rows, now: Rows
) -> Iterator[tuple[str, Rows, Rows]]:
    log = duty.service.log
    yield "all", before, now
    for name, column in schema.columns.items():
        if column.type == "category" and len(column.values) <= 4:
            codes = log.column(name)
            for code, value in enumerate(column.values):
                yield value, before[codes[before] == code], now[codes[now] == code]


def _quartiles(values: NDArray[np.float64]) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return "none"
    return " ".join(number(float(q)) for q in np.quantile(known, [0.25, 0.5, 0.75]))


def _missing(values: NDArray[np.float64]) -> str:
    gone = float(np.isnan(values).mean()) if len(values) else 0.0
    return share(gone) if gone > 0.0005 else ""


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def _served(duty: Duty) -> Iterator[str]:
    """Check whether scores follow from the log, and counts from the events."""
    log, rows = duty.service.log, _span(duty, 1, 0)
    rows = rows[(log.column("dead")[rows] == 0) & ~log.column("fallback")[rows]]
    if not len(rows):
        return
    version = log.column("version")[rows]
    again = np.empty(len(rows))
    for number_ in np.unique(version):
        mine = version == number_
        again[mine] = duty.lifecycle.model(int(number_)).predict(log.features[rows[mine]])
    same = np.isclose(again, log.column("score")[rows], atol=1e-9)
    yield f"scores of the last day that follow from the logged features: {same.mean():.1%}"
    names = duty.prepared.plan.names
    for feature in duty.prepared.design.features:
        if feature.operation == "count" and feature.by and not feature.delay:
            place = names.index(feature.names[0])
            agree = _recount(duty, rows, feature.by, feature.over[0], place)
            yield f"{feature.names[0]} of the last day that agree with a recount: {agree:.1%}"


def _recount(duty: Duty, rows: Rows, key: str, window: float, place: int) -> float:
    """Return the share of logged counts that the log's own events confirm."""
    log, now = duty.service.log, duty.prepared.scenario.start_time + duty.now
    span = log.rows_between(now - 2 * DAY - window, now)
    pool = np.arange(span.start, span.stop)
    pool = pool[log.column("dead")[pool] == 0]
    keys, times = log.column(key)[pool], log.column("event_time")[pool]
    order = np.lexsort((times, keys))
    keys, times = keys[order], times[order]
    begin = times.min()
    step = times.max() - begin + window + 1.0
    _, code = np.unique(keys, return_inverse=True)
    line = code * step + (times - begin)
    mine = np.searchsorted(np.unique(keys), log.column(key)[rows])
    at = mine * step + (log.column("event_time")[rows] - begin)
    low = np.maximum(at - window, mine * step - 0.5)
    count = np.searchsorted(line, at, "right") - np.searchsorted(line, low, "right")
    return float(np.isclose(count, log.features[rows, place], atol=1.01).mean())


def samples(duty: Duty) -> Panel:
    """Return reported positives that nobody had reviewed: what they share, and single cases."""
    log, epoch = duty.service.log, duty.prepared.scenario.start_time + duty.now
    known = log.bad(slice(None)) & (log.column("label_time") <= epoch)
    slipped = np.flatnonzero(known & ~log.column("worked"))
    happened = log.column("event_time")[slipped]
    live = happened >= duty.prepared.scenario.start_time
    recent = slipped[happened > epoch - 7 * DAY]
    earlier = slipped[live & (happened <= epoch - 7 * DAY)]
    newest = recent[np.argsort(-log.column("label_time")[recent], kind="stable")][:CASES]
    worked = _span(duty, 3, 0)
    worked = worked[log.column("worked")[worked] & (log.column("label_time")[worked] <= epoch)]
    worked = worked[np.argsort(-log.column("event_time")[worked], kind="stable")][:CASES]
    title = "Slipped through and reported since, by when it happened"
    head = ("", f"last week ({len(recent)})", f"before ({len(earlier)})")
    tables = (
        PanelTable(title, head, tuple(_common(duty, recent, earlier))),
        PanelTable("Reported last", _case_head(duty), tuple(_cases(duty, newest))),
        PanelTable("Reviewed last", _case_head(duty), tuple(_cases(duty, worked))),
    )
    scores = log.column("score")[recent[log.column("dead")[recent] == 0]]
    facts = []
    if len(scores):
        facts = [f"scores of last week's: {_quartiles(scores)} (quarter, median, three quarters)"]
    return Panel("samples", tables, (*facts, *_dead_letters(duty)))


def _common(duty: Duty, now: Rows, before: Rows) -> Iterator[tuple[str, ...]]:
    """Describe reported positives field by field, so that what changed stands out."""
    log, schema = duty.service.log, duty.prepared.scenario.event
    for name, column in schema.columns.items():
        values = [log.column(name)[rows] for rows in (now, before)]
        if column.type == "number":
            yield (name, *(_quartiles(v) for v in values))
        elif column.type == "category":
            for code, value in enumerate(column.values):
                yield (f"{name} {value}", *(share(_mean(v == code)) for v in values))
        elif column.type == "text":
            yield (f"characters of {name}", *(_quartiles(_lengths(v)) for v in values))
        else:
            yield (f"distinct {name} a case", *(_distinct(v) for v in values))
    hours = [(log.column("event_time")[rows] % DAY / 3600).astype(int) for rows in (now, before)]
    for text, first, last in (("0-6 h", 0, 6), ("6-18 h", 6, 18), ("18-24 h", 18, 24)):
        yield (text, *(share(_mean((h >= first) & (h < last))) for h in hours))
    ages = [
        (log.column("label_time")[r] - log.column("event_time")[r]) / DAY for r in (now, before)
    ]
    yield ("days until it was reported", *(_quartiles(age) for age in ages))


def _lengths(values: NDArray[np.bytes_]) -> NDArray[np.float64]:
    return np.strings.str_len(values).astype(np.float64)


def _distinct(values: Rows) -> str:
    return number(len(np.unique(values)) / len(values)) if len(values) else "none"


def _case_head(duty: Duty) -> tuple[str, ...]:
    return ("day", *duty.prepared.scenario.event.columns, "score", "decision", "label")


def _cases(duty: Duty, rows: Rows) -> Iterator[tuple[str, ...]]:
    log, start = duty.service.log, duty.prepared.scenario.start_time
    for row in rows:
        cells = []
        for name, column in duty.prepared.scenario.event.columns.items():
            value = log.column(name)[row]
            if column.type == "category":
                cells.append(column.values[int(value)] if value >= 0 else "")
            elif column.type == "text":
                cells.append(value.decode(errors="ignore"))
            else:
                cells.append(number(float(value)) if column.type == "number" else str(int(value)))
        day = (log.column("event_time")[row] - start - duty.drill.start) / DAY
        yield (f"{day:+.1f}d", *cells, duty.prepared.task.show(log.column("score")[row]),
               DECISIONS[log.column("decision")[row]],
               duty.prepared.task.show_label(log.column("label")[row]))  # fmt: skip


def _dead_letters(duty: Duty) -> Iterator[str]:
    codes = duty.service.log.column("dead")[_span(duty, 1, 0)]
    for code, count in enumerate(np.bincount(codes, minlength=len(REASONS))):
        if code and count:
            yield f"dead letters of the last day: {count:,} {REASONS[code]}"
