"""Service levels: what is measured, how much of the budget is left, how fast it is spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rulebook.rule import LIVE, Rule, alert, recording
from rulebook.windows import Pace, Windows, duration

__all__ = ["OBJECTIVES", "slo_alerts", "slo_recordings"]


@dataclass(frozen=True)
class Objective:
    """A share of good events, and how much of it is promised."""

    name: str
    alert: str
    runbook: str
    about: str
    target: float
    bad: str
    """Rate of bad events; ``{window}`` stands for the window."""
    all: str
    """Rate of all events."""

    def bad_share(self, seconds: int) -> str:
        """Return the share of bad events in a window; 0 where there are no events."""
        window = duration(seconds)
        bad, every = self.bad.format(window=window), self.all.format(window=window)
        return f"({bad}) / ({every} > 0) or vector(0)"


def _rate(metric: str, labels: str = "") -> str:
    chosen = f"{LIVE},{labels}" if labels else LIVE
    return f"sum(rate(sandbox_{metric}{{{{{chosen}}}}}[{{window}}]))"


_DECIDED = _rate("event_to_decision_seconds_count")
_IN_TIME = _rate("event_to_decision_seconds_bucket", 'le="0.1"')
OBJECTIVES = (
    Objective(
        "latency", "LatencyBudgetBurn", "latency", "answered within 100 ms", 0.99,
        f"{_DECIDED} - {_IN_TIME}", _DECIDED,
    ),
    # What breaks the schema is not the model's to answer, and nobody waits for the folded past.
    Objective(
        "answered", "AnswerBudgetBurn", "fallbacks", "answered by the model", 0.999,
        _rate("fallbacks_total", 'reason=~"late|no_model"'), _DECIDED,
    ),
)  # fmt: skip
"""As in the reference scenario: p99 within 100 ms, 99.9 % answered by the model."""


def slo_recordings(windows: Windows) -> Iterator[Rule]:
    """Yield service levels, budgets and burn rates."""
    for one in OBJECTIVES:
        allowed = f"{1 - one.target:.6g}"
        labels = {"slo": one.name}
        yield recording("sandbox:sli:ratio", f"1 - ({one.bad_share(windows.budget)})", labels)
        yield recording(
            "sandbox:budget_left:ratio",
            f'1 - (1 - sandbox:sli:ratio{{slo="{one.name}"}}) / {allowed}', labels,
        )  # fmt: skip
        for pace in windows.paces:
            for span, seconds in (("long", pace.long), ("short", pace.short)):
                yield recording(
                    "sandbox:burn_rate:ratio",
                    f"({one.bad_share(seconds)}) / {allowed}",
                    {**labels, "pace": pace.name, "span": span},
                )


def slo_alerts(windows: Windows) -> Iterator[Rule]:
    """Yield an alert for each objective and pace; both windows must say so."""
    for one in OBJECTIVES:
        for pace in windows.paces:
            yield alert(
                one.alert,
                " and ignoring(span) ".join(
                    f"{_burn(one, pace, span)} > {pace.burn:g}" for span in ("long", "short")
                ),
                severity=pace.severity,
                runbook=one.runbook,
                summary=f"Too few events are {one.about}: the error budget burns {{{{ $value | "
                f"humanize }}}} times too fast, over {pace.burn:g}.",
                labels={"pace": pace.name},
            )


def _burn(one: Objective, pace: Pace, span: str) -> str:
    return f'sandbox:burn_rate:ratio{{slo="{one.name}",pace="{pace.name}",span="{span}"}}'
