"""Panels about the model: its quality as known now, drift of its inputs, its versions."""

from __future__ import annotations

import numpy as np

from sandbox.drills.duty import Duty
from sandbox.drills.table import Panel, PanelTable
from sandbox.monitor.quality import known_labels
from sandbox.pipeline.decide import BLOCK, REVIEW
from sandbox.report.live import trend
from sandbox.report.numbers import number, share, words
from sandbox.report.numbers import quality as shown
from sandbox.run.setup import DAY
from sandbox.spec.features import CALENDAR

__all__ = ["drift", "quality", "versions"]

DAYS = 14
VISIBLE = ("observed", "estimated")
MOST = 10


def quality(duty: Duty) -> Panel:
    """Quality by the labels that are there, and by the scores alone."""
    arrival = duty.arrival
    rows = []
    for metric in duty.prepared.task.watched:
        for view in VISIBLE:
            days, values = duty.metrics.series(metric, view)
            if len(values):
                rows.append(
                    (words(metric), view, trend(values[-DAYS:].tolist()), shown(values[-1]),
                     shown(values[-8] if len(values) > 7 else np.nan),
                     f"{days[-1] - arrival:+.0f}d")
                )  # fmt: skip
    head = ("metric", "view", "two weeks", "now", "a week before", "speaks to day")
    tables = [PanelTable("Over a rolling week", head, tuple(rows)), _desk(duty)]
    maturity = duty.watch.maturity / DAY
    facts = (
        f"observed: events at least {maturity:.0f} days old, labels known now; "
        "estimated: what the scores promise, if they can be believed",
    )
    return Panel("quality", tuple(tables), facts)


def _desk(duty: Duty) -> PanelTable:
    """Yesterday's reviews and before: the fastest labels there are."""
    log, start = duty.service.log, duty.prepared.scenario.start_time
    rows = []
    for back in range(DAYS // 2, 0, -1):
        end = start + duty.now - (back - 1) * DAY
        span = log.rows_between(end - DAY, end)
        worked = log.column("worked")[span]
        known = worked & (log.column("label_time")[span] <= start + duty.now)
        decision = log.column("decision")[span]
        hits = log.bad(span)[known]
        rows.append(
            (f"{(end - start) / DAY - duty.arrival:+.0f}d", number(len(worked)),
             number(int((decision == REVIEW).sum())), number(int((decision == BLOCK).sum())),
             number(int(worked.sum())), share(float(hits.mean()) if len(hits) else None))
        )  # fmt: skip
    head = ("day", "events", "sent to review", "refused", "worked", "of these bad")
    return PanelTable("The review desk", head, tuple(rows))


def drift(duty: Duty) -> Panel:
    """How far inputs and scores have moved since the champion's reference."""
    found = []
    for subject in duty.metrics.names("psi"):
        if subject in CALENDAR:  # a clock says when it is, not how things are
            continue
        _, values = duty.metrics.series("psi", subject)
        _, other = duty.metrics.series("js", subject)
        found.append((float(values[-1]), subject, values, other))
    found.sort(key=lambda row: -row[0])
    rows = tuple(
        (subject, trend(values[-DAYS:].tolist()), number(values[-1]), number(values[-2:-1].mean()
         if len(values) > 1 else np.nan), number(other[-1]) if len(other) else "")
        for _, subject, values, other in found[:MOST]
    )  # fmt: skip
    missing = []
    for subject in duty.metrics.names("missing"):
        _, values = duty.metrics.series("missing", subject)
        if values[-1] > 0.001:
            missing.append((subject, trend(values[-DAYS:].tolist()), share(float(values[-1]))))
    tables = [PanelTable("The ten that moved most", ("input", "two weeks", "PSI", "the day before",
                         "JS"), rows)]  # fmt: skip
    if missing:
        tables.append(PanelTable("Missing", ("input", "two weeks", "now"), tuple(missing)))
    return Panel(
        "drift", tuple(tables), ("PSI over 0.25 counts as a shift; a shift is no harm yet",)
    )


def versions(duty: Duty) -> Panel:
    """Every version, what the gate said, and how champion and challenger do on known labels."""
    arrival = duty.arrival
    rows = []
    for record in duty.lifecycle.records:
        gate = duty.prepared.task.gate_metric
        state = {duty.lifecycle.champion: "champion", duty.lifecycle.challenger: "challenger"}
        rows.append(
            (f"v{record.version}", state.get(record.version, ""),
             f"{record.trained_day - arrival:+.1f}d",
             f"{record.train_from_day - arrival:+.0f}d to {record.train_to_day - arrival:+.0f}d",
             f"{record.positives} of {record.rows:,}", shown(record.offline.get(gate)),
             shown(record.offline_champion.get(gate)), "passed" if record.gate_passed else "failed")
        )  # fmt: skip
    task = duty.prepared.task
    head = ("version", "", "trained", "on events of", task.cases,
            f"offline {words(task.gate_metric)}", "champion then", "gate")  # fmt: skip
    tables = [PanelTable("Versions", head, tuple(rows))]
    if duty.lifecycle.challenger:
        tables.append(_side_by_side(duty))
    champion = duty.lifecycle.model(duty.lifecycle.champion)
    rules = "; ".join(duty.service.rules) or "none"
    facts = (
        f"review above {_level(champion.review_above)}, block above {_level(champion.block_above)}",
        f"rules: {rules}", duty.lifecycle.describe(),
        *(f"v{r.version}: {' '.join(r.reasons)}" for r in duty.lifecycle.records[-2:]),
    )  # fmt: skip
    return Panel("versions", tuple(tables), facts)


def _level(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "nothing"


def _side_by_side(duty: Duty) -> PanelTable:
    """Hold both against the events that neither was trained on, by the labels known now."""
    life, log, start = duty.lifecycle, duty.service.log, duty.prepared.scenario.start_time
    epoch = start + duty.now
    trained = life.records[life.challenger - 1].trained_day
    rows = []
    for text, since in (("since the challenger was trained", trained), ("the last two days",
                        duty.now / DAY - 2), ("the last week", duty.now / DAY - 7)):  # fmt: skip
        span = log.rows_between(start + since * DAY, epoch)
        names = ("label", "label_time", "hidden", "dead", "event_time")
        view = log.view(names, span)
        view = view.with_columns(row=np.arange(span.start, span.stop))
        label = known_labels(view, epoch, duty.prepared.scenario.labels.absence_means)
        usable = (view["dead"] == 0) & ~np.isnan(label)
        kept, label = view.take(usable), label[usable]
        day = np.floor((kept["event_time"] - start) / DAY).astype(np.int64)
        features = log.features[kept["row"]]
        task = duty.prepared.task
        both = [
            task.measure([task.primary, task.gate_metric], label, life.model(n).predict(features),
                         day=day, capacity=duty.watch.capacity,
                         spread=life.model(n).spread(features), group=log.groups(kept["row"]))
            for n in (life.champion, life.challenger)
        ]  # fmt: skip
        for metric in (task.primary, task.gate_metric):
            rows.append(
                (text, words(metric), number(task.cases_in(label)),
                 *(shown(one[metric]) for one in both))
            )  # fmt: skip
    numbers = (f"v{life.champion}", f"v{life.challenger}")
    return PanelTable(
        "Champion and challenger on the labels known now",
        ("events of", "metric", f"{task.cases} known", *numbers), tuple(rows),
    )  # fmt: skip
