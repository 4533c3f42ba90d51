"""Gather: the last stage of a ranking holds candidates back until their request is complete.

The candidates of a request come by way of other stages' partitions, in any order. Every one of them
says how many there are. What the schema check refused will not come: a *withdrawal* says so, and
counts. A request that is not complete in time is let go by a *call*, a message in the log like any
other, so that what is held back stays a pure fold over the log: nothing depends on when a worker
looked at its clock, and one that takes over gives the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.spec.scenario import Slate

__all__ = ["Gather", "call", "withdrawals"]

_Ids = NDArray[np.int64]
CALL = "call"
WITHDRAWN = "withdrawn"
KEPT = 10_000
"""Requests let go incomplete that are remembered, for those of their candidates that come later."""
_EVENT, _GONE, _LATE = "gather_event.", "gather_gone.", "gather_let_go"


def call(until: float) -> Batch:
    """Return the message that lets go of all that waits since a time or longer [s since epoch]."""
    return Batch({CALL: [until]})


def withdrawals(refused: Batch, slate: Slate, key: str) -> Batch:
    """Return the messages that say which candidates will not come.

    Parameters
    ----------
    refused
        Events as they came, with `sent`.
    key
        Of the stage that waits for them.
    """
    columns = dict.fromkeys((slate.request, str(slate.size), key, "sent"))
    return refused.select(columns).with_columns(**{WITHDRAWN: np.full(len(refused), True)})


class Gather:
    """Candidates of one partition that wait for the rest of their request.

    Parameters
    ----------
    slate
        Names the columns of the request and of its size.
    id
        Name of the event id column.
    """

    def __init__(self, slate: Slate, id: str) -> None:
        assert slate.size is not None
        self._request, self._size, self._id = slate.request, slate.size, id
        self._events = self._gone = Batch({})
        self._let_go = np.zeros(0, dtype=np.int64)

    @property
    def since(self) -> float:
        """When the oldest message that waits was sent [s since epoch]; infinity without one."""
        return float(self._both("sent").min(initial=np.inf))

    def take(self, events: Batch) -> Batch:
        """Take candidates and return the requests that are complete with them.

        Returns
        -------
        The candidates of a request stand together, in order of `processing_time` and id. `behind`
        marks those that come when their request was let go without them.
        """
        behind = np.isin(events[self._request], self._let_go)
        events = events.with_columns(behind=behind)
        self._events = Batch.concat([self._events, events.take(~behind)])
        return Batch.concat([self._complete(), events.take(behind)])

    def withdraw(self, gone: Batch) -> Batch:
        """Take `withdrawals` and return the requests that are complete without them."""
        known = np.isin(gone[self._request], self._let_go)
        self._gone = Batch.concat([self._gone, gone.take(~known)])
        return self._complete()

    def let_go(self, until: float) -> Batch:
        """Return the requests that wait since a time or longer, complete or not."""
        requests, code = self._requests()
        first = np.full(len(requests), np.inf)
        np.minimum.at(first, code, self._both("sent"))
        old = first <= until
        self._let_go = np.concatenate([self._let_go, requests[old]])[-KEPT:]
        return self._part(old[code])

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return a copy of what waits as arrays."""
        arrays = {_LATE: self._let_go.copy()}
        for prefix, batch in ((_EVENT, self._events), (_GONE, self._gone)):
            arrays |= {prefix + name: batch[name].copy() for name in batch.names}
        return arrays

    def load(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Go back to what waited, and take it out of `arrays`."""
        self._let_go = arrays.pop(_LATE)
        parts = []
        for prefix in (_EVENT, _GONE):
            names = [name for name in arrays if name.startswith(prefix)]
            parts.append(Batch({n.removeprefix(prefix): arrays.pop(n) for n in names}))
        self._events, self._gone = parts

    def _complete(self) -> Batch:
        requests, code = self._requests()
        size = np.full(len(requests), np.inf)
        np.fmin.at(size, code, self._both(self._size))
        return self._part((np.bincount(code, minlength=len(requests)) >= size)[code])

    def _requests(self) -> tuple[_Ids, _Ids]:
        """Return the requests that wait, and which one each message is of: events, then gone."""
        requests, code = np.unique(self._both(self._request), return_inverse=True)
        return requests.astype(np.int64), code.astype(np.int64)

    def _both(self, name: str) -> NDArray[Any]:
        parts = [part[name] for part in (self._events, self._gone) if len(part)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _part(self, chosen: NDArray[np.bool_]) -> Batch:
        """Take messages out and return the events among them."""
        of_events, of_gone = chosen[: len(self._events)], chosen[len(self._events) :]
        events, self._events = self._events.take(of_events), self._events.take(~of_events)
        if len(self._gone):
            self._gone = self._gone.take(~of_gone)
        if not len(events):
            return events
        order = np.lexsort((events[self._id], events["processing_time"], events[self._request]))
        return events.take(order)
