"""Worker: reads events, folds state, scores, decides; everything once, whatever dies.

Each round it polls every stage, folds what came, and commits what it wrote together with how far
it read, in one transaction. No transaction is open while it polls, so partitions change hands
between transactions only. State is never written to the log: it is a fold over the log, and is
built again from the newest snapshot and a replay wherever a partition goes.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sandbox.adapters.event_log import Chunk, Fenced, Member, Offsets, Place, Transactor, Writer
from sandbox.batch import Batch
from sandbox.errors import SandboxError
from sandbox.live.frames import frame_of
from sandbox.live.messages import Happening, encode
from sandbox.live.metrics import NOT_AN_EVENT
from sandbox.live.role import Setting
from sandbox.live.worker.following import Following
from sandbox.live.worker.gather import call
from sandbox.live.worker.outputs import Decided, Message, Outputs
from sandbox.live.worker.seat import Gap, Seat, Work
from sandbox.live.worker.snapshots import Snapshots
from sandbox.pipeline.decide import DECISIONS
from sandbox.pipeline.features.online import warm_up
from sandbox.pipeline.schema import REASONS

__all__ = ["Worker"]

SNAPSHOT_EVERY = 10.0
"""Time between two snapshots of a partition [s]."""
AT_ONCE = 4
"""Batches of a design's `max_batch` that one transaction may take when many wait."""
REST = 1.0
"""Wait before the log is asked again after it did not answer [s]."""
CALL_AGAIN = 1.0
"""Wait before candidates that are still held back are called again [s]."""


