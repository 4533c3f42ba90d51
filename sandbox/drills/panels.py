"""What an engineer on call can see: no truth that is not known yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sandbox.drills import panels_data, panels_model
from sandbox.drills.duty import Duty
from sandbox.drills.table import Panel, PanelTable
from sandbox.pipeline.decide import BLOCK as BLOCKED
from sandbox.report.live import trend
from sandbox.report.numbers import money, number, seconds, share, words
from sandbox.run.setup import DAY
from sandbox.spec.scenario import Cost

__all__ = ["alert_lines", "panel"]

WEEK = 7


def panel(duty: Duty, name: str) -> Panel:
    """Return one panel as it stands now.

    Parameters
    ----------
    name
        One of `sandbox.spec.drill.PANELS`.
    """
    makers: Mapping[str, Callable[[Duty], Panel]] = {
        "quality": panels_model.quality,
        "drift": panels_model.drift,
        "versions": panels_model.versions,
        "data": panels_data.data,
        "samples": panels_data.samples,
        "stream": _stream,
        "money": _money,
    }
    return makers[name](duty)


def alert_lines(duty: Duty, since: float) -> list[str]:
    """Return the alerts raised after `since` [s since day 0], in words."""
    arrival = duty.arrival
    return [f"day {a.day - arrival:+.0f}  {a.text}" for a in duty.alerts if a.day > since / DAY]


def _stream(duty: Duty) -> Panel:
    """Load, lag and latency in quarters of a day, for two days."""
    now = duty.now / DAY
    quarters = [now - 0.25 * back for back in range(7, -1, -1)]
    wanted: Sequence[tuple[str, str, Callable[[float], str], bool]] = (
        ("load", "events/s, mean", number, False), ("lag", "unread events, most", number, True),
        ("latency_p99", "event to decision, worst p99", seconds, True),
        ("answered", "answered in time, least", share, False),
    )  # fmt: skip
    rows = [
        (text, *(show(v) for v in _quarterly(duty, metric, "", quarters, most)))
        for metric, text, show, most in wanted
    ]
    for stage in duty.metrics.names("utilisation"):
        values = _quarterly(duty, "utilisation", stage, quarters, True)
        rows.append((f"busiest worker, {words(stage)} stage", *map(share, values)))
    head = ("", *(f"{(q - duty.arrival):+.2f}d" for q in quarters))
    _, hottest = duty.metrics.series("hottest_partition")
    partitions = duty.prepared.design.ingest.partitions
    facts = (
        f"{duty.stack.workers} workers a stage, {partitions} partitions",
        f"the hottest partition gets {hottest[-1]:.0%} of the events; {1 / partitions:.0%} is fair",
        f"{duty.stack.shed:.0%} of the load is shed",
    )
    table = PanelTable("Until then, in quarters of a day", head, tuple(rows))
    return Panel("stream", (table,), facts)


def _quarterly(
    duty: Duty, metric: str, series: str, ends: Sequence[float], most: bool
) -> list[float]:
    days, values = duty.metrics.series(metric, series)
    found = []
    for end in ends:
        mine = values[(days >= end - 0.25 - 1e-9) & (days < end - 1e-9)]
        mine = mine[np.isfinite(mine)]
        if metric == "load":
            found.append(float(mine.mean()) if len(mine) else np.nan)
        else:
            found.append(float(mine.max() if most else mine.min()) if len(mine) else np.nan)
    return found


def _money(duty: Duty) -> Panel:
    """Return what is known of money: losses by the day of the report, complaints, reviews."""
    log, start = duty.service.log, duty.prepared.scenario.start_time
    now, days = duty.now, 2 * WEEK
    last = int(now // DAY)
    first = max(last - days, 0)
    edges = start + DAY * np.arange(first, last + 1)
    rows = duty.service.live_rows()
    reported = log.column("label_time")[rows]
    known = (reported <= start + now) & log.bad(rows)
    blocked = log.column("decision")[rows] == BLOCKED
    missed = known & ~blocked & ~log.column("worked")[rows]
    arrived = log.column("processing_time")[rows]
    cost = log.column("cost_missed")[rows]
    refused = blocked & ~log.bad(rows)
    lines: list[tuple[str, Sequence[float], Callable[[float], str]]] = [
        (
            "losses reported",
            np.histogram(reported[missed], edges, weights=cost[missed])[0].tolist(),
            money,
        ),
        ("cases reported", np.histogram(reported[missed], edges)[0].tolist(), number),
        ("refused", np.histogram(arrived[blocked], edges)[0].tolist(), number),
        ("complaints of refused", np.histogram(arrived[refused], edges)[0].tolist(), number),
    ]
    for series, text in (("worked", "reviews worked"), ("overflow", "reviews left over")):
        _, counts = duty.metrics.series("reviews", series)
        lines.append((text, counts[-days:].tolist(), number))
    rows_shown = tuple(
        (text, trend(values), *(show(v) for v in values[-WEEK:])) for text, values, show in lines
    )
    labels = (f"{d + 1 - duty.arrival:+.0f}d" for d in range(max(first, last - WEEK), last))
    head = ("by day", "two weeks", *labels)
    prices, task = duty.prepared.scenario.costs, duty.prepared.task
    budget = duty.drill.budget.money
    facts = (
        f"{task.name_loss('missed')}: {_price(prices.missed)} each; "
        f"{task.name_loss('false_declines')}: {_price(prices.false_decline)} each; "
        f"a review: {money(prices.review)}",
        f"spent on acting {money(duty.price)} of {money(budget)}",
    )
    return Panel("money", (PanelTable("As known now", head, rows_shown),), facts)


def _price(cost: Cost) -> str:
    """Return a cost as people say it: ``amount + 25 USD``."""
    parts = [name if price == 1 else f"{price:g} x {name}" for name, price in cost.per.items()]
    return " + ".join([*parts, money(cost.fixed)] if cost.fixed or not parts else parts)
