"""Sends events at a steady rate from a process of its own, so that nobody who measures waits.

    python -m benchmarks.reliability.sender ADDRESS PREFIX FOLDER RATE SECONDS

It prints how many it sent, and at what rate.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.reliability.case import Case, load_prepared
from sandbox.adapters.kafka_log import KafkaLog

EVERY = 20
"""Messages between two looks at the clock."""


def main() -> int:
    """Send, evenly and not in bursts."""
    address, prefix, folder, rate, seconds = sys.argv[1:]
    case, log = Case(load_prepared(), prefix, Path(folder)), KafkaLog(address)
    writer, began, sent = log.writer(), time.monotonic(), 0
    for messages, ids in case.streams():
        for at, (place, value) in enumerate(messages):
            writer.send(place, value)
            if at % EVERY == 0:
                ahead = began + (sent + at * len(ids) / len(messages)) / float(rate)
                time.sleep(max(ahead - time.monotonic(), 0.0))
        sent += len(ids)
        if time.monotonic() - began > float(seconds):
            break
    reached = sent / (time.monotonic() - began)
    writer.close()
    log.close()
    print(sent, reached)
    return 0


if __name__ == "__main__":
    sys.exit(main())
