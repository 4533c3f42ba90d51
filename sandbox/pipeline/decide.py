"""From score to action: allow, review or block, under a review capacity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.task.slates import top_of_groups

__all__ = [
    "ALLOW",
    "BLOCK",
    "DECISIONS",
    "REVIEW",
    "Decisions",
    "ReviewQueue",
    "Thresholds",
    "decide",
    "decide_slates",
    "uniforms",
]

DECISIONS = ("allow", "review", "block")
ALLOW, REVIEW, BLOCK = 0, 1, 2

_DAY = 86400.0


@dataclass(frozen=True)
class Thresholds:
    """Scores (or spreads) above which a case is reviewed or blocked; None: never."""

    review_above: float | None = None
    block_above: float | None = None


class Decisions(NamedTuple):
    """What happens to each event."""

    decision: NDArray[np.int8]
    """Code into `DECISIONS`."""
    explored: NDArray[np.bool_]
    """Would have been blocked, but is let through so that its label will come."""
    fallback: NDArray[np.bool_]
    """Answered without the model."""
    ruled: NDArray[np.bool_]
    """A rule decided, whatever the score."""


def decide(
    score: NDArray[np.float64],
    thresholds: Thresholds,
    *,
    explore: float = 0.0,
    uniform: NDArray[np.float64] | None = None,
    answered: NDArray[np.bool_] | None = None,
    fallback: int = ALLOW,
) -> Decisions:
    """Turn scores into actions.

    Parameters
    ----------
    score
        In [0, 1], or a spread; NaN where there is none, which the fallback answers.
    explore
        Share of would-be blocked events that are let through.
    uniform
        A number in [0, 1) for each event, see `uniforms`; needed where `explore` > 0.
    answered
        Where the model answered in time; everywhere if absent.
    fallback
        The action where it did not.

    Examples
    --------
    >>> decide(np.array([0.1, 0.6, 0.95]), Thresholds(0.5, 0.9)).decision
    array([0, 1, 2], dtype=int8)
    """
    decision = np.zeros(len(score), dtype=np.int8)
    if thresholds.review_above is not None:
        decision[score > thresholds.review_above] = REVIEW
    explored = np.zeros(len(score), dtype=np.bool_)
    if thresholds.block_above is not None:
        blocked = score > thresholds.block_above
        decision[blocked] = BLOCK
        if explore > 0:
            if uniform is None:
                raise ValueError("explore needs uniform numbers")
            explored = blocked & (uniform < explore)
            decision[explored] = ALLOW
    silent = np.isnan(score)
    if answered is not None:
        silent |= ~answered
    decision[silent] = fallback
    ruled = np.zeros(len(score), dtype=np.bool_)
    return Decisions(decision, explored & ~silent, silent, ruled)


def decide_slates(
    score: NDArray[np.float64],
    request: NDArray[Any],
    show: int,
    *,
    explore: float = 0.0,
    uniform: NDArray[np.float64] | None = None,
) -> Decisions:
    """Show the first candidates of each request and hide the rest.

    Parameters
    ----------
    score
        Shape (n,). Candidates without one (NaN) come after the others, in the order in which they
        came: of a request that no model answers the first are shown.
    request
        Shape (n,), the request of each candidate; all candidates of one are here.
    show
        Places.
    explore
        Share of would-be hidden candidates that are shown all the same.
    uniform
        A number in [0, 1) for each event, see `uniforms`; needed where `explore` > 0.

    Examples
    --------
    >>> decide_slates(np.array([0.1, 0.9, 0.5]), np.array([4, 4, 4]), 2).decision
    array([2, 0, 0], dtype=int8)
    """
    hidden = ~top_of_groups(score, request, show)
    decision = np.where(hidden, BLOCK, ALLOW).astype(np.int8)
    explored = np.zeros(len(score), dtype=np.bool_)
    if explore > 0:
        if uniform is None:
            raise ValueError("explore needs uniform numbers")
        explored = hidden & (uniform < explore)
        decision[explored] = ALLOW
    return Decisions(decision, explored, np.isnan(score), np.zeros(len(score), dtype=np.bool_))


def uniforms(ids: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each id: the same for the same id, however events are batched.

    SplitMix64 (Steele, Lea, Flood 2014) of the id, from a start that depends on the seed.
    """
    golden = 0x9E3779B97F4A7C15
    # Another odd factor: with the same one, a seed would only shift the ids.
    start = np.uint64((seed + 1) * 0xD1342543DE82EF95 % 2**64)
    x = ids.astype(np.uint64) * np.uint64(golden) + start
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return np.asarray((x >> np.uint64(11)).astype(np.float64) * 2.0**-53)


