"""FeaturePlan: declared features laid out for execution.

A plan is pure data: what each stage (key) keeps of an event, which windows slide over it, and
which column of the feature matrix each result fills. `online` and `history` execute it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.pipeline.features.check import LABEL, Problem, find_problems
from sandbox.pipeline.features.cleaning import NOTHING_TO_CLEAN, Cleaner
from sandbox.pipeline.features.codes import (
    COUNT,
    HEADER,
    KNOWN,
    MEAN,
    POSITIVE,
    RATIO,
    SHARE,
    SINCE_LAST,
    SUM,
    TOTAL,
)
from sandbox.spec.cleaning import CleanStep
from sandbox.spec.features import TEXT_OPERATIONS, FeatureSpec
from sandbox.spec.scenario import EventSchema, Slate
from sandbox.task.slates import SlateColumns

__all__ = [
    "FeaturePlan",
    "Layout",
    "Output",
    "Quotient",
    "RowFeature",
    "SlateColumns",
    "StagePlan",
    "Window",
]

LABEL_DECIMALS = 6
_OPERATIONS = {
    "count": COUNT, "sum": SUM, "mean": MEAN, "share": SHARE, "ratio": RATIO,
    "since_last": SINCE_LAST,
}  # fmt: skip
_NEEDS: dict[int, tuple[int, ...]] = {
    COUNT: (), SUM: (TOTAL,), MEAN: (TOTAL, KNOWN), SHARE: (POSITIVE,), RATIO: (TOTAL, KNOWN),
    SINCE_LAST: (),
}  # fmt: skip


class Layout(NamedTuple):
    """A stage's plan as arrays for the compiled fold."""

    widths: NDArray[np.int64]
    """Words of a ring entry, words of a key's row, value columns, whether labels are kept."""
    spans: NDArray[np.float64]
    """Allowed lateness, and age at which an entry can be forgotten [s]."""
    scales: NDArray[np.float64]
    """Minor units in one unit, for each source (the label last)."""
    edges: NDArray[np.float64]
    """(windows, 2): delay, length [s]."""
    places: NDArray[np.int64]
    """(windows, 3): word of the window in a key's row, first and last + 1 accumulator."""
    slots: NDArray[np.int64]
    """(accumulators, 2): word of the source in an entry, what is added up."""
    outputs: NDArray[np.int64]
    """(columns, 5): operation, word of the window, of two accumulators, of the source."""
    output_scales: NDArray[np.float64]
    """Minor units in one unit, for each column."""


@dataclass(frozen=True)
class Window:
    """Events with ``t - delay - over < event_time <= t - delay``, and what is added up there."""

    delay: float
    over: float
    slots: tuple[tuple[int, int], ...]
    """Pairs of source and TOTAL, KNOWN or POSITIVE."""


@dataclass(frozen=True)
class Output:
    """One column of a stage."""

    name: str
    position: int
    """Column in the feature matrix."""
    operation: int
    window: int
    """Index of the window; -1 without one."""
    source: int
    """Index of the source; -1 without one."""


@dataclass(frozen=True)
class Quotient:
    """One column of the matrix over another."""

    position: int
    above: int
    """Columns of the feature matrix."""
    below: int


@dataclass(frozen=True)
class RowFeature:
    """One column that needs nothing but the event itself."""

    position: int
    operation: str
    name: str
    """Column of the event, or calendar feature."""
    category: bool
    grams: str = ""
    into: int = 0
    """Of hashed text: what is counted, and in how many columns from `position` on."""


