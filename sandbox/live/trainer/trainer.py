"""Trainer: trains, judges, promotes, rolls back; the only one who says which models serve.

Training happens in a thread beside it, so that commands are answered meanwhile. Workers are never
touched: they follow the serving state that is written here. A change is made in the registry
first, then in the serving state, then it is told; whoever takes over finishes what was begun.
"""

from __future__ import annotations

import time

from sandbox.adapters.event_log import Reader
from sandbox.errors import SandboxError
from sandbox.live.role import Setting
from sandbox.live.trainer.handover import Handover
from sandbox.live.trainer.office import ROLE, Office
from sandbox.live.trainer.orders import Orders
from sandbox.live.trainer.tenure import Tenure
from sandbox.live.trainer.workshop import Task
from sandbox.model import CannotTrain
from sandbox.run.lifecycle import Lifecycle
from sandbox.run.setup import DAY
from sandbox.run.traffic import BLOCK
from sandbox.run.training_job import Candidate

__all__ = ["Trainer"]

QUIET = 1.0
"""The history is complete when its last block is there and nothing came for so long [s]."""
LONG = 15.0
"""The same where the last block has no events."""
REST = 2.0
"""Wait before the registry is asked again after it did not answer [s]."""


class Trainer:
    """See the module.

    Parameters
    ----------
    setting
        What it works with; its registry is its own.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._office = Office(setting)
        self._tenure = Tenure(self._office)
        self._orders = Orders(self._office, self._tenure)
        self._handover: Task[Handover] | None = self._office.workshop.do(
            lambda: Handover.read(setting, ROLE)
        )
        self._commands: Reader | None = None
        self._heard = time.monotonic()
        self._rest_until = 0.0
        self._failed = ""

    @property
    def lifecycle(self) -> Lifecycle:
        """The versions and their parts."""
        return self._office.lifecycle

    def step(self, patience: float) -> None:
        """Read on, and do what is due.

        Raises
        ------
        SandboxError
            If no first model can be trained, or the registry is another system's too.
        """
        if self._office.journal.poll(patience):
            self._heard = time.monotonic()
        if self._handover is not None:
            if self._handover.over():
                self._take_over(self._handover.result())
            return
        if self._office.failed:
            self._office.post()
        self._obey()
        if time.monotonic() < self._rest_until:
            return
        made = self._made()
        try:
            self._go_on(made)
            self._failed = ""
        except SandboxError as error:  # the registry does not answer; what is due stays due
            self._failed = error.line()
            self._rest_until = time.monotonic() + REST

    def ready(self) -> bool:
        """Tell whether a model serves."""
        return not self.why_not()

    def why_not(self) -> str:
        """Say what it waits for; empty when it is ready."""
        failed = self._failed or self._office.failed or self._office.workshop.failed
        if failed or (self._handover is None and self.lifecycle.champion):
            return failed
        if self._office.job is not None:
            return "trains the first model"
        history = self._setting.prepared.scenario.history
        day = max(self._office.journal.newest, -history) / DAY
        opening = "opens the registry, " if self._handover is not None else ""
        return f"{opening}reads the history: day {day:.0f} of {-history / DAY:.0f} to 0"

    def close(self) -> None:
        """End in order; a job that runs is waited for."""
        self._office.close()
        if self._commands is not None:
            self._commands.close()

    def _take_over(self, found: Handover) -> None:
        """Begin where the trainer before stopped."""
        office, life = self._office, self.lifecycle
        life.number_from(found.last_number + 1)
        for at, share in found.explored:
            life.explore(share, at)
        for version, record in found.versions:
            life.adopt(version, record)
        topic = self._setting.topics.control
        start = {office.place(topic): found.commands_read}
        self._commands = self._setting.log.reader([topic], start)
        self._handover = None
        if found.lost:
            what = f"the training job ({found.lost}) was lost with the former trainer"
            office.tell("training", what, ok=False, facts={"trigger": found.lost})
        state = found.state
        if state is None:
            return
        life.cast(found.champion, found.challenger, found.replaced)
        office.explore = state.explore
        if state.champion == found.champion:
            office.act_above(state.review_above, state.block_above)
        if state.challenger == found.challenger:
            life.canary(state.canary)
        self._tenure.take_over(found)
        office.publish()

    def _go_on(self, made: Candidate | CannotTrain | None) -> None:
        if made is not None:
            self._end_job(made)
        if self.lifecycle.champion:
            self._tenure.look()
        elif self._office.job is None and self._history_is_there():
            self._office.train("before launch")

    def _history_is_there(self) -> bool:
        journal = self._office.journal
        if journal.now >= 0:
            return True
        if journal.now < journal.newest or journal.backlog:
            return False
        silent = time.monotonic() - self._heard
        if journal.newest >= -BLOCK:
            return silent > QUIET
        return journal.newest >= -DAY and silent > LONG

    def _obey(self) -> None:
        assert self._commands is not None
        for chunk in self._commands.poll(0.0):
            for offset, value in zip(chunk.offsets, chunk.values, strict=True):
                self._orders.obey(value, offset)

    def _made(self) -> Candidate | CannotTrain | None:
        """Return what the training job gave once it is over; whatever it died of is raised."""
        job = self._office.job
        if job is None or not job.task.over():
            return None
        made = job.task.result()
        if isinstance(made, CannotTrain) and not self.lifecycle.champion:
            raise self.lifecycle.no_first(made)
        return made

    def _end_job(self, made: Candidate | CannotTrain) -> None:
        """Give a version its part; asked again where the registry did not answer."""
        office, metrics = self._office, self._setting.metrics
        job = office.job
        assert job is not None
        if isinstance(made, CannotTrain):
            self.lifecycle.refuse(made, job.asked, job.reason)
            what, facts = self.lifecycle.last_outcome(), {"trigger": job.reason}
            office.tell("training", what, who=job.who, ok=False, facts=facts)
            outcome = "refused"
        else:
            outcome = "passed" if made.record.gate_passed else "failed"
            if self.lifecycle.champion:
                self._tenure.shadow(made, job.who)
            else:
                self._tenure.launch(made)
        office.job = None
        metrics.training_time.set(job.took())
        metrics.trainings.labels(outcome).inc()
