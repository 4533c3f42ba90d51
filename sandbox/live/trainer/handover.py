"""Handover: what a trainer finds in the log and the registry when it takes over from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from sandbox.live.generator.past import everything
from sandbox.live.messages import Happening, ServingState, decode
from sandbox.live.role import Setting
from sandbox.live.trainer.workshop import record_from
from sandbox.model import ModelVersion, version_from_files
from sandbox.record import VersionRecord

__all__ = ["Handover"]

_Message = TypeVar("_Message", bound=msgspec.Struct)


@dataclass
class Handover:
    """What was so far. Times are seconds since day 0."""

    state: ServingState | None = None
    """Who serves, as the log has it; None: this system never had a champion."""
    champion: int = 0
    """As the registry has it, which hears of a change first."""
    challenger: int = 0
    replaced: dict[int, int] = field(default_factory=dict)
    """For each champion the version whose place it took."""
    versions: list[tuple[ModelVersion, VersionRecord]] = field(default_factory=list)
    """Those that may have a part to play."""
    last_number: int = 0
    commands_read: int = 0
    """Offset of the first command without an answer."""
    promoted: tuple[float, int] = (-float("inf"), 0)
    """When which version became champion last."""
    trained: float = 0.0
    """When the last training job was asked for."""
    lost: str = ""
    """What the training job was for that was under way when the former trainer died."""
    explored: list[tuple[float, float]] = field(default_factory=list)
    """From when on which share of would-be blocked events was let through."""

    @classmethod
    def read(cls, setting: Setting, role: str) -> Handover:
        """Read what the trainer before has left.

        Raises
        ------
        SandboxError
            If log or registry do not answer, or a version cannot be read.
        """
        found = cls()
        for happening in _messages(setting, setting.topics.happenings, Happening):
            if happening.role == role:
                found._hear(happening)
        for state in _messages(setting, setting.topics.serving, ServingState):
            found._follow(state)
        registry = setting.registry
        found.last_number = max(registry.numbers(), default=0)
        if found.state is None:
            return found
        found.champion = registry.alias("champion") or found.state.champion
        found.challenger = registry.alias("challenger") or 0
        wanted = {found.champion, found.challenger, found.replaced.get(found.champion, 0)} - {0}
        for number in sorted(wanted):
            files, where = registry.files(number), f"registry version {number}"
            found.versions.append((version_from_files(files, where), record_from(files, where)))
        return found

    def _follow(self, state: ServingState) -> None:
        former = self.state.champion if self.state else 0
        went_back = self.replaced.get(former) == state.champion
        if former and former != state.champion and not went_back:
            self.replaced[state.champion] = former
        self.state = state

    def _hear(self, one: Happening) -> None:
        match one.kind, one.facts:
            case (("command" | "refused"), {"offset": int(offset)}):
                self.commands_read = max(self.commands_read, offset + 1)
        match one.facts:
            case {"promoted": int(number), "at": float(at)}:
                self.promoted = at, number
                self.lost = self.lost if "way" in one.facts else ""
            case {"training": str(reason), "at": float(at)}:
                self.trained, self.lost = max(self.trained, at), reason
            case {"trigger": str()}:
                self.lost = ""
            case {"explore": float(share), "at": float(at)}:
                self.explored.append((at, share))


def _messages(setting: Setting, topic: str, kind: type[_Message]) -> Iterator[_Message]:
    for chunk in everything(setting.log, topic):
        for value in chunk.values:
            try:
                yield decode(value, kind)
            except msgspec.MsgspecError:
                continue  # whoever wrote it, it says nothing
