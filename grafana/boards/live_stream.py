"""Rows of the live dashboard about the stream, the serving and the service levels."""

from __future__ import annotations

from boards.asking import counted, newest, or_none, per_second, quantile
from boards.frame import Cell, graph
from boards.panels import BAD, NONE, timeline
from grafana_foundation_sdk.builders import dashboard

__all__ = ["service_levels", "serving", "stream"]

PACES = ("fast", "slow", "steady")


def stream() -> list[Cell]:
    """Return what flows through the log, and what waits in it."""
    waits = [(quantile(q, "event_to_decision_seconds"), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)]
    return [
        graph("Throughput", "Events sent, and folded by each stage.", "eps",
              (per_second("events_sent_total"), "sent"),
              (per_second("events_processed_total", by="stage"), "{{stage}}"),
              alerts=["NoEvents", "DecisionsStopped"]),
        graph("Lag", "Messages that wait, and how many may before the alert.", "short",
              ("sandbox:lag:messages", "{{stage}}"), ("sandbox:lag_limit:messages", "limit"),
              alerts=["LagGrows"]),
        graph("Event to decision", "From the log's time of an event to the commit of its "
              "decision.", "s", *waits, alerts=["LatencyBudgetBurn"]),
        graph("Dead letters", "Refused, by reason.", "eps",
              (or_none(per_second("dead_letters_total", by="reason"), "reason"), "{{reason}}"),
              alerts=["DeadLetters"]),
        graph("Rebalances", "Changes of assignment so far.", "short",
              (counted("rebalances_total", by="stage"), "{{stage}}"), width=6),
        graph("Partitions held", "By all workers together.", "short",
              (counted("assigned_partitions", by="stage"), "{{stage}}"), width=6),
        graph("State rebuilt", "Events folded again so far, and messages that retention took "
              "before anybody read them.", "short",
              (counted("replayed_events_total"), "replayed"),
              (counted("lost_messages_total"), "lost"), alerts=["MessagesLost"], width=6),
        graph("Load", "Over the usual load.", "short", (newest("load_factor_ratio"), "factor"),
              width=6),
    ]  # fmt: skip


def serving() -> list[Cell]:
    """Return rate, errors and duration."""
    sums, counts = counted("restore_seconds_sum"), counted("restore_seconds_count")
    return [
        graph("Decisions by version", "The version that gave the score; 0 is none.", "eps",
              (per_second("decisions_total", by="version"), "v{{version}}"), stack=True),
        graph("Without the model", "Answered by the fallback, by reason. Nobody waits for the "
              "folded past.", "eps",
              (or_none(per_second("fallbacks_total", by="reason"), "reason"), "{{reason}}"),
              alerts=["AnswerBudgetBurn"]),
        graph("Duration of a batch", "Of each stage, and of the commit.", "s",
              (quantile(0.99, "stage_seconds", by="stage"), "{{stage}} p99"),
              (quantile(0.5, "transaction_seconds"), "commit p50"),
              (quantile(0.99, "transaction_seconds"), "commit p99")),
        graph("Transactions", "By outcome. Fenced: an old worker was refused, which protects the "
              "new one.", "ops", (per_second("transactions_total", by="outcome"), "{{outcome}}"),
              alerts=["TransactionsFail"], width=6),
        graph("A partition's state rebuilt in", "Snapshot and replay; the mean so far.", "s",
              (or_none(f"{sums} / ({counts} > 0)"), "mean"), width=6),
    ]  # fmt: skip


def service_levels() -> list[Cell]:
    """Return what is left of the error budgets, and who spends it."""
    about = (
        "How many times faster than allowed the budget is spent. A page above 14.4 (fast) and 6 "
        "(slow), a ticket above 1 (steady), where the short window agrees."
    )
    rates = [
        graph(f"Burn rate: {slo}", about, "short",
              *((_burn(slo, pace, span), f"{pace}, {span}")
                for pace in PACES for span in ("long", "short")),
              alerts=[alert], width=8)
        for slo, alert in (("latency", "LatencyBudgetBurn"), ("answered", "AnswerBudgetBurn"))
    ]  # fmt: skip
    firing = 'max by (alertname, severity) (ALERTS{alertstate="firing"})'
    book = dashboard.DashboardLink("Runbook").url("/d/runbook-${__field.labels.alertname}")
    alerts = timeline("Alerts firing", "Click one for its runbook.",
                      (or_none(firing, "alertname"), "{{alertname}}"),
                      shown={"0": ("", NONE), "1": ("firing", BAD)})  # fmt: skip
    return [
        graph("Error budget left", "Of 30 simulated days, or since the start. Below 0: overspent.",
              "percentunit", ("sandbox:budget_left:ratio", "{{slo}}"), width=8),
        *rates,
        Cell(alerts.data_links([book.target_blank(True)]), 24, 8),
    ]  # fmt: skip


def _burn(slo: str, pace: str, span: str) -> str:
    return f'sandbox:burn_rate:ratio{{slo="{slo}",pace="{pace}",span="{span}"}}'
