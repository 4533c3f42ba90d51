"""Control: what people can ask of a live system, checked where it comes in.

A command is JSON: ``{"action": "drift.set", "args": {"knob": "new_ring", "to": 1, "ramp": "2d"}}``.
Quantities may have units; a command that passed has them in base units.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from sandbox.errors import UsageError, suggest
from sandbox.live.messages import Command
from sandbox.run.interventions import OFF, parse_action
from sandbox.run.setup import Prepared
from sandbox.spec.design import ModelSpec
from sandbox.spec.units import parse_quantity
from sandbox.world import LABEL_DELAY

__all__ = ["ACTIONS", "MOST_BYTES", "Action", "Arg", "model_asked", "parse_command"]

MOST_BYTES = 16 * 1024
"""Longest command."""
MOST_LOAD = 100.0
_MOST_WORD, _MOST_TEXT = 100, 200
_MONTHS = 400 * 86400.0
"""Longest duration [s]."""
Value = str | float | int | bool


@dataclass(frozen=True)
class Arg:
    """One setting of an action."""

    kind: str
    """knob, incident, value, duration, share, threshold, factor or text."""
    about: str
    needed: bool = False


@dataclass(frozen=True)
class Action:
    """Something that can be asked for."""

    role: str
    """Who does it."""
    about: str
    args: Mapping[str, Arg]
    some: bool = False
    """Whether at least one setting must be given."""


_FOR = Arg("duration", "how long, in simulated time; until told otherwise when absent")
ACTIONS: Mapping[str, Action] = {
    "drift.set": Action(
        "generator", "turn a knob of the world",
        {
            "knob": Arg("knob", "which", needed=True),
            "to": Arg("value", "where to, within the knob's range", needed=True),
            "ramp": Arg("duration", "time until it is there"),
            "for": _FOR,
        },
    ),
    "drift.clear": Action(
        "generator", "turn knobs back", {"knob": Arg("knob", "which; all when absent")}
    ),
    "incident.start": Action(
        "generator", "begin an incident now", {"name": Arg("incident", "which", needed=True)}
    ),
    "incident.stop": Action(
        "generator", "end an incident", {"name": Arg("incident", "which", needed=True)}
    ),
    "load": Action(
        "generator", "change the load",
        {"factor": Arg("factor", "times the usual load", needed=True), "for": _FOR},
    ),
    "retrain": Action(
        "trainer", "train a challenger; keys of `model` change what is trained from then on", {}
    ),
    "promote": Action("trainer", "make the challenger the champion at once", {}),
    "rollback": Action("trainer", "put the former champion back", {}),
    "canary": Action(
        "trainer", "let the challenger decide a share of the events",
        {"share": Arg("share", "of the events", needed=True)},
    ),
    "shadow": Action("trainer", "end the canary; the challenger only scores", {}),
    "threshold": Action(
        "trainer", "change when the champion acts",
        {
            "review": Arg("threshold", "scores above it go to review"),
            "block": Arg("threshold", "scores above it are blocked"),
        },
        some=True,
    ),
    "explore": Action(
        "trainer", "let a share of would-be blocked events through, for their labels",
        {"share": Arg("share", "of would-be blocked events", needed=True)},
    ),
    "note": Action(
        "monitor", "write down what is done to the system from outside, such as a fault",
        {"what": Arg("text", "in words", needed=True)},
    ),
}  # fmt: skip
_REASON = "reason"
"""A setting of `retrain` that is no key of the model: what asked for it, in words."""


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A command as it comes in."""

    action: str
    args: dict[str, str | float | int | bool] = {}
    who: str = ""
    id: str = ""
    sent: float = 0.0


_DECODER = msgspec.json.Decoder(_Asked)