@dataclass(frozen=True)
class StagePlan:
    """Everything keyed by one column: one state a key, one worker a partition."""

    key: str
    columns: tuple[str, ...]
    """Number columns that are kept of each event; sources 0, 1, ... of the windows."""
    has_labels: bool
    """Whether labels are kept as the last source."""
    windows: tuple[Window, ...]
    outputs: tuple[Output, ...]
    scales: tuple[float, ...]
    lateness: float

    @property
    def positions(self) -> NDArray[np.int64]:
        """Columns of the feature matrix that the stage fills."""
        return np.array([output.position for output in self.outputs], dtype=np.int64)

    def layout(self) -> Layout:
        """Return the arrays that the compiled fold reads."""
        places, slots, at = [], list[tuple[int, int]](), HEADER
        for window in self.windows:
            places.append((at, len(slots), len(slots) + len(window.slots)))
            slots += [(1 + source, kind) for source, kind in window.slots]
            at += 2 + len(window.slots)
        entry = 1 + len(self.columns) + 2 * self.has_labels
        span = max((w.delay + w.over for w in self.windows), default=0.0)
        return Layout(
            widths=_ints([entry, at, len(self.columns), self.has_labels], (4,)),
            # One second more, so that rounding never drops an entry too early.
            spans=np.array([self.lateness, span + self.lateness + 1.0]),
            scales=np.array(self.scales, dtype=np.float64),
            edges=np.array([(w.delay, w.over) for w in self.windows]).reshape(-1, 2),
            places=_ints(places, (-1, 3)),
            slots=_ints(slots, (-1, 2)),
            outputs=_ints([self._words(o, places) for o in self.outputs], (-1, 5)),
            output_scales=np.array(
                [self.scales[o.source] if o.source >= 0 else 1.0 for o in self.outputs]
            ),
        )

    def _words(self, output: Output, places: list[tuple[int, int, int]]) -> tuple[int, ...]:
        if output.window < 0:
            return output.operation, 0, 0, 0, 0
        at, slots = places[output.window][0], self.windows[output.window].slots
        words = [at + 2 + slots.index((output.source, k)) for k in _NEEDS[output.operation]]
        first, second, *_ = [*words, 0, 0]
        return output.operation, at, first, second, 1 + output.source


