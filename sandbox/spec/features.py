"""Features as a design declares them: once, for training and serving alike."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from sandbox.spec.base import Spec, SpecError
from sandbox.spec.units import Duration, format_duration

__all__ = ["CALENDAR", "OPERATIONS", "TEXT_OPERATIONS", "FeatureSpec"]

Operation = Literal[
    "column", "calendar", "count", "sum", "mean", "share", "ratio", "since_last", "length",
    "hashed", "quotient",
]  # fmt: skip
TEXT_OPERATIONS: tuple[str, ...] = ("length", "hashed")
OPERATIONS: tuple[str, ...] = (
    "count", "sum", "mean", "share", "ratio", "since_last", *TEXT_OPERATIONS, "quotient",
)  # fmt: skip
_EXAMPLES = {
    "count": "count: {by: KEY, over: [1d, 7d]}",
    "sum": "sum: {of: COLUMN, by: KEY, over: [1d, 7d]}",
    "mean": "mean: {of: COLUMN, by: KEY, over: [1d, 7d]}",
    "share": "share: {of: label, by: KEY, over: [7d, 30d], delay: 7d}",
    "ratio": "ratio: {of: COLUMN, by: KEY, over: 30d}",
    "since_last": "since_last: {by: KEY}",
    "length": "length: {of: TEXT}",
    "hashed": "hashed: {of: TEXT, grams: words, into: 64}",
    "quotient": "quotient: {of: FEATURE, to: FEATURE}",
}
_BUCKETS = 64
CALENDAR: tuple[str, ...] = ("hour_of_day", "day_of_week", "weekend", "night")


class FeatureSpec(Spec):
    """One declared feature; over several windows it gives several columns.

    Written as a bare name (``amount``, ``hour_of_day``) or as one operation::

        - mean: {of: amount, by: user_id, over: [1d, 7d], delay: 0d}

    ======== ==============================================================================
    count    events of the key in the window, the current one included when `delay` is 0
    sum      sum of a column over those events, exact in the column's decimals
    mean     the same sum over the number of events in the window whose value is known
    share    known positive labels over *all* events in the window (unlabelled count as 0)
    ratio    the current value over the mean of the key's *other* events in the window
    since_last seconds since the key's previous event (NaN for the first)
    length   characters of a text
    hashed   how often words, or runs of three characters within words, occur in a text, counted
             in `into` buckets by a hash (Weinberger et al., 2009): no vocabulary to fit or to age
    quotient one column of the features declared above over another (NaN over 0): a price per area
    ======== ==============================================================================

    The window at event time t is ``(t - delay - over, t - delay]``. ``label`` as a column means
    labels known by then.
    """

    operation: Operation
    """What is computed."""
    of: str | None = None
    """The column it is computed from; ``label`` means labels known by then. Of a quotient: the
    feature column above the line."""
    to: str | None = None
    """Of a quotient: the feature column below the line."""
    by: str | None = None
    """The key column whose events are looked back on."""
    over: tuple[Duration, ...] = ()
    """One window or several; each gives a column."""
    delay: Duration = 0.0
    """How far before the event the windows end."""
    grams: Literal["words", "characters"] = "words"
    """What is counted in a text."""
    into: int = Field(default=_BUCKETS, ge=2, le=1024)
    """Buckets; each gives a column."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"operation": "calendar" if value in CALENDAR else "column", "of": value}
        if isinstance(value, FeatureSpec) or (isinstance(value, dict) and "operation" in value):
            return value
        if not isinstance(value, dict):
            raise ValueError("expected a column, a calendar name, or one operation")
        operation = next(iter(value), None)
        if len(value) != 1 or operation is None:
            raise ValueError(f"expected one operation of {', '.join(OPERATIONS)}")
        if operation not in OPERATIONS:
            raise SpecError(
                f"unknown operation {operation!r}, expected one of {', '.join(OPERATIONS)}",
                operation,
            )
        body = value[operation]
        if not isinstance(body, dict) or "operation" in body:
            raise SpecError(f"expected {_EXAMPLES[operation]}", operation)
        if "over" in body and not isinstance(body["over"], list | tuple):
            body = {**body, "over": [body["over"]]}
        return {"operation": operation, **body}

    @model_validator(mode="after")
    def _complete(self) -> FeatureSpec:
        if self.operation in ("column", "calendar"):
            return self
        if self.operation != "quotient" and self.to is not None:
            example = _EXAMPLES[self.operation]
            raise SpecError(f"only quotient takes `to`, expected {example}", self.operation)
        if self.operation != "hashed" and (self.grams, self.into) != ("words", _BUCKETS):
            raise SpecError("only hashed takes `grams` and `into`", self.operation)
        if self.operation in (*TEXT_OPERATIONS, "quotient"):
            incomplete = self.of is None or (self.operation == "quotient" and self.to is None)
            if incomplete or self.by is not None or self.over or self.delay:
                raise SpecError(f"expected {_EXAMPLES[self.operation]}", self.operation)
            return self
        if self.by is None:
            raise SpecError(f"{self.operation} needs `by`, expected a key column", self.operation)
        needs_of = self.operation in ("sum", "mean", "share", "ratio")
        if needs_of and self.of is None:
            raise SpecError(f"{self.operation} needs `of`, expected a column", self.operation)
        if not needs_of and self.of is not None:
            raise SpecError(f"{self.operation} takes no `of`", "of")
        self._check_windows()
        return self

    def _check_windows(self) -> None:
        if self.operation == "since_last":
            if self.over or self.delay:
                given = "over" if self.over else "delay"
                raise SpecError("since_last takes neither `over` nor `delay`", given)
            return
        if not self.over:
            raise SpecError(
                f"{self.operation} needs `over`, expected windows such as [1d, 7d]", self.operation
            )
        for position, window in enumerate(self.over):
            if window <= 0:
                raise SpecError("expected a window > 0 such as 7d", "over", position)
            if window in self.over[:position]:
                raise SpecError(
                    "this window is listed twice, expected distinct ones", "over", position
                )
        if self.operation == "ratio" and self.delay:
            raise SpecError("ratio takes no `delay`", "delay")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns it gives, one a window or bucket.

        Examples
        --------
        >>> FeatureSpec.model_validate(
        ...     {"mean": {"of": "amount", "by": "user_id", "over": ["1d", "7d"]}}).names
        ('user_id_mean_amount_1d', 'user_id_mean_amount_7d')
        """
        if self.operation in ("column", "calendar"):
            return (str(self.of),)
        if self.operation == "length":
            return (f"{self.of}_length",)
        if self.operation == "quotient":
            return (f"{self.of}_per_{self.to}",)
        if self.operation == "hashed":
            return tuple(f"{self.of}_{self.grams}_{bucket}" for bucket in range(self.into))
        stem = f"{self.by}_{self.operation}" + (f"_{self.of}" if self.of else "")
        lag = f"_delay_{format_duration(self.delay)}" if self.delay else ""
        if self.operation == "since_last":
            return (stem,)
        return tuple(f"{stem}_{format_duration(w)}{lag}" for w in self.over)
