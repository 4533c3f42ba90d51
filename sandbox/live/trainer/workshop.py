"""Workshop: training jobs and what else takes its time, in a thread beside the trainer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import msgspec

from sandbox.adapters.files import json_bytes
from sandbox.adapters.registry import Registry
from sandbox.errors import SandboxError
from sandbox.model import CannotTrain
from sandbox.record import VersionRecord
from sandbox.run.training_job import Candidate, TrainingJob

__all__ = ["RECORD", "Made", "Task", "Workshop", "record_from"]

RECORD = "record.json"
"""The file beside a model that says how it was trained."""
REST = 2.0
"""Wait before a registry that did not answer is asked again [s]."""
Made = Candidate | CannotTrain
_Result = TypeVar("_Result")


class Task(Generic[_Result]):
    """Something that is done in the workshop."""

    def __init__(self, future: Future[_Result]) -> None:
        self._future = future

    def over(self) -> bool:
        """Tell whether it is done."""
        return self._future.done()

    def result(self) -> _Result:
        """Return what came of it; whatever went wrong is raised here."""
        return self._future.result()


class Workshop:
    """Does one thing after another.

    Parameters
    ----------
    registry
        Keeps every version that was trained, before anybody hears of it.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._pool = ThreadPoolExecutor(1, "workshop")
        self._closing = threading.Event()
        self.failed = ""
        """Why the registry is asked again and again; empty where it answers."""

    def do(self, work: Callable[[], _Result]) -> Task[_Result]:
        """Have something done; a registry that does not answer is asked until it does."""
        return Task(self._pool.submit(lambda: self._insist(work)))

    def train(self, job: TrainingJob) -> Task[Made]:
        """Have a version trained and kept by the registry."""
        return Task(self._pool.submit(lambda: self._train(job)))

    def close(self) -> None:
        """Wait for what is being done; what has not begun is dropped."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _train(self, job: TrainingJob) -> Made:
        try:
            made = job.run()
        except CannotTrain as error:
            return error
        number = self._insist(lambda: self._keep(made))
        if number != made.version.number:
            raise SandboxError(
                "somebody else numbers versions in this registry", where="registry",
                got=f"v{number}", expected=f"v{made.version.number}",
                hint="Give each system a registry of its own.",
            )  # fmt: skip
        return made

    def _keep(self, made: Candidate) -> int:
        version, record = made.version, made.record
        facts = {
            "trigger": version.trigger, "trained_day": f"{record.trained_day:.2f}",
            "rows": str(version.rows), "positives": str(version.positives),
            "gate_passed": str(record.gate_passed).lower(), "reasons": " ".join(record.reasons),
            **{f"offline.{name}": f"{value:.6g}" for name, value in version.offline.items()},
        }  # fmt: skip
        return self._registry.add({**version.files(), RECORD: json_bytes(record)}, facts)

    def _insist(self, work: Callable[[], _Result]) -> _Result:
        while True:
            try:
                done = work()
                self.failed = ""
                return done
            except SandboxError as error:
                self.failed = error.line()
                if self._closing.wait(REST):
                    raise


def record_from(files: dict[str, bytes], where: str) -> VersionRecord:
    """Return the record that was kept with a model.

    Raises
    ------
    SandboxError
        If there is none that can be read.
    """
    try:
        known = msgspec.json.decode(files[RECORD])
        for name in ("offline", "offline_champion", "offline_baseline"):
            known[name] = {k: float("nan") if v is None else v for k, v in known[name].items()}
        return msgspec.convert(known, VersionRecord)
    except (KeyError, TypeError, AttributeError, msgspec.MsgspecError) as error:
        raise SandboxError("not a version of ours", where=where, got=str(error)) from None
