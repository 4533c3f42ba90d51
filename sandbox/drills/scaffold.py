"""``sandbox drill new``: a drill file that loads, as a start for one's own."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from sandbox.adapters.files import output_errors, write_text
from sandbox.drills.catalogue import DEFAULTS, FOLDER
from sandbox.errors import UsageError
from sandbox.spec.drill import Defaults
from sandbox.spec.loading import build, load_scenario
from sandbox.spec.source import read_source

__all__ = ["write_drill"]

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_drill(name: str, folder: Path) -> Path:
    """Write a new drill into a scenario's folder, and what its drills share if there is none yet.

    Parameters
    ----------
    name
        Of the drill; it is shown to learners and must give nothing away.
    folder
        The scenario's.

    Raises
    ------
    UsageError
        If the name is none, is taken, or the scenario has no incident to hide.
    OutputError
        If it cannot be written.
    """
    if not NAME.fullmatch(name) or len(name) > 60:
        raise UsageError(
            "not a name for a drill", where="drill new", got=name,
            expected="lower-case words joined by dashes, such as monday-morning",
        )  # fmt: skip
    scenario, _ = load_scenario(folder / "scenario.yaml")
    if not scenario.incidents:
        raise UsageError(
            "nothing to hide", where=str(folder / "scenario.yaml"), expected="incidents"
        )
    file = folder / FOLDER / f"{name}.yaml"
    if file.exists():
        raise UsageError("exists already", where=str(file), hint="Choose another name.")
    with output_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    defaults = file.with_name(DEFAULTS)
    if not defaults.exists():
        write_text(defaults, _template("defaults"))
    shared = build(Defaults, read_source(defaults))
    words = {
        "incident": next(iter(scenario.incidents)),
        "title": name.replace("-", " ").capitalize(),
        "cause": next(iter(shared.causes)),
    }
    text = _template("drill")
    for key, value in words.items():
        text = text.replace("{{" + key + "}}", value)
    write_text(file, text)
    return file


def _template(name: str) -> str:
    folder = resources.files("sandbox.drills") / "templates"
    return (folder / f"{name}.yaml.tmpl").read_text("utf-8")
