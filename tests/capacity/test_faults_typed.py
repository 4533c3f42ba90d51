from __future__ import annotations

import pytest

from sandbox.capacity.faults import KINDS, parse_fault
from sandbox.errors import UsageError


def test_a_fault_is_read_whole_and_said_as_typed() -> None:
    fault = parse_fault("worker_loss=2@60s/2min", 1.0, 1.0)
    assert (fault.kind, fault.value, fault.start, fault.end) == ("worker_loss", 2.0, 60.0, 180.0)
    assert parse_fault(str(fault), 1.0, 1.0) == fault


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_default(kind: str) -> None:
    fault = parse_fault(kind, 10.0, 20.0)
    assert (fault.value, fault.start, fault.length) == (KINDS[kind].default, 10.0, 20.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker_los", "unknown fault"),
        ("worker_loss=", "not a fault"),
        ("worker_loss=0", "out of range"),
        ("worker_loss=-1", "out of range"),
        ("load_spike=nan", "not a number"),
        ("outage@noon", "not a time"),
        ("outage@-5s", "not a time"),
        ("outage/3kg", "not a time"),
        ("retraining=0.99", "out of range"),
    ],
)
def test_nonsense_is_refused_with_what_would_do(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_fault(text, 0.0, 1.0)
    assert "--fault" in caught.value.line() and "expected" in caught.value.line()
