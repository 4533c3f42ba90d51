"""The words of an interview: its stages, its levels, what is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = [
    "ACTS",
    "LEVELS",
    "SIGNALS",
    "STAGES",
    "Conditions",
    "Kind",
    "Level",
    "Signal",
    "StageName",
]

LEVELS = ("junior", "senior", "staff")
STAGES: Mapping[str, str] = MappingProxyType({
    "clarify": "Clarify and scope",
    "data_flow": "Sketch the data flow",
    "model": "Talk through the model",
    "production": "Think about production",
})  # fmt: skip
SIGNALS: Mapping[str, str] = MappingProxyType({
    "problem_understanding": "problem understanding",
    "data_and_features": "data and features",
    "modelling": "modelling",
    "deployment_and_operations": "deployment and operations",
    "communication": "communication",
})  # fmt: skip
ACTS: Mapping[str, str] = MappingProxyType({
    "train": "the model is trained on the scenario's history",
    "run": "the design is run, measured at the peak, and met by two curveballs",
})  # fmt: skip
"""Steps that the machine takes."""
Level = Literal["junior", "senior", "staff"]
Signal = Literal[
    "problem_understanding", "data_and_features", "modelling", "deployment_and_operations"
]
Kind = Literal["count", "rate", "share", "bytes", "byte_rate", "seconds", "money"]
Conditions = dict[str, tuple[str, ...]]
"""Decisions and the options of them that must have been chosen; all of them."""
StageName = Literal["clarify", "data_flow", "model", "production"]
