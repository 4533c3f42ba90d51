"""Practise machine-learning system design on systems that really run.

The public face, imported when first used:

=============== ====================================================================
`Batch`         named columns of one length; how events are handed on
`Catalogue`     finds scenarios by name
`World`, `Knob` what a scenario's ``world.py`` builds on
`prepare`       read and check a scenario and a design
`execute`       run what `prepare` returned, in virtual time
`RunRecord`     what a run leaves behind
`SandboxError`  every failure that a user can act on
=============== ====================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.batch import Batch
    from sandbox.errors import SandboxError
    from sandbox.record import RunRecord
    from sandbox.run.execution import execute
    from sandbox.run.setup import prepare
    from sandbox.world import Catalogue, Knob, World

__all__ = [
    "Batch",
    "Catalogue",
    "Knob",
    "RunRecord",
    "SandboxError",
    "World",
    "__version__",
    "execute",
    "prepare",
]

__version__ = "0.1.0"

_HOMES = {
    "Batch": "sandbox.batch",
    "Catalogue": "sandbox.world",
    "Knob": "sandbox.world",
    "RunRecord": "sandbox.record",
    "SandboxError": "sandbox.errors",
    "World": "sandbox.world",
    "execute": "sandbox.run.execution",
    "prepare": "sandbox.run.setup",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
