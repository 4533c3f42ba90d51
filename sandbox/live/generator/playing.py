"""Playing: the world's history, the wait for a first model, and then day after day in real time."""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np
import simpy.rt

from sandbox.adapters.event_log import Chunk
from sandbox.batch import Batch
from sandbox.errors import UsageError
from sandbox.live.control import ACTIONS, parse_command
from sandbox.live.dead_letters import poisoned
from sandbox.live.frames import NotAFrame, read_frame
from sandbox.live.generator.desk import Desk
from sandbox.live.generator.outbox import Outbox
from sandbox.live.generator.outside import Outside
from sandbox.live.generator.past import Past
from sandbox.live.generator.switchboard import Switch, Switchboard
from sandbox.live.messages import Command, Happening, ServingState, decode
from sandbox.live.progress import EventTimes
from sandbox.live.role import Setting
from sandbox.run.setup import DAY
from sandbox.simulate.control import ControlPlane, Phase

__all__ = ["ROLE", "Playing"]

ROLE = "generator"
TICK = 0.05
"""Time between two looks at the world [s]."""
GRACE = 15.0
"""A day's cases are worked without decisions that come later than this after it [s]."""
_READ = ("event_time", "processing_time", "decision", "score", "ruled")
_SOURCES = ("feed", "review")


