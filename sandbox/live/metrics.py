"""What live roles measure, by name: every metric that a dashboard or a rule may speak of.

Seconds, bytes, ratios from 0 to 1 as a rule; a ``value`` has a unit of its own. No ids of events or
people in labels.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

from sandbox.live.array_histogram import ArrayHistogram
from sandbox.pipeline.schema import REASONS

__all__ = ["NOT_AN_EVENT", "LiveMetrics"]

BATCH = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
DECISION = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DELAY = tuple(3600.0 * h for h in (1, 6, 24, 48, 96, 168, 336, 720, 1440))
NOT_AN_EVENT = "not_an_event"
"""Reason of a message that could not be read, beside those of the schema check."""
SCORE = tuple(tenth / 20 for tenth in range(1, 21))


class LiveMetrics:
    """All metrics in a registry of their own.

    Parameters
    ----------
    scenario, design
        What lives here; in the labels of ``sandbox_live_info``.
    """

    def __init__(self, scenario: str, design: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        info = self._gauge("live_info", "What lives here; always 1.", "scenario", "design")
        info.labels(scenario, design).set(1)
        self._world()
        self._work()
        self._monitors()
        self._models()
        self._begin_at_zero()

    def _world(self) -> None:
        self.events_sent = self._counter("events_sent", "Events put into the log.")
        self.labels_sent = self._counter("labels_sent", "Labels that became known.", "source")
        self.load_factor = self._gauge("load_factor_ratio", "Load over the usual load.")
        self.knob = self._gauge("knob_value", "A knob of the world, in its own unit.", "knob")
        self.incident_active = self._gauge(
            "incident_active", "1 while an incident lasts.", "incident", "kind"
        )
        self.simulated_time = self._gauge(
            "simulated_time_seconds", "Simulated date, seconds since epoch."
        )
        self.simulated_day = self._gauge("simulated_day", "Simulated days since day 0.")
        self.speed = self._gauge("time_compression_ratio", "Simulated seconds in a second.")

    def _work(self) -> None:
        self.events = self._counter("events_processed", "Events a stage has folded.", "stage")
        self.decisions = self._counter(
            "decisions", "Events decided, by decision and version.", "decision", "version"
        )
        self.fallbacks = self._counter(
            "fallbacks", "Answered without the model: late, no_model, refused, past.", "reason"
        )
        self.dead_letters = self._counter("dead_letters", "Events refused.", "reason")
        self.decision_time = ArrayHistogram(
            "sandbox_event_to_decision_seconds",
            "From the log's time of an event to its commit, from day 0 on.",
            DECISION, self.registry,
        )  # fmt: skip
        self.stage_time = self._histogram(
            "stage_seconds", "Time a stage takes for a batch.", BATCH, "stage"
        )
        self.transaction_time = self._histogram(
            "transaction_seconds", "Time of a commit of outputs and offsets.", BATCH
        )
        self.transactions = self._counter("transactions", "By outcome.", "outcome")
        self.rebalances = self._counter("rebalances", "Changes of assignment.", "stage")
        self.partitions = self._gauge("assigned_partitions", "Partitions held.", "stage")
        self.lag = self._gauge("consumer_lag_events", "Messages that wait.", "stage")
        self.restored = self._histogram(
            "restore_seconds", "Snapshot and replay of a partition's state.", DECISION
        )
        self.replayed = self._counter("replayed_events", "Events folded again for the state.")
        self.lost = self._counter("lost_messages", "Messages that retention took before us.")
        self.score = ArrayHistogram(
            "sandbox_score_ratio",
            "Scores of the champion; of a regression, its spreads.",
            SCORE,
            self.registry,
        )
        self.serving_version = self._gauge("serving_version", "Version in use by a worker.", "part")
        self.shadow_gap = self._gauge(
            "shadow_gap_ratio",
            "Mean distance between challenger's and champion's scores; of a regression a share.",
        )

    def _monitors(self) -> None:
        self.task = self._gauge(
            "task_info", "The kind of problem and its words; always 1.",
            "task", "primary", "bad", "good", "baseline", "without_model",
        )  # fmt: skip
        self.quality = self._gauge(
            "model_quality_ratio", "Quality, in three views; no unit.", "metric", "view"
        )
        self.quality_value = self._gauge(
            "model_quality_value",
            "Quality, in three views; metrics in the unit of the label.",
            "metric", "view",
        )  # fmt: skip
        self.drift = self._gauge(
            "feature_drift_ratio", "Distance from reference.", "column", "test"
        )
        self.missing = self._gauge("feature_missing_ratio", "Share of values missing.", "column")
        self.invalid = self._gauge("invalid_ratio", "Share of events refused.", "reason")
        self.alerts = self._counter("alerts", "Alerts raised.", "kind")
        self.alert_active = self._gauge(
            "alert_active", "1 for a simulated day after an alert.", "kind", "subject"
        )
        self.loss = self._gauge("loss_usd", "Money lost since day 0.", "kind")
        self.bad = self._gauge("bad_ratio", "Share of bad events.", "view")
        self.good_blocked = self._gauge(
            "good_blocked_ratio", "Share of good events blocked, of the last day."
        )
        self.reviews = self._counter("reviews", "Cases, by fate.", "fate")
        self.review_queue = self._gauge("review_queue_cases", "Cases that wait for people.")
        self.review_capacity = self._gauge("review_capacity_cases", "Cases a day.")
        self.label_delay = ArrayHistogram(
            "sandbox_label_delay_seconds",
            "Simulated time from event to label.",
            DELAY,
            self.registry,
        )
        self.happening = self._gauge(
            "happening_active", "1 for some seconds after something happened.", "kind", "what"
        )

    def _models(self) -> None:
        self.trainings = self._counter("trainings", "Training jobs, by outcome.", "outcome")
        self.training_time = self._gauge("training_seconds", "Length of the last training job.")
        self.training_rows = self._gauge("training_rows", "Rows of the last training job.")
        self.champion = self._gauge("champion_version", "Number of the version that decides.")
        self.challenger = self._gauge("challenger_version", "Number in shadow; 0 for none.")
        self.canary = self._gauge("canary_ratio", "Share that the challenger decides.")
        self.promotions = self._counter("promotions", "Changes of champion, by way.", "way")
        self.offline = self._gauge(
            "offline_quality_ratio", "Gate metric on the validation slice; no unit.", "who"
        )
        self.offline_value = self._gauge(
            "offline_quality_value", "The same where it has the unit of the label.", "who"
        )

    def _begin_at_zero(self) -> None:
        """Show what alerts ask for before it first happens: a rise from nothing is none."""
        for outcome in ("committed", "failed", "fenced"):
            self.transactions.labels(outcome)
        for outcome in ("passed", "failed", "refused"):
            self.trainings.labels(outcome)
        for reason in (*REASONS[1:], NOT_AN_EVENT):
            self.dead_letters.labels(reason)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"sandbox_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"sandbox_{name}", about, labels, registry=self.registry)

    def _histogram(
        self, name: str, about: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"sandbox_{name}", about, labels, buckets=buckets, registry=self.registry)
