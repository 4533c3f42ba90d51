"""What each incident did: computed from the oracle's daily quality, alerts and promotions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sandbox.record import AlertRecord, IncidentRecord, RunRecord, VersionRecord
from sandbox.spec.incidents import Incident

__all__ = ["HARM", "RECOVERED", "incident_records"]

DAY = 86400.0
HARM = 0.85
"""An incident hurts when the primary metric's worst week falls below this share of its former
level: about three standard errors of a week with 200 positives."""
WORTH = 0.02
"""Change of the primary metric below which a promotion bought nothing."""
RECOVERED = 0.9
"""Recovered means back at this share of the former level."""

Floats = NDArray[np.float64]


def incident_records(
    incidents: Mapping[str, Incident], record: RunRecord, *, window: float
) -> list[IncidentRecord]:
    """Describe every incident that began within the run, in order of onset.

    Parameters
    ----------
    incidents
        Active incidents by name.
    record
        A run whose metrics, alerts and versions are complete.
    window
        Rolling window of the primary metric [days].
    """
    days, values = record.metrics.series(record.primary, "oracle")
    begun = [(n, i) for n, i in incidents.items() if i.start / DAY < record.days]
    begun.sort(key=lambda item: item[1].start)
    onsets = [i.start / DAY for _, i in begun]
    out = []
    for name, incident in begun:
        start = incident.start / DAY
        horizon = min([o for o in onsets if o > start], default=record.days)
        out.append(_describe(name, incident, record, days, values, horizon, window))
    return out


def _describe(
    name: str,
    incident: Incident,
    record: RunRecord,
    days: Floats,
    values: Floats,
    horizon: float,
    window: float,
) -> IncidentRecord:
    start = incident.start / DAY
    end = None if np.isinf(incident.end) else incident.end / DAY
    before = _former_level(record.versions, days, values, start, window)
    span = (days > start) & (days <= horizon)
    worst = float(np.nanmin(values[span])) if np.isfinite(values[span]).any() else None
    last = _mean(values[days > record.days - window])
    hurt = before is not None and worst is not None and worst < HARM * before
    recovered = _recovered(days[span], values[span], before) if hurt else None
    if hurt and recovered is None:
        later = days > horizon
        recovered = _recovered(days[later], values[later], before, already_low=True)
    alert = next((a for a in record.alerts if start < a.day <= horizon), None)
    promotions = [v for v in record.versions if start < (v.promoted_day or start) <= horizon]
    lesson = _lesson(record.primary, before, worst, last, start, recovered, alert, promotions, hurt)
    return IncidentRecord(
        name=name,
        kind=incident.kind,
        story=incident.story,
        start_day=start,
        end_day=end,
        primary_before=before,
        primary_worst=worst,
        primary_end=last,
        detected_day=alert.day if alert else None,
        detected_by=f"{alert.kind}({alert.subject})" if alert else "",
        recovered_day=recovered,
        hurt=hurt,
        lesson=lesson,
    )


def _former_level(
    versions: Sequence[VersionRecord], days: Floats, values: Floats, start: float, window: float
) -> float | None:
    """Return the level before onset: two windows, or what the champion of the time has shown."""
    promoted = [v.promoted_day for v in versions if v.promoted_day and v.promoted_day <= start]
    since = max(start - 2 * window, max(promoted, default=0.0) + window)
    level = _mean(values[(days >= since) & (days <= start)])
    return _mean(values[days <= start][-1:]) if level is None else level


def _mean(values: Floats) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _recovered(
    days: Floats, values: Floats, before: float | None, *, already_low: bool = False
) -> float | None:
    """Return the first day at the former level again, once below it."""
    if before is None or not len(days):
        return None
    start = 0 if already_low else int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
    back = np.flatnonzero(values[start:] >= RECOVERED * before)
    return float(days[start + back[0]]) if len(back) else None


def _lesson(
    metric: str,
    before: float | None,
    worst: float | None,
    last: float | None,
    start: float,
    recovered: float | None,
    alert: AlertRecord | None,
    promotions: Sequence[VersionRecord],
    hurt: bool,
) -> str:
    if before is None or worst is None:
        return "Too few days around it to say what it did."
    parts = []
    if hurt:
        parts.append(f"True {metric} fell from {before:.2f} to {worst:.2f}.")
        parts.append(
            f"Back at {RECOVERED:.0%} of its former level on day {recovered:.0f}, "
            f"{recovered - start:.0f} days after onset."
            if recovered is not None
            else f"It did not come back (last week {float('nan') if last is None else last:.2f})."
        )
    else:
        parts.append(f"True {metric} held: {before:.2f} before, {worst:.2f} in its worst week.")
    parts.append(
        f"First alert on day {alert.day:.0f}, {alert.kind} on {alert.subject}."
        if alert
        else "No alert was raised."
    )
    parts += _worth(metric, promotions)
    if not hurt and not promotions:
        parts.append("No retraining was promoted, and none was needed.")
    return " ".join(parts)


def _worth(metric: str, promotions: Sequence[VersionRecord]) -> list[str]:
    """Return a sentence on each version that changed something, and one on all that did not."""
    bought = [(v, v.bought) for v in promotions if v.bought is not None]
    idle = [(v.version, gain) for v, gain in bought if abs(gain) < WORTH]
    if len(idle) > 1:
        bought = [(v, gain) for v, gain in bought if abs(gain) >= WORTH]
    said = list[str]()
    for version, gain in bought:
        against = "" if said else f" {metric} against its predecessor on the same events"
        said.append(
            f"Version {version.version} (trained {version.trigger}, promoted on day "
            f"{version.promoted_day:.0f}) {_verb(gain)} ({gain:+.3f}{against})."
        )
    if len(idle) > 1:
        gains = [gain for _, gain in idle]
        said.append(
            f"Versions {', '.join(str(number) for number, _ in idle)} bought nothing "
            f"({min(gains):+.3f} to {max(gains):+.3f})."
        )
    return said


def _verb(gain: float) -> str:
    if abs(gain) < WORTH:
        return "bought nothing"
    return f"bought {gain:+.2f}" if gain > 0 else f"cost {-gain:.2f}"
