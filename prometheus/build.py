"""Build the rules: ``python prometheus/build.py`` writes ``prometheus/rules/*.yml``.

They fit a simulated day a minute. For another time compression build them again with its speed:
``python prometheus/build.py --speed 60``.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString
from rulebook.rule import Rule
from rulebook.signals import signal_alerts, signal_recordings
from rulebook.slo import slo_alerts, slo_recordings
from rulebook.windows import SCRAPE, Windows, duration

FOLDER = Path(__file__).parent / "rules"
SPEED = 1440.0


def files(speed: float = SPEED) -> dict[str, str]:
    """Return every rule file, by name."""
    windows = Windows(speed)
    groups = {
        "service-levels": (slo_recordings(windows), slo_alerts(windows)),
        "signals": (signal_recordings(windows), signal_alerts(windows)),
    }
    return {
        f"{name}.yml": _text(speed, name, [*recordings, *alerts])
        for name, (recordings, alerts) in groups.items()
    }


def _text(speed: float, name: str, rules: Iterable[Rule]) -> str:
    yaml = YAML()
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    group = {"name": name, "interval": duration(SCRAPE), "rules": [_shown(rule) for rule in rules]}
    out = io.StringIO()
    yaml.dump({"groups": [group]}, out)
    head = f"# Made by prometheus/build.py --speed {speed:g}; change that, not this.\n"
    return head + out.getvalue()


def _shown(rule: Rule) -> dict[str, Any]:
    """Return a rule with its expression on lines of its own."""
    return {**rule, "expr": LiteralScalarString(rule["expr"] + "\n")}


def main() -> int:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=SPEED, help="simulated seconds in a second")
    asked = parser.parse_args()
    if asked.speed <= 0:
        parser.error(f"--speed: expected more than 0, got {asked.speed:g}")
    for name, text in files(asked.speed).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