class Playing:
    """Goes on from where the log ends.

    Parameters
    ----------
    setting
        What the role works with.

    Raises
    ------
    SandboxError
        If the log does not answer, or the world does not keep its promises.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting, self._prepared = setting, setting.prepared
        self._id = setting.prepared.scenario.event.id
        self._times = EventTimes(setting)
        self._outbox = Outbox(setting)
        self._outbox.commit()  # takes over: from here on nobody else writes
        self._past = past = Past.read(setting, ROLE)
        self._board = Switchboard(setting.prepared)
        self._outside = Outside(setting.prepared, self._board)
        self._desk = Desk(setting.prepared, past.told, past.closed)
        self._switches = deque(past.switches)
        self._plane: ControlPlane | None = None
        self._day_over_at: float | None = None
        self._recall()
        log, topics = setting.log, setting.topics
        control = {place: past.commands_read for place in topics.places(topics.control)}
        self._control = log.reader([topics.control], control)
        self._answers = log.reader([topics.decisions, topics.dead])
        self._serving = log.reader([topics.serving])
        setting.metrics.speed.set(setting.speed)

    @property
    def live(self) -> bool:
        """Whether the clock runs."""
        return self._plane is not None

    def step(self, patience: float) -> None:
        """Go on for a moment."""
        if not self._outbox.full:
            if self._outside.end < 0:
                self._play_history()
            elif self._plane is None:
                self._await_champion(patience)
            else:
                self._plane.run(self._plane.now + TICK * self._setting.speed)
        self._outbox.commit()

    def close(self) -> None:
        """Give up the connections."""
        for reader in (self._control, self._answers, self._serving):
            reader.close()
        self._outbox.close()

    def _recall(self) -> None:
        """Live through what is in the log already, without sending it again."""
        past = self._past
        while self._outside.end <= past.mark:
            start = self._outside.end
            self._advance()
            until = self._outside.end if start < 0 else past.mark
            told = self._outside.tell(self._outside.take(until, inclusive=start >= 0))
            if start < 0:
                self._desk.remember(told)
            else:
                self._desk.recall(told, past.mark)
        for day_end, ids in past.worked.items():
            self._desk.promise(np.array(ids, dtype=np.int64), day_end)

    def _advance(self) -> Batch:
        """Live through a block, with what was switched before it, and return its truth."""
        while self._switches and self._switches[0].at <= self._outside.end:
            self._board.switch(self._switches.popleft())
        return self._outside.advance()

    def _play_history(self) -> None:
        """Send a block of history: labels first, so that they are there when they are due."""
        truth = self._advance()
        events = self._outside.take(self._outside.end)
        self._desk.remember(self._outside.tell(events))
        self._outbox.truth(self._unknown(truth))
        self._tell_labels(self._outside.end)
        self._outbox.history(events)
        self._setting.metrics.events_sent.inc(len(events))
        self._show(self._outside.end)

    def _await_champion(self, patience: float) -> None:
        self._obey()
        for chunk in self._serving.poll(patience):
            for value in chunk.values:
                try:
                    champion = decode(value, ServingState).champion
                except msgspec.MsgspecError:
                    continue
                if champion and self._plane is None:
                    self._start_clock()

    def _start_clock(self) -> None:
        speed, start = self._setting.speed, max(self._past.mark, 0.0)
        clock = simpy.rt.RealtimeEnvironment(initial_time=start, factor=1 / speed, strict=False)
        self._plane = ControlPlane(clock)
        self._plane.every(TICK * speed, self._tick, Phase.TRAFFIC)
        goes = "begins" if start == 0 else f"goes on at day {start / DAY:.2f}"
        what = f"The clock {goes}; a simulated day takes {DAY / speed:.3g} s."
        self._say("clock", what, start, {"speed": speed, "at": start})

    def _tick(self, now: float) -> None:
        """Send what is due by now [s since day 0]."""
        while self._outside.end <= now:
            self._send(self._outside.end)
            self._outbox.truth(self._unknown(self._advance()))
        self._send(now)
        self._listen()
        self._close_day(now)
        self._tell_labels(now)
        self._obey()
        self._tell_incidents(now)
        self._show(now)

    def _send(self, until: float) -> None:
        events = self._outside.take(until)
        self._desk.add(self._outside.tell(events))
        self._outbox.events(events)
        self._setting.metrics.events_sent.inc(len(events))

    def _unknown(self, truth: Batch) -> Batch:
        return truth.take(truth[self._id] > self._past.last_truth)

    def _listen(self) -> None:
        """Read decisions back: they say which labels will come."""
        for chunk in self._answers.poll(0.0):
            if chunk.place.topic == self._setting.topics.dead:
                self._desk.drop(poisoned(chunk, self._times))
            else:
                self._hear(chunk)

    def _hear(self, chunk: Chunk) -> None:
        for value in chunk.values:
            try:
                self._desk.decided(read_frame(value).select((self._id, *_READ)))
            except NotAFrame:
                continue

    def _close_day(self, now: float) -> None:
        """Work the cases of a day that is over, once all its decisions are there."""
        end, clock = self._desk.closed + DAY, self._setting.now()
        if now < end:
            return
        if self._day_over_at is None:
            self._day_over_at = clock
        if self._desk.undecided < end and clock < self._day_over_at + GRACE:
            return
        before = self._desk.overflow
        worked = self._desk.close(end)
        left = self._desk.overflow - before
        self._day_over_at = None
        what = f"Day {end / DAY:.0f} is over: {len(worked)} cases were reviewed, {left} were not."
        facts = {"day_end": end, "worked": worked.tolist(), "overflow": left}
        self._say("clock", what, now, facts)

    def _tell_labels(self, now: float) -> None:
        labels = self._desk.due(now)
        self._outbox.labels(labels)
        if len(labels):
            counts = np.bincount(labels["source"], minlength=len(_SOURCES)).tolist()
            for name, count in zip(_SOURCES, counts, strict=True):
                self._setting.metrics.labels_sent.labels(name).inc(count)

    def _obey(self) -> None:
        for chunk in self._control.poll(0.0):
            for value, offset in zip(chunk.values, chunk.offsets, strict=True):
                try:
                    command = parse_command(value, self._prepared)
                except UsageError:
                    continue  # the monitor says so
                if ACTIONS[command.action].role == ROLE:
                    self._switch(command, offset)

    def _switch(self, command: Command, offset: int) -> None:
        switch = Switch(command.action, command.args, max(self._outside.end, 0.0))
        facts: dict[str, object] = {"offset": offset}
        try:
            what = f"{self._board.switch(switch)}, from day {switch.at / DAY:.2f} on"
        except UsageError as error:
            self._answer(command, error.line(), facts, ok=False)
            return
        facts |= {"action": switch.action, "args": dict(switch.args), "at": switch.at}
        self._answer(command, what, facts, ok=True)

    def _tell_incidents(self, now: float) -> None:
        """Say what began and what ended, once."""
        gauge, said = self._setting.metrics.incident_active, self._past.said
        for name, incident in self._board.incidents.items():
            start, end = incident.start, incident.end
            if end <= start or now < start:
                continue
            gauge.labels(name, incident.kind).set(now < end)
            facts = {"incident": name, "kind": incident.kind}
            if ("incident", name, start) not in said:
                said.add(("incident", name, start))
                self._say("incident", f"{name}: {incident.story}", now, {**facts, "at": start})
            if end <= now and ("mended", name, end) not in said:
                said.add(("mended", name, end))
                self._say("mended", f"{name} is over", now, {**facts, "at": end})

    def _show(self, now: float) -> None:
        metrics = self._setting.metrics
        metrics.simulated_day.set(now / DAY)
        metrics.simulated_time.set(self._prepared.scenario.start_time + now)
        metrics.load_factor.set(self._board.load(now))
        for name, value in self._outside.knobs(now).items():
            metrics.knob.labels(name).set(value)

    def _say(self, kind: str, what: str, now: float, facts: dict[str, object]) -> None:
        sent, day = self._setting.now(), now / DAY
        happening = Happening(kind, what, ROLE, sent=sent, day=day, facts=facts)
        self._outbox.say(happening)

    def _answer(self, command: Command, what: str, facts: dict[str, object], *, ok: bool) -> None:
        kind, day = "command" if ok else "refused", (self._plane.now if self._plane else 0.0) / DAY
        sent = self._setting.now()
        answer = Happening(kind, what, ROLE, command.who, command.id, ok, sent, day, facts)
        self._outbox.say(answer)
