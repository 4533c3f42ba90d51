"""Office: what everybody who decides about models works with: the journal, the models, the pen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sandbox.adapters.event_log import Place
from sandbox.errors import SandboxError
from sandbox.live.journal import Journal
from sandbox.live.messages import Happening, ServingState, encode
from sandbox.live.role import Setting
from sandbox.live.trainer.workshop import Made, Task, Workshop
from sandbox.run.lifecycle import Lifecycle
from sandbox.run.setup import DAY
from sandbox.spec.design import ModelSpec

__all__ = ["ROLE", "Job", "Office"]

ROLE = "trainer"


class Job:
    """A training job under way."""

    def __init__(self, task: Task[Made], asked: float, reason: str, who: str) -> None:
        self.task, self.reason, self.who = task, reason, who
        self.asked = asked
        """[s since day 0]"""
        self._began = time.monotonic()

    def took(self) -> float:
        """Return how long it has been going [s]."""
        return time.monotonic() - self._began


class Office:
    """Shared by the trainer and those it has.

    Parameters
    ----------
    setting
        What the trainer works with.

    Attributes
    ----------
    journal
        What has been decided, and what is known of it.
    lifecycle
        The versions and their parts.
    job
        The training job under way; None for none.
    explore
        Share of would-be blocked events that go through; None for the design's.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.journal = Journal(setting, oracle=False)
        self.lifecycle = Lifecycle(setting.prepared, self.journal.log)
        self.workshop = Workshop(setting.registry)
        self.job: Job | None = None
        self.explore: float | None = None
        self._thresholds: dict[int, tuple[float | None, float | None]] = {}
        """By version, what was set by hand: (review, block)."""
        self._writer = setting.log.writer()
        self._outbox: list[tuple[Place, bytes]] = []
        self.failed = ""
        """Why the log does not take what is written; empty where it does."""

    @property
    def now(self) -> float:
        """Simulated time [s since day 0]."""
        return float(max(self.journal.newest, 0.0))

    def train(self, reason: str, who: str = "", spec: ModelSpec | None = None) -> None:
        """Begin a training job; with `spec`, train like this from now on."""
        if spec is not None:
            self.lifecycle.use(spec)
        first = not self.lifecycle.champion
        now = 0.0 if first else float(max(self.journal.now, 0.0))
        by_hand = self.setting.prepared.design.retraining.promotion == "by_hand"
        job = self.lifecycle.job(now, reason, keep=by_hand, first=first)
        self.job = Job(self.workshop.train(job), now, reason, who)
        rows = len(job.data.label)
        self.setting.metrics.training_rows.set(rows)
        facts = {"training": reason, "at": now, "rows": rows}
        self.tell("training", f"v{job.number} is being trained, {reason}", who=who, facts=facts)

    def act_above(self, review: float | None, block: float | None) -> None:
        """Give the champion other thresholds; None leaves one as it is. Not published yet."""
        life = self.lifecycle
        before = self._thresholds.get(life.champion, (None, None))
        self._thresholds[life.champion] = (
            before[0] if review is None else review,
            before[1] if block is None else block,
        )
        life.act_above(review, block, self.now)

    def publish(self) -> None:
        """Write who serves, for the workers."""
        setting, life = self.setting, self.lifecycle
        review, block = self._thresholds.get(life.champion, (None, None))
        state = ServingState(
            life.champion, life.challenger, life.deciders().share, review, block, self.explore,
            setting.now(),
        )  # fmt: skip
        self._send(setting.topics.serving, encode(state))
        metrics = setting.metrics
        metrics.champion.set(state.champion)
        metrics.challenger.set(state.challenger)
        metrics.canary.set(state.canary)

    def tell(
        self, kind: str, what: str, *, who: str = "", command: str = "", ok: bool = True,
        facts: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Say that something happened."""
        happening = Happening(
            kind, what, role=ROLE, who=who, command=command, ok=ok, sent=self.setting.now(),
            day=self.now / DAY, facts=dict(facts or {}),
        )  # fmt: skip
        self._send(self.setting.topics.happenings, encode(happening))

    def place(self, topic: str) -> Place:
        """Return the one partition of a topic."""
        return self.setting.topics.places(topic)[0]

    def close(self) -> None:
        """End in order; a job that runs is waited for."""
        self.workshop.close()
        self._writer.close()
        self.journal.close()

    def post(self) -> None:
        """Write what waits; what the log does not take waits on, and may come twice then."""
        try:
            for place, message in self._outbox:
                self._writer.send(place, message)
            self._writer.flush()
        except SandboxError as error:
            self.failed = error.line()
        else:
            self._outbox.clear()
            self.failed = ""

    def _send(self, topic: str, message: bytes) -> None:
        self._outbox.append((self.place(topic), message))
        self.post()
