"""What training shows and what it is worth, said as each kind of problem has to be judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.report.numbers import money, quality, share, words
from sandbox.task import Task, get_task

__all__ = ["Chances", "Errors", "Finding", "Showing", "showing_for"]

Row = Mapping[str, Any]
Finding = tuple[str, float, float, str]
"""Name, weight as a share of what training weighs, what was reached from 0 to 1, and evidence."""


class Showing(ABC):
    """How the rows of one training are told and weighed."""

    header: tuple[str, ...]
    """Of the table in the debrief; the first column says which model."""

    @abstractmethod
    def cells(self, row: Row) -> tuple[str, ...]:
        """Return a row's figures for the table, without the first column."""

    @abstractmethod
    def line(self, row: Row) -> str:
        """Return a row in a sentence."""

    @abstractmethod
    def findings(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Yield what points are given for, of the first row beside the last one."""

    @abstractmethod
    def behind(self, yours: Row, reference: Row) -> str:
        """Return what came out worse than for the reference, in words; empty if nothing did."""


class Chances(Showing):
    """Of `binary`: scores are chances, which promise more or less than the true rate."""

    header = ("model", "PR-AUC", "recall among reviewed", "promised", "cost a day")

    def cells(self, row: Row) -> tuple[str, ...]:
        """Return ranking, recall, the promise as a factor, and cost."""
        return (
            quality(row["pr_auc"]), quality(row["recall_at_capacity"]),
            f"{row['promised']:.3g}x", money(row["cost"]),
        )  # fmt: skip

    def line(self, row: Row) -> str:
        """Return ranking, promise and threshold in a sentence."""
        return (
            f"{row['who']} ({row['model']}): PR-AUC {quality(row['pr_auc'])}, "
            f"recall among the reviewed {quality(row['recall_at_capacity'])}, ROC-AUC "
            f"{quality(row['roc_auc'])}; scores promise {row['promised']:.3g} times the true rate; "
            f"blocking refuses {share(row['refused'])} of the good ones and costs "
            f"{money(row['cost'])} a day"
        )

    def findings(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Yield ranking beside the reference, calibration, and the cost of the threshold."""
        yours, baseline, reference = rows[0], rows[1], rows[-1]
        ranked = yours["pr_auc"] / max(reference["pr_auc"], 1e-9)
        yield (
            "ranking", 1.0, _clipped(2 * ranked - 1),
            f"PR-AUC {quality(yours['pr_auc'])}, the reference {quality(reference['pr_auc'])}, "
            f"the baseline {quality(baseline['pr_auc'])}",
        )  # fmt: skip
        off = max(yours["promised"], 1 / max(yours["promised"], 1e-9))
        yield (
            "calibration", 0.5, _clipped(1.5 - off / 2 if off < 3 else 0.0),
            f"scores promise {yours['promised']:.3g} times the true rate",
        )  # fmt: skip
        yield _threshold(yours, reference)

    def behind(self, yours: Row, reference: Row) -> str:
        """Return both rankings, and what the candidate's scores promise."""
        if yours["pr_auc"] >= reference["pr_auc"]:
            return ""
        return (
            f"in training: PR-AUC {quality(yours['pr_auc'])}, the reference "
            f"{quality(reference['pr_auc'])}; your scores promise "
            f"{yours['promised']:.3g} times the true rate"
        )


class Errors(Showing):
    """Of the other tasks: their gate metric, and what they promise about it where they do."""

    def __init__(self, task: Task) -> None:
        self.metric, self.promise = task.gate_metric, task.promise
        self._higher = task.higher_is_better(self.metric)
        self._good = task.good
        self._keeps_back, kept_back = task.keeps_back
        promised = (words(self.promise[0]),) if self.promise else ()
        self.header = ("model", words(self.metric), *promised, kept_back, "cost a day")

    def cells(self, row: Row) -> tuple[str, ...]:
        """Return the metric, what holds of the promise, what is kept back, and cost."""
        promised = (share(row[self.promise[0]]),) if self.promise else ()
        return quality(row[self.metric]), *promised, share(row["refused"]), money(row["cost"])

    def line(self, row: Row) -> str:
        """Return metric, promise and threshold in a sentence."""
        better = "higher" if self._higher else "lower"
        promised = f"{self._promised(row)}; " if self.promise else ""
        return (
            f"{row['who']} ({row['model']}): {words(self.metric)} {quality(row[self.metric])} "
            f"({better} is better); {promised}{self._keeps_back} {share(row['refused'])} of the "
            f"{self._good} and costs {money(row['cost'])} a day"
        )

    def findings(self, rows: Sequence[Row]) -> Iterator[Finding]:
        """Yield the metric beside the reference, the promise, and the cost of the threshold."""
        yours, baseline, reference = rows[0], rows[1], rows[-1]
        near = self._over(yours, reference)
        yield (
            self.metric, 1.0, _clipped(2 * near - 1),
            f"{words(self.metric)} {quality(yours[self.metric])}, the reference "
            f"{quality(reference[self.metric])}, the baseline {quality(baseline[self.metric])}",
        )  # fmt: skip
        if self.promise:
            name, wanted = self.promise
            off = abs(yours[name] - wanted) / (1 - wanted)
            yield name, 0.5, _clipped(1.25 - off), self._promised(yours)
        yield _threshold(yours, reference)

    def behind(self, yours: Row, reference: Row) -> str:
        """Return both values of the metric, and what holds of the candidate's promise."""
        if self._over(yours, reference) >= 1:
            return ""
        promised = f"; {self._promised(yours)}" if self.promise else ""
        return (
            f"in training: {words(self.metric)} {quality(yours[self.metric])}, the reference "
            f"{quality(reference[self.metric])}{promised}"
        )

    def _over(self, yours: Row, reference: Row) -> float:
        """Return how good one is beside the other; more than 1 is better."""
        mine, theirs = max(yours[self.metric], 1e-9), max(reference[self.metric], 1e-9)
        return float(mine / theirs if self._higher else theirs / mine)

    def _promised(self, row: Row) -> str:
        assert self.promise is not None
        name, wanted = self.promise
        return f"{words(name)} {share(row[name])}, where {share(wanted)} were promised"


def showing_for(task: str) -> Showing:
    """Return how the training of a task is told."""
    return Chances() if task == "binary" else Errors(get_task(task))


def _threshold(yours: Row, reference: Row) -> Finding:
    cost = reference["cost"] / max(yours["cost"], 1e-9)
    return (
        "threshold", 0.5, _clipped(cost),
        f"{words('decision_cost')} {money(yours['cost'])} a day, the reference "
        f"{money(reference['cost'])}",
    )  # fmt: skip


def _clipped(value: float) -> float:
    return max(0.0, min(1.0, value))