def parse_command(data: bytes, prepared: Prepared, *, where: str = "control") -> Command:
    """Read and check a command; it gets an id where it has none.

    Raises
    ------
    UsageError
        Saying what is wrong and what would do.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(
            "too long", where=where, got=len(data), expected=f"at most {MOST_BYTES} bytes"
        )
    try:
        asked = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"not a command ({error})", where=where, expected=_EXAMPLE) from None
    action = ACTIONS.get(asked.action)
    if action is None:
        raise UsageError(
            "unknown action", where=where, got=asked.action,
            expected=f"one of {', '.join(ACTIONS)}", hint=suggest(asked.action, ACTIONS),
        )  # fmt: skip
    for name in (asked.who, asked.id):
        if len(name) > _MOST_WORD or not name.isprintable():
            raise UsageError("not a name", where=where, got=name, expected="a short word")
    if asked.action == "retrain":
        args = dict(asked.args)
        _settings(args, prepared)
    else:
        args = _Args(asked.action, action, prepared).read(asked.args)
    return Command(asked.id or uuid4().hex[:12], asked.who, asked.action, args, asked.sent)


def model_asked(command: Command, prepared: Prepared) -> ModelSpec | None:
    """Return the model that a `retrain` asks for; None for the one in use.

    Raises
    ------
    UsageError
        If there is none like it.
    """
    return _settings(command.args, prepared)


def _settings(args: Mapping[str, Value], prepared: Prepared) -> ModelSpec | None:
    words = [
        shlex.quote(f"{name}={_yaml(value)}") for name, value in args.items() if name != _REASON
    ]
    return parse_action(" ".join(["retrain", *words]), prepared, 0.0).model


def _yaml(value: Value) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_EXAMPLE = 'JSON such as {"action": "load", "args": {"factor": 2}}'


class _Args:
    """Reads the settings of one action."""

    def __init__(self, name: str, action: Action, prepared: Prepared) -> None:
        self._name, self._action, self._prepared = name, action, prepared
        self._knobs = {k.name: k for k in (*prepared.world_class.knobs, LABEL_DELAY)}

    def read(self, args: Mapping[str, Value]) -> dict[str, Value]:
        known = self._action.args
        for name in args:
            if name not in known:
                expected = f"one of {', '.join(known)}" if known else "no settings"
                raise UsageError(
                    "unknown setting", where=self._name, got=name, expected=expected,
                    hint=suggest(name, known),
                )  # fmt: skip
        missing = [name for name, arg in known.items() if arg.needed and name not in args]
        if missing or (self._action.some and not args):
            expected = f"{missing[0]}: {known[missing[0]].about}" if missing else " or ".join(known)
            raise UsageError("something is missing", where=self._name, expected=expected)
        read = {name: self._one(name, known[name].kind, value) for name, value in args.items()}
        if "to" in read:
            self._check_range(str(read["knob"]), float(read["to"]))
        return read

    def _one(self, name: str, kind: str, value: Value) -> Value:
        readers: Mapping[str, Callable[[str, Value], Value]] = {
            "knob": self._knob, "incident": self._incident, "duration": self._duration,
            "share": self._share, "threshold": self._threshold, "factor": self._factor,
            "value": self._value, "text": self._text,
        }  # fmt: skip
        return readers[kind](name, value)

    def _knob(self, name: str, value: Value) -> str:
        return self._named(name, value, self._knobs, "knob")

    def _incident(self, name: str, value: Value) -> str:
        known = {**self._prepared.scenario.incidents, **self._prepared.incidents}
        return self._named(name, value, known, "incident")

    def _named(self, name: str, value: Value, known: Mapping[str, Any], what: str) -> str:
        if value not in known:
            raise UsageError(
                f"unknown {what}", where=f"{self._name} {name}", got=value,
                expected=f"one of {', '.join(known) or 'none here'}",
                hint=suggest(str(value), known),
            )  # fmt: skip
        return str(value)

    def _text(self, name: str, value: Value) -> str:
        if not isinstance(value, str) or not value.isprintable() or len(value) > _MOST_TEXT:
            expected = f"at most {_MOST_TEXT} printable characters"
            raise UsageError(
                "not a note", where=f"{self._name} {name}", got=value, expected=expected
            )
        return value

    def _duration(self, name: str, value: Value) -> float:
        strictly = name == "for"
        expected = f"a duration {'above' if strictly else 'from'} 0 such as 2d or 12h, at most 400d"
        seconds = self._number(name, value, ("s", ""), expected)
        if seconds < 0 or (strictly and seconds == 0) or seconds > _MONTHS:
            raise self._wrong(name, value, expected)
        return seconds

    def _share(self, name: str, value: Value) -> float:
        expected = "a share from 0 to 1 such as 0.1 or 10%"
        share = self._number(name, value, ("ratio", ""), expected)
        if not 0 <= share <= 1:
            raise self._wrong(name, value, expected)
        return share

    def _threshold(self, name: str, value: Value) -> float:
        task = self._prepared.task
        if task.has_groups:
            raise UsageError(
                f"task {task.name} has no thresholds: the first of each request are shown",
                where=f"{self._name} {name}", got=value, hint="`explore` shows some of the others.",
            )  # fmt: skip
        # No score is above 1.
        return 1.0 if value == OFF else self._share(name, value)

    def _factor(self, name: str, value: Value) -> float:
        expected = f"a number above 0 and up to {MOST_LOAD:g} such as 2 or 150%"
        factor = self._number(name, value, ("ratio", ""), expected)
        if not 0 < factor <= MOST_LOAD:
            raise self._wrong(name, value, expected)
        return factor

    def _value(self, name: str, value: Value) -> float:
        return self._number(name, value, ("ratio", "", "s", "/s", "USD"), "a number such as 1.5")

    def _check_range(self, knob: str, to: float) -> None:
        known = self._knobs[knob]
        if not known.low <= to <= known.high:
            expected = f"{known.low:g} to {known.high:g} {known.unit}"
            raise UsageError(
                f"{knob} out of range", where=f"{self._name} to", got=to, expected=expected,
                hint=f"{known.neutral:g} is neutral.",
            )  # fmt: skip

    def _number(self, name: str, value: Value, units: tuple[str, ...], expected: str) -> float:
        try:
            quantity = parse_quantity(value)
        except ValueError:
            quantity = None
        if quantity is None or quantity.unit not in units:
            raise self._wrong(name, value, expected)
        return float(quantity)

    def _wrong(self, name: str, value: Value, expected: str) -> UsageError:
        return UsageError("out of bounds" if not isinstance(value, str) else "not understood",
                          where=f"{self._name} {name}", got=value, expected=expected)  # fmt: skip
