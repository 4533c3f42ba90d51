"""Windows of time, by how fast simulated time goes.

Source of the paces: Site Reliability Workbook, chapter 5, "Alerting on SLOs".
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUDGET", "DAY", "SCRAPE", "Pace", "Windows", "duration"]

SCRAPE = 2
"""Time between two looks at a role [s]; prometheus.yml says the same."""
BUDGET = 30 * 86400
"""What an error budget is for [simulated s]."""
DAY = 86400
_FEWEST_SCRAPES = 4
_PACES = (
    ("fast", "page", 14.4, 3600, 300),
    ("slow", "page", 6.0, 6 * 3600, 1800),
    ("steady", "ticket", 1.0, 3 * DAY, 6 * 3600),
)
"""Name, severity, burn rate, long and short window [simulated s]."""


@dataclass(frozen=True)
class Pace:
    """A speed at which an error budget must not be spent."""

    name: str
    severity: str
    burn: float
    """Over how many times the rate that just spends the budget."""
    long: int
    """Window [s] that says it matters."""
    short: int
    """Window [s] that says it still lasts."""


@dataclass(frozen=True)
class Windows:
    """Windows [s of the wall clock] for a time compression.

    Parameters
    ----------
    speed
        Simulated seconds in a second.
    """

    speed: float

    @property
    def paces(self) -> tuple[Pace, ...]:
        """Fastest first.

        At a high compression the windows would be shorter than the time between two scrapes. A
        short window holds four scrapes at least, and a long one is twice as long as its short one
        and as the long one before it.
        """
        made: list[Pace] = []
        for name, severity, burn, long, short in _PACES:
            least = 2 * made[-1].long if made else 0
            short = max(self._scaled(short), _FEWEST_SCRAPES * SCRAPE)
            made.append(
                Pace(name, severity, burn, max(self._scaled(long), 2 * short, least), short)
            )
        return tuple(made)

    @property
    def budget(self) -> int:
        """What an error budget is for."""
        return max(self._scaled(BUDGET), 2 * self.paces[-1].long)

    @property
    def pulse(self) -> int:
        """Within it something always happens in a living system: an hour, at least 16 s."""
        return max(self._scaled(3600), 8 * SCRAPE)

    @property
    def day(self) -> int:
        """A day, at least a minute."""
        return max(self._scaled(DAY), 60)

    def _scaled(self, simulated: float) -> int:
        return round(simulated / self.speed)


def duration(seconds: int) -> str:
    """Return a length of time as Prometheus writes it.

    Examples
    --------
    >>> duration(16), duration(180), duration(90), duration(7200)
    ('16s', '3m', '90s', '2h')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
