"""What a person on call does to a running system: ``--do "ACTION@DAY KEY=VALUE ..."``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sandbox.batch import Batch
from sandbox.errors import SandboxError, UsageError, suggest
from sandbox.model import check_model
from sandbox.run.setup import DAY, Prepared
from sandbox.spec.design import ModelSpec
from sandbox.spec.loading import check_design, design_from
from sandbox.spec.overrides import apply_overrides
from sandbox.spec.source import source_from_text
from sandbox.spec.units import parse_quantity
from sandbox.world.filters import RowFilter

__all__ = ["KINDS", "Intervention", "Repair", "parse_interventions"]

KINDS: Mapping[str, str] = {
    "retrain": "train a challenger; keys of `model` change what is trained from then on",
    "promote": "make the challenger the champion at once",
    "rollback": "put the former champion back",
    "threshold": "block=SHARE, review=SHARE: change when the champion acts",
    "repair": "field=NAME, factor=NUMBER, where=CONDITION, until=DAY: mend a field before checks",
}
_HEAD = re.compile(r"^([a-z]+)@([^\s@]+)$")
_EXAMPLE = "ACTION@DAY KEY=VALUE ... such as 'retrain@58d training.window=14d'"


@dataclass(frozen=True)
class Repair:
    """Multiply a field in some rows, for some time."""

    field: str
    factor: float
    rows: RowFilter
    until: float
    """[s since day 0]"""

    def mend(self, events: Batch) -> Batch:
        """Return the events with the field put right."""
        rows = self.rows.mask(events)
        return events.with_columns(
            **{self.field: np.where(rows, events[self.field] * self.factor, events[self.field])}
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


def parse_interventions(texts: Sequence[str], prepared: Prepared) -> tuple[Intervention, ...]:
    """Read what is to be done, in order of time.

    Raises
    ------
    UsageError
        Saying what is wrong and what would do.
    """
    return tuple(sorted((_parse(text, prepared) for text in texts), key=lambda one: one.at))


def _parse(text: str, prepared: Prepared) -> Intervention:
    try:
        head, *rest = shlex.split(text)
    except ValueError:
        raise _wrong("unreadable", text, _EXAMPLE) from None
    match = _HEAD.match(head)
    if match is None:
        raise _wrong("not an action", text, _EXAMPLE)
    kind, day = match.groups()
    if kind not in KINDS:
        raise _wrong("unknown action", kind, f"one of {', '.join(KINDS)}", suggest(kind, KINDS))
    at = _time(day, text)
    if not 0 < at <= prepared.days * DAY:
        raise _wrong("outside the run", text, f"a day from 1h to {prepared.days}d")
    settings = _settings(rest, text)
    plain = Intervention(kind, at, text)
    if kind == "retrain":
        return replace(plain, model=_model(settings, prepared)) if settings else plain
    if kind == "threshold":
        return _threshold(plain, settings)
    if kind == "repair":
        return replace(plain, repair=_repair(settings, text, prepared))
    if settings:
        raise _wrong(f"{kind} takes no settings", text, f"{kind}@DAY")
    return plain


def _settings(parts: Sequence[str], text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in parts]
    if not all(key and equals and value for key, equals, value in pairs):
        raise _wrong("not a setting", text, _EXAMPLE)
    return {key: value for key, _, value in pairs}


def _model(settings: Mapping[str, str], prepared: Prepared) -> ModelSpec:
    source = source_from_text(prepared.design_text, "--do retrain")
    changed = apply_overrides(source, [f"model.{key}={value}" for key, value in settings.items()])
    design = design_from(changed)
    check_design(design, changed, prepared.scenario, metrics=prepared.task.metrics)
    check_model(design.model, prepared.task)
    return design.model


def _threshold(plain: Intervention, settings: Mapping[str, str]) -> Intervention:
    found = {key: _number(value, plain.text) for key, value in settings.items()}
    known = found and set(found) <= {"block", "review"}
    if not known or not all(0 <= value <= 1 for value in found.values()):
        raise _wrong("not a threshold", plain.text, "block=SHARE or review=SHARE from 0 to 1")
    return replace(plain, review=found.get("review"), block=found.get("block"))


def _repair(settings: Mapping[str, str], text: str, prepared: Prepared) -> Repair:
    schema, expected = prepared.scenario.event, KINDS["repair"]
    if not {"field", "factor"} <= set(settings) <= {"field", "factor", "where", "until"}:
        raise _wrong("not a repair", text, expected)
    name = settings["field"]
    numbers = [n for n, column in schema.columns.items() if column.type == "number"]
    if name not in numbers:
        raise _wrong("not a number field", name, f"one of {', '.join(numbers)}")
    rows = RowFilter.parse(settings.get("where"), schema, "--do repair")
    until = _time(settings["until"], text) if "until" in settings else np.inf
    return Repair(name, _number(settings["factor"], text), rows, until)


def _number(value: str, text: str) -> float:
    try:
        return float(parse_quantity(value))
    except ValueError:
        raise _wrong("not a number", text, _EXAMPLE) from None


def _time(value: str, text: str) -> float:
    try:
        quantity = parse_quantity(value)
    except ValueError:
        quantity = None
    if quantity is None or quantity.unit != "s":
        raise _wrong("not a day", text, "a time such as 58d")
    return float(quantity)


def _wrong(what: str, got: str, expected: str, hint: str = "") -> SandboxError:
    return UsageError(what, where="--do", got=got, expected=expected, hint=hint)
