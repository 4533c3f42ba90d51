"""Signals and alerts beside the service levels: the stream, the labels, the models, the roles."""

from __future__ import annotations

from collections.abc import Iterator

from rulebook.rule import LIVE, Rule, alert, recording
from rulebook.windows import Windows, duration

__all__ = ["signal_alerts", "signal_recordings"]

ROLES = ("generator", "worker", "monitor", "trainer")
LAG_SECONDS, LAG_LEAST = 5, 200
"""Messages may wait as long as so many seconds bring, and always this many."""
DEAD_SHARE = 0.01
QUALITY = '"performance|estimate"'
"""Kinds of the monitor's alerts that speak of the model; the others speak of the data."""
LASTING = "10s"


def _rated(function: str, metric: str, seconds: int, labels: str = "") -> str:
    chosen = f"{LIVE},{labels}" if labels else LIVE
    return f"sum({function}(sandbox_{metric}{{{chosen}}}[{duration(seconds)}])) or vector(0)"


def _none(*labels: str) -> str:
    """Return a zero for when there is no series yet."""
    zero = "vector(0)"
    for label in labels:
        zero = f'label_replace({zero}, "{label}", "none", "", "")'
    return zero


def signal_recordings(windows: Windows) -> Iterator[Rule]:
    """Yield what the alerts read, and dashboards show."""
    pulse, day = windows.pulse, windows.day
    yield recording("sandbox:roles_up:count", _roles_up())
    yield recording(
        "sandbox:simulated_day:max", f"max(sandbox_simulated_day{{{LIVE}}}) or vector(0)"
    )
    yield recording("sandbox:events_sent:rate", _rated("rate", "events_sent_total", pulse))
    yield recording("sandbox:decisions:rate", _rated("rate", "decisions_total", pulse))
    yield recording(
        "sandbox:labels_sent:rate", _rated("rate", "labels_sent_total", day, 'source!="review"')
    )
    yield recording(
        "sandbox:lag:messages",
        f"sum by (stage) (sandbox_consumer_lag_events{{{LIVE}}}) or on() {_none('stage')}",
    )
    yield recording(
        "sandbox:lag_limit:messages",
        f"clamp_min({LAG_SECONDS} * sandbox:events_sent:rate, {LAG_LEAST})",
    )
    yield recording(
        "sandbox:dead_letters:ratio",
        f"({_rated('rate', 'dead_letters_total', pulse)}) / (sandbox:events_sent:rate > 0) "
        "or vector(0)",
    )
    yield recording(
        "sandbox:lost_messages:increase", _rated("increase", "lost_messages_total", day)
    )
    yield recording(
        "sandbox:failed_transactions:rate",
        _rated("rate", "transactions_total", pulse, 'outcome="failed"'),
    )
    yield recording(
        "sandbox:failed_trainings:increase",
        _rated("increase", "trainings_total", day, 'outcome=~"failed|refused"'),
    )
    for name, kinds in (("drift", f"kind!~{QUALITY}"), ("quality", f"kind=~{QUALITY}")):
        said = f"max by (kind, subject) (sandbox_alert_active{{{LIVE},{kinds}}})"
        yield recording(f"sandbox:{name}_alert:max", f"{said} or on() {_none('kind', 'subject')}")


def _roles_up() -> str:
    """Return how many processes of each role answer; 0 where a role is not known at all."""
    known = f'sum by (job) (up{{job=~"{"|".join(ROLES)}"}})'
    zeros = (f'label_replace(vector(0), "job", "{role}", "", "")' for role in ROLES)
    return " or ".join((known, *zeros))


def signal_alerts(windows: Windows) -> Iterator[Rule]:
    """Yield the alerts."""
    pulse = duration(windows.pulse)
    yield from _stream(pulse)
    yield from _labels_and_models(pulse)


def _stream(pulse: str) -> Iterator[Rule]:
    yield alert(
        "RoleDown",
        "sandbox:roles_up:count == 0 and max_over_time(sandbox:roles_up:count[1d]) > 0",
        severity="page", runbook="role-down", lasting=LASTING,
        summary="No {{ $labels.job }} answers any more.",
    )  # fmt: skip
    yield alert(
        "NoEvents", "sandbox:events_sent:rate == 0 and sandbox:simulated_day:max > 0",
        severity="page", runbook="no-events", lasting=LASTING,
        summary=f"The generator lives, but no event came for {pulse}.",
    )  # fmt: skip
    yield alert(
        "DecisionsStopped", "sandbox:decisions:rate == 0 and sandbox:events_sent:rate > 0",
        severity="page", runbook="decisions-stopped", lasting=LASTING,
        summary=f"Events come, but none was decided for {pulse}.",
    )  # fmt: skip
    yield alert(
        "LagGrows", "sandbox:lag:messages > on() group_left() sandbox:lag_limit:messages",
        severity="page", runbook="lag", lasting=LASTING,
        summary="{{ $value | humanize }} messages wait for stage {{ $labels.stage }}: more than "
        f"{LAG_SECONDS} seconds of traffic.",
    )  # fmt: skip
    yield alert(
        "DeadLetters", f"sandbox:dead_letters:ratio > {DEAD_SHARE:g}",
        severity="ticket", runbook="dead-letters", lasting=LASTING,
        summary="{{ $value | humanizePercentage }} of the events were refused.",
    )  # fmt: skip
    yield alert(
        "MessagesLost", "sandbox:lost_messages:increase > 0",
        severity="page", runbook="messages-lost",
        summary="Retention took messages that nobody had read.",
    )  # fmt: skip
    yield alert(
        "TransactionsFail", "sandbox:failed_transactions:rate > 0",
        severity="page", runbook="transactions", lasting=LASTING,
        summary="Workers cannot commit: {{ $value | humanize }} transactions a second fail.",
    )  # fmt: skip


def _labels_and_models(pulse: str) -> Iterator[Rule]:
    yield alert(
        "LabelFeedSilent", "sandbox:labels_sent:rate == 0 and sandbox:simulated_day:max > 1",
        severity="ticket", runbook="label-feed", lasting=pulse,
        summary="No label but verdicts of reviews came for a simulated day.",
    )  # fmt: skip
    yield alert(
        "DriftAlert", "sandbox:drift_alert:max > 0",
        severity="ticket", runbook="drift",
        summary="Monitor {{ $labels.kind }} of {{ $labels.subject }} raised an alert.",
    )  # fmt: skip
    yield alert(
        "QualityAlert", "sandbox:quality_alert:max > 0",
        severity="page", runbook="quality",
        summary="Quality has dropped: {{ $labels.kind }} of {{ $labels.subject }}.",
    )  # fmt: skip
    yield alert(
        "TrainingFailed", "sandbox:failed_trainings:increase > 0",
        severity="ticket", runbook="training",
        summary="A training job gave no challenger; the champion stays.",
    )  # fmt: skip