class Worker:
    """One of any number of workers of a live system.

    Parameters
    ----------
    setting
        Its `name` tells it from others; who comes with the same name takes its place.
    snapshot_every
        Time between two snapshots of a partition [s].
    """

    def __init__(self, setting: Setting, snapshot_every: float = SNAPSHOT_EVERY) -> None:
        self._setting, self._every = setting, snapshot_every
        prepared, topics = setting.prepared, setting.topics
        warm_up(prepared.plan)
        self._most = AT_ONCE * prepared.design.pipeline.max_batch
        self._outputs = Outputs(prepared, topics)
        folder = setting.state / setting.log.identity(topics.events)
        self._snapshots = Snapshots(folder)
        self._following = Following(setting)
        self._writer: Writer | None = None
        self._seats: list[Seat] = []
        self._transactor: Transactor | None = None
        self._turn = 0
        self._called: dict[Place, float] = {}
        self._failed = ""

    def step(self, patience: float) -> None:
        """Take what waits from every stage, and commit what comes of it.

        Raises
        ------
        SandboxError
            If another process took this one's name; nothing of what was under way is written.
        """
        self._following.look()
        try:
            if self._transactor is None:
                self._open()
            chunks = self._poll(patience)
            if chunks:
                self._commit(chunks)
            self._look_after()
        except Fenced as error:
            self._setting.metrics.transactions.labels("fenced").inc()
            self._start_over(str(error))
            if error.replaced:
                raise SandboxError(
                    f"another process is {self._setting.name} now", where="worker",
                    hint="Give each worker a name of its own.",
                ) from None  # fmt: skip
        except SandboxError as error:
            self._setting.metrics.transactions.labels("failed").inc()
            self._start_over(error.line())
            time.sleep(min(patience, REST))

    def ready(self) -> bool:
        """Tell whether it has joined its groups and the newest models are in use."""
        return self._transactor is not None and not self._failed and not self._following.failed

    def why_not(self) -> str:
        """Say what it waits for; empty when it is ready."""
        return self._failed or self._following.failed

    def close(self) -> None:
        """Save the states, leave the groups."""
        if self._transactor is not None:
            for seat in self._seats:
                seat.save_all()
        self._snapshots.close()
        self._leave()
        self._following.close()

    def _open(self) -> None:
        setting = self._setting
        # Members first: they find out whether another process has this name, whose transactions
        # a transactor would undo.
        self._seats = []
        for key in setting.topics.stages:
            self._seats.append(Seat(setting, key, self._snapshots, self._every))
        self._transactor = setting.log.transactor(f"{setting.topics.scenario}.{setting.name}")
        self._failed = ""

    def _start_over(self, reason: str) -> None:
        """Drop everything that may not be committed, and join again with the next step."""
        self._failed = reason
        self._leave()

    def _leave(self) -> None:
        for seat in self._seats:
            seat.close()
        self._seats = []
        if self._transactor is not None:
            self._transactor.close()
        self._transactor = None

    def _poll(self, patience: float) -> dict[str, list[Chunk]]:
        """Return what waits, by stage; wait a little where nothing does."""
        linger = self._setting.prepared.design.pipeline.linger
        found = self._poll_all(0.0)
        deadline = time.monotonic() + patience
        while not found and time.monotonic() < deadline:
            found = self._poll_all(linger)
        return found

    def _poll_all(self, timeout: float) -> dict[str, list[Chunk]]:
        polled = {seat.key: seat.member.poll(timeout, self._most) for seat in self._seats}
        return {key: chunks for key, chunks in polled.items() if chunks}

    def _commit(self, chunks: dict[str, list[Chunk]]) -> None:
        assert self._transactor is not None
        messages: list[Message] = []
        progress: dict[Member, Offsets] = {}
        decided: list[Decided] = []
        works: list[Work] = []
        for place, seat in enumerate(self._seats):
            if seat.key not in chunks:
                continue
            work = seat.work(chunks[seat.key])
            works.append(work)
            progress[seat.member] = work.offsets
            messages += self._write(place, work, decided)
        began = time.perf_counter()
        self._transactor.begin()
        try:
            for to, message in messages:
                self._transactor.send(to, message)
            self._transactor.commit(progress)
        except (Fenced, SandboxError):
            self._transactor.abort()
            raise
        self._account(decided, works, time.perf_counter() - began)

    def _write(self, place: int, work: Work, decided: list[Decided]) -> list[Message]:
        """Return what a stage's work comes to as messages."""
        messages: list[Message] = []
        topics = self._setting.topics
        for letter in work.poison:
            messages.append((topics.places(topics.dead)[letter.partition], letter.as_json()))
        if work.refused:
            refused = self._outputs.refuse(work.refused)
            messages += refused.messages
            decided.append(refused)
        messages += self._outputs.withdraw(work.withdrawn)
        if not work.events:
            return messages
        if place + 1 < len(self._seats):
            following = self._seats[place + 1].key
            return messages + list(
                self._outputs.pass_on([batch for _, batch in work.events], following)
            )
        result = self._outputs.decide(work.events, self._following.models, self._setting.now())
        decided.append(result)
        return messages + result.messages

    def _account(self, decided: list[Decided], works: list[Work], took: float) -> None:
        metrics, now = self._setting.metrics, self._setting.now()
        metrics.transactions.labels("committed").inc()
        metrics.transaction_time.observe(took)
        for one in decided:
            rows = one.rows
            if not len(rows):
                continue
            past = rows["processing_time"] < self._setting.prepared.scenario.start_time
            metrics.decision_time.observe(now - rows["sent"][~past])
            for reason, picked in _why_fallback(rows, past).items():
                metrics.fallbacks.labels(reason).inc(int(picked.sum()))
            said = rows["spread" if "spread" in rows else "score"]
            metrics.score.observe(said[~rows["fallback"]])
            pairs = np.stack([rows["decision"], rows["version"]]).astype(np.int64)
            for (code, version), count in zip(*_counted(pairs), strict=True):
                metrics.decisions.labels(DECISIONS[code], f"{version}").inc(int(count))
            gap = np.abs(rows["challenger_score"] - rows["score"])
            if "control" in rows:  # those are the baseline's scores
                gap = np.where(rows["control"], np.nan, gap)
            if "spread" in rows:  # estimates differ in proportion
                gap = gap / np.where(rows["score"] > 0, rows["score"], np.nan)
            if np.isfinite(gap).any():
                metrics.shadow_gap.set(float(np.nanmean(gap)))
        for work in works:
            if work.poison:
                metrics.dead_letters.labels(NOT_AN_EVENT).inc(len(work.poison))
            for _, dead in work.refused:
                for code, count in enumerate(np.bincount(dead["reason"])):
                    if count:
                        metrics.dead_letters.labels(REASONS[code]).inc(int(count))

    def _look_after(self) -> None:
        """Save states that are due, tell of gaps, and measure."""
        if not self._seats:
            return
        metrics = self._setting.metrics
        self._turn = (self._turn + 1) % len(self._seats)
        seat = self._seats[self._turn]
        seat.save_one(time.monotonic())
        metrics.partitions.labels(seat.key).set(len(seat.member.assigned))
        metrics.lag.labels(seat.key).set(sum(seat.member.lag().values()))
        for one in self._seats:
            gaps, one.gaps = one.gaps, []
            for gap in gaps:
                self._tell(gap)
        self._call()

    def _call(self) -> None:
        """Have candidates let go that wait for others longer than their answer may take."""
        setting, clock = self._setting, time.monotonic()
        until = setting.now() - setting.prepared.design.pipeline.budget
        for place in self._seats[-1].overdue(until):
            if clock >= self._called.get(place, -np.inf) + CALL_AGAIN:
                self._called[place] = clock
                self._post(place, frame_of(call(until)))

    def _tell(self, gap: Gap) -> None:
        """Report messages that are gone: nothing may be lost in silence."""
        setting, number = self._setting, gap.stop - gap.start
        if gap.unseen:
            setting.metrics.lost.inc(number)
        fate = "were never decided" if gap.unseen else "are missing in the state"
        place = f"{gap.place.topic}/{gap.place.partition}"
        what = (
            f"retention took messages {gap.start} to {gap.stop - 1} of {place}: they {fate}. "
            "Keep the log longer (ingest.retention)."
        )
        facts = {"topic": gap.place.topic, "partition": gap.place.partition, "from": gap.start,
                 "to": gap.stop, "unseen": gap.unseen}  # fmt: skip
        happening = Happening(
            "fault", what, role=setting.name, ok=False, sent=setting.now(), facts=facts
        )
        self._post(setting.topics.places(setting.topics.happenings)[0], encode(happening))

    def _post(self, place: Place, message: bytes) -> None:
        """Write a message outside of transactions: it would do no harm twice."""
        if self._writer is None:
            self._writer = self._setting.log.writer()
        self._writer.send(place, message)
        self._writer.flush()


def _why_fallback(rows: Batch, past: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return which rows the model did not answer, by reason; nobody waits for the `past`."""
    fallback, refused, unknown = rows["fallback"], rows["dead"] > 0, rows["version"] == 0
    return {
        "past": fallback & past,
        "refused": fallback & ~past & refused,
        "no_model": fallback & ~past & ~refused & unknown,
        "late": fallback & ~past & ~refused & ~unknown,
    }


def _counted(
    pairs: np.ndarray[tuple[int, int], np.dtype[np.int64]],
) -> tuple[list[list[int]], list[int]]:
    found, counts = np.unique(pairs, axis=1, return_counts=True)
    return found.T.tolist(), counts.tolist()
