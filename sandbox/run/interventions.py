"""What a person on call can do to a running system: ``--do "ACTION@DAY KEY=VALUE ..."``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.batch import Batch
from sandbox.errors import SandboxError, UsageError, suggest
from sandbox.model import check_model
from sandbox.pipeline.decide import DECISIONS
from sandbox.run.setup import DAY, Prepared
from sandbox.spec.actions import ACTIONS
from sandbox.spec.design import ModelSpec
from sandbox.spec.loading import check_design, design_from
from sandbox.spec.overrides import apply_overrides
from sandbox.spec.scenario import Column, EventSchema
from sandbox.spec.source import source_from_text
from sandbox.spec.units import parse_quantity
from sandbox.world.filters import RowFilter

__all__ = ["Intervention", "Repair", "parse_action", "parse_interventions"]

OFF = "off"
OPTION = "--do"
_HEAD = re.compile(r"^([a-z]+)@([^\s@]+)$")
_EXAMPLE = "ACTION@DAY KEY=VALUE ... such as 'retrain@58d training.window=14d'"
_ACTION = "ACTION KEY=VALUE ... such as retrain training.window=14d"
_MOST_WORKERS = 512


@dataclass(frozen=True)
class Repair:
    """Change a field in some rows, for some time."""

    field: str
    mend_with: Callable[[Batch], NDArray[Any]]
    """From the events to the field's new values."""
    rows: RowFilter
    until: float
    """[s since day 0]"""

    def mend(self, events: Batch) -> Batch:
        """Return the events with the field put right; a field that never came is missing."""
        if self.field not in events:
            events = events.with_columns(**{self.field: np.full(len(events), np.nan)})
        rows = self.rows.mask(events)
        return events.with_columns(
            **{self.field: np.where(rows, self.mend_with(events), events[self.field])}
        )


@dataclass(frozen=True)
class Intervention:
    """One thing that is done, when, and what it needs."""

    kind: str
    at: float
    """[s since day 0]"""
    text: str
    model: ModelSpec | None = None
    review: float | None = None
    block: float | None = None
    repair: Repair | None = None
    share: float = 0.0
    workers: int = 0
    rows: RowFilter | None = None
    """Events that a rule picks, by event column and feature."""
    condition: str = ""
    """`rows` as it was written."""
    decision: int | None = None
    """Code into `DECISIONS`; None ends the rule."""
    who: str = ""


def parse_interventions(texts: Sequence[str], prepared: Prepared) -> tuple[Intervention, ...]:
    """Read what is to be done, in order of time.

    Raises
    ------
    UsageError
        Saying what is wrong and what would do.
    """
    return tuple(sorted((_parse_at(text, prepared) for text in texts), key=lambda one: one.at))


def parse_action(text: str, prepared: Prepared, at: float) -> Intervention:
    """Read what is to be done at `at` [s since day 0]: ``ACTION KEY=VALUE ...``.

    Raises
    ------
    UsageError
        Saying what is wrong and what would do.
    """
    kind, *rest = _words(text, _ACTION, "do")
    return _Reader(text, prepared, "do").read(kind, rest, at)


def _parse_at(text: str, prepared: Prepared) -> Intervention:
    head, *rest = _words(text, _EXAMPLE, OPTION)
    match = _HEAD.match(head)
    if match is None:
        raise _wrong(OPTION, "not an action", text, _EXAMPLE)
    kind, day = match.groups()
    reader = _Reader(text, prepared, OPTION)
    reader.check_kind(kind)
    at = reader.time(day)
    if not 0 < at <= prepared.days * DAY:
        raise _wrong(OPTION, "outside the run", text, f"a day from 1h to {prepared.days}d")
    return reader.read(kind, rest, at)


