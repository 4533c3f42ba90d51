"""Tasks: what is learned, how it is measured. The floor that models and monitors stand on."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sandbox.errors import UsageError, suggest
from sandbox.task.base import Task
from sandbox.task.binary import BinaryTask
from sandbox.task.ranking import RankingTask
from sandbox.task.regression import RegressionTask

__all__ = ["TASKS", "BinaryTask", "RankingTask", "RegressionTask", "Task", "get_task"]

_BY_NAME: Mapping[str, type[Task]] = MappingProxyType(
    {task.name: task for task in (BinaryTask, RegressionTask, RankingTask)}
)
TASKS: tuple[str, ...] = tuple(_BY_NAME)


def get_task(name: str, where: str = "") -> Task:
    """Return the task of that name.

    Raises
    ------
    UsageError
        For an unknown name; `where` is the place the user wrote it.
    """
    if name not in _BY_NAME:
        raise UsageError(
            "unknown task",
            where=where,
            got=name,
            expected=f"one of {', '.join(TASKS)}",
            hint=suggest(name, TASKS),
        )
    return _BY_NAME[name]()
