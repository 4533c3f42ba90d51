"""Asking: PromQL for what live roles measure."""

from __future__ import annotations

__all__ = ["LIVE", "counted", "live", "newest", "or_none", "per_second", "quantile"]

LIVE = 'job!=""'
"""Picks what was scraped; simulated runs are pushed and have no job."""
WINDOW = "$__rate_interval"


def live(metric: str, labels: str = "") -> str:
    """Return the choice of a metric's series.

    Examples
    --------
    >>> live("simulated_day")
    'sandbox_simulated_day{job!=""}'
    """
    chosen = f"{LIVE},{labels}" if labels else LIVE
    return f"sandbox_{metric}{{{chosen}}}"


def newest(metric: str, labels: str = "", by: str = "") -> str:
    """Return a gauge that one role sets; the others say 0 or nothing.

    Examples
    --------
    >>> newest("loss_usd", 'kind="missed"', by="kind")
    'max by (kind) (sandbox_loss_usd{job!="",kind="missed"})'
    """
    return f"max{_by(by)}({live(metric, labels)})"


def per_second(metric: str, labels: str = "", by: str = "") -> str:
    """Return how fast a counter grows, all processes together."""
    return f"sum{_by(by)}(rate({live(metric, labels)}[{WINDOW}]))"


def counted(metric: str, labels: str = "", by: str = "") -> str:
    """Return where a counter stands, all processes together."""
    return f"sum{_by(by)}({live(metric, labels)})"


def quantile(q: float, metric: str, by: str = "", window: str = WINDOW) -> str:
    """Return a quantile of a histogram."""
    inner = f"sum by ({'le, ' + by if by else 'le'}) (rate({live(metric + '_bucket')}[{window}]))"
    return f"histogram_quantile({q:g}, {inner})"


def or_none(expr: str, *labels: str) -> str:
    """Return an expression that is 0, with labels that say none, where there is nothing.

    Examples
    --------
    >>> or_none("sum(x)")
    'sum(x) or on() vector(0)'
    """
    zero = "vector(0)"
    for label in labels:
        zero = f'label_replace({zero}, "{label}", "none", "", "")'
    return f"{expr} or on() {zero}"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
