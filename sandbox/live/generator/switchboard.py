"""Switchboard: which incidents act on the world, and how commands change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.errors import UsageError
from sandbox.run.setup import Prepared
from sandbox.spec.incidents import Drift, Incident, StackFault
from sandbox.world import LABEL_DELAY

__all__ = ["Switch", "Switchboard"]

Args = Mapping[str, str | float | int | bool]
_LOAD = "load"
_NEVER = 0.0


@dataclass(frozen=True)
class Switch:
    """A command that passed `control.parse_command`, and from when on it acts [s since day 0]."""

    action: str
    args: Args
    at: float


class Switchboard:
    """Incidents by name, scheduled and by hand.

    Only what the outside world can do is here: drift, data faults, load spikes.

    Parameters
    ----------
    prepared
        Scenario and its active incidents.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._known = {**prepared.scenario.incidents, **prepared.incidents}
        self._knobs = {k.name: k for k in (*prepared.world_class.knobs, LABEL_DELAY)}
        self._next = {n: i for n, i in prepared.incidents.items() if _possible(i)}
        self.incidents: Mapping[str, Incident] = dict(self._next)
        """Those that act on the world now."""

    def switch(self, switch: Switch) -> str:
        """Plan what a command says, for the next `turn`, and return what it is, in words.

        Raises
        ------
        UsageError
            If it cannot be done; nothing changes then.
        """
        args, at = switch.args, switch.at
        match switch.action:
            case "drift.set":
                return self._set(args, at)
            case "drift.clear":
                return self._clear(str(args.get("knob", "")), at)
            case "incident.start":
                return self._start(str(args["name"]), at)
            case "incident.stop":
                return self._stop(str(args["name"]), at)
            case "load":
                return self._load(args, at)
        raise ValueError(f"{switch.action} is not for the outside world")

    def turn(self) -> bool:
        """Let what was planned act, and tell whether that changes anything."""
        changed = self._next != self.incidents
        self.incidents = dict(self._next)
        return changed

    def lasting(self, now: float) -> dict[str, Incident]:
        """Return the incidents that are on at a time [s since day 0]."""
        return {n: i for n, i in self.incidents.items() if i.start <= now < i.end}

    def load(self, now: float) -> float:
        """Return how many times the usual load there is at a time [s since day 0]."""
        stacks = [i.stack for i in self.lasting(now).values()]
        return float(np.prod([s.factor for s in stacks if s is not None]))

    def _set(self, args: Args, at: float) -> str:
        knob = self._knobs[str(args["knob"])]
        turned = {"knob": knob.name, "to": args["to"], "ramp": args.get("ramp", 0.0)}
        drift = Drift.model_validate(
            {"kind": knob.kind, **turned, "at": at, "for": args.get("for")}
        )
        story = f"{knob.name} is turned to {drift.to:g} {knob.unit}"
        self._next[f"drift {knob.name}"] = Incident(story=story, drift=drift)
        return story

    def _clear(self, knob: str, at: float) -> str:
        over = [
            name
            for name, incident in self._next.items()
            if incident.drift and incident.end > at and knob in ("", incident.drift.knob)
            and incident.start <= at
        ]  # fmt: skip
        if not over:
            raise UsageError("nothing drifts", where="drift.clear", got=knob or None)
        for name in over:
            self._end(name, at)
        return f"{', '.join(over)} ended"

    def _start(self, name: str, at: float) -> str:
        incident = self._known[name]
        if not _possible(incident):
            raise UsageError(
                "cannot be started from outside", where="incident.start", got=name,
                expected="a drift, a data fault or a load spike",
                hint="`sandbox fault` does damage to containers.",
            )  # fmt: skip
        if name in self._next and self._next[name].start <= at < self._next[name].end:
            raise UsageError("is on already", where="incident.start", got=name)
        self._next[name] = _changed(incident, at=at)
        return f"{name}: {incident.kind}"

    def _stop(self, name: str, at: float) -> str:
        if name not in self._next or self._next[name].end <= at:
            raise UsageError("is not on", where="incident.stop", got=name)
        self._end(name, at)
        return f"{name} ended"

    def _load(self, args: Args, at: float) -> str:
        spike = StackFault.model_validate(
            {"kind": "load_spike", "factor": args["factor"], "at": at, "for": args.get("for")}
        )
        if spike.factor == 1.0:
            spike = spike.model_copy(update={"for_": _NEVER})
        story = f"load is {spike.factor:g} times the usual"
        self._next[_LOAD] = Incident(story=story, stack=spike)
        return story

    def _end(self, name: str, at: float) -> None:
        incident = self._next[name]
        self._next[name] = _changed(incident, for_=max(at - incident.start, _NEVER))


def _possible(incident: Incident) -> bool:
    spike = incident.stack is not None and incident.stack.kind == "load_spike"
    return incident.drift is not None or incident.fault is not None or spike


def _changed(incident: Incident, **times: float) -> Incident:
    """Return an incident with another onset or length."""
    for part in ("drift", "fault", "stack"):
        cause = getattr(incident, part)
        if cause is not None:
            return incident.model_copy(update={part: cause.model_copy(update=times)})
    raise ValueError("no cause in the outside world")
