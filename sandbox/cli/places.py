"""Where scenarios are looked for, and where this machine's own measurements are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import sandbox
from sandbox.errors import UsageError

__all__ = [
    "calibration_file",
    "drill_home",
    "interview_home",
    "scenario_names",
    "scenario_roots",
]


def scenario_roots(extra: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Return the folders to look in, first match first.

    The user's own (``--scenarios``), ``scenarios/`` here, the clone's, and those installed with
    the package.

    Raises
    ------
    UsageError
        If one of `extra` is not a folder.
    """
    for folder in extra:
        if not folder.is_dir():
            raise UsageError(
                "no such folder",
                where="--scenarios",
                got=str(folder),
                expected="a folder that holds scenario folders",
            )
    package = Path(sandbox.__file__).resolve().parent
    places = (Path("scenarios"), package.parent / "scenarios", package / "_scenarios")
    found: dict[Path, Path] = {}
    for folder in (*extra, *(place for place in places if place.is_dir())):
        found.setdefault(folder.resolve(), folder)
    return tuple(found.values())


def scenario_names(roots: Sequence[Path]) -> list[str]:
    """Return the names of scenario folders without reading them, sorted; for shell completion."""
    return sorted({path.parent.name for root in roots for path in root.glob("*/scenario.yaml")})


def calibration_file() -> Path:
    """Return where `sandbox calibrate` leaves this machine's profile: the user's data folder."""
    return _data_folder() / "profile.json"


def drill_home() -> Path:
    """Return where drill sessions are kept: the user's data folder."""
    return _data_folder() / "drills"


def interview_home() -> Path:
    """Return where interviews are kept: the user's data folder."""
    return _data_folder() / "interviews"


def _data_folder() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    data = Path(home) if home else Path.home() / ".local" / "share"
    return data / "ml-design-sandbox"
