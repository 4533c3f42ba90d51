"""News: what roles say happened, kept for those who look: dashboards, `status`, the monitor."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from sandbox.live.messages import Happening
from sandbox.live.metrics import LiveMetrics

__all__ = ["News"]

SHOWN = 30.0
"""How long a happening shows in the metrics [s]."""
MOST = 50
"""Most happenings that show at once."""
KEPT = 500
"""Happenings that are kept."""
_LONGEST = 120


class News:
    """Takes happenings in the order of their topic.

    Parameters
    ----------
    metrics
        Where they show for a while.
    """

    def __init__(self, metrics: LiveMetrics) -> None:
        self._gauge = metrics.happening
        self._shown: dict[tuple[str, str], float] = {}
        self._kept: deque[tuple[int, Happening]] = deque(maxlen=KEPT)
        self.incidents: dict[str, str] = {}
        """Kind of each incident that lasts, by name."""
        self.champions: list[tuple[float, int]] = []
        """From when on [s since day 0] which version decided."""
        self.worked: dict[float, list[int]] = {}
        """Cases that people worked, by the end of their day [s since day 0]."""
        self.trained = 0.0
        """When the last training job was asked for [s since day 0]."""
        self.said: set[tuple[float, str, str]] = set()
        """Alerts that were told: day, kind, subject."""
        self.answered_to = 0
        """Offset after the last command that the monitor answered."""

    def take(self, happening: Happening, offset: int, now: float) -> None:
        """Take a happening; `now` is the wall clock [s since epoch]."""
        self._kept.append((offset, happening))
        self._learn(happening.kind, happening.facts)
        if happening.role == "monitor":
            match happening.kind, happening.facts:
                case "alert", {"alert": str(kind), "subject": str(subject), "day": float(day)}:
                    self.said.add((day, kind, subject))
                case "refused" | "fault", {"offset": int(at)}:
                    self.answered_to = max(self.answered_to, at + 1)
        if happening.kind != "clock" and happening.sent > now - SHOWN:
            self._show(happening)

    def since(self, offset: int, command: str = "") -> list[dict[str, Any]]:
        """Return the happenings from an offset on; those of one command where it is given."""
        return [
            {"offset": at, **_plain(one)}
            for at, one in list(self._kept)
            if at >= offset and command in ("", one.command)
        ]

    def recent(self, count: int) -> list[dict[str, Any]]:
        """Return the last happenings, oldest first."""
        return [{"offset": at, **_plain(one)} for at, one in list(self._kept)[-count:]]

    def look(self, now: float) -> None:
        """Take down what has shown for long enough."""
        for labels in [key for key, sent in self._shown.items() if sent < now - SHOWN]:
            self._take_down(labels)

    def _show(self, happening: Happening) -> None:
        labels = happening.kind, happening.what[:_LONGEST]
        self._shown.pop(labels, None)
        self._shown[labels] = happening.sent
        self._gauge.labels(*labels).set(1)
        while len(self._shown) > MOST:
            self._take_down(next(iter(self._shown)))

    def _take_down(self, labels: tuple[str, str]) -> None:
        del self._shown[labels]
        self._gauge.remove(*labels)

    def _learn(self, kind: str, facts: Mapping[str, Any]) -> None:
        match kind, facts:
            case "incident", {"incident": str(name), "kind": str(of)}:
                self.incidents = {**self.incidents, name: of}
            case "mended", {"incident": str(name)}:
                self.incidents = {n: of for n, of in self.incidents.items() if n != name}
            case "promotion", {"promoted": int(number), "at": float(at)}:
                self.champions.append((at, number))
            case "rollback", {"champion": int(number), "at": float(at)}:
                self.champions.append((at, number))
            case "training", {"training": str(), "at": float(at)}:
                self.trained = max(self.trained, at)
            case "clock", {"worked": list(ids), "day_end": float(end)}:
                self.worked[end] = ids


def _plain(happening: Happening) -> dict[str, Any]:
    """Return a happening as plain data, without the long lists that only roles read."""
    plain: dict[str, Any] = msgspec.to_builtins(happening)
    plain["facts"] = {name: value for name, value in plain["facts"].items() if name != "worked"}
    return plain
