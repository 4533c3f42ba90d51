"""The system that serves: pipeline, decision log, review desk and ledger, fed block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch, missing_value
from sandbox.monitor import CostLedger, cost_of
from sandbox.pipeline.decide import BLOCK as BLOCKED
from sandbox.pipeline.decide import DECISIONS, REVIEW, ReviewQueue, Thresholds, uniforms
from sandbox.pipeline.pipeline import Decided, Pipeline, Rule, Serving
from sandbox.pipeline.schema import REASONS
from sandbox.run.feedback import LabelFeed
from sandbox.run.lifecycle import Deciders
from sandbox.run.log import Columns, DecisionLog
from sandbox.run.serving_faults import ServingFaults
from sandbox.run.setup import DAY, Prepared
from sandbox.run.shown import ShownClicks, measures_of_shown
from sandbox.run.traffic import BLOCK, Block
from sandbox.simulate.stack import BUCKET, StackSample
from sandbox.spec.scenario import Scenario

__all__ = ["Service", "serving"]

_ANSWERING = 1
"""Offset of the random numbers that say which events the model answers in time."""
_TRUTH: Mapping[str, Any] = {
    "label": np.float64,
    "label_time": np.float64,
    "mechanism": np.int8,
    "cost_missed": np.float64,
    "cost_false_decline": np.float64,
}


class Service:
    """Everything between an event's arrival and what it cost.

    Attributes
    ----------
    log
        Every answered event, history included.
    ledger
        Costs since day 0.
    counts
        Events since day 0 by fate.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared, scenario = prepared, prepared.scenario
        self._schema, self._start = scenario.event, scenario.start_time
        self._pipeline = Pipeline(scenario.event, prepared.design, prepared.seed)
        expected = _expected_rows(prepared)
        kinds = {name: c.dtype for name, c in scenario.event.columns.items()}
        self.log = DecisionLog(
            {scenario.event.id: np.int64, **kinds},
            len(prepared.plan.names),
            expected,
            prepared.task,
            scenario.event.request,
        )
        self._truth = Columns({scenario.event.id: np.int64, **_TRUTH}, expected)
        self._feed = LabelFeed(prepared, self.log)
        review = prepared.design.decision.review
        self._queue = ReviewQueue(
            review.capacity if review else 0.0, scenario.labels.review_turnaround
        )
        self._silencing = np.array([name in scenario.labels.missing_when for name in DECISIONS])
        self.ledger = CostLedger(scenario.costs)
        self.counts: Counter[str] = Counter()
        self._shown = ShownClicks()
        self.faults = ServingFaults(prepared, self.log)
        self.rules: dict[str, Rule] = {}
        """Rules in force by their condition."""
        self._live_from = 0
        self._closed = 0
        self._refused: list[NDArray[np.int8]] = []
        self._today: dict[tuple[str, str], float] = {}
        self._accepted_today = 0
        self.worked_today = 0

    @property
    def events(self) -> int:
        """Events answered since day 0."""
        return len(self.log) - self._live_from

    def explore(self, share: float) -> None:
        """Let this share of would-be blocked events through from now on."""
        self._pipeline.decider.explore = share

    def live_rows(self) -> slice:
        """Return the rows of the log since day 0."""
        return slice(self._live_from, len(self.log))

    def good_blocked(self) -> float:
        """Return the share of events blocked that were not bad; NaN if all were."""
        rows = self.live_rows()
        negative = ~self.log.bad(rows)
        blocked = self.log.column("decision")[rows] == BLOCKED
        negatives = int(negative.sum())
        return float((negative & blocked).sum() / negatives) if negatives else float("nan")

    def remember(self, block: Block) -> None:
        """Take a block of history: features and labels, but nobody decides."""
        decided = self._process(block, None, None)
        self._append(decided, block.truth, live=False)
        self._live_from = self._closed = len(self.log)
        self._refused.clear()

    def serve(self, block: Block, deciders: Deciders, stack: StackSample) -> None:
        """Decide a block; `stack` says how much of it the model answered in time."""
        ids, arrival = block.observed[self._schema.id], block.observed["processing_time"]
        since = arrival - self._start - block.start
        bucket = np.clip((since / BUCKET).astype(np.int64), 0, len(stack.answered) - 1)
        slate = self._schema.slate
        # A request is answered as a whole, or not at all.
        asked = ids if slate is None else block.observed[slate.request]
        luck = uniforms(asked, self._prepared.seed + _ANSWERING)
        rules = tuple(self.rules.values())
        serves = serving(deciders, rules)
        decided = self._process(block, serves, luck < stack.answered[bucket])
        rows = self._append(decided, block.truth, live=True)
        self._queue_reviews(rows)

    def close_day(self, now: float) -> None:
        """Work the review desk and book the money of the day that ended at `now`."""
        epoch = self._start + now
        verdicts = self._queue.close(epoch)
        self.worked_today = len(verdicts)
        if len(verdicts):
            self._deliver(verdicts)
        rows = slice(self._closed, len(self.log))
        self._closed = len(self.log)
        label, bad = self.log.column("label")[rows], self.log.bad(rows)
        decision, worked = self.log.column("decision")[rows], self.log.column("worked")[rows]
        self.ledger.add(
            round(now / DAY) - 1,
            self.log.column("cost_missed")[rows],
            self.log.column("cost_false_decline")[rows],
            bad,
            decision == BLOCKED,
            worked,
            idle=self._prepared.task.is_bad(label, np.zeros(len(label))),
        )
        self._count(rows, ~bad)
        if self._schema.slate is not None:
            self._count_shown(rows, self._schema.slate.item)

    def today(self) -> dict[tuple[str, str], float]:
        """Return the counts of the last day by (metric, series)."""
        return dict(self._today)

    def refused_today(self) -> tuple[int, NDArray[np.int8]]:
        """Return (accepted events, reason codes of dead letters) of the last day."""
        codes = np.concatenate(self._refused) if self._refused else np.zeros(0, dtype=np.int8)
        self._refused.clear()
        for code, number in enumerate(np.bincount(codes, minlength=len(REASONS))):
            if number:
                self.counts[f"dead_letter.{REASONS[code]}"] += int(number)
        return self._accepted_today, codes

    def _process(
        self, block: Block, model: Serving | None, answered: NDArray[np.bool_] | None
    ) -> Decided:
        labels = self._feed.due(block.start)
        told = self.faults.at(block.start) if model is not None else None
        decided = self._pipeline.process(
            block.observed, labels, serving=model, answered=answered, told=told
        )
        self._refused.append(decided.dead["reason"])
        return decided

    def _append(self, decided: Decided, truth: Batch, *, live: bool) -> slice:
        self._learn_truth(truth)
        columns, features = self._rows(decided, live)
        columns |= self._true_columns(columns[self._schema.id])
        hidden = np.zeros(len(features), dtype=np.bool_)
        if live:
            hidden = self._silencing[columns["decision"]]
        columns["hidden"] = hidden
        columns["fed"] = np.zeros(len(features), dtype=np.bool_)
        columns["label_time"] = np.where(hidden, np.inf, columns["label_time"])
        rows = self.log.log(columns, features)
        self._feed.expect(rows)
        return rows

    def _learn_truth(self, truth: Batch) -> None:
        costs = self._prepared.scenario.costs
        columns = {name: truth[name] for name in ("label", "label_time", "mechanism")}
        columns[self._schema.id] = truth[self._schema.id]
        columns["cost_missed"] = cost_of(costs.missed, truth)
        columns["cost_false_decline"] = cost_of(costs.false_decline, truth)
        self._truth.append(columns, len(truth))

    def _true_columns(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        at = np.searchsorted(self._truth.column(self._schema.id), ids)
        return {name: self._truth.column(name)[at] for name in _TRUTH}

    def _rows(
        self, decided: Decided, live: bool
    ) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32]]:
        """Lay decided events and dead letters (but duplicates) out as rows in log order."""
        dead = decided.dead.take(decided.dead["reason"] != REASONS.index("duplicate"))
        refused = self._prepared.design.decision.of_refused
        fallback = DECISIONS.index(refused) if live else 0
        valid, lost = len(decided.events), len(dead)
        silent = decided.fallback | np.isnan(decided.score)
        columns: dict[str, NDArray[Any]] = {
            "score": _joined(np.where(silent, 0.0, decided.score), np.zeros(lost)),
            "decision": _joined(
                decided.decision if live else np.zeros(valid, np.int8), np.full(lost, fallback)
            ),
            "explored": _joined(decided.explored, np.zeros(lost, np.bool_)),
            "worked": np.zeros(valid + lost, dtype=np.bool_),
            "fallback": _joined(silent, np.ones(lost, np.bool_)),
            "ruled": _joined(decided.ruled, np.zeros(lost, np.bool_)),
            "dead": _joined(np.zeros(valid, np.int8), dead["reason"]),
            "version": _joined(decided.version, np.zeros(lost)),
        }
        if "spread" in self.log:
            spread = np.zeros(valid) if decided.spread is None else decided.spread
            columns["spread"] = _joined(np.where(silent, 0.0, spread), np.zeros(lost))
        if "control" in self.log:
            control = np.zeros(valid, np.bool_) if decided.control is None else decided.control
            columns["control"] = _joined(control, np.zeros(lost, np.bool_))
        for name in (self._schema.id, "event_time", "processing_time"):
            columns[name] = _joined(decided.events[name], dead[name])
        for name, column in self._schema.columns.items():
            empty = np.full(lost, missing_value(column.dtype), dtype=column.dtype)
            columns[name] = _joined(decided.events[name], empty)
        features = decided.features
        if not lost:
            return columns, features
        blank = np.full((lost, features.shape[1]), np.nan, dtype=np.float32)
        order = np.argsort(columns["processing_time"], kind="stable")
        stacked = np.concatenate([features, blank])
        return {name: values[order] for name, values in columns.items()}, stacked[order]

    def _queue_reviews(self, rows: slice) -> None:
        flagged = np.flatnonzero(self.log.column("decision")[rows] == REVIEW) + rows.start
        names = (self._schema.id, "event_time", "processing_time")
        # What a rule sends comes before what the model sends: its score says nothing about it.
        doubt = self.log.column("spread" if "spread" in self.log else "score")[flagged]
        urgency = doubt + self.log.column("ruled")[flagged]
        ids, happened, arrived = (self.log.column(name)[flagged] for name in names)
        self._queue.add(ids, happened, arrived, urgency)

    def _deliver(self, verdicts: Batch) -> None:
        """Mark worked cases; their truth is known at the verdict if it was not before."""
        since = self.log.rows_between(float(verdicts["event_time"].min()), np.inf)
        ids = self.log.column(self._schema.id)[since]
        order = np.argsort(ids, kind="stable")
        at = since.start + order[np.searchsorted(ids, verdicts["id"], sorter=order)]
        self.log.column("worked")[at] = True
        self.log.column("hidden")[at] = False
        known = self.log.column("label_time")
        known[at] = np.minimum(known[at], verdicts["verdict_time"])
        self._feed.expect(at)

    def _count(self, rows: slice, negative: NDArray[np.bool_]) -> None:
        decision = self.log.column("decision")[rows]
        by_kind = np.bincount(decision, minlength=len(DECISIONS))
        for code, number in enumerate(by_kind):
            self.counts[DECISIONS[code]] += int(number)
            self._today["decisions", DECISIONS[code]] = float(number)
        for name in ("explored", "worked", "fallback"):
            self.counts[name] += int(self.log.column(name)[rows].sum())
        refused = int((negative & (decision == BLOCKED)).sum())
        overflow = self._queue.overflow - self.counts["review_overflow"]
        self.counts["review_overflow"] = self._queue.overflow
        self._today["reviews", "worked"] = float(self.worked_today)
        self._today["reviews", "overflow"] = float(overflow)
        positive = 1.0 - float(negative.mean()) if len(negative) else 0.0
        self._today[self._prepared.task.bad_rate, "oracle"] = positive
        self._today["good_blocked", ""] = refused / max(int(negative.sum()), 1)
        self._accepted_today = int((self.log.column("dead")[rows] == 0).sum())

    def shown(self) -> ShownClicks | None:
        """Return what was clicked of what was shown since day 0; None where nothing is a slate."""
        if self._schema.slate is None:
            return None
        return self._shown

    def _count_shown(self, rows: slice, item: str) -> None:
        """Count what was shown by both arms of the test, and of how many items."""
        shown = ShownClicks.of(self.log, rows)
        self._shown += shown
        self.counts.update({f"shown.{arm}": number for arm, number in asdict(shown).items()})
        for name, value in measures_of_shown(self._shown, self.log, rows, item).items():
            self._today[name, "oracle"] = value


def serving(deciders: Deciders, rules: tuple[Rule, ...] = ()) -> Serving:
    """Return what the pipeline decides with."""
    champion = deciders.champion
    canary = deciders.canary
    return Serving(
        score=champion.predict,
        thresholds=Thresholds(champion.review_above, champion.block_above),
        spread=champion.spread,
        baseline=champion.predict_baseline,
        version=champion.number,
        canary=None
        if canary is None
        else Serving(
            score=canary.predict,
            thresholds=Thresholds(canary.review_above, canary.block_above),
            spread=canary.spread,
            version=canary.number,
        ),
        canary_share=deciders.share,
        rules=rules,
    )


def _joined(valid: NDArray[Any], lost: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([valid, lost.astype(valid.dtype)]) if len(lost) else valid


def _expected_rows(prepared: Prepared) -> int:
    scenario: Scenario = prepared.scenario
    span = prepared.days * DAY + scenario.history + BLOCK
    growth = (1.0 + max(scenario.load.growth, 0.0)) ** (prepared.days * DAY / (365 * DAY))
    return int(scenario.load.mean / scenario.population * span * growth * 1.1)
