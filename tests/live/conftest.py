"""A real Kafka broker on loopback, from Maven Central; skipped without Java, never in CI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.broker import Broker, a_broker, skip_reason


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Return a broker that may be killed and started again."""
    reason, fatal = skip_reason()
    if reason and fatal:
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with a_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def broker(kafka_broker: Broker) -> str:
    """Return ``HOST:PORT`` of a broker."""
    return kafka_broker.address
