"""Rule: one entry of a Prometheus rule file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DASHBOARD", "LIVE", "Rule", "alert", "recording"]

Rule = dict[str, Any]
LIVE = 'job!=""'
"""Picks what was scraped; simulated runs are pushed and have no job."""
DASHBOARD = "http://localhost:3000/d/sandbox-live"


def recording(name: str, expr: str, labels: Mapping[str, str] | None = None) -> Rule:
    """Return a rule that keeps the value of an expression under a name."""
    rule: Rule = {"record": name, "expr": expr}
    return {**rule, "labels": dict(labels)} if labels else rule


def alert(
    name: str,
    expr: str,
    *,
    severity: str,
    runbook: str,
    summary: str,
    lasting: str = "",
    labels: Mapping[str, str] | None = None,
) -> Rule:
    """Return a rule that alerts.

    Parameters
    ----------
    severity
        ``page``: somebody acts now. ``ticket``: somebody acts today.
    runbook
        Name of a file in ``docs/runbooks/``, without its ending.
    lasting
        How long it must be so.
    """
    return {
        "alert": name,
        "expr": expr,
        **({"for": lasting} if lasting else {}),
        "labels": {"severity": severity, **(labels or {})},
        "annotations": {
            "summary": summary,
            "runbook": f"docs/runbooks/{runbook}.md",
            "runbook_url": f"http://localhost:3000/d/runbook-{name}",
            "dashboard_url": DASHBOARD,
        },
    }
