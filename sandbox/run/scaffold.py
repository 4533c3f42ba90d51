"""``sandbox new``: a scenario folder that runs, as a start for one's own."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from sandbox.adapters.files import atomic_directory, write_text
from sandbox.errors import UsageError, suggest
from sandbox.task import TASKS

__all__ = ["write_scenario"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 60
_SUFFIX = ".tmpl"


def write_scenario(name: str, *, task: str, into: Path) -> Path:
    """Write a new scenario folder, whole or not at all.

    Parameters
    ----------
    name
        Name of the folder and the scenario: lower-case words joined by dashes.
    task
        The machine-learning task.
    into
        Folder that gets the new one; made if need be.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    UsageError
        If the name or the task is not one, or the folder exists.
    OutputError
        If it cannot be written.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            "not a name for a scenario",
            where="new NAME",
            got=name,
            expected=f"lower-case letters and digits, words joined by dashes, "
            f"at most {_LONGEST} characters, such as late-parcels",
        )
    if task not in TASKS:
        raise UsageError(
            "unknown task",
            where="new --task",
            got=task,
            expected=f"one of {', '.join(TASKS)}",
            hint=suggest(task, TASKS),
        )
    folder = into / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            "exists already", where=str(folder), hint="Choose another name, or another --into."
        )
    words = {"name": name, "title": name.replace("-", " ").capitalize(), "task": task}
    with atomic_directory(folder) as hidden:
        for file, text in _templates(task).items():
            write_text(hidden / file, _filled(text, words))
    return folder


def _templates(task: str) -> dict[str, str]:
    folder = resources.files("sandbox.run") / "templates" / task
    return {
        item.name.removesuffix(_SUFFIX): item.read_text(encoding="utf-8")
        for item in folder.iterdir()
        if item.name.endswith(_SUFFIX)
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for key, value in words.items():
        text = text.replace("{{" + key + "}}", value)
    return text
