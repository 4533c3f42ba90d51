"""``sandbox drift``, ``incident``, ``load``, ``retrain``, ...: act on what is live."""

from __future__ import annotations

import getpass
import json
import time
from typing import Annotated, Any

import typer

from sandbox.cli.live import HERE, At
from sandbox.cli.options import Json
from sandbox.cli.tables import say, say_json
from sandbox.errors import SandboxError, UsageError

__all__ = [
    "canary", "drift_app", "explore", "incident_app", "load", "promote", "retrain", "rollback",
    "shadow", "threshold", "whoami",
]  # fmt: skip

LOOK_EVERY = 0.1
drift_app = typer.Typer(help="Turn the knobs of a live world.", no_args_is_help=True)
incident_app = typer.Typer(help="Begin or end an incident in a live world.", no_args_is_help=True)

Ramp = Annotated[
    str | None,
    typer.Option("--ramp", metavar="TIME", help="Simulated time until it is there, such as 2d."),
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="How long, in simulated time [until told]."),
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, metavar="S", help="Seconds to wait for the answer.")
]
IncidentName = Annotated[
    str, typer.Argument(metavar="NAME", help="An incident of the scenario; see sandbox show.")
]
ShareOf = Annotated[str, typer.Argument(metavar="SHARE", help="Such as 10% or 0.1.")]


@drift_app.command("set")
def drift_set(
    knob: Annotated[str, typer.Argument(metavar="KNOB", help="See sandbox show NAME.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Within the knob's range.")],
    ramp: Ramp = None,
    lasts: For = None,
    wait: Wait = 10.0,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Turn a knob of the world."""
    _act("drift.set", {"knob": knob, "to": value, "ramp": ramp, "for": lasts}, at, wait, as_json)


@drift_app.command("clear")
def drift_clear(
    knob: Annotated[
        str | None, typer.Argument(metavar="[KNOB]", help="Which [all of them].")
    ] = None,
    wait: Wait = 10.0,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Turn knobs back."""
    _act("drift.clear", {"knob": knob}, at, wait, as_json)


@incident_app.command("start")
def incident_start(
    name: IncidentName, wait: Wait = 10.0, at: At = HERE, as_json: Json = False
) -> None:
    """Begin an incident now."""
    _act("incident.start", {"name": name}, at, wait, as_json)


@incident_app.command("stop")
def incident_stop(
    name: IncidentName, wait: Wait = 10.0, at: At = HERE, as_json: Json = False
) -> None:
    """End an incident."""
    _act("incident.stop", {"name": name}, at, wait, as_json)


def load(
    factor: Annotated[str, typer.Argument(metavar="FACTOR", help="Times the usual load.")],
    lasts: For = None,
    wait: Wait = 10.0,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Change the load of a live system; 1 is the usual."""
    _act("load", {"factor": factor, "for": lasts}, at, wait, as_json)


def retrain(
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Train like this from now on: training.window=14d."
        ),
    ] = None,
    wait: Wait = 10.0,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Train a challenger on what the live system knows now."""
    args: dict[str, str | None] = {}
    for setting in settings or ():
        key, equals, value = setting.partition("=")
        if not (key and equals and value):
            raise UsageError(
                "not a setting", where="retrain", got=setting,
                expected="KEY=VALUE such as training.window=14d",
            )  # fmt: skip
        args[key] = value
    _act("retrain", args, at, wait, as_json)


def promote(wait: Wait = 10.0, at: At = HERE, as_json: Json = False) -> None:
    """Make the challenger the champion at once."""
    _act("promote", {}, at, wait, as_json)


def rollback(wait: Wait = 10.0, at: At = HERE, as_json: Json = False) -> None:
    """Put the former champion back."""
    _act("rollback", {}, at, wait, as_json)


def canary(share: ShareOf, wait: Wait = 10.0, at: At = HERE, as_json: Json = False) -> None:
    """Let the challenger decide a share of the events."""
    _act("canary", {"share": share}, at, wait, as_json)


def shadow(wait: Wait = 10.0, at: At = HERE, as_json: Json = False) -> None:
    """End the canary; the challenger only scores."""
    _act("shadow", {}, at, wait, as_json)


def explore(share: ShareOf, wait: Wait = 10.0, at: At = HERE, as_json: Json = False) -> None:
    """Let a share of blocked events through, for their labels."""
    _act("explore", {"share": share}, at, wait, as_json)


def threshold(
    review: Annotated[
        str | None, typer.Option("--review", metavar="SHARE", help="Review above; or off.")
    ] = None,
    block: Annotated[
        str | None, typer.Option("--block", metavar="SHARE", help="Block above; or off.")
    ] = None,
    wait: Wait = 10.0,
    at: At = HERE,
    as_json: Json = False,
) -> None:
    """Change when the champion acts, until another takes over."""
    _act("threshold", {"review": review, "block": block}, at, wait, as_json)


def _act(action: str, args: dict[str, str | None], at: str, wait: float, as_json: bool) -> None:
    """Hand a command over and say what came of it.

    Raises
    ------
    UsageError
        If it is refused before anybody hears of it.
    SandboxError
        If whoever it is for could not do it, or nobody answers.
    """
    from sandbox.adapters.http import ask, tell

    given = {name: value for name, value in args.items() if value is not None}
    command = {"action": action, "args": given, "who": whoami()}
    name = tell(at, json.dumps(command).encode())
    deadline = time.monotonic() + wait
    while True:
        answers: list[dict[str, Any]] = json.loads(ask(at, f"/happenings?command={name}"))
        if answers or time.monotonic() >= deadline:
            break
        time.sleep(LOOK_EVERY)
    if not answers:
        raise SandboxError(
            f"nobody has answered in {wait:g} s", where=action,
            hint="It is in the log and may still be done; `sandbox status` shows it.",
        )  # fmt: skip
    answer = answers[-1]
    if as_json:
        say_json(answer)
        if not answer["ok"]:
            raise typer.Exit(1)
    elif answer["ok"]:
        say(f"{answer['what']}")
    else:
        raise SandboxError(str(answer["what"]).rstrip("."), where=action)


def whoami() -> str:
    """Return the name under which this person's commands go."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
