"""Kafka through kafka-python: what producing and fetching cost a worker's process."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from uuid import uuid4

import kafka
import numpy as np
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError
from numpy.typing import NDArray

from sandbox.adapters.kafka_link import knock, not_answering

__all__ = ["time_broker"]

Floats = NDArray[np.float64]
PATIENCE = 10.0
"""For a broker to answer [s]."""
LOG = logging.getLogger("kafka")


def time_broker(
    address: str, messages: Sequence[bytes], sizes: Sequence[int], repeats: int
) -> tuple[Floats, Floats]:
    """Produce and fetch batches of each size on a topic that is removed afterwards.

    Parameters
    ----------
    address
        ``HOST:PORT`` of a broker.
    messages
        At least as many as the largest size.

    Returns
    -------
    tuple
        Times to produce a batch until all replicas in step have it, and to get one from a topic
        that holds more [s], shape (sizes, repeats) each. The first of each size is not among them.

    Raises
    ------
    SandboxError
        If no broker answers, or it refuses.
    """
    try:
        knock(address)
        with _quiet(), _topic(address) as topic:
            sent = _produce(address, topic, messages, sizes, repeats + 1)
            return sent[:, 1:], _fetch(address, topic, sizes, repeats + 1)[:, 1:]
    except (KafkaError, OSError, OverflowError) as error:
        raise not_answering(address, error) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client from logging every attempt to connect: one line is enough."""
    former = LOG.level
    LOG.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        LOG.setLevel(former)


@contextlib.contextmanager
def _topic(address: str) -> Iterator[str]:
    name = f"sandbox.calibrate.{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=round(PATIENCE * 1000))
    try:
        admin.create_topics([NewTopic(name, 1, 1)], wait_for_metadata=True)
        yield name
        admin.delete_topics([name])
    finally:
        admin.close()


def _produce(
    address: str, topic: str, messages: Sequence[bytes], sizes: Sequence[int], repeats: int
) -> Floats:
    producer = kafka.KafkaProducer(bootstrap_servers=address, acks="all", linger_ms=0)
    took = np.empty((len(sizes), repeats))
    try:
        for repeat in range(repeats):
            for place, size in enumerate(sizes):
                began = time.perf_counter()
                for message in messages[:size]:
                    producer.send(topic, message, partition=0)
                producer.flush(timeout=PATIENCE)
                took[place, repeat] = time.perf_counter() - began
    finally:
        producer.close(timeout=PATIENCE)
    return took


def _fetch(address: str, topic: str, sizes: Sequence[int], repeats: int) -> Floats:
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=address, group_id=None, enable_auto_commit=False,
        isolation_level="read_committed", fetch_max_wait_ms=10,
    )  # fmt: skip
    place_of = kafka.TopicPartition(topic, 0)
    consumer.assign([place_of])
    consumer.seek(place_of, 0)
    took = np.empty((len(sizes), repeats))
    try:
        for repeat in range(repeats):
            for place, size in enumerate(sizes):
                began, got = time.perf_counter(), 0
                while got < size:
                    found = consumer.poll(timeout_ms=1000, max_records=size - got)
                    got += sum(map(len, found.values()))
                    if time.perf_counter() - began > PATIENCE:
                        raise TimeoutError(f"{got} of {size} messages in {PATIENCE:g} s")
                took[place, repeat] = time.perf_counter() - began
    finally:
        consumer.close()
    return took
