"""Progress over interviews, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.report.live import trend
from sandbox.spec.interview_terms import STAGES

__all__ = ["progress_by_stage"]


def progress_by_stage(held: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return how often, best and last points of every stage and level.

    Parameters
    ----------
    held
        Results as they are kept, oldest first.

    Examples
    --------
    >>> one = {"level": "senior", "stages": {"clarify": 40.0}}
    >>> progress_by_stage([one, {**one, "stages": {"clarify": 80.0}}])[0]["trend"]
    '▅█'
    """
    rows = []
    for level in sorted({str(one["level"]) for one in held}):
        for stage, title in STAGES.items():
            points = [
                float(one["stages"][stage])
                for one in held
                if one["level"] == level and stage in one["stages"]
            ]
            if points:
                rows.append(
                    {
                        "stage": title,
                        "level": level,
                        "times": len(points),
                        "best": round(max(points)),
                        "last": round(points[-1]),
                        "trend": trend([0.0, *points])[1:],
                    }
                )
    return rows
