"""Orders: what the trainer does when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.errors import SandboxError, UsageError
from sandbox.live.control import ACTIONS, model_asked, parse_command
from sandbox.live.messages import Command
from sandbox.live.trainer.office import ROLE, Office
from sandbox.live.trainer.tenure import Tenure

__all__ = ["MONITOR", "Orders"]

MONITOR = "monitor"
"""Who asks where nobody did: such a request waits for the design's cooldown."""
BY_HAND = "by hand"


class _NoDeed(Exception):
    """It cannot be done now; the message says why."""


class Orders:
    """Answers each command of the trainer once.

    Parameters
    ----------
    office, tenure
        What it works with.
    """

    def __init__(self, office: Office, tenure: Tenure) -> None:
        self._office, self._tenure = office, tenure

    def obey(self, data: bytes, offset: int) -> None:
        """Carry out a command, if it is the trainer's, and say what came of it."""
        office = self._office
        try:
            command = parse_command(data, office.setting.prepared)
        except UsageError:
            return  # the monitor reports it
        if ACTIONS[command.action].role != ROLE:
            return
        try:
            what, kind = self._do(command), "command"
        except _NoDeed as no:
            what, kind = str(no), "refused"
        except SandboxError as error:
            what, kind = error.line(), "refused"
        facts = {"action": command.action, "args": command.args, "offset": offset}
        office.tell(
            kind, what, who=command.who, command=command.id, ok=kind == "command", facts=facts
        )

    def _do(self, command: Command) -> str:
        deeds: Mapping[str, Callable[[Command], str]] = {
            "retrain": self._retrain, "promote": self._promote, "rollback": self._roll_back,
            "canary": self._canary, "shadow": self._canary, "threshold": self._threshold,
            "explore": self._explore,
        }  # fmt: skip
        if not self._office.lifecycle.champion:
            raise _NoDeed("there is no champion yet")
        return deeds[command.action](command)

    def _retrain(self, command: Command) -> str:
        office = self._office
        spec = model_asked(command, office.setting.prepared)
        if office.job is not None:
            raise _NoDeed("a training job is running already")
        by_itself = command.who == MONITOR
        by_hand = office.setting.prepared.design.retraining.promotion == "by_hand"
        if office.lifecycle.challenger and (by_itself or not by_hand):
            raise _NoDeed(f"v{office.lifecycle.challenger} is in shadow already")
        if by_itself and not self._tenure.rested():
            raise _NoDeed("the last training job is not long enough ago")
        self._tenure.asked(office.now)
        office.train(str(command.args.get("reason", BY_HAND)), command.who, spec)
        return "a training job began"

    def _promote(self, command: Command) -> str:
        if not self._office.lifecycle.challenger:
            raise _NoDeed("there is no challenger")
        return self._tenure.promote(BY_HAND, command.who)

    def _roll_back(self, command: Command) -> str:
        if not self._office.lifecycle.can_roll_back():
            raise _NoDeed("there is no former champion")
        return self._tenure.roll_back(str(command.args.get("reason", BY_HAND)), command.who)

    def _canary(self, command: Command) -> str:
        life = self._office.lifecycle
        if not life.challenger:
            raise _NoDeed("there is no challenger")
        share = float(command.args.get("share", 0.0))
        life.canary(share)
        self._office.publish()
        words = f"decides {share:.0%} of the events" if share else "only scores"
        what = f"v{life.challenger} {words}"
        facts = {"challenger": life.challenger, "canary": share}
        self._office.tell("promotion", what, who=command.who, facts=facts)
        return what

    def _threshold(self, command: Command) -> str:
        review, block = command.args.get("review"), command.args.get("block")
        self._office.act_above(
            None if review is None else float(review), None if block is None else float(block)
        )
        self._office.publish()
        champion = self._office.lifecycle.champion
        parts = [
            f"{name} above {float(value):g}" if float(value) < 1 else f"no {name}"
            for name, value in command.args.items()
        ]
        what = f"v{champion}: {', '.join(parts)}, until another version takes over"
        facts = {"champion": champion, **command.args}
        self._office.tell("threshold", what, who=command.who, facts=facts)
        return what

    def _explore(self, command: Command) -> str:
        share = float(command.args["share"])
        self._office.explore = share
        self._office.lifecycle.explore(share, self._office.now)
        self._office.publish()
        what = f"{share:.1%} of what would be blocked goes through"
        facts = {"explore": share, "at": self._office.now}
        self._office.tell("threshold", what, who=command.who, facts=facts)
        return what
