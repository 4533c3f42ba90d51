"""The same features with Quix Streams, as its documentation shows it. Runs in its own environment.

    python quix_peer.py ADDRESS TOPIC OUTPUT GROUP STATE

Two keyed stages with a repartition between them, state in RocksDB with a changelog, exactly once.
What it leaves out is to its advantage: no schema check, no labels, no model.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application

DAY = 86400.0
SPANS = (1 * DAY, 7 * DAY, 30 * DAY)
DELAY = 7 * DAY


def customer(value: dict[str, Any], state: Any) -> dict[str, Any]:
    """Add what the customer's own history says."""
    now, amount = value["event_time"], value["amount"]
    past = [e for e in state.get("past", []) if e[0] > now - SPANS[-1]]
    features = value["features"] = {}
    features["since_last"] = now - past[-1][0] if past else None
    past.append([now, amount])
    for span in SPANS:
        inside = [a for t, a in past if t > now - span]
        features[f"count_{span}"] = len(inside)
        features[f"mean_{span}"] = sum(inside) / len(inside)
    features["ratio"] = amount / features[f"mean_{SPANS[-1]}"]
    state.set("past", past)
    return value


def terminal(value: dict[str, Any], state: Any) -> dict[str, Any]:
    """Add what the terminal's history says, now and until a week ago."""
    now, amount = value["event_time"], value["amount"]
    past = [e for e in state.get("past", []) if e[0] > now - DELAY - SPANS[-1]]
    past.append([now, amount])
    features = value["features"]
    inside = [a for t, a in past if t > now - DAY]
    features["terminal_count"], features["terminal_mean"] = len(inside), sum(inside) / len(inside)
    for span in SPANS:
        old = [t for t, _ in past if now - DELAY - span < t <= now - DELAY]
        features[f"delayed_count_{span}"] = len(old)
        features[f"delayed_share_{span}"] = 0.0 if old else None
    hour = (now % DAY) / 3600.0
    features["hour"], features["weekend"] = hour, (now // DAY + 3) % 7 >= 5
    state.set("past", past)
    return value


def main() -> None:
    """Run until ended from outside."""
    address, source, output, group, folder = sys.argv[1:]
    application = Application(
        broker_address=address, consumer_group=group, auto_offset_reset="earliest",
        processing_guarantee="exactly-once", commit_interval=0.1, state_dir=folder,
        loglevel="WARNING",
    )  # fmt: skip
    events = application.topic(source, value_deserializer="json", key_deserializer="str")
    decided = application.topic(output, value_serializer="json")
    frame = application.dataframe(events)
    frame = frame.apply(customer, stateful=True)
    frame = frame.group_by(lambda value: str(value["terminal_id"]), name="terminal")
    frame = frame.apply(terminal, stateful=True)
    frame.to_topic(decided)
    application.run()


if __name__ == "__main__":
    main()
