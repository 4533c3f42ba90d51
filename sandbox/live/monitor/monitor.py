"""Monitor: watches what the design does, tells what it sees, and asks for retraining."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np

from sandbox.adapters.event_log import Chunk, Place
from sandbox.errors import SandboxError, UsageError
from sandbox.live.control import ACTIONS, parse_command
from sandbox.live.dead_letters import unanswered
from sandbox.live.frames import NotAFrame, read_frame
from sandbox.live.generator.desk import FED
from sandbox.live.journal import Journal
from sandbox.live.messages import Command, Happening, ServingState, decode, encode
from sandbox.live.monitor.day_book import DayBook
from sandbox.live.monitor.news import News
from sandbox.live.role import Setting
from sandbox.model import version_from_files
from sandbox.record import AlertRecord
from sandbox.run.setup import DAY

__all__ = ["ROLE", "Monitor"]

ROLE = "monitor"
REST = 2.0
"""Wait before log or registry are asked again after they did not answer [s]."""
FRESH = 2 * DAY
"""An alert on a day this long ago is nothing to act on: somebody catches up [s]."""
UNTOLD = 5.0
"""A champion whose coming nobody told for so long is one all the same [s]."""
_LAST = 20


class Monitor:
    """Watches a live system, with the truth beside what an operator could know.

    `status`, `happenings` and `control` may be called from other threads.

    Parameters
    ----------
    setting
        What the role works with.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting, self._topics = setting, setting.topics
        self._start = setting.prepared.scenario.start_time
        self._journal = Journal(setting, oracle=True)
        self._book = DayBook(setting.prepared, self._journal, setting.metrics)
        self._news = News(setting.metrics)
        topics = setting.topics
        self._reader = setting.log.reader(
            [topics.happenings, topics.serving, topics.control, topics.labels, topics.dead]
        )
        self._writer = setting.log.writer()
        self._writing = threading.Lock()
        self._serving = ServingState(0)
        self._changed_at = 0.0
        self._champions = 0
        """How many of `News.champions` the book knows."""
        self._refused: list[np.int8] = []
        self._outgoing: list[tuple[str, bytes]] = []
        self._answers: list[Happening] = []
        self._failed = ""
        self._rest_until = 0.0
        self._up_to_date = False

    def step(self, patience: float) -> None:
        """Read on; close the days that are over."""
        try:
            self._journal.poll(patience)
            self._read()
            if not self._up_to_date or time.monotonic() < self._rest_until:
                return
            self._answer()
            for end in self._journal.closed(self._book.closed):
                if end not in self._news.worked:
                    break
                self._follow(end)
                self._close(end)
            self._follow(self._journal.now)
            self._speak()
            self._failed = ""
        except SandboxError as error:
            self._failed = error.line()
            self._rest_until = time.monotonic() + REST
            time.sleep(min(patience, REST))

    def ready(self) -> bool:
        """Tell whether it has read what there is."""
        return self._up_to_date and not self._failed

    def why_not(self) -> str:
        """Say what it waits for; empty when it is ready."""
        return self._failed or ("" if self._up_to_date else "reads what has happened so far")

    def close(self) -> None:
        """Give up the connections."""
        self._writer.close()
        self._reader.close()
        self._journal.close()

    def status(self) -> dict[str, Any]:
        """Return how things are, as plain data."""
        setting, journal, serving = self._setting, self._journal, self._serving
        newest = journal.newest if np.isfinite(journal.newest) else None
        live = newest is not None and newest >= 0
        return {
            "scenario": setting.topics.scenario,
            "design": setting.prepared.design_name,
            "day": newest / DAY if newest is not None and live else None,
            "speed": setting.speed,
            "waits_for": self.why_not(),
            "serving": msgspec.to_builtins(serving),
            "events": len(journal.log),
            "undecided": journal.undecided,
            "stragglers": journal.stragglers,
            "incidents": dict(self._news.incidents),
            **self._book.snapshot(),
            "happenings": self._news.recent(_LAST),
        }

    def happenings(self, after: int = 0, command: str = "") -> list[dict[str, Any]]:
        """Return the happenings from an offset on; those of one command where its id is given."""
        return self._news.since(after, command)

    def control(self, data: bytes) -> str:
        """Take a command for whichever role it is for, and return its id.

        Raises
        ------
        UsageError
            If it is none; nothing happens then.
        SandboxError
            If the log does not answer.
        """
        asked = parse_command(data, self._setting.prepared)
        sent = msgspec.structs.replace(asked, sent=self._setting.now())
        self._send(self._topics.control, encode(sent))
        return asked.id

    def _read(self) -> None:
        chunks = self._reader.poll(0.0)
        for chunk in chunks:
            self._take(chunk)
        if not self._up_to_date:
            self._up_to_date = self._reader.lag() == 0
        self._news.look(self._setting.now())
        self._book.show_queue()

    def _take(self, chunk: Chunk) -> None:
        topics = self._topics
        if chunk.place.topic == topics.labels:
            self._show_delays(chunk)
        elif chunk.place.topic == topics.dead:
            self._refused += unanswered(chunk)
        else:
            for value, offset in zip(chunk.values, chunk.offsets, strict=True):
                self._hear(chunk.place.topic, value, offset)

    def _hear(self, topic: str, value: bytes, offset: int) -> None:
        if topic == self._topics.control:
            self._take_command(value, offset)
            return
        try:
            if topic == self._topics.happenings:
                self._notice(decode(value, Happening), offset)
            else:
                self._serving, self._changed_at = decode(value, ServingState), self._setting.now()
        except msgspec.MsgspecError:
            return  # whoever wrote it, it says nothing

    def _take_command(self, value: bytes, offset: int) -> None:
        facts = {"offset": offset}
        try:
            command = parse_command(value, self._setting.prepared)
        except UsageError as error:
            self._answers.append(self._said("refused", error.line(), ok=False, facts=facts))
            return
        if ACTIONS[command.action].role == ROLE:
            note = self._said("fault", str(command.args["what"]), facts=facts)
            self._answers.append(msgspec.structs.replace(note, who=command.who, command=command.id))

    def _notice(self, happening: Happening, offset: int) -> None:
        self._news.take(happening, offset, self._setting.now())
        match happening.facts:
            case {"worked": list(ids), "overflow": int(left)}:
                self._journal.work(ids)
                self._setting.metrics.reviews.labels("worked").inc(len(ids))
                self._setting.metrics.reviews.labels("overflow").inc(left)

    def _show_delays(self, chunk: Chunk) -> None:
        for value in chunk.values:
            try:
                labels = read_frame(value)
            except NotAFrame:
                continue
            delay = (labels["label_time"] - labels["event_time"])[labels["source"] == FED]
            self._setting.metrics.label_delay.observe(delay)

    def _answer(self) -> None:
        """Answer notes, and report commands that are none, which change nothing; each once."""
        answers, self._answers = self._answers, []
        for answer in answers:
            if answer.facts["offset"] >= self._news.answered_to:
                self._outgoing.append((self._topics.happenings, encode(answer)))

    def _follow(self, now: float) -> None:
        """Start over with the champions that came before a time [s since day 0]."""
        told = self._news.champions
        missing = self._serving.champion and (
            not told or told[-1][1] != self._serving.champion
        )  # fmt: skip
        if missing and self._setting.now() > self._changed_at + UNTOLD:
            told.append((max(self._journal.now, 0.0), self._serving.champion))
        while self._champions < len(told) and told[self._champions][0] <= now:
            at, champion = told[self._champions]
            files = self._setting.registry.files(champion)
            version = version_from_files(files, where=f"registry version {champion}")
            self._book.new_champion(at, version)
            self._champions += 1

    def _close(self, end: float) -> None:
        refused, self._refused = self._refused, []
        del self._news.worked[end]
        alerts = [
            alert
            for alert in self._book.close(end, np.array(refused, dtype=np.int8))
            if (alert.day, alert.kind, alert.subject) not in self._news.said
        ]
        if end > self._journal.newest - FRESH:
            self._ask(end, alerts)
        for alert in alerts:
            facts = {
                "alert": alert.kind, "subject": alert.subject, "day": float(alert.day),
                "value": float(alert.value), "threshold": float(alert.threshold),
            }  # fmt: skip
            self._tell("alert", alert.text, facts=facts)

    def _ask(self, end: float, alerts: Sequence[AlertRecord]) -> None:
        """Ask for a training job where the design wants one after such an alert."""
        policy = self._setting.prepared.design.retraining
        reasons = [a.kind for a in alerts if any(t.fires_on(a.kind) for t in policy.when)]
        rested = end - self._news.trained >= policy.cooldown
        if reasons and rested and not self._serving.challenger:
            args: dict[str, str | float | int | bool] = {"reason": f"on {reasons[0]}"}
            asked = Command(uuid4().hex[:12], ROLE, "retrain", args, self._setting.now())
            self._outgoing.append((self._topics.control, encode(asked)))

    def _tell(self, kind: str, what: str, *, ok: bool = True, facts: dict[str, Any]) -> None:
        told = self._said(kind, what, ok=ok, facts=facts)
        self._outgoing.append((self._topics.happenings, encode(told)))

    def _said(self, kind: str, what: str, *, ok: bool = True, facts: dict[str, Any]) -> Happening:
        now, day = self._setting.now(), max(self._journal.newest, 0.0) / DAY
        return Happening(kind, what, ROLE, ok=ok, sent=now, day=day, facts=facts)

    def _speak(self) -> None:
        """Send what there is to say; where the log does not take it, it stays."""
        while self._outgoing:
            self._send(*self._outgoing[0])
            del self._outgoing[0]

    def _send(self, topic: str, message: bytes) -> None:
        with self._writing:
            self._writer.send(Place(topic, 0), message)
            self._writer.flush()
