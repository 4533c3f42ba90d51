"""Writing to Kafka: plainly, and in transactions."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import kafka
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
    RebalanceInProgressError,
    TransactionAbortedError,
    UnknownMemberIdError,
)

from sandbox.adapters.event_log import Fenced, Member, Offsets, Place
from sandbox.adapters.kafka_link import CLIENT, PATIENCE, not_answering
from sandbox.adapters.kafka_member import KafkaMember
from sandbox.errors import SandboxError

__all__ = ["KafkaTransactor", "KafkaWriter"]

TRANSACTION = 10.0
"""After which the broker undoes a transaction whose writer is silent [s]. Readers wait for it."""
_LARGEST = 1 << 24
_BATCH = 1 << 18
_AGAIN = 0.005
"""Wait before a request is repeated, mostly since the last transaction is not closed yet [s]."""
_TAKEN_OVER = (
    CommitFailedError, FencedInstanceIdError, IllegalGenerationError, InvalidProducerEpochError,
    ProducerFencedError, RebalanceInProgressError, TransactionAbortedError, UnknownMemberIdError,
)  # fmt: skip
"""Somebody has this name or its partitions, or a transaction took too long: they look the same."""


class KafkaWriter:
    """See `Writer`: idempotent, acknowledged by all replicas in step."""

    def __init__(self, address: str, compression: str | None) -> None:
        self._address = address
        self._producer = kafka.KafkaProducer(
            bootstrap_servers=address, acks="all", linger_ms=2, batch_size=_BATCH,
            max_request_size=_LARGEST, compression_type=compression, metrics_enabled=False,
            max_block_ms=round(PATIENCE * 1000), **CLIENT,
        )  # fmt: skip
        self._failed: Exception | None = None

    def send(self, place: Place, value: bytes) -> None:
        """See `Writer.send`; waits where too much waits already."""
        try:
            sent = self._producer.send(place.topic, value, partition=place.partition)
        except KafkaError as error:
            raise not_answering(self._address, error) from None
        sent.add_errback(self._note)

    def flush(self) -> None:
        """See `Writer.flush`."""
        try:
            self._producer.flush(timeout=PATIENCE)
        except KafkaError as error:
            raise not_answering(self._address, error) from None
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise not_answering(self._address, failed)

    def close(self) -> None:
        """See `Writer.close`."""
        self._producer.close(timeout=5)

    def _note(self, error: Exception) -> None:
        self._failed = error


class KafkaTransactor:
    """See `Transactor`: one Kafka transaction for messages and offsets.

    Two producers take turns, since the broker lets nobody begin while it closes their last
    transaction. One commit ends before the next begins, so that offsets never run ahead.
    """

    def __init__(self, address: str, name: str, compression: str | None) -> None:
        self._address, self._name = address, name
        self._watched = _Watched(address)
        self._producers = [
            kafka.KafkaProducer(
                bootstrap_servers=address, transactional_id=f"{name}.{turn}", linger_ms=0,
                batch_size=_BATCH, transaction_timeout_ms=round(TRANSACTION * 1000),
                max_request_size=_LARGEST, compression_type=compression,
                retry_backoff_ms=round(_AGAIN * 1000), metrics_enabled=False,
                max_block_ms=round(PATIENCE * 1000), **CLIENT,
            )
            for turn in (0, 1)
        ]  # fmt: skip
        self._messages: list[tuple[Place, bytes]] = []
        self._begun = False
        for producer in self._producers:
            self._do(producer.init_transactions)

    def begin(self) -> None:
        """See `Transactor.begin`."""
        self._messages = []

    def send(self, place: Place, value: bytes) -> None:
        """See `Transactor.send`."""
        self._messages.append((place, value))

    def commit(self, progress: Mapping[Member, Offsets]) -> None:
        """See `Transactor.commit`."""
        messages, self._messages = self._messages, []
        producer = self._producers[0]
        self._do(partial(self._commit, producer, messages, progress))
        self._producers.reverse()

    def abort(self) -> None:
        """See `Transactor.abort`."""
        self._messages = []
        if self._begun:
            self._begun = False
            with contextlib.suppress(Fenced, SandboxError):  # the broker undoes it in time
                self._do(self._producers[0].abort_transaction)

    def close(self) -> None:
        """See `Transactor.close`."""
        self.abort()
        for producer in self._producers:
            with contextlib.suppress(KafkaError):
                producer.close(timeout=0)
        self._watched.close()

    def _commit(
        self, producer: kafka.KafkaProducer, messages: Sequence[tuple[Place, bytes]],
        progress: Mapping[Member, Offsets],
    ) -> None:  # fmt: skip
        producer.begin_transaction()
        self._begun = True
        for place, value in messages:
            producer.send(place.topic, value, partition=place.partition)
        for member, offsets in progress.items():
            assert isinstance(member, KafkaMember)
            done = {
                kafka.TopicPartition(*place): kafka.structs.OffsetAndMetadata(offset, "", -1)
                for place, offset in offsets.items()
            }
            producer.send_offsets_to_transaction(done, member.claim)
        producer.commit_transaction()
        self._begun = False

    def _do(self, call: Callable[[], Any]) -> None:
        try:
            self._watched.run(call)
        except _TAKEN_OVER as error:
            first = str(error).splitlines()[0] if str(error) else ""
            what = f"{self._name}: {type(error).__name__} {first}".strip()
            raise Fenced(what, replaced=False) from None  # who joins again finds out whether it is
        except (KafkaError, AssertionError) as error:
            raise not_answering(self._address, error) from None


class _Watched:
    """Runs calls that would wait for ever, and stops waiting.

    The client's transaction calls know no time limit. One that does not return leaves its thread
    behind, which ends with the process.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="transactions", daemon=True).start()

    def run(self, call: Callable[[], Any]) -> None:
        """Run a call and raise what it raises.

        Raises
        ------
        SandboxError
            If it does not return in time.
        """
        self._calls.put(call)
        try:
            answer = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise SandboxError(
                "a transaction does not end", where=f"Kafka at {self._address}",
                hint=f"Nothing came within {PATIENCE:g} s.",
            ) from None  # fmt: skip
        if answer is not None:
            raise answer

    def close(self) -> None:
        """Let the thread end."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except (KafkaError, AssertionError, RuntimeError, ValueError) as error:
                self._answers.put(error)
            else:
                self._answers.put(None)
