"""Requests for a file that has none: one user's rows that follow each other closely are one.

A file of ratings says who said what about which item, and when. What was chosen from, it does not
say, so nothing is added: the candidates of a request are the items of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.recorded_file import EventsFile
from sandbox.adapters.recorded_values import FINE, Values, keys
from sandbox.errors import UsageError
from sandbox.spec.scenario import EventSchema, Slate

__all__ = ["SessionFinder", "Sessions", "find_sessions", "slate_of"]

_DIGITS = 6
"""Decimals of a gap [s]; times are exact to the microsecond, their differences are not."""


@dataclass(frozen=True)
class Sessions:
    """Which request each row of a file is a candidate of."""

    request: NDArray[np.int64]
    """Shape (rows,): 0, 1, ... by time; -1 for a row whose user or time cannot be read."""
    time: NDArray[np.float64]
    """Shape (requests,), ascending: that of its last row [s since epoch]."""
    size: NDArray[np.int64]
    """Shape (requests,), rows of each; none is empty."""

    def moments(self, rows: NDArray[np.int64], own: Values) -> Values:
        """Return the times of rows: all of a request come with its last one.

        Parameters
        ----------
        rows
            Numbers of rows of the file.
        own
            Their own times, which those outside any request keep, and what is wrong with them.
        """
        request = self.request[rows]
        inside = request >= 0
        moments = own[0].astype(np.float64)
        moments[inside] = self.time[request[inside]]
        return moments, own[1]


class SessionFinder:
    """Takes users and times piece by piece, in any order; see `find_sessions`.

    Memory holds both for every row of the file, 16 bytes; some 100 while they are sorted.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._users: list[NDArray[np.int64]] = []
        self._times: list[NDArray[np.float64]] = []

    def add(self, users: Any, moments: Values) -> None:
        """Take the next rows: an Arrow array of users, and their times [s since epoch]."""
        self._users.append(keys(users)[0])
        self._times.append(np.where(moments[1] == FINE, moments[0], np.nan))

    def close(self) -> Sessions:
        """Return the sessions of all that was added, and let go of it."""
        user = np.concatenate(self._users)
        self._users = []
        time = np.concatenate(self._times)
        self._times = []
        return find_sessions(user, time, self._gap)


def find_sessions(user: NDArray[np.int64], time: NDArray[np.float64], gap: float) -> Sessions:
    """Put rows of one user without a longer gap than `gap` [s] between them into one session.

    Parameters
    ----------
    user
        Shape (n,); -1: unknown.
    time
        Shape (n,), in any order [s since epoch]; not finite: unknown.

    Notes
    -----
    Sessions are numbered by the time of their last row, those of one time by user. So numbers do
    not depend on the order of the rows.

    Examples
    --------
    >>> found = find_sessions(np.array([7, 8, 7, 7]), np.array([0.0, 5.0, 9.0, 60.0]), 10.0)
    >>> found.request.tolist(), found.time.tolist()
    ([1, 0, 1, 2], [5.0, 9.0, 60.0])
    """
    user = np.where(np.isfinite(time), user, -1)
    rows = np.lexsort((time, user))[np.count_nonzero(user < 0) :]
    who, when = user[rows], time[rows]
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = who[1:] != who[:-1]
    gaps = np.diff(when)
    begins[1:] |= np.round(gaps, _DIGITS, out=gaps) > gap
    last = np.flatnonzero(np.append(begins[1:], True)) if len(rows) else rows
    order = np.lexsort((who[last], when[last]))
    ends, size = when[last][order], np.diff(last, prepend=-1)[order]
    del who, when, gaps, last  # memory is what bounds the file
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order))
    request = np.full(len(user), -1, dtype=np.int64)
    request[rows] = number[np.cumsum(begins) - 1]
    return Sessions(request, ends, size)


def slate_of(file: EventsFile, schema: EventSchema) -> Slate | None:
    """Return what sessions fill in; None where the user asks for none.

    Raises
    ------
    UsageError
        If the scenario has no requests, or the file no times.
    """
    if file.sessions is None:
        return None
    if schema.slate is None:
        raise UsageError(
            "this scenario has no requests",
            where="--sessions", got=f"events without event.slate, named by {schema.id}",
            expected="a scenario whose task is ranking", hint="Leave --sessions out.",
        )  # fmt: skip
    if file.pace is not None:
        raise UsageError(
            "an even pace has no gaps", where="--sessions", got="--pace too",
            expected="a file with times of its own", hint="Leave one of them out.",
        )  # fmt: skip
    return schema.slate