@dataclass(frozen=True)
class FeaturePlan:
    """All declared features, their columns and their stages."""

    names: tuple[str, ...]
    """Columns of the feature matrix."""
    id: str
    """Name of the event id column."""
    rows: tuple[RowFeature, ...]
    stage_plans: tuple[StagePlan, ...]
    fingerprint: str
    """Changes with anything that changes state or results; snapshots carry it."""
    cleaner: Cleaner = NOTHING_TO_CLEAN
    """What is put right in events before anything is computed."""
    quotients: tuple[Quotient, ...] = ()
    slate: SlateColumns | None = None
    """The last three columns, where events are candidates; see `EventSchema.slate`."""

    @staticmethod
    def check(
        features: Sequence[FeatureSpec], schema: EventSchema, ingest_key: str | None = None
    ) -> list[Problem]:
        """Return what a user must mend before `compile` can work."""
        return find_problems(features, schema, ingest_key)

    @classmethod
    def compile(
        cls,
        features: Sequence[FeatureSpec],
        schema: EventSchema,
        ingest_key: str | None = None,
        *,
        allowed_lateness: float = 600.0,
        clean: Sequence[CleanStep] = (),
    ) -> FeaturePlan:
        """Lay out features.

        Parameters
        ----------
        ingest_key
            Column that keys the log; its stage comes first, even without features of its own.
        allowed_lateness
            Age [s] up to which events may come out of order; state is kept that much longer.
        clean
            What is put right in an event first; the steps must fit the schema.

        Raises
        ------
        ValueError
            If `check` finds problems: checking comes before compiling.
        """
        problems = find_problems(features, schema, ingest_key)
        if problems:
            raise ValueError(f"features do not fit the schema: {problems[0]}")
        names = tuple(name for feature in features for name in feature.names)
        slate = None
        if schema.slate is not None:
            slate = SlateColumns(*range(len(names), len(names) + 3))
            names = (*names, schema.slate.request, schema.slate.user, schema.slate.item)
        position = {name: i for i, name in enumerate(names)}
        rows = tuple(
            _row(f, position[f.names[0]], schema)
            for f in features
            if f.operation in ("column", "calendar", *TEXT_OPERATIONS)
        )
        if slate is not None:
            rows += tuple(RowFeature(at, "id", names[at], category=False) for at in slate.all)
        keys = [] if ingest_key is None else [ingest_key]
        keys += [str(f.by) for f in features if f.by is not None]
        stages = tuple(
            _stage(key, [f for f in features if f.by == key], schema, position, allowed_lateness)
            for key in _in_order(keys, schema.slate)
        )
        quotients = tuple(
            Quotient(position[f.names[0]], position[str(f.of)], position[str(f.to)])
            for f in features
            if f.operation == "quotient"
        )
        decimals = {n: (c.type, c.decimals) for n, c in schema.columns.items()}
        about = [[_about(f) for f in features], schema.id, decimals, [s.key for s in stages]]
        steps = [step.model_dump(mode="json") for step in clean]
        # Plans without cleaning keep the fingerprint that their snapshots carry.
        text = json.dumps([*about, allowed_lateness, *([steps] if steps else [])])
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        cleaner = Cleaner.compile(clean, schema)
        return cls(names, schema.id, rows, stages, fingerprint, cleaner, quotients, slate)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the matrix that describe an event; those that only name things left out."""
        return self.names if self.slate is None else self.names[:-3]

    @property
    def hashed(self) -> tuple[RowFeature, ...]:
        """Features that are hashed text."""
        return tuple(row for row in self.rows if row.operation == "hashed")

    @property
    def stages(self) -> tuple[str, ...]:
        """Keys of the stages in order."""
        return tuple(stage.key for stage in self.stage_plans)

    def stage(self, key: str) -> StagePlan:
        """Return the plan of one stage.

        Raises
        ------
        ValueError
            If no stage has this key.
        """
        for stage in self.stage_plans:
            if stage.key == key:
                return stage
        raise ValueError(f"no stage {key!r}, expected one of {', '.join(self.stages)}")


def _in_order(keys: Sequence[str], slate: Slate | None) -> list[str]:
    """Return the stages' keys, each once; in the last stage the candidates of a request meet.

    That is the stage of their user, or, where the log is keyed by users and other stages follow,
    one more by request that computes nothing.
    """
    order = list(dict.fromkeys(keys))
    if slate is None or not order or order[-1] in (slate.request, slate.user):
        return order
    meeting = next((key for key in order[1:] if key in (slate.request, slate.user)), slate.request)
    return [*(key for key in order if key != meeting), meeting]


def _stage(
    key: str,
    features: Sequence[FeatureSpec],
    schema: EventSchema,
    position: dict[str, int],
    lateness: float,
) -> StagePlan:
    wanted = dict.fromkeys(f.of for f in features if f.of is not None)
    columns = tuple(name for name in wanted if name != LABEL)
    has_labels = LABEL in wanted
    sources = [*columns, LABEL] if has_labels else list(columns)
    needs: dict[tuple[float, float], dict[tuple[int, int], None]] = {}
    drafts = []
    for feature in features:
        operation = _OPERATIONS[feature.operation]
        source = sources.index(feature.of) if feature.of is not None else -1
        for name, over in zip(feature.names, feature.over or (None,), strict=True):
            span = None if over is None else (feature.delay, over)
            if span is not None:
                kept = needs.setdefault(span, {})
                kept.update(dict.fromkeys((source, kind) for kind in _NEEDS[operation]))
            drafts.append((name, operation, span, source))
    spans = list(needs)
    return StagePlan(
        key=key,
        columns=columns,
        has_labels=has_labels,
        windows=tuple(Window(*span, slots=tuple(needs[span])) for span in spans),
        outputs=tuple(
            Output(name, position[name], op, -1 if span is None else spans.index(span), source)
            for name, op, span, source in drafts
        ),
        scales=tuple(10.0 ** _decimals(name, schema) for name in sources),
        lateness=lateness,
    )


def _decimals(source: str, schema: EventSchema) -> int:
    return LABEL_DECIMALS if source == LABEL else schema.columns[source].decimals


def _row(feature: FeatureSpec, position: int, schema: EventSchema) -> RowFeature:
    row = RowFeature(position, feature.operation, str(feature.of), _is_category(feature, schema))
    if feature.operation == "hashed":
        return replace(row, grams=feature.grams, into=feature.into)
    return row


def _about(feature: FeatureSpec) -> dict[str, object]:
    """Return what a fingerprint is made of: what only some have does not change that of others."""
    only_some = set() if feature.operation == "hashed" else {"grams", "into"}
    if feature.operation != "quotient":
        only_some.add("to")
    return feature.model_dump(mode="json", exclude=only_some)


def _is_category(feature: FeatureSpec, schema: EventSchema) -> bool:
    return feature.operation == "column" and schema.columns[str(feature.of)].type == "category"


def _ints(values: Sequence[object], shape: tuple[int, ...]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64).reshape(shape)