class _Reader:
    """Reads the settings of one action."""

    def __init__(self, text: str, prepared: Prepared, where: str) -> None:
        self._text, self._prepared, self._where = text, prepared, where
        self._schema = prepared.scenario.event
        self._at = 0.0

    def check_kind(self, kind: str) -> None:
        if kind not in ACTIONS:
            raise self._wrong(
                "unknown action", kind, f"one of {', '.join(ACTIONS)}", suggest(kind, ACTIONS)
            )

    def read(self, kind: str, rest: Sequence[str], at: float) -> Intervention:
        self.check_kind(kind)
        settings, self._at = self._settings(rest), at
        plain = Intervention(kind, at, self._text)
        readers: Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
            "retrain": self._model, "threshold": self._threshold, "repair": self._repair,
            "quarantine": self._quarantine, "rule": self._rule, "canary": self._share,
            "explore": self._share, "shed": self._share, "workers": self._workers,
            "page": self._who,
        }  # fmt: skip
        if kind in readers:
            return replace(plain, **readers[kind](settings))
        if settings:
            raise self._wrong(f"{kind} takes no settings", self._text, kind)
        return plain

    def time(self, value: str) -> float:
        try:
            quantity = parse_quantity(value)
        except ValueError:
            quantity = None
        if quantity is None or quantity.unit != "s":
            raise self._wrong("not a day", self._text, "a time such as 58d")
        return float(quantity)

    def _settings(self, parts: Sequence[str]) -> dict[str, str]:
        pairs = [part.partition("=") for part in parts]
        if not all(key and equals and value for key, equals, value in pairs):
            raise self._wrong("not a setting", self._text, _ACTION)
        return {key: value for key, _, value in pairs}

    def _only(
        self, settings: Mapping[str, str], needed: set[str], also: set[str], kind: str
    ) -> None:
        if not needed <= set(settings) <= needed | also:
            raise self._wrong(f"not a {kind}", self._text, ACTIONS[kind])

    def _model(self, settings: Mapping[str, str]) -> dict[str, Any]:
        if not settings:
            return {}
        prepared = self._prepared
        source = source_from_text(prepared.design_text, f"{self._where} retrain")
        changed = apply_overrides(source, [f"model.{k}={v}" for k, v in settings.items()])
        design = design_from(changed)
        check_design(design, changed, prepared.scenario, metrics=prepared.task.metrics)
        check_model(design.model, prepared.task)
        return {"model": design.model}

    def _threshold(self, settings: Mapping[str, str]) -> dict[str, Any]:
        task = self._prepared.task
        if task.has_groups:
            what = f"task {task.name} has no thresholds: the first of each request are shown"
            raise self._wrong(what, self._text, "another action such as explore share=10%")
        expected = "block=SHARE or review=SHARE from 0 to 1, or off"
        known = settings and set(settings) <= {"block", "review"}
        found = {k: np.inf if v == OFF else self._number(v) for k, v in settings.items()}
        if not known or not all(0 <= v <= 1 or v == np.inf for v in found.values()):
            raise self._wrong("not a threshold", self._text, expected)
        return found

    def _repair(self, settings: Mapping[str, str]) -> dict[str, Any]:
        how = {"factor", "from"} & set(settings)
        self._only(settings, {"field", *how}, {"where", "until", "for"}, "repair")
        if len(how) != 1:
            raise self._wrong("not a repair", self._text, ACTIONS["repair"])
        numbers = [n for n, c in self._schema.columns.items() if c.type == "number"]
        name = self._field(settings["field"], numbers, "a number field")
        if "factor" in settings:
            factor = self._number(settings["factor"])
            return self._mended(settings, name, lambda events: events[name] * factor)
        other = settings["from"]
        return self._mended(
            settings, name,
            lambda events: events[other] if other in events else np.full(len(events), np.nan),
        )  # fmt: skip

    def _quarantine(self, settings: Mapping[str, str]) -> dict[str, Any]:
        self._only(settings, {"field"}, {"where", "until", "for"}, "quarantine")
        may_miss = [n for n, c in self._schema.columns.items() if c.nullable and c.type == "number"]
        name = self._field(settings["field"], may_miss, "a field that may be missing")
        return self._mended(settings, name, lambda events: np.full(len(events), np.nan))

    def _mended(
        self, settings: Mapping[str, str], name: str, how: Callable[[Batch], NDArray[Any]]
    ) -> dict[str, Any]:
        rows = RowFilter.parse(settings.get("where"), self._schema, "where")
        until = self.time(settings["until"]) if "until" in settings else np.inf
        if "for" in settings:
            until = min(until, self._at + self.time(settings["for"]))
        return {"repair": Repair(name, how, rows, until)}

    def _field(self, name: str, known: Sequence[str], what: str) -> str:
        if name not in known:
            expected = f"one of {', '.join(known) or 'none here'}"
            raise self._wrong(f"not {what}", name, expected, suggest(name, known))
        return name

    def _rule(self, settings: Mapping[str, str]) -> dict[str, Any]:
        self._only(settings, {"where", "then"}, set(), "rule")
        then = settings["then"]
        if then not in (*DECISIONS, OFF):
            raise self._wrong("not a decision", then, f"one of {', '.join((*DECISIONS, OFF))}")
        features = {
            name: Column(type="number", nullable=True, about="a feature")
            for name in self._prepared.plan.names
            if name not in self._schema.columns
        }
        seen = {"columns": {**self._schema.columns, **features}}
        schema: EventSchema = self._schema.model_copy(update=seen)
        rows = RowFilter.parse(settings["where"], schema, "where")
        condition = " ".join(settings["where"].split())
        decision = None if then == OFF else DECISIONS.index(then)
        return {"rows": rows, "condition": condition, "decision": decision}

    def _share(self, settings: Mapping[str, str]) -> dict[str, Any]:
        value = self._number(settings["share"]) if set(settings) == {"share"} else -1.0
        if not 0 <= value < 1:
            raise self._wrong("not a share", self._text, "share=SHARE from 0 to below 1")
        return {"share": value}

    def _workers(self, settings: Mapping[str, str]) -> dict[str, Any]:
        count = settings.get("count", "")
        whole = set(settings) == {"count"} and count.isdecimal()
        if not whole or not 1 <= int(count) <= _MOST_WORKERS:
            raise self._wrong("not a number of workers", self._text, f"count=1 to {_MOST_WORKERS}")
        return {"workers": int(count)}

    def _who(self, settings: Mapping[str, str]) -> dict[str, Any]:
        if set(settings) != {"who"}:
            raise self._wrong("nobody named", self._text, "who=TEAM")
        return {"who": settings["who"]}

    def _number(self, value: str) -> float:
        try:
            return float(parse_quantity(value))
        except ValueError:
            raise self._wrong("not a number", self._text, _ACTION) from None

    def _wrong(self, what: str, got: str, expected: str, hint: str = "") -> SandboxError:
        return _wrong(self._where, what, got, expected, hint)


def _words(text: str, expected: str, where: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words:
        raise _wrong(where, "unreadable", text, expected)
    return words


def _wrong(where: str, what: str, got: str, expected: str, hint: str = "") -> SandboxError:
    return UsageError(what, where=where, got=got, expected=expected, hint=hint)
