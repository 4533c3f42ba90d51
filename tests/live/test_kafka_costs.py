from __future__ import annotations

import socket

import kafka
import pytest

from sandbox.adapters.kafka import time_broker
from sandbox.errors import SandboxError

MESSAGES = [b"%d" % number * 20 for number in range(64)]


def test_batches_are_timed_and_the_topic_is_gone(broker: str) -> None:
    sent, fetched = time_broker(broker, MESSAGES, (1, 8, 64), 4)
    for took in (sent, fetched):
        assert took.shape == (3, 4)
        assert (took > 0).all()
    admin = kafka.KafkaAdminClient(bootstrap_servers=broker)
    assert not [name for name in admin.list_topics() if name.startswith("sandbox.")]
    admin.close()


def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.adapters.kafka.PATIENCE", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(SandboxError, match="no Kafka broker answers"):
        time_broker(address, MESSAGES, (1,), 1)
