"""Progress over drills: what was graded, skill by skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.report.live import trend

__all__ = ["progress_by_skill"]


def progress_by_skill(graded: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return attempts, passes, best and last points of every skill, in alphabetical order.

    Parameters
    ----------
    graded
        Grades as they are kept, oldest first.

    Examples
    --------
    >>> done = [{"skills": ["detect"], "score": 40.0, "passed": False, "drill": "a/b"},
    ...         {"skills": ["detect"], "score": 90.0, "passed": True, "drill": "a/b"}]
    >>> progress_by_skill(done)[0]["best"], progress_by_skill(done)[0]["trend"]
    (90, '▄█')
    """
    rows = []
    for skill in sorted({skill for one in graded for skill in one["skills"]}):
        mine = [one for one in graded if skill in one["skills"]]
        scores = [float(one["score"]) for one in mine]
        rows.append(
            {
                "skill": skill,
                "drills": len({one["drill"] for one in mine}),
                "passed": sum(bool(one["passed"]) for one in mine),
                "best": round(max(scores)),
                "last": round(scores[-1]),
                "trend": trend([0.0, *scores])[1:],
            }
        )
    return rows
