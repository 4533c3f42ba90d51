"""Players without a mind, to hold grades against: nobody, retrainer, tightener, and scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.drills.catalogue import LoadedDrill
from sandbox.drills.measures import Outcome, observe
from sandbox.drills.session import Session
from sandbox.run.setup import DAY

__all__ = ["PLAYERS", "Played", "Player", "nobody", "play", "retrainer", "script", "tightener"]

Player = Callable[[Session], None]
FIRST_BLOCK, LEAST_BLOCK = 0.3, 0.02
"""Where the tightener begins to block, and where it stops."""


@dataclass(frozen=True)
class Played:
    """A drill that was played to its end."""

    session: Session
    outcome: Outcome


def play(loaded: LoadedDrill, seed: int, roots: Sequence[Path], player: Player) -> Played:
    """Let a player play a drill, and the time that is left pass.

    Raises
    ------
    SandboxError
        If the player gives a command that cannot be given.
    """
    session = Session(loaded, seed, roots)
    player(session)
    if not session.over:
        session.give("grade")
    return Played(session, observe(session))


def nobody(session: Session) -> None:
    """Do nothing at all."""


def script(commands: Sequence[str]) -> Player:
    """Return a player who gives these commands."""

    def follow(session: Session) -> None:
        for command in commands:
            session.give(command)

    return follow


def retrainer(session: Session) -> None:
    """Retrain at every alert and promote what comes of it, day by day."""
    if "retrain" not in session.loaded.actions:
        return
    since = session.duty.now - 2 * DAY
    while session.duty.left > 0:
        if session.duty.lifecycle.challenger:
            session.give("do promote")
        elif _alerted(session, since) and session.duty.affords("retrain"):
            session.give("do retrain")
        since = session.duty.now
        session.give("advance 1d")


def tightener(session: Session) -> None:
    """Block more: at once, and twice as much at every further alert."""
    if "threshold" not in session.loaded.actions:
        return
    block, since = FIRST_BLOCK, session.duty.now
    session.give(f"do threshold block={block:g}")
    while session.duty.left > 0:
        session.give("advance 1d")
        if _alerted(session, since) and block > LEAST_BLOCK and session.duty.left > 0:
            block = max(block / 2, LEAST_BLOCK)
            session.give(f"do threshold block={block:g}")
        since = session.duty.now


PLAYERS = {"nobody": nobody, "retrainer": retrainer, "tightener": tightener}
"""The players of the table in ``docs/drills.md``, beside the reference solution."""


def _alerted(session: Session, since: float) -> bool:
    return any(alert.day * DAY > since for alert in session.duty.alerts)
