"""Every trial of docs/reliability.md, small, against a real broker."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.broker import Broker
from benchmarks.reliability.__main__ import SMALL, expected
from benchmarks.reliability.scene import Scene
from benchmarks.reliability.trials import TRIALS

# kafka-python leaves sockets to the garbage collector where a broker that is away refuses them.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have it collect them here, not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trials")


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_comes_out_as_it_must(kafka_broker: Broker, folder: Path, name: str) -> None:
    result = TRIALS[name](Scene(kafka_broker, folder, SMALL))
    assert expected(name, result), result