class ReviewQueue:
    """People who look at flagged cases: the highest scores of each day, as many as they can.

    A case belongs to the day (UTC) in which it was flagged (`processing_time`). Ties in score go
    to the earlier case. A fraction of the capacity is carried to the next day; unused capacity is
    not. What nobody looks at goes through.

    Parameters
    ----------
    capacity
        Cases a second, as `Rate` quantities are (100/day is 100/86400).
    turnaround
        Seconds from an event to the verdict on it. No verdict comes before the day is over,
        since only then is its order known.

    Examples
    --------
    >>> queue = ReviewQueue(capacity=1 / 86400, turnaround=3600)
    >>> queue.add(np.array([1, 2]), np.array([10.0, 20.0]), np.array([10.0, 20.0]),
    ...           np.array([0.6, 0.8]))
    >>> done = queue.close(until=86400.0)
    >>> done["id"].tolist(), done["verdict_time"].tolist(), queue.overflow
    ([2], [86400.0], 1)
    """

    def __init__(self, capacity: float, turnaround: float) -> None:
        self._capacity, self._turnaround = capacity * _DAY, turnaround
        self._waiting: list[Batch] = []
        self._carry = 0.0
        self._next_day: int | None = None
        self.reviewed = 0
        """Cases looked at."""
        self.overflow = 0
        """Cases flagged that nobody looked at."""

    def add(
        self,
        ids: NDArray[np.int64],
        event_time: NDArray[np.float64],
        processing_time: NDArray[np.float64],
        score: NDArray[np.float64],
    ) -> None:
        """Queue cases flagged for review."""
        if not len(ids):
            return
        day = np.floor(processing_time / _DAY).astype(np.int64)
        if self._next_day is None:
            self._next_day = int(day.min())
        # A case flagged after its day was closed is worked with the next.
        self._waiting.append(
            Batch(
                {
                    "id": ids,
                    "event_time": event_time,
                    "score": score,
                    "day": np.maximum(day, self._next_day),
                }
            )
        )

    def close(self, until: float) -> Batch:
        """Work off all days that are over at `until` [s since epoch].

        Returns
        -------
        Batch
            The reviewed cases: `id`, `event_time`, `score`, `verdict_time`.
        """
        end = math.floor(until / _DAY)
        empty = np.zeros(0)
        verdicts = [_verdicts(empty.astype(np.int64), empty, empty, empty)]
        if self._next_day is None:
            return verdicts[0]
        waiting = Batch.concat(self._waiting)
        for day in range(self._next_day, end):
            verdicts.append(self._work(waiting, day))
        self._next_day = max(self._next_day, end)
        self._waiting = [waiting.take(waiting["day"] >= end)] if len(waiting) else []
        return Batch.concat(verdicts)

    def _work(self, waiting: Batch, day: int) -> Batch:
        able = self._capacity + self._carry
        # A hair more, so that 100/86400 * 86400 is 100.
        count = math.floor(able + 1e-9)
        self._carry = max(able - count, 0.0)
        cases = waiting.take(waiting["day"] == day) if len(waiting) else waiting
        if not len(cases):
            empty = np.zeros(0)
            return _verdicts(empty.astype(np.int64), empty, empty, empty)
        chosen = cases.take(np.argsort(-cases["score"], kind="stable")[:count])
        self.reviewed += len(chosen)
        self.overflow += len(cases) - len(chosen)
        due = np.maximum(chosen["event_time"] + self._turnaround, (day + 1) * _DAY)
        return _verdicts(chosen["id"], chosen["event_time"], chosen["score"], due)


def _verdicts(
    ids: NDArray[np.int64],
    event_time: NDArray[np.float64],
    score: NDArray[np.float64],
    due: NDArray[np.float64],
) -> Batch:
    return Batch({"id": ids, "event_time": event_time, "score": score, "verdict_time": due})
